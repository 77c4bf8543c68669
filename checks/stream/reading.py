"""How the bytes of a stream read: whether it is an event stream, and what is wrong with its framing.

The rules are those of the WHATWG standard (section 9.2.6, interpreting an event stream): LF, CR and CRLF, comments,
multi-line data, unknown fields, a leading byte order mark and ``data:`` without a space are all correct.
"""

from __future__ import annotations

from dataclasses import dataclass

from probe.api import Exchange, completion, member, parse, sse

#: Scanners with a line limit of 1 MiB are common (Go's bufio.Scanner as usually configured).
LONGEST_LINE = 1024 * 1024


@dataclass(frozen=True)
class Problem:
    """One kind of unreadable event.

    Attributes:
        text: a sentence for the detail.
        event: index of the first such event in ``Stream.events``.
        expected, actual: for the evidence.
        readable: most clients can read the answer nevertheless.
        remedy: the remedy, if the general one does not fit.
    """

    text: str
    event: int
    expected: str
    actual: object
    readable: bool = False
    remedy: str | None = None


def is_event_stream(exchange: Exchange) -> bool:
    """Whether the answer is, or is meant to be, a stream of events or of bare chunks."""
    response = exchange.response
    if response is None or not 200 <= response.status < 300 or isinstance(response.json, dict):
        return False
    return completion.is_stream(exchange) or bool(
        response.media_type == "text/event-stream" and bare_lines(completion.read_stream(exchange).stream)
    )


def broke_off(exchange: Exchange) -> bool:
    """Whether the stream has no proper end."""
    reading = completion.read_stream(exchange)
    if reading.errors or reading.finish_reason or reading.stream.done:
        return False
    return not problem_of(reading, exchange.error is None)


def ran_out_of_time(exchange: Exchange) -> bool:
    """Whether this program's time limit ended a stream whose text was still arriving."""
    error, times = exchange.error, exchange.timeline
    if error is None or error.kind != "timeout" or error.errno is not None or not times.reads:
        return False
    return times.end_s - times.reads[-1][0] < 0.3 * times.end_s


def body_kind(exchange: Exchange) -> str:
    """What a body that is not an event stream is, for a sentence."""
    response = exchange.response
    assert response is not None
    if completion.is_completion(exchange):
        return "one chat completion object, as if no stream had been requested"
    if completion.is_html(exchange):
        return "a web page"
    if not response.content:
        return "an empty body"
    lines = [line for line in response.content.split(b"\n") if line.strip()]
    if len(lines) > 1 and all(looks_like_chunk(parse(line)) for line in lines[:3]):
        return "bare JSON lines, not server-sent events"
    return f"{len(response.content)} bytes of {response.media_type or 'no stated type'}"


def remarks(exchange: Exchange, reading: completion.StreamReading) -> str:
    """Properties of a correct stream that are worth knowing, for the note of a pass."""
    found = []
    if reading.stream.bom:
        found.append("it begins with a byte order mark, which line readers take for text")
    if reading.stream.line_ends == {"\r"}:
        found.append("its lines end in CR alone, which readers of LF miss")
    if reading.stream.done and not reading.finish_reason:
        found.append("no chunk has a finish reason")
    if exchange.timeline.open_after_done:
        found.append("the response stayed open after [DONE]")
    if reading.reasoning_field:
        found.append(f"thinking is in {reading.reasoning_field}")
    if any(member(chunk.body, "choices") == [] for chunk in reading.chunks[:1]):
        found.append("the first chunk has no choices")
    return "; ".join(found)


# Framing --------------------------------------------------------------------------------------------


def looks_like_chunk(value: object) -> bool:
    """Whether a JSON value is a completion chunk."""
    return isinstance(value, dict) and ("choices" in value or "error" in value or "delta" in value)


def bare_lines(stream: sse.Stream) -> list[int]:
    """Indexes of lines with a chunk without ``data:`` before it."""
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
    """The gravest framing problem, or None.

    Args:
        reading: the stream as read.
        whole: the response arrived completely; otherwise a truncated last event is due to the connection.
    """
    events = reading.stream.events
    bare = bare_lines(reading.stream)
    if bare:
        text = f"{len(bare)} lines contain a JSON chunk without `data:` before it"
        return Problem(text, bare[0], "data: {…}", events[bare[0]].data[:120])
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
        text = "the events contain whole messages (`choices[0].message`) in place of deltas"
        return Problem(text, messages[0], "choices[0].delta", "choices[0].message")
    return _unusual(reading)


def _malformed(reading: completion.StreamReading, bad: list[int]) -> Problem:
    first = reading.stream.events[bad[0]]
    lines = first.data.split("\n")
    if isinstance(first.json, str) and isinstance(parse(first.json.encode()), dict):
        text, expected = "the data is a JSON string that contains the chunk: it was encoded twice", "an object"
    elif first.data.lstrip().startswith("data:"):
        text, expected = "the data begins with another `data:`: the stream was framed twice", "data: {…}"
    elif len(lines) > 1 and all(isinstance(parse(line.encode()), dict) or "[DONE]" in line for line in lines):
        text, expected = "no empty line separates the events, so several chunks form one event", "an empty line"
    elif _splits(reading, bad):
        text, expected = "one JSON object is split over several events", "one object per event"
    elif not first.data.strip():
        text, expected = f"{len(bad)} events have empty data", "a JSON object"
    else:
        text, expected = f"{len(bad)} events contain no JSON object", "a JSON object"
    # Not even an empty event is skipped: openai-python, openai-node and the AI SDK fail where they parse it.
    return Problem(text, bad[0], expected, first.data[:120])


def _splits(reading: completion.StreamReading, bad: list[int]) -> bool:
    """Whether the first bad event and the next ones together are one JSON object."""
    joined = ""
    for index in bad[:4]:
        joined += reading.stream.events[index].data
        if isinstance(parse(joined.encode()), dict):
            return True
    return False


def _unusual(reading: completion.StreamReading) -> Problem | None:
    """A stream that most clients read, and some do not."""
    events = reading.stream.events
    longest = max(range(len(events)), key=lambda index: events[index].longest_line, default=None)
    if longest is not None and events[longest].longest_line > LONGEST_LINE:
        size = events[longest].longest_line
        return Problem(
            f"a line is {size} bytes long, and clients with a limit of 1 MiB per line stop there",
            longest,
            f"at most {LONGEST_LINE} bytes",
            size,
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
