"""One recorded request with its response: what every diagnosis is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from probe.parsing.strict_json import SMALL, parse, parse_large, text_large


@dataclass(frozen=True)
class Evidence:
    """One observation: its place in the recorded exchange, and what was expected there.

    ``pointer`` is an RFC 6901 JSON pointer into the exchange as report.json holds it.
    """

    exchange: str
    pointer: str
    expected: Any
    actual: Any


@dataclass(frozen=True)
class Request:
    """A request as it was sent, with secrets replaced by ``${API_KEY}`` and the like."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any = None  # a JSON value, or text if the body was not JSON


@dataclass(frozen=True)
class Autopsy:
    """The state of a silent connection, as a TCP probe found it.

    ``verdict`` is alive, reset, no-answer, pending or unsupported (names of ``probe.wire.tcp``).
    ``at_s`` counts from the request, ``silent_s`` is the silence before the probe.
    """

    at_s: float
    silent_s: float
    verdict: str
    took_s: float = 0.0
    probes: int = 0
    unacked: int = 0
    last_ack_s: float | None = None


@dataclass(frozen=True)
class Timeline:
    """The times of an exchange, in seconds after the request was started.

    ``started_s`` counts from the start of the run.  ``reads`` holds a pair of seconds and bytes
    for each read of the body, the bytes counted after content decoding.
    """

    started_s: float = 0.0
    connect_s: float | None = None
    tls_s: float | None = None
    sent_s: float | None = None
    headers_s: float | None = None
    end_s: float = 0.0
    reused: bool = False
    reads: tuple[tuple[float, int], ...] = field(default=(), repr=False)
    wire_bytes: int = 0
    loop_lag_s: float | None = None
    loop_stalled_s: float | None = None
    open_after_done: bool = False
    autopsy: Autopsy | None = None


@dataclass(frozen=True)
class Failure:
    """Why an exchange has no complete response.

    ``kind`` is a name of ``probe.wire.failures``; ``phase`` is connect, tls, send, headers or body;
    ``chain`` names the exceptions from the outermost to the cause.
    """

    kind: str
    phase: str
    message: str
    errno: int | None = None
    chain: tuple[str, ...] = ()


@dataclass(frozen=True)
class Response:
    """A response as received, with content coding undone and secrets removed.

    ``content`` is at most as long as the body limit; ``cut`` says that there was more.
    ``reflected`` names the secrets that the endpoint sent back.  If ``content`` was rebuilt from a
    report, ``received`` is the size of the whole body in bytes and ``events`` are those that the
    report has of a stream, which may be more than the kept part of the body holds.

    The body is left out of ``repr``: asyncio formats the result of a run where it restores the
    handler of SIGINT (CPython, Lib/asyncio/runners.py and Lib/signal.py), and the text of all
    bodies took more memory than everything else.
    """

    status: int
    reason: str
    http_version: str
    headers: tuple[tuple[str, str], ...]
    content: bytes = field(default=b"", repr=False)
    cut: bool = False
    reflected: tuple[str, ...] = ()
    tls: Mapping[str, Any] | None = None
    received: int | None = None
    events: tuple[Any, ...] | None = field(default=None, repr=False)

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def text(self) -> str:
        """The body as UTF-8 text, with U+FFFD for undecodable bytes."""
        return self._text if len(self.content) <= SMALL else text_large(self.content)

    @property
    def json(self) -> Any:
        """The body as a JSON value, or None if it is not JSON."""
        return self._json if len(self.content) <= SMALL else parse_large(self.content)

    @cached_property
    def _text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @cached_property
    def _json(self) -> Any:
        return parse(self.content)

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case; empty if absent."""
        return (self.header("content-type") or "").split(";")[0].strip().lower()


@dataclass(frozen=True)
class Exchange:
    """One request with its response or its failure."""

    id: str
    check: str
    request: Request
    response: Response | None
    timeline: Timeline
    error: Failure | None = None

    @property
    def status(self) -> int | None:
        return self.response.status if self.response else None

    def shows(self, pointer: str, *, expected: Any, actual: Any) -> Evidence:
        """Evidence that points into this exchange."""
        return Evidence(self.id, pointer, expected, actual)

    def shows_status(self, expected: Any) -> Evidence:
        """Evidence of the response's status."""
        return Evidence(self.id, "/response/status", expected, self.status)
