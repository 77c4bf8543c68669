"""Server-sent events: whatever is legal is read, and where the reads fall makes no difference."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.parsing import sse

ENDS = ("\n", "\r", "\r\n")
TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=12)
NAMES = st.sampled_from(["id", "event", "retry", "other"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """A valid stream and the data of the events that a reader must dispatch."""
    end = draw(st.sampled_from(ENDS))
    out: list[str] = ["\ufeff"] if draw(st.booleans()) else []
    dispatched: list[str] = []
    for _ in range(draw(st.integers(0, 5))):
        lines = draw(st.lists(TEXT, max_size=3))
        for extra in range(draw(st.integers(0, 2))):
            name = draw(NAMES) if extra else ""
            out.append(f"{name}: {draw(TEXT)}{end}")
        for line in lines:
            space = " " if line.startswith(" ") or draw(st.booleans()) else ""
            out.append(f"data:{space}{line}{end}")
        out.append(end)
        if lines:
            dispatched.append("\n".join(lines))
    return "".join(out).encode(), dispatched


def reference(body: bytes) -> list[str]:
    """The standard's algorithm, written down step by step (section 9.2.6)."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    pieces = re.split(r"(\r\n|\n|\r)", text)
    lines = pieces[0:-1:2]  # what follows the last line end is no line
    found: list[str] = []
    buffer: list[str] = []
    for line in lines:
        if not line:
            if buffer:
                found.append("\n".join(buffer))
            buffer = []
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            if name == "data":
                buffer.append(value.removeprefix(" "))
    return found


def cut_at(body: bytes, places: list[int]) -> list[tuple[float, int]]:
    edges = [0, *sorted({place % (len(body) + 1) for place in places}), len(body)]
    return [(float(n), b - a) for n, (a, b) in enumerate(pairwise(edges))]


def data_of(stream: sse.Stream) -> list[str]:
    return [event.data for event in stream.events if event.kind == "data"]


@given(streams())
def test_a_valid_stream_is_read_as_it_was_written(made: tuple[bytes, list[str]]) -> None:
    body, wanted = made
    assert data_of(sse.parse(body)) == wanted == reference(body)


@given(streams(), st.lists(st.integers(0, 400), max_size=6))
def test_where_the_reads_fall_makes_no_difference(made: tuple[bytes, list[str]], places: list[int]) -> None:
    body, _ = made
    reads = cut_at(body, places)
    whole, pieces = sse.parse(body), sse.parse(body, reads)
    assert [(e.kind, e.data, e.start, e.end) for e in pieces.events] == [
        (e.kind, e.data, e.start, e.end) for e in whole.events
    ]
    arrived = 0
    for at, size in reads:
        arrived += size
        for event in pieces.events:
            assert event.at_s <= at or event.end > arrived  # dated by the read that completed it
    assert all(a.at_s <= b.at_s for a, b in pairwise(pieces.events))


@given(streams(), st.integers(0, 400))
def test_a_cut_stream_loses_only_what_was_not_complete(made: tuple[bytes, list[str]], place: int) -> None:
    body, wanted = made
    part = sse.parse(body[: place % (len(body) + 1)])
    assert data_of(part) == wanted[: len(data_of(part))]
    assert sum(event.kind == "unfinished" for event in part.events) <= 1


@given(st.binary(max_size=200))
def test_any_bytes_are_read_like_the_standard_reads_them(body: bytes) -> None:
    assert data_of(sse.parse(body)) == reference(body)


@given(st.text(max_size=40))
def test_characters_survive_any_cut(text: str) -> None:
    clean = "".join(text.split()).encode("utf-8", "replace").decode()
    body = f"data: {clean}\n\n".encode()
    for place in range(len(body)):
        parsed = sse.parse(body, [(0.0, place), (1.0, len(body) - place)])
        assert data_of(parsed) == [clean]
        assert parsed.invalid_utf8 == 0


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        (b": ping\n\n", ["comment"]),
        (b":\n\n", ["comment"]),
        (b"data\n\n", ["data"]),
        (b"id: 3\nretry: 1000\n\n", ["fields"]),
        (b"data: x\n", ["unfinished"]),
        (b"data: x", ["unfinished"]),
        (b'{"choices":[]}\n', ["stray"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["data", "data"]),
        (b"data: a\r\rdata: b\r\r", ["data", "data"]),
        (b"data: a\n\n\n\ndata: b\n\n", ["data", "data"]),
    ],
)
def test_the_kinds_of_events(body: bytes, kinds: list[str]) -> None:
    assert [event.kind for event in sse.parse(body).events] == kinds


def test_fields_are_kept_and_done_is_known() -> None:
    stream = sse.parse(b"id: 7\nevent: note\nretry: 250\ndata: x\n\ndata:[DONE]\n\n")
    first = stream.events[0]
    assert (first.id, first.event, first.retry) == ("7", "note", 250)
    assert stream.done
    assert [event.data for event in stream.data] == ["x"]


def test_lines_over_a_mebibyte_and_bad_bytes_are_measured() -> None:
    stream = sse.parse(b"data: " + b"x" * (1 << 20) + b"\n\n" + b"data: \xff\xfe\n\n")
    assert stream.longest_line == (1 << 20) + 6
    assert stream.events[0].longest_line == stream.longest_line
    assert stream.invalid_utf8 == 2
