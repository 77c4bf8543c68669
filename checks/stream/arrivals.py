"""Arrival times of a streamed answer, and the pattern of one run.

Only events with text, thinking or tool calls count; comments, the role, usage and ``[DONE]`` are not part of the
generation.  Events within a few milliseconds of each other form a burst: the number of bursts, their distance and
where in an event they end show the delivery.  The number of HTTP chunks shows nothing: nginx passes on dozens of
correct chunks in one read at the very end.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, pairwise
from statistics import median

from probe.api import Exchange, completion

#: Events closer together belong to one burst (seconds).
BURST_GAP_S = 0.008
#: Shorter streams cannot be judged by their pace (seconds).
SPAN_S = 0.25
#: Timers that flush more often are not reported (seconds).
PERIOD_S = 0.06
#: Two or three tokens at a time may also be the model's own pace, unless the period is longer (seconds).
SLOW_PERIOD_S = 0.15
#: The least share of equal gaps for a timer; the stalls of a network are less even.
EVEN = 0.75
#: Two runs that differ less in length do not show what waits for the end (seconds).
APART_S = 0.5
#: Slope above which the first text waits for the last (and by at least 0.3 s).
WAITS = 0.35
#: The first token may take this many seconds, or this share of the whole, without further tests.
EARLY_S = 0.35
EARLY_SHARE = 0.25


class Pattern(StrEnum):
    """The pattern of one run."""

    SMOOTH = "smooth"  # one event after the other, live or replayed
    ONE_PIECE = "one piece"  # all at once, or nearly so
    SIZED = "sized"  # pieces of equal size that end inside events
    TIMED = "timed"  # whole events in regular bursts
    SHORT = "short"  # too little, or over too soon
    EMPTY = "empty"  # no event counts


@dataclass(frozen=True)
class Run:
    """One streamed run in numbers.  Times are in seconds after the request was sent.

    Attributes:
        events: events that count; ``tokens`` as counted by the endpoint, otherwise events.
        first_s, last_s: the times of the first and the last of them.
        main_s: the time by which half of the text had arrived.
        bursts: the number of bursts; ``duty`` is the share of the time between first and last event inside bursts.
        midcut: the share of bursts (without the last) that end inside a line.
        period_s: the median time between bursts; ``evenness`` the share of such times close to it; ``tick_s`` the
            median without the last, which the end of the stream shortens.
        burst_bytes: the median size of a burst (without the last); ``first_bytes`` of the first.
        singles: the share of bursts with one event.
        lag_s: the worst lateness of this program's event loop meanwhile; ``stalled_s`` its sum.
        stopped: the model ended the answer by itself.
    """

    events: int
    tokens: int
    first_s: float
    last_s: float
    main_s: float
    end_s: float
    headers_s: float
    bursts: int = 0
    duty: float = 0.0
    midcut: float = 0.0
    period_s: float = 0.0
    tick_s: float = 0.0
    evenness: float = 0.0
    burst_bytes: int = 0
    first_bytes: int = 0
    total_bytes: int = 0
    singles: float = 0.0
    lag_s: float = 0.0
    stalled_s: float = 0.0
    stopped: bool = False

    @property
    def span_s(self) -> float:
        return self.last_s - self.first_s

    @property
    def per_burst(self) -> float:
        """Events per burst, on average."""
        return self.events / self.bursts if self.bursts else 0.0

    @property
    def at_once(self) -> bool:
        """Whether the first token arrived too early to have been held back."""
        return self.first_s <= max(EARLY_S, EARLY_SHARE * self.last_s)


def measure(exchange: Exchange) -> Run:
    """The numbers of a streamed run; all zero if nothing was streamed."""
    timeline = exchange.timeline
    base = timeline.sent_s or 0.0
    reading = completion.read_stream(exchange)
    events = reading.stream.events
    counted = [chunk for chunk in reading.chunks if carries(chunk.delta)]
    lag = timeline.loop_lag_s or 0.0
    headers = (timeline.headers_s or 0.0) - base
    end = timeline.end_s - base
    tokens = reading.usage[1] or len(counted)
    if not counted:
        return Run(0, tokens, 0.0, 0.0, 0.0, end, headers, lag_s=lag)
    times = [chunk.at_s - base for chunk in counted]
    ends = [events[chunk.index].end for chunk in counted]
    groups = _bursts(times)
    starts = [times[first] for first, _ in groups]
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    inside = sum(times[last] - times[first] for first, last in groups)
    span = times[-1] - times[0]
    totals = _flushes(exchange)
    sizes = [total - before for before, total in pairwise([0, *totals])]
    return Run(
        events=len(counted),
        tokens=tokens,
        first_s=times[0],
        last_s=times[-1],
        main_s=times[min(bisect_left(ends, (ends[0] + ends[-1]) / 2), len(times) - 1)],
        end_s=end,
        headers_s=headers,
        bursts=len(groups),
        duty=inside / span if span > 0 else 1.0,
        midcut=_midcut(exchange, totals[:-1]),
        period_s=median(gaps) if gaps else 0.0,
        tick_s=median(gaps[:-1]) if len(gaps) > 1 else 0.0,
        evenness=_evenness(gaps[:-1]),
        burst_bytes=int(median(sizes[:-1])) if len(sizes) > 1 else 0,
        first_bytes=sizes[0] if sizes else 0,
        total_bytes=sum(size for _, size in timeline.reads),
        singles=sum(first == last for first, last in groups) / len(groups),
        lag_s=lag,
        stalled_s=timeline.loop_stalled_s or 0.0,
        stopped=reading.finish_reason not in (None, "length"),
    )


_OUTPUT_FIELDS = (
    *("content", "tool_calls", "function_call", "refusal", "reasoning_details"),
    *completion.REASONING_FIELDS,
)


def carries(delta: dict[str, object]) -> bool:
    """Whether a delta contains output of the model."""
    return any(delta.get(field) for field in _OUTPUT_FIELDS)


def _bursts(times: list[float]) -> list[tuple[int, int]]:
    """The first and the last event of every burst."""
    groups: list[tuple[int, int]] = []
    begin = 0
    for index in range(1, len(times) + 1):
        if index == len(times) or times[index] - times[index - 1] > BURST_GAP_S:
            groups.append((begin, index - 1))
            begin = index
    return groups


def _evenness(gaps: list[float]) -> float:
    """The share of gaps within a factor of 1.5 of the median; 0 for fewer than two gaps."""
    if len(gaps) < 2:
        return 0.0
    middle = median(gaps)
    return sum(middle / 1.5 <= gap <= middle * 1.5 for gap in gaps) / len(gaps)


def _flushes(exchange: Exchange) -> list[int]:
    """Bytes received by the end of every burst of reads, in order."""
    reads = [item for item in exchange.timeline.reads if item[1]]
    totals = list(accumulate(size for _, size in reads))
    return [
        total
        for index, total in enumerate(totals)
        if index + 1 == len(reads) or reads[index + 1][0] - reads[index][0] > BURST_GAP_S
    ]


def _midcut(exchange: Exchange, totals: list[int]) -> float:
    """The share of these positions in the body that are inside a line."""
    content = exchange.response.content if exchange.response else b""
    if not totals:
        return 0.0
    return sum(content[total - 1 : total] not in (b"\n", b"\r") for total in totals) / len(totals)


def pattern_of(run: Run) -> Pattern:
    """The pattern of the run alone; whether it was held back takes a second run."""
    if run.events == 0:
        return Pattern.EMPTY
    if run.last_s < 0.3:
        return Pattern.SHORT
    bunched = run.per_burst >= 2 and run.bursts >= 3 and run.duty < 0.3
    if bunched and run.midcut >= 0.5:
        return Pattern.SIZED
    if bunched and run.bursts >= 5 and _timed(run):
        return Pattern.TIMED
    if run.span_s >= SPAN_S and (run.duty >= 0.3 or run.bursts >= 6 or (run.bursts >= 3 and run.per_burst < 2)):
        return Pattern.SMOOTH
    if run.bursts <= 2 or run.span_s < SPAN_S or run.per_burst >= 3:
        return Pattern.ONE_PIECE
    return Pattern.SMOOTH


def _timed(run: Run) -> bool:
    """Whether bursts come at the pace of a timer: even, unlike the stalls of a network."""
    if run.period_s < PERIOD_S or run.evenness < EVEN:
        return False
    return run.per_burst >= 4 or (run.period_s >= SLOW_PERIOD_S and run.singles < 0.25)


def slope(short: Run, long: Run) -> float | None:
    """How much later text appears in the longer run, for every second that it takes longer.

    About 0 if text arrives as it is written, about 1 if it waits for the end; None if the runs differ too little.
    """
    longer = long.last_s - short.last_s
    if longer < APART_S or not short.events or not long.events:
        return None
    return (_shown_at(long) - _shown_at(short)) / longer


def held_back(short: Run, long: Run) -> bool:
    """Whether the text waited for the generation to end.

    A replay as slow as the generation has a slope of one half, and none is slower; varying load seldom makes that
    much of a difference.
    """
    found = slope(short, long)
    return found is not None and found > WAITS and _shown_at(long) - _shown_at(short) > 0.3


def _shown_at(run: Run) -> float:
    """The time at which a run began to show; in one piece, a first small part does not count."""
    return run.main_s if pattern_of(run) is Pattern.ONE_PIECE else run.first_s


def lag_allowed(run: Run, judged_gap_s: float, patient: bool) -> bool:
    """Whether this program's own lateness permits a judgement about such gaps.

    Args:
        judged_gap_s: the gap that the judgement rests on, in seconds.
        patient: the run can still be repeated, so the limit is strict: 20 ms, or a quarter of the gap.  Otherwise
            the lateness must not explain the gap, or must have been short: then it did not cause bursts all along
            the run.
    """
    if patient:
        return run.lag_s <= min(0.020, judged_gap_s / 4)
    return run.lag_s <= judged_gap_s / 4 or (run.bursts >= 3 and run.stalled_s <= 0.15 * run.last_s)
