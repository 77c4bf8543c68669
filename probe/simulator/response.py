"""A planned response: its status, its fields, and which bytes are written when.

The simulated model knows its whole answer at once, so a response is planned before its first byte is sent. Faults of
delivery (buffers, timers, cut streams) are therefore plain functions from one plan to another, and they combine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal

Headers = list[tuple[str, str]]

End = Literal["complete", "cut", "mid-chunk", "unclean", "reset", "hang", "lost"]
"""How a response ends.

complete   as it should
cut        the connection is closed before the body is complete
mid-chunk  the same, inside a chunk
unclean    the same by a bare FIN: over TLS there is no close_notify
reset      RST
hang       nothing more is sent, the connection stays open
lost       the same, and nothing the client sends is acknowledged any more
"""

Framing = Literal["length", "chunked", "close", "none"]
"""How the end of the body is marked; `none`: there is no head either, the writes are all that is sent."""

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    499: "Client Closed Request",
    524: "A Timeout Occurred",
}


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and the fields of a response, as they are sent."""

    status: int
    headers: Headers
    reason: str | None = None
    version: str = "HTTP/1.1"

    def encoded(self) -> bytes:
        """The bytes up to and including the empty line; without a reason of its own, the standard phrase is sent."""
        reason = _REASONS.get(self.status, "Unknown") if self.reason is None else self.reason
        lines = [f"{self.version} {self.status} {reason}", *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes of the body and when they are sent, in seconds after the request was received.

    `event` numbers the server-sent event that the bytes belong to (None for anything else).
    """

    at: float
    data: bytes
    event: int | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """One planned response. Times are seconds after the last byte of the request was read.

    `more` continues after `writes` and is consumed while it is sent, so it may never end. With `close` the connection
    is closed after a complete response.
    """

    status: int
    headers: Headers
    writes: list[Write] = field(default_factory=list)
    head_at: float = 0.0
    end_at: float = 0.0
    framing: Framing = "length"
    end: End = "complete"
    close: bool = False
    more: Callable[[], Iterator[Write]] | None = None

    @property
    def body(self) -> bytes:
        """All planned body bytes joined."""
        return b"".join(write.data for write in self.writes)

    @property
    def is_stream(self) -> bool:
        """Whether this is a successful stream of events (by how it was built, not by its content type)."""
        return self.status == 200 and self.framing in ("chunked", "close") and bool(self.writes)

    @property
    def is_json(self) -> bool:
        """Whether the body is one JSON text."""
        return (self.header("content-type") or "").startswith("application/json") and bool(self.writes)

    def header(self, name: str) -> str | None:
        """The value of the first field of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def with_header(self, name: str, value: str | None) -> Response:
        """A copy in which the field is replaced (or, with None, removed)."""
        kept = [(key, old) for key, old in self.headers if key.lower() != name.lower()]
        return replace(self, headers=kept if value is None else [*kept, (name, value)])

    def with_body(self, body: bytes) -> Response:
        """A copy with this body, sent in one write at the end."""
        return replace(self, writes=[Write(self.end_at, body)] if body else [])

    def with_writes(self, writes: Iterable[tuple[float, bytes]]) -> Response:
        """A copy with other writes, given as (time, bytes); the head is sent with the first of them.

        Writes are numbered again, since events lose their identity in a buffer.
        """
        planned = [Write(at, data, number) for number, (at, data) in enumerate(writes) if data]
        last = max([self.end_at, *(write.at for write in planned)])
        return replace(self, writes=planned, end_at=last, head_at=planned[0].at if planned else self.head_at)

    def with_each_write(self, change: Callable[[bytes], bytes]) -> Response:
        """A copy with the bytes of every write changed."""
        return replace(self, writes=[replace(write, data=change(write.data)) for write in self.writes])

    def held(self) -> Response:
        """The same response with all its bytes at the end."""
        return self.with_writes([(self.finished_at(), self.body)])

    def replayed(self, pace: float) -> Response:
        """The same response after its end: its pauses are multiplied by `pace`."""
        end, first = self.finished_at(), self.writes[0].at
        writes = [replace(write, at=end + (write.at - first) * pace) for write in self.writes]
        return replace(self, writes=writes, end_at=writes[-1].at)

    def delayed(self, seconds: float) -> Response:
        """A copy in which everything happens `seconds` later."""
        writes = [replace(write, at=write.at + seconds) for write in self.writes]
        return replace(self, writes=writes, head_at=self.head_at + seconds, end_at=self.end_at + seconds)

    def cut(self, at: float, end: End) -> Response:
        """A copy that ends at that time in that way; what was planned for later is dropped."""
        kept = [write for write in self.writes if write.at <= at]
        return replace(self, writes=kept, end=end, end_at=at, more=None)

    def finished_at(self) -> float:
        """When the last byte is planned; infinite for a response without an end."""
        if self.more is not None:
            return float("inf")
        return max([self.end_at, self.head_at, *(write.at for write in self.writes)])

    def silence_after(self, limit: float) -> float | None:
        """When the first silence of more than `limit` seconds reaches that length; None if there is none."""
        last = 0.0
        for moment in sorted([self.head_at, *(write.at for write in self.writes), self.end_at]):
            if moment - last > limit:
                return last + limit
            last = moment
        return None


def to_json(value: Any) -> bytes:
    """Compact JSON in UTF-8, as most servers send it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def plain(status: int, body: bytes, content_type: str | None = None, headers: Headers | None = None) -> Response:
    """A response of known length, sent at once."""
    fields = [*(headers or []), *([("Content-Type", content_type)] if content_type else [])]
    return Response(status, fields, [Write(0.0, body)] if body else [])


def send_json(status: int, payload: Any, headers: Headers | None = None) -> Response:
    """A JSON response, sent at once."""
    return plain(status, to_json(payload), "application/json", headers)


def send_text(status: int, text: str, headers: Headers | None = None) -> Response:
    """A text/plain response, sent at once."""
    return plain(status, text.encode(), "text/plain; charset=utf-8", headers)


def send_html(status: int, text: str, headers: Headers | None = None) -> Response:
    """A web page, sent at once."""
    return plain(status, text.encode(), "text/html; charset=utf-8", headers)


def send_empty(status: int, headers: Headers | None = None) -> Response:
    """A response without a body."""
    return plain(status, b"", None, headers)


def redirect(status: int, location: str, headers: Headers | None = None) -> Response:
    """A redirect without a body."""
    return plain(status, b"", None, [("Location", location), *(headers or [])])


def send_raw(data: bytes, end: End = "cut") -> Response:
    """Bytes in place of an HTTP response, sent at once; the connection then ends in that way."""
    return Response(0, [], [Write(0.0, data)] if data else [], framing="none", end=end)


def no_response(end: End, at: float = 0.0) -> Response:
    """No byte of an answer: after `at` seconds the connection ends in that way."""
    return Response(0, [], head_at=at, end_at=at, framing="none", end=end)
