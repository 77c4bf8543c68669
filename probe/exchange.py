"""One request and what became of it, as recorded: the raw material of every diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from probe.parsing.strict_json import SMALL, parse, parse_large, text_large


@dataclass(frozen=True)
class Evidence:
    """One observation: where it stands in the recorded exchange, and what was due there.

    ``pointer`` is an RFC 6901 JSON pointer into the exchange as report.json holds it.
    """

    exchange: str
    pointer: str
    expected: Any
    actual: Any


@dataclass(frozen=True)
class Request:
    """A request as it went out, secrets already replaced by ``${API_KEY}`` and the like."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any = None  # a JSON value, or text when what was sent is no JSON


@dataclass(frozen=True)
class Autopsy:
    """What a silent connection said when its TCP peer was asked for a sign of life.

    ``verdict`` is alive, reset, no-answer, pending or unsupported (names of ``probe.wire.tcp``).
    ``at_s`` counts from the request, ``silent_s`` is the silence before it was asked.
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
    """When things happened, in seconds after the request was started.

    ``started_s`` counts from the start of the run.  ``reads`` holds one
    ``(seconds, bytes)`` pair a read of the body, bytes counted after content decoding.
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

    ``kind`` is one of the names in ``probe.wire.failures``; ``phase`` is connect, tls, send,
    headers or body; ``chain`` names the exceptions from the outermost to the cause.
    """

    kind: str
    phase: str
    message: str
    errno: int | None = None
    chain: tuple[str, ...] = ()


@dataclass(frozen=True)
class Response:
    """A response as received, content decoding undone, secrets removed.

    ``content`` is at most the body limit long; ``cut`` says that more was on its way.
    ``reflected`` names the secrets that the endpoint sent back.  ``received`` is the size
    of the body in bytes where ``content`` was read back from a report and is shaped anew.

    The body is left out of ``repr``: asyncio writes down the result of a run where it puts
    the handler of SIGINT back (CPython, Lib/asyncio/runners.py and Lib/signal.py), and four
    characters for each byte of all bodies were more memory than all else.
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

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def text(self) -> str:
        """The body as UTF-8 text; undecodable bytes become U+FFFD."""
        return self._text if len(self.content) <= SMALL else text_large(self.content)

    @property
    def json(self) -> Any:
        """The body as a JSON value, or None where it is none."""
        return self._json if len(self.content) <= SMALL else parse_large(self.content)

    @cached_property
    def _text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @cached_property
    def _json(self) -> Any:
        return parse(self.content)

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, lower case, empty where absent."""
        return (self.header("content-type") or "").split(";")[0].strip().lower()


@dataclass(frozen=True)
class Exchange:
    """One request and what became of it."""

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
