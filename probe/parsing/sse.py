"""Server-sent events by the WHATWG standard, with the time of each.

https://html.spec.whatwg.org/multipage/server-sent-events.html, sections 9.2.5 and 9.2.6: lines
end in LF, CR or CRLF, an event ends at a blank line, an unfinished last event is dropped, a line
that starts with a colon is a comment, one space after the colon is removed.  Nothing is dropped
here: what a client would ignore is kept and named, since the diagnosis needs it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

from probe.parsing.strict_json import parse_or_reason

BOM = b"\xef\xbb\xbf"
#: Far more than any answer to our requests has; what follows is not read.
MOST_EVENTS = 8_000
MOST_LINES = 32_000
#: JSON values in the data of a stream (see ``strict_json.MOST_VALUES``); 8,000 chunks of OpenAI's have 112,000.
MOST_VALUES = 160_000


@dataclass(frozen=True)
class Event:
    """One event, comment or stray line of a stream.

    ``kind`` is ``data`` (an event with data), ``comment``, ``fields`` (an event without data, only
    id, event or retry), ``stray`` (a line that is not an SSE field) or ``unfinished`` (data at the
    end of the body without its blank line).  ``start`` and ``end`` are byte offsets in the body,
    ``at_s`` is the time of the read that completed it, in seconds after the request.
    """

    kind: str
    data: str
    start: int
    end: int
    at_s: float = 0.0
    event: str = ""
    id: str | None = None
    retry: int | None = None
    longest_line: int = 0

    @property
    def done(self) -> bool:
        """Whether it is the ``[DONE]`` that ends an OpenAI stream."""
        return self.kind in ("data", "unfinished") and self.data.strip() == "[DONE]"

    @cached_property
    def parsed(self) -> tuple[Any, str | None]:
        return parse_or_reason(self.data)

    @property
    def json(self) -> Any:
        """The data as a JSON value, or None."""
        return self.parsed[0]


@dataclass(frozen=True)
class Stream:
    """A parsed body: its events in order, and properties of its lines.

    ``cut`` says that there were more events, lines or values than the limits.
    """

    events: tuple[Event, ...]
    line_ends: frozenset[str] = frozenset()
    bom: bool = False
    invalid_utf8: int = 0
    longest_line: int = 0
    cut: bool = False

    @property
    def data(self) -> tuple[Event, ...]:
        """The events with data, an unfinished one included, without ``[DONE]``."""
        return tuple(e for e in self.events if e.kind in ("data", "unfinished") and not e.done)

    @property
    def done(self) -> bool:
        return any(event.done for event in self.events)

    @property
    def comments(self) -> tuple[Event, ...]:
        return tuple(e for e in self.events if e.kind == "comment")


def lines_of(body: bytes) -> Iterator[tuple[bytes, int, int, str]]:
    """The lines as (content, start, end with its terminator, terminator).

    The terminator is ``"\\n"``, ``"\\r"``, ``"\\r\\n"`` or empty for an unterminated last line.
    """
    position = 0
    size = len(body)
    newline = body.find(b"\n")
    while position < size:
        if 0 <= newline < position:  # not for each line: a body of only carriage returns has none
            newline = body.find(b"\n", position)
        limit = newline if newline >= 0 else size
        carriage = body.find(b"\r", position, limit)
        if carriage >= 0:
            end = carriage + (2 if carriage + 1 == newline else 1)
            yield body[position:carriage], position, end, "\r\n" if end - carriage == 2 else "\r"
        elif newline >= 0:
            end = newline + 1
            yield body[position:newline], position, end, "\n"
        else:
            end = size
            yield body[position:size], position, end, ""
        position = end


@dataclass
class _Pending:
    """The event that is being read."""

    start: int = -1
    end: int = -1
    data: list[bytes] = field(default_factory=list)
    event: str = ""
    id: str | None = None
    retry: int | None = None
    fields: int = 0
    longest: int = 0

    def take(self, line: bytes, start: int, end: int) -> bool:
        """Add a field line; False if the standard has no such field."""
        name, colon, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if name not in (b"data", b"event", b"id", b"retry"):
            return False
        if not colon and name != b"data":
            value = b""
        if self.start < 0:
            self.start = start
        self.end = end
        self.fields += 1
        self.longest = max(self.longest, len(line))
        if name == b"data":
            self.data.append(value)
        elif name == b"event":
            self.event = value.decode("utf-8", "replace")
        elif name == b"id":
            self.id = value.decode("utf-8", "replace")
        elif value.isdigit():
            self.retry = int(value[:12])
        return True

    def finish(self, end: int, complete: bool, at_s: Callable[[int], float]) -> Event:
        kind = "fields" if not self.data else "data" if complete else "unfinished"
        text = b"\n".join(self.data).decode("utf-8", "replace")
        last = max(end, self.end)
        return Event(kind, text, self.start, last, at_s(last), self.event, self.id, self.retry, self.longest)


def parse(body: bytes, reads: Sequence[tuple[float, int]] = ()) -> Stream:
    """Parse an event stream.  Never raises.

    Args:
        body: the body, content coding undone.
        reads: (seconds, bytes) of each read, which give the times of the events; may be empty.
    """
    bom = body.startswith(BOM)
    events: list[Event] = []
    ends: set[str] = set()
    pending = _Pending()
    longest = values = 0
    cut = False
    at_s = _clock(reads)
    for number, (line, start, end, terminator) in enumerate(lines_of(body)):
        values += sum(map(line.count, b",[{"))
        if number >= MOST_LINES or len(events) >= MOST_EVENTS or (values > MOST_VALUES and events):
            cut = True
            pending = _Pending()
            break
        if start == 0 and bom:
            line = line[len(BOM) :]
        if terminator:
            ends.add(terminator)
        longest = max(longest, len(line))
        if not line:
            if pending.fields:
                events.append(pending.finish(end, bool(terminator), at_s))
                pending = _Pending()
        elif line.startswith(b":"):
            comment = line[1:].decode("utf-8", "replace")
            events.append(Event("comment", comment.strip(), start, end, at_s(end), longest_line=len(line)))
        elif not pending.take(line, start, end):
            text = line.decode("utf-8", "replace")
            events.append(Event("stray", text, start, end, at_s(end), longest_line=len(line)))
    if pending.fields:
        events.append(pending.finish(pending.end, False, at_s))
    bad = 0
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        bad = body.decode("utf-8", "replace").count("\ufffd") - body.count("\ufffd".encode())
    return Stream(tuple(events), frozenset(ends), bom, bad, longest, cut)


def _clock(reads: Sequence[tuple[float, int]]) -> Callable[[int], float]:
    """A function from a byte offset to the time of the read that completed the bytes before it."""
    if not reads:
        return lambda _: 0.0
    totals = list(accumulate(size for _, size in reads))
    last = len(reads) - 1
    return lambda end: reads[min(bisect_left(totals, end), last)][0]
