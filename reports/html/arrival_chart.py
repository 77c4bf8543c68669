"""The picture of a stream: when each event arrived, beside an even pace.

A mark is an event.  Events that came with one read stand on each other, so a burst is a
tall column and a silence an empty stretch; comments (heartbeats) have a row and a shape
of their own.  The row below shows the same number of events as they would come at an even
pace: from the first one on, or where that came late, over the whole time.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from statistics import median

from probe.report import EventDocument, ExchangeDocument
from probe.wording import amount
from reports.html import svg

_WIDTH = 760.0
_LEFT = 92.0
_RIGHT = 20.0
_BASE = 92.0
_HIGHEST = 58.0
#: A gap counts as a silence from so many seconds and so many times the usual gap on.
_SILENCE_S = 1.0
_SILENCE_TIMES = 6.0
#: Events that take less than this share of the time were held back: they are spread over all of it.
_HELD = 0.25


def worth_drawing(exchange: ExchangeDocument) -> bool:
    """Whether there is a stream with enough events to see a rhythm."""
    response = exchange.response
    return response is not None and response.events is not None and len(_data(response.events)) >= 3


def _data(events: tuple[EventDocument, ...]) -> list[EventDocument]:
    return [event for event in events if event.kind not in ("comment", "fields")]


def describe(exchange: ExchangeDocument) -> str:
    """What the picture shows, in words."""
    events = exchange.response.events or () if exchange.response else ()
    data = _data(events)
    comments = sum(event.kind == "comment" for event in events)
    reads = len({event.at_s for event in data})
    first, last = data[0].at_s, data[-1].at_s
    text = (
        f"{len(data)} events in {amount(reads, 'arrival')}, the first after {svg.seconds(first)}, "
        f"the last after {svg.seconds(last)}"
    )
    biggest = max(len(list(group)) for _, group in groupby(data, key=lambda event: event.at_s))
    if biggest > 1:
        text += f"; at most {biggest} at once"
    gaps = [after.at_s - before.at_s for before, after in pairwise(data)]
    if gaps and max(gaps) >= 0.05:
        text += f"; longest gap {svg.seconds(max(gaps))}"
    if comments:
        text += f"; {amount(comments, 'comment')} (heartbeats)"
    return text + "."


def draw(exchange: ExchangeDocument) -> str:
    """The picture as SVG markup.  Only for what is ``worth_drawing``."""
    events = exchange.response.events or () if exchange.response else ()
    data = _data(events)
    longest = max(exchange.timeline.end_s, data[-1].at_s, 0.001)
    axis = svg.Axis(_LEFT, _WIDTH - _RIGHT, longest)
    root = svg.picture(_WIDTH, 168, f"Arrival of the stream in {exchange.id}", describe(exchange))

    for tick in svg.ticks(longest):
        svg.add(root, "line", "grid", x1=axis.at(tick), x2=axis.at(tick), y1=20, y2=144)
        svg.label(root, axis.at(tick), 160, svg.seconds(tick), anchor="middle")
    for y, name in ((_BASE - 4, "events"), (_BASE + 16, "comments"), (_BASE + 42, "even pace")):
        svg.label(root, _LEFT - 8, y, name, anchor="end")
    svg.add(root, "line", "axis", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=_BASE, y2=_BASE)
    _silences(root, data, axis)
    _columns(root, data, axis)
    _comments(root, events, axis)
    _even(root, data, axis)
    headers = exchange.timeline.headers_s
    if headers is not None:
        mark = svg.add(root, "line", "headers", x1=axis.at(headers), x2=axis.at(headers), y1=24, y2=_BASE)
        svg.hint(mark, f"headers after {svg.seconds(headers)}")
    return svg.text_of(root)


def _columns(root: svg.Element, data: list[EventDocument], axis: svg.Axis) -> None:
    groups = [(at_s, list(group)) for at_s, group in groupby(data, key=lambda event: event.at_s)]
    biggest = max(len(group) for _, group in groups)
    unit = min(14.0, _HIGHEST / biggest)
    steps = []
    for at_s, group in groups:
        height = max(6.0, unit * len(group)) if biggest > 1 else 22.0
        steps.append(f"M{axis.at(at_s):.1f} {_BASE:g}v-{height:.1f}")
    made = svg.path(root, "event", "".join(steps))
    svg.hint(made, f"{len(data)} events")
    tallest = max(groups, key=lambda item: len(item[1]))
    if len(tallest[1]) > 2:
        height = unit * len(tallest[1])
        where = axis.at(tallest[0])
        anchor = "end" if where > _WIDTH - 60 else "start" if where < _LEFT + 40 else "middle"
        svg.label(root, where, _BASE - height - 4, f"{len(tallest[1])} at once", anchor=anchor)
    last = data[-1]
    if isinstance(last.data, str) and last.data.strip() == "[DONE]":
        done = svg.add(root, "circle", "done", cx=axis.at(last.at_s), cy=_BASE, r=4)
        svg.hint(done, f"[DONE] after {svg.seconds(last.at_s)}")


def _comments(root: svg.Element, events: tuple[EventDocument, ...], axis: svg.Axis) -> None:
    for event in events:
        if event.kind == "comment":
            mark = svg.path(root, "comment", f"M{axis.at(event.at_s):.1f} {_BASE + 6:g}l5 6l-5 6l-5 -6z")
            svg.hint(mark, f"comment after {svg.seconds(event.at_s)}: {str(event.data)[:60]}")


def _even(root: svg.Element, data: list[EventDocument], axis: svg.Axis) -> None:
    first, last = data[0].at_s, data[-1].at_s
    if last - first < _HELD * last:
        first = last / len(data)
    width = (last - first) / max(1, len(data) - 1)
    steps = "".join(f"M{axis.at(first + number * width):.1f} {_BASE + 46:g}v-14" for number in range(len(data)))
    svg.hint(svg.path(root, "even", steps), f"{len(data)} events, one every {svg.seconds(width)}")


def _silences(root: svg.Element, data: list[EventDocument], axis: svg.Axis) -> None:
    gaps = [(before.at_s, after.at_s) for before, after in pairwise(data)]
    if data:
        gaps.insert(0, (0.0, data[0].at_s))
    usual = median([end - start for start, end in gaps[1:]] or [0.0])
    for start, end in gaps[1:]:
        length = end - start
        if length >= _SILENCE_S and length >= _SILENCE_TIMES * usual:
            band = svg.add(
                root, "rect", "silence", x=axis.at(start), y=24, width=axis.at(end) - axis.at(start), height=_BASE - 24
            )
            svg.hint(band, f"silence of {svg.seconds(length)}")
            svg.label(root, (axis.at(start) + axis.at(end)) / 2, 36, f"{svg.seconds(length)} silent", "label", "middle")
