"""What is wrong with the events of a stream, told apart by how a client trips over it.

Pure.  The rules are those of the WHATWG standard (section 9.2.6, interpreting an event
stream): LF, CR and CRLF, comments, multi-line data, unknown fields, a leading byte order
mark and ``data:`` without a space are all in order and are not spoken of here.
"""

from __future__ import annotations

from dataclasses import dataclass

from checks.shared.outcome import words_of
from probe.api import Verdict, completion, member, parse, sse, unknown

#: Scanners with a line limit of 1 MiB are common (Go's bufio.Scanner as usually configured).
LONGEST_LINE = 1024 * 1024


@dataclass(frozen=True)
class Problem:
    """One kind of unreadable event.

    Attributes:
        text: a sentence for the detail.
        event: index of the first such event in ``Stream.events``.
        expected, actual: for the evidence.
        readable: the answer can be read all the same by most clients.
        remedy: what mends it, where the general advice does not fit.
    """

    text: str
    event: int
    expected: str
    actual: object
    readable: bool = False
    remedy: str | None = None


def looks_like_chunk(value: object) -> bool:
    """Whether a JSON value is a completion chunk, whatever stands around it."""
    return isinstance(value, dict) and ("choices" in value or "error" in value or "delta" in value)


def bare_lines(stream: sse.Stream) -> list[int]:
    """Indexes of lines that hold a chunk without ``data:`` before it."""
    return [
        index
        for index, event in enumerate(stream.events)
        if event.kind == "stray" and (looks_like_chunk(parse(event.data.encode())) or event.data.strip() == "[DONE]")
    ]


def is_torn(stream: sse.Stream) -> bool:
    """Whether the body ends in the middle of a line of data."""
    last = stream.events[-1] if stream.events else None
    return (
        last is not None
        and last.kind == "unfinished"
        and not last.done
        and "\n" not in last.data
        and parse(last.data.encode()) is None
    )


def problem_of(reading: completion.StreamReading, whole: bool) -> Problem | None:
    """The first kind of framing problem, the gravest first; None where all is in order.

    Args:
        reading: the stream as read.
        whole: the response arrived whole; otherwise a torn last event is the cut's fault.
    """
    events = reading.stream.events
    bare = bare_lines(reading.stream)
    if bare:
        return Problem(
            f"{len(bare)} lines hold a JSON chunk without `data:` before it",
            bare[0],
            "data: {…}",
            events[bare[0]].data[:120],
        )
    torn = len(events) - 1 if not whole or is_torn(reading.stream) else -1
    bad = [index for index in reading.malformed if index != torn]
    if bad:
        return _malformed(reading, bad)
    messages = [
        chunk.index
        for chunk in reading.chunks
        if isinstance(member(chunk.body, "choices", 0, "message"), dict) and not chunk.delta
    ]
    if messages and not reading.text:
        return Problem(
            "the events hold whole messages (`choices[0].message`) in place of deltas",
            messages[0],
            "choices[0].delta",
            "choices[0].message",
        )
    return _oddity(reading)


def _malformed(reading: completion.StreamReading, bad: list[int]) -> Problem:
    events = reading.stream.events
    first = events[bad[0]]
    lines = first.data.split("\n")
    if isinstance(first.json, str) and isinstance(parse(first.json.encode()), dict):
        text, expected = "the data is a JSON string that holds the chunk: it was encoded twice", "an object"
    elif first.data.lstrip().startswith("data:"):
        text, expected = "the data begins with another `data:`: the stream was framed twice", "data: {…}"
    elif len(lines) > 1 and all(isinstance(parse(line.encode()), dict) or "[DONE]" in line for line in lines):
        text, expected = "no empty line ends the events, so that several chunks are one event", "an empty line"
    elif _splits(reading, bad):
        text, expected = "one JSON object is spread over several events", "one object an event"
    elif not first.data.strip():
        text, expected = f"{len(bad)} events have empty data", "a JSON object"
    else:
        text, expected = f"{len(bad)} events hold no JSON object", "a JSON object"
    usable = len(bad) <= 2 and bool(reading.text)
    return Problem(text, bad[0], expected, first.data[:120], readable=usable and not first.data.strip())


def _splits(reading: completion.StreamReading, bad: list[int]) -> bool:
    """Whether the first bad event and the next ones together are one JSON object."""
    events = reading.stream.events
    joined = ""
    for index in bad[:4]:
        joined += events[index].data
        if isinstance(parse(joined.encode()), dict):
            return True
    return False


def _oddity(reading: completion.StreamReading) -> Problem | None:
    events = reading.stream.events
    longest = max(range(len(events)), key=lambda index: events[index].longest_line, default=None)
    if longest is not None and events[longest].longest_line > LONGEST_LINE:
        return Problem(
            f"a line is {events[longest].longest_line} bytes long, and clients with a limit of 1 MiB a line stop there",
            longest,
            f"at most {LONGEST_LINE} bytes",
            events[longest].longest_line,
            readable=True,
            remedy="Let the server split long deltas into several events, so that no line is longer than 1 MiB.",
        )
    if reading.list_content:
        return Problem(
            "`delta.content` is a list of parts, where most clients expect a string or null",
            reading.list_content[0],
            "a string or null",
            "a list",
            readable=True,
            remedy="Use a client that reads lists of content parts, or a model or setting that streams plain text "
            "(models that think send their thinking as parts).",
        )
    return None


# Small things that the judgements of this family share. --------------------------------------------

CLEAN_CUT_REMEDY = (
    "A clean end that hides a cut usually comes from a proxy whose backend went away: look in the logs of both, and "
    "let the proxy speak HTTP/1.1 to its backend (nginx: `proxy_http_version 1.1`), so that a lost backend shows as "
    "a broken response. Until then set Streaming off in the client."
)


def untold(why: str = "the stream could not be read") -> Verdict:
    """An ``unknown`` that follows from another finding."""
    return unknown(why)


def short(text: str, most: int = 200) -> str:
    """A stranger's text in one line of bounded length."""
    said = " ".join(text.split())
    return said if len(said) <= most else said[:most] + "…"


__all__ = ["CLEAN_CUT_REMEDY", "short", "untold", "words_of"]
