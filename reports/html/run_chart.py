"""Two pictures of the run itself: what ran when, and what each check cost."""

from __future__ import annotations

from dataclasses import dataclass

from probe.model import CheckRecord, Outcome
from probe.report import ExchangeDocument, ReportDocument
from probe.wording import amount
from reports.html import svg

_WIDTH = 760.0
_LEFT = 176.0
_RIGHT = 16.0
_ROW = 20.0
_TOP = 26.0


def _ran(report: ReportDocument) -> list[CheckRecord]:
    """The checks that ran, in the order in which they started."""
    timed = [check for check in report.checks if check.started_s is not None and check.duration_s > 0]
    return sorted(timed, key=lambda check: (check.started_s or 0.0, check.id))


def describe(report: ReportDocument) -> str:
    """What the waterfall shows, in words."""
    ran = _ran(report)
    alone = [check.id for check in ran if check.exclusive]
    checks, requests = amount(len(ran), "check"), amount(len(report.exchanges), "request")
    text = f"{checks} with {requests} in {svg.seconds(report.run.duration_s)}"
    if ran:
        longest = max(ran, key=lambda check: check.duration_s)
        text += f"; the longest is {longest.id} with {svg.seconds(longest.duration_s)}"
    if alone:
        text += f"; {', '.join(alone)} ran alone"
    return text + "."


def waterfall(report: ReportDocument) -> str | None:
    """The checks over time with their requests in them, as SVG markup; None where nothing ran."""
    ran = _ran(report)
    if not ran:
        return None
    longest = max(
        report.run.duration_s,
        *((check.started_s or 0.0) + check.duration_s for check in ran),
        0.001,
    )
    axis = svg.Axis(_LEFT, _WIDTH - _RIGHT, longest)
    bottom = _TOP + _ROW * len(ran)
    root = svg.picture(_WIDTH, bottom + 24, "The run over time", describe(report))
    for check in ran:
        if check.exclusive:
            start = check.started_s or 0.0
            x = axis.at(start)
            width = max(2.0, axis.at(start + check.duration_s) - x)
            band = svg.add(root, "rect", "alone", x=x, y=_TOP - 12, width=width, height=bottom - _TOP + 12)
            svg.hint(band, f"{check.id} ran alone")
    for tick in svg.ticks(longest):
        svg.add(root, "line", "grid", x1=axis.at(tick), x2=axis.at(tick), y1=_TOP - 12, y2=bottom)
        svg.label(root, axis.at(tick), bottom + 16, svg.seconds(tick), anchor="middle")
    by_check: dict[str, list[ExchangeDocument]] = {}
    for exchange in report.exchanges:
        by_check.setdefault(exchange.check, []).append(exchange)
    for number, check in enumerate(ran):
        _row(root, axis, _TOP + _ROW * number, check, by_check.get(check.id, []))
    return svg.text_of(root)


def _row(root: svg.Element, axis: svg.Axis, y: float, check: CheckRecord, exchanges: list[ExchangeDocument]) -> None:
    failed = check.outcome in (Outcome.FAIL, Outcome.ERROR)
    name = f"{check.id} ✕" if failed else check.id
    svg.label(root, _LEFT - 8, y + 13, name, "label failed" if failed else "label", "end")
    start = check.started_s or 0.0
    x = axis.at(start)
    width = max(2.0, axis.at(start + check.duration_s) - x)
    bar = svg.add(root, "rect", f"check {check.outcome}", x=x, y=y + 3, width=width, height=14)
    svg.hint(bar, f"{check.id}: {check.outcome}, {svg.seconds(check.duration_s)} from {svg.seconds(start)} on")
    for exchange in exchanges:
        begin = exchange.timeline.started_s
        left = axis.at(begin)
        length = max(1.5, axis.at(begin + exchange.timeline.end_s) - left)
        mark = svg.add(root, "rect", "request", x=left, y=y + 7, width=length, height=6)
        status = exchange.response.status if exchange.response else "no answer"
        svg.hint(mark, f"{exchange.id}: {exchange.request.method} {status}, {svg.seconds(exchange.timeline.end_s)}")


@dataclass(frozen=True)
class Cost:
    """What one check cost; the bars are shares of the dearest check, 0 to 100."""

    id: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    token_bar: float
    time_bar: float


def costs(report: ReportDocument) -> list[Cost]:
    """The checks that sent something, the dearest first."""
    spent = [check for check in report.checks if check.requests or check.duration_s >= 0.5]
    most_tokens = max((check.prompt_tokens + check.completion_tokens for check in spent), default=0) or 1
    longest = max((check.duration_s for check in spent), default=0.0) or 1.0
    rows = [
        Cost(
            check.id,
            check.requests,
            check.prompt_tokens,
            check.completion_tokens,
            check.duration_s,
            round(100 * (check.prompt_tokens + check.completion_tokens) / most_tokens, 1),
            round(100 * check.duration_s / longest, 1),
        )
        for check in spent
    ]
    return sorted(rows, key=lambda row: (-row.token_bar, -row.time_bar, row.id))
