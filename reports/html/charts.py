"""The charts of the report page: the arrival of a stream, the run over time, and the cost of each check.

In the chart of a stream a mark is an event.  Events that came with one read are stacked, so a burst
is a tall column and a silence an empty stretch; comments (heartbeats) have their own row and shape.
The lowest row shows the same number of events at an even pace: from the first one on, or where that
came late, over the whole time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

from probe.model import CheckRecord, Outcome
from probe.report import EventDocument, ExchangeDocument, ReportDocument
from probe.wording import amount, seconds
from reports.html import svg

#: Widths of a drawing, in its own units, on wide screens and on phones; text keeps its size on both.
WIDE, NARROW = 760.0, 360.0
STREAM_LEGEND = (
    "A mark is an event; events that came at once are stacked; diamonds are comments (heartbeats), the dashed line is "
    "when the headers came, the dot the end mark. The lowest row shows the same events evenly spread. Time in seconds."
)


# The arrival of a stream ---------------------------------------------------------------------------

_STREAM_LEFT = 92.0
_STREAM_RIGHT = 20.0
_BASE = 92.0
_HIGHEST = 58.0
#: How wide a mark of the even pace is.
_MARK = 1.6
#: A gap is marked as a silence from so many seconds and so many times the usual gap.
_SILENCE_S = 1.0
_SILENCE_TIMES = 6.0
#: Events that take less than this share of the time were held back: they are spread over all of it.
_HELD = 0.25


def worth_drawing(exchange: ExchangeDocument) -> bool:
    """Whether there is a stream with enough events to show a rhythm."""
    return len(_data(_events(exchange))) >= 3


def _events(exchange: ExchangeDocument) -> tuple[EventDocument, ...]:
    return exchange.response.events or () if exchange.response else ()


def _data(events: tuple[EventDocument, ...]) -> list[EventDocument]:
    return [event for event in events if event.kind not in ("comment", "fields")]


def describe_stream(exchange: ExchangeDocument) -> str:
    """The chart of a stream in words."""
    events = _events(exchange)
    data = _data(events)
    comments = sum(event.kind == "comment" for event in events)
    reads = len({event.at_s for event in data})
    text = (
        f"{len(data)} events in {amount(reads, 'arrival')}, the first after {seconds(data[0].at_s)}, "
        f"the last after {seconds(data[-1].at_s)}"
    )
    biggest = max(len(list(group)) for _, group in groupby(data, key=lambda event: event.at_s))
    if biggest > 1:
        text += f"; at most {biggest} at once"
    gaps = [after.at_s - before.at_s for before, after in pairwise(data)]
    if gaps and max(gaps) >= 0.05:
        text += f"; longest gap {seconds(max(gaps))}"
    if exchange.timeline.headers_s is not None:
        text += f"; headers after {seconds(exchange.timeline.headers_s)}"
    if comments:
        text += f"; {amount(comments, 'comment')} (heartbeats)"
    return text + "."


def draw_stream(exchange: ExchangeDocument, width: float = WIDE) -> str:
    """The chart as SVG markup, so wide; only for an exchange that is ``worth_drawing``."""
    events = _events(exchange)
    data = _data(events)
    longest = max(exchange.timeline.end_s, data[-1].at_s, 0.001)
    axis = svg.Axis(_STREAM_LEFT, width - _STREAM_RIGHT, longest)
    root = svg.drawing(width, 168, f"Arrival of the stream in {exchange.id}", describe_stream(exchange))
    svg.grid(root, axis, top=20, bottom=144)
    for y, name in ((_BASE - 4, "events"), (_BASE + 16, "comments"), (_BASE + 42, "even pace")):
        svg.label(root, _STREAM_LEFT - 8, y, name, anchor="end")
    svg.add(root, "line", "axis", x1=axis.left, x2=axis.right, y1=_BASE, y2=_BASE)
    _silences(root, data, axis)
    _columns(root, data, axis)
    for event in events:
        if event.kind == "comment":
            mark = svg.path(root, "comment", f"M{axis.at(event.at_s):.1f} {_BASE + 6:g}l5 6l-5 6l-5 -6z")
            svg.tooltip(mark, f"comment after {seconds(event.at_s)}: {str(event.data)[:60]}")
    _even_pace(root, data, axis)
    headers = exchange.timeline.headers_s
    if headers is not None:
        mark = svg.add(root, "line", "headers", x1=axis.at(headers), x2=axis.at(headers), y1=24, y2=_BASE)
        svg.tooltip(mark, f"headers after {seconds(headers)}")
    return svg.markup(root)


def _columns(root: svg.Element, data: list[EventDocument], axis: svg.Axis) -> None:
    groups = [(at_s, len(list(group))) for at_s, group in groupby(data, key=lambda event: event.at_s)]
    when, biggest = max(groups, key=lambda group: group[1])
    unit = min(14.0, _HIGHEST / biggest)
    steps = [
        f"M{axis.at(at_s):.1f} {_BASE:g}v-{max(6.0, unit * size) if biggest > 1 else 22:.3g}" for at_s, size in groups
    ]
    svg.tooltip(svg.path(root, "event", "".join(steps)), f"{len(data)} events")
    if biggest > 2:
        x = axis.at(when)
        anchor = "end" if x > axis.right - 40 else "start" if x < _STREAM_LEFT + 40 else "middle"
        svg.label(root, x, _BASE - unit * biggest - 4, f"{biggest} at once", anchor=anchor)
    last = data[-1]
    if isinstance(last.data, str) and last.data.strip() == "[DONE]":
        done = svg.add(root, "circle", "done", cx=axis.at(last.at_s), cy=_BASE, r=4)
        svg.tooltip(done, f"[DONE] after {seconds(last.at_s)}")


def _even_pace(root: svg.Element, data: list[EventDocument], axis: svg.Axis) -> None:
    first, last = data[0].at_s, data[-1].at_s
    if last - first < _HELD * last:
        first = last / len(data)
    width = (last - first) / max(1, len(data) - 1)
    gap = axis.at(width) - axis.at(0)
    row = svg.add(root, "line", "even", x1=axis.at(first), x2=axis.at(last) + _MARK, y1=_BASE + 39, y2=_BASE + 39)
    if gap > _MARK:
        row.set("stroke-dasharray", f"{_MARK:g} {gap - _MARK:.3f}")
    svg.tooltip(row, f"{len(data)} events, one every {seconds(width)}")


def _silences(root: svg.Element, data: list[EventDocument], axis: svg.Axis) -> None:
    gaps = [(before.at_s, after.at_s) for before, after in pairwise(data)]
    usual = median([end - start for start, end in gaps] or [0.0])
    for start, end in gaps:
        length = end - start
        if length >= _SILENCE_S and length >= _SILENCE_TIMES * usual:
            x, width = axis.at(start), axis.at(end) - axis.at(start)
            band = svg.add(root, "rect", "silence", x=x, y=24, width=width, height=_BASE - 24)
            svg.tooltip(band, f"silence of {seconds(length)}")
            svg.label(root, x + width / 2, 36, f"{seconds(length)} silent", "label", "middle")


# The run over time ---------------------------------------------------------------------------------

_RUN_LEFT, _RUN_LEFT_NARROW = 176.0, 120.0
_RUN_RIGHT = 16.0
_ROW = 20.0
_TOP = 26.0


def _timed(report: ReportDocument) -> list[CheckRecord]:
    """The checks that ran, in the order in which they started."""
    timed = [check for check in report.checks if check.started_s is not None and check.duration_s > 0]
    return sorted(timed, key=lambda check: (check.started_s or 0.0, check.id))


def describe_run(report: ReportDocument) -> str:
    """The chart of the run in words."""
    ran = _timed(report)
    checks, requests = amount(len(ran), "check"), amount(len(report.exchanges), "request")
    text = f"{checks} with {requests} in {seconds(report.run.duration_s)}"
    if ran:
        longest = max(ran, key=lambda check: check.duration_s)
        text += f"; the longest is {longest.id} with {seconds(longest.duration_s)}"
    alone = [check.id for check in ran if check.exclusive]
    if alone:
        text += f"; {', '.join(alone)} ran alone"
    return text + "."


def draw_run(report: ReportDocument, width: float = WIDE) -> str | None:
    """The checks over time with their requests, as SVG markup, so wide; None where no check ran."""
    ran = _timed(report)
    if not ran:
        return None
    longest = max(report.run.duration_s, *((check.started_s or 0.0) + check.duration_s for check in ran), 0.001)
    axis = svg.Axis(_RUN_LEFT if width == WIDE else _RUN_LEFT_NARROW, width - _RUN_RIGHT, longest)
    bottom = _TOP + _ROW * len(ran)
    root = svg.drawing(width, bottom + 24, "The run over time", describe_run(report))
    for check in ran:
        if check.exclusive:
            x, span = axis.span(check.started_s or 0.0, check.duration_s)
            band = svg.add(root, "rect", "alone", x=x, y=_TOP - 12, width=span, height=bottom - _TOP + 12)
            svg.tooltip(band, f"{check.id} ran alone")
    svg.grid(root, axis, top=_TOP - 12, bottom=bottom)
    by_check: dict[str, list[ExchangeDocument]] = {}
    for exchange in report.exchanges:
        by_check.setdefault(exchange.check, []).append(exchange)
    for number, check in enumerate(ran):
        _row(root, axis, _TOP + _ROW * number, check, by_check.get(check.id, []))
    return svg.markup(root)


def _row(root: svg.Element, axis: svg.Axis, y: float, check: CheckRecord, exchanges: list[ExchangeDocument]) -> None:
    failed = check.outcome in (Outcome.FAIL, Outcome.ERROR)
    name = f"{check.id} ✕" if failed else check.id
    svg.label(root, axis.left - 8, y + 13, name, "label failed" if failed else "label", "end")
    start = check.started_s or 0.0
    x, width = axis.span(start, check.duration_s)
    svg.add(root, "rect", f"check {check.outcome}", x=x, y=y + 3, width=width, height=14)
    spans = [axis.span(each.timeline.started_s, each.timeline.end_s, least=1.5) for each in exchanges]
    if spans:
        svg.path(root, "request", "".join(f"M{x:.1f} {y + 7:g}h{width:.1f}v6h-{width:.1f}z" for x, width in spans))


# The cost of each check ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """The bars of one check: its shares of the most expensive check, 0 to 100."""

    check: CheckRecord
    token_bar: float
    time_bar: float


def costs(report: ReportDocument) -> list[Cost]:
    """The checks that sent something, the most expensive first."""
    spent = [check for check in report.checks if check.requests or check.duration_s >= 0.5]
    most_tokens = max(map(_tokens, spent), default=0) or 1
    longest = max((check.duration_s for check in spent), default=0.0) or 1.0
    rows = [
        Cost(check, round(100 * _tokens(check) / most_tokens, 1), round(100 * check.duration_s / longest, 1))
        for check in spent
    ]
    return sorted(rows, key=lambda row: (-row.token_bar, -row.time_bar, row.check.id))


def _tokens(check: CheckRecord) -> int:
    return check.prompt_tokens + check.completion_tokens
