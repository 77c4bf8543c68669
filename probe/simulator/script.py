"""A response as a script: what is written, and when.

The stand-in model knows its whole answer at once, so a response is planned before its first byte is sent:
a head, a list of writes with their times, and an end. Faults of delivery (buffering, timers, cuts) are then
plain functions from script to script, and they compose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Headers = list[tuple[str, str]]

End = Literal["complete", "cut", "mid-chunk", "reset", "hang", "lost"]
"""How the body ends: complete; FIN without the last chunk; FIN inside a chunk; RST; never; never, and deaf
to what the client sends, TCP's own probes too."""

Framing = Literal["length", "chunked", "close"]


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes of the body and when they are sent, in seconds after the request was received.

    `event` numbers the server-sent event the bytes belong to (None for anything else).
    """

    at: float
    data: bytes
    event: int | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """One planned response. Times are seconds after the last byte of the request was read."""

    status: int
    headers: Headers
    writes: list[Write] = field(default_factory=list)
    head_at: float = 0.0
    end_at: float = 0.0
    framing: Framing = "length"
    end: End = "complete"
    close: bool = False

    @property
    def body(self) -> bytes:
        """All body bytes joined."""
        return b"".join(write.data for write in self.writes)

    @property
    def streamed(self) -> bool:
        """Whether this is a server-sent event stream (by how it was built, not by its content type)."""
        return self.framing == "chunked"

    def header(self, name: str) -> str | None:
        """The value of the first field of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def with_header(self, name: str, value: str | None) -> Script:
        """A copy in which the field is replaced (or, with None, removed)."""
        kept = [(key, old) for key, old in self.headers if key.lower() != name.lower()]
        if value is not None:
            kept.append((name, value))
        return replace(self, headers=kept)

    def with_body(self, body: bytes) -> Script:
        """A copy with this body sent in one write at the time of the end."""
        return replace(self, writes=[Write(self.end_at, body)] if body else [])

    def finished_at(self) -> float:
        """When the last scheduled thing of this response happens."""
        return max([self.end_at, self.head_at, *(write.at for write in self.writes)])


def to_json(value: Any) -> bytes:
    """Compact JSON in UTF-8, as the servers of this field send it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def plain(status: int, body: bytes, content_type: str | None, headers: Headers | None = None) -> Script:
    """A response of known length, sent at once."""
    fields = list(headers or [])
    if content_type:
        fields.append(("Content-Type", content_type))
    return Script(status, fields, [Write(0.0, body)] if body else [])


def send_json(status: int, payload: Any, headers: Headers | None = None) -> Script:
    """A JSON response, sent at once."""
    return plain(status, to_json(payload), "application/json", headers)


def send_text(status: int, text: str, headers: Headers | None = None) -> Script:
    """A text/plain response, sent at once."""
    return plain(status, text.encode(), "text/plain; charset=utf-8", headers)


def send_html(status: int, text: str, headers: Headers | None = None) -> Script:
    """A web page, sent at once."""
    return plain(status, text.encode(), "text/html; charset=utf-8", headers)


def send_empty(status: int, headers: Headers | None = None) -> Script:
    """A response without a body."""
    return plain(status, b"", None, headers)


def delayed(script: Script, seconds: float) -> Script:
    """The same response, everything in it `seconds` later."""
    return replace(
        script,
        writes=[replace(write, at=write.at + seconds) for write in script.writes],
        head_at=script.head_at + seconds,
        end_at=script.end_at + seconds,
    )
