"""When the parts of an answer arrived, and what one run of it looks like by the clock.

Pure.  Only events that carry text, thinking or tool calls count; comments, the role, usage
and ``[DONE]`` say nothing about the generation.  Events that came within a few
milliseconds of each other are a burst: what matters is how many bursts there are, how far
apart, and where in an event they end.  The number of HTTP chunks says nothing: nginx
hands out dozens of perfectly cut chunks in one read at the very end.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, pairwise
from statistics import median

from probe.api import Exchange, completion

#: Events closer together than this belong to one burst.
BURST_GAP_S = 0.008
#: Streams that last less cannot be judged by their pace.
SPAN_S = 0.25
#: A timer that flushes more often than this is not worth a word.
PERIOD_S = 0.06
#: Two or three tokens at a time every so often may also be the model's own pace.
SLOW_PERIOD_S = 0.15
#: A timer makes most of the pauses about equally long; the stalls of a network do not.
EVEN = 0.75
#: Two runs that differ by less in length say nothing about what waits for their ends.
APART_S = 0.5
#: The slope from which on the first text waits for the last (by 0.3 s at least).
WAITS = 0.35
#: The first token may take this long, or this share of the whole, without further question.
EARLY_S = 0.35
EARLY_SHARE = 0.25


class Look(StrEnum):
    """What one run looks like."""

    SMOOTH = "smooth"  # comes as it is written, or is played back so
    LUMP = "lump"  # all at once, or nearly so
    SIZED = "sized"  # pieces of equal size, cut in the middle of events
    TIMED = "timed"  # whole events in bursts at an even pace
    SHORT = "short"  # too little, or over too soon
    EMPTY = "empty"  # nothing that counts


@dataclass(frozen=True)
class Run:
    """One streamed run in numbers.  Times in seconds after the request was out.

    Attributes:
        events: events that carry something; ``tokens`` as the endpoint counted, or events.
        first_s, last_s: when the first and the last of them came.
        main_s: when half of the text was there.
        bursts: how many bursts; ``duty`` is the share of the time between first and last
            event that lies inside bursts.
        midcut: the share of bursts, the last left out, that end inside a line.
        period_s: the median time from burst to burst; ``evenness`` the share of these times
            that are about as long; ``tick_s`` the median without the last, which the end cuts short.
        burst_bytes: the median size of a burst (last left out); ``first_bytes`` of the first.
        singles: the share of bursts with one event.
        lag_s: the worst lateness of this program's own event loop meanwhile; ``stalled_s``
            how long it was late in all.
        stopped: the model ended by itself.
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
        """Events a burst, on average."""
        return self.events / self.bursts if self.bursts else 0.0

    @property
    def at_once(self) -> bool:
        """Whether the first token came too early to have waited for anything."""
        return self.first_s <= max(EARLY_S, EARLY_SHARE * self.last_s)


def measure(exchange: Exchange) -> Run:
    """The numbers of a streamed run; all zero where nothing was streamed."""
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


def carries(delta: dict[str, object]) -> bool:
    """Whether a delta holds something the model wrote."""
    return bool(delta.get("content") or delta.get("tool_calls") or delta.get("function_call")) or any(
        bool(delta.get(field)) for field in (*completion.REASONING_FIELDS, "refusal", "reasoning_details")
    )


def _bursts(times: list[float]) -> list[tuple[int, int]]:
    """(first, last) event of every burst."""
    groups: list[tuple[int, int]] = []
    begin = 0
    for index in range(1, len(times) + 1):
        if index == len(times) or times[index] - times[index - 1] > BURST_GAP_S:
            groups.append((begin, index - 1))
            begin = index
    return groups


def _evenness(gaps: list[float]) -> float:
    """The share of gaps within a factor of 1.5 of the median; 0 for fewer than two."""
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
    """The share of these places in the body that lie inside a line."""
    content = exchange.response.content if exchange.response else b""
    if not totals:
        return 0.0
    return sum(content[total - 1 : total] not in (b"\n", b"\r") for total in totals) / len(totals)


def look_of(run: Run) -> Look:
    """What the run looks like by itself; whether it was held back takes a second one."""
    if run.events == 0:
        return Look.EMPTY
    if run.last_s < 0.3:
        return Look.SHORT
    bunched = run.per_burst >= 2 and run.bursts >= 3 and run.duty < 0.3
    if bunched and run.midcut >= 0.5:
        return Look.SIZED
    if bunched and run.bursts >= 5 and _timed(run):
        return Look.TIMED
    if run.span_s >= SPAN_S and (run.duty >= 0.3 or run.bursts >= 6 or (run.bursts >= 3 and run.per_burst < 2)):
        return Look.SMOOTH
    if run.bursts <= 2 or run.span_s < SPAN_S:
        return Look.LUMP
    return Look.SMOOTH if run.per_burst < 3 else Look.LUMP


def _timed(run: Run) -> bool:
    """Whether bursts come at the pace of a timer: even, as stalls of a network are not."""
    if run.period_s < PERIOD_S or run.evenness < EVEN:
        return False
    if run.per_burst >= 4:
        return True
    return run.period_s >= SLOW_PERIOD_S and run.singles < 0.25


def slope(short: Run, long: Run) -> float | None:
    """How much later the text comes in the longer run, for every second that it takes longer.

    None where the two do not differ by enough.  About 0 where text comes as it is written,
    about 1 where it waits for the end.
    """
    longer = long.last_s - short.last_s
    if longer < APART_S or not short.events or not long.events:
        return None
    return (_waited(long) - _waited(short)) / longer


def held_back(short: Run, long: Run) -> bool:
    """Whether the text waited for the generation to end.

    What is played back as slowly as it was written has a slope of a half, and nobody plays
    it slower than that; a load that comes and goes seldom makes so much of a difference.
    """
    found = slope(short, long)
    return found is not None and found > WAITS and _waited(long) - _waited(short) > 0.3


def _waited(run: Run) -> float:
    """When a run began to show: in a lump the first crumb does not count."""
    return run.main_s if look_of(run) is Look.LUMP else run.first_s


def lag_allowed(run: Run, judged_gap_s: float, patient: bool) -> bool:
    """Whether this program's own lateness leaves a judgement about such gaps standing.

    Args:
        judged_gap_s: the gap the judgement rests on, seconds.
        patient: a quieter run could still be had, so be strict: 20 ms, a quarter of the gap.
            Otherwise it must not explain the gap, or have been there for a small part of
            the time only: bursts all along the run are then none of its making.
    """
    if patient:
        return run.lag_s <= min(0.020, judged_gap_s / 4)
    return run.lag_s <= judged_gap_s / 4 or (run.bursts >= 3 and run.stalled_s <= 0.15 * run.last_s)
