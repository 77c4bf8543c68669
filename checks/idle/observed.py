"""What the ordinary requests of the run already tell about silence: heartbeats, and deaths.

Sends nothing and looks at everything that was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from checks.idle.catalogue import L4_RESET, L7_TIMEOUT, TOTAL_DEADLINE
from checks.idle.provocation import survived
from checks.shared.endings import Death, death_of, limit_facts, near, sent_at, timer_result
from probe.api import Depth, Exchange, Result, check, completion, member, works

if TYPE_CHECKING:
    from probe.api import Context

#: So many requests must die alike before ordinary ones are taken for proof.
ALIKE = 2


@check(
    "idle.observed",
    title="Look for silences and heartbeats in what was sent",
    proves="No ordinary request of the run died of a silence.",
    requires={"base-url"},
    after={"*"},
    provides={"long_silence"},
    emits=(L7_TIMEOUT, TOTAL_DEADLINE, L4_RESET),
    max_requests=0,
    depth=Depth.QUICK,
)
async def observed(ctx: Context) -> Result:
    result = diagnose_observed(ctx.exchanges, ctx.options.idle_s, ctx.codes)
    beat = heartbeat_of(ctx.exchanges)
    return result if beat is None else result | Result(facts={"heartbeat_s": round(beat[0], 2)}, note=beat[1])


def diagnose_observed(exchanges: Sequence[Exchange], wanted_s: float, codes: frozenset[str]) -> Result:
    """Deaths that several requests share, and the longest silence that was survived.  Pure."""
    lasted, _ = survived(exchanges)
    result = Result(note=f"the longest silence survived was {lasted:.1f} s")
    if 0 < wanted_s <= lasted:
        result |= Result(verdicts={"long_silence": works(f"a silence of {lasted:.1f} s survived")})
    if any(code.startswith("idle.") for code in codes):
        return result
    return result | _deaths(exchanges, lasted)


def _deaths(exchanges: Sequence[Exchange], lasted: float) -> Result:
    """A limit at which at least two silent requests died and that none outlived."""
    dead: list[tuple[Exchange, Death]] = []
    for exchange in exchanges:
        death = death_of(exchange)
        if death is not None and death.silent_s >= 0.8 * death.total_s:
            dead.append((exchange, death))
    for exchange, death in sorted(dead, key=lambda item: item[1].silent_s):
        alike = [other for other in dead if other[1].how == death.how and near(death.silent_s, other[1].silent_s)]
        if len(alike) < ALIKE or lasted > death.silent_s + 0.3:
            continue
        if death.how == "reset":
            finding = L4_RESET.found(
                f"{len(alike)} requests were reset after about {death.silent_s:.1f} s of silence.",
                exchange.shows(death.pointer, expected="an answer", actual=death.actual),
                confidence=0.8,
            )
            return Result((finding,), facts=limit_facts("l4", death.silent_s))
        if death.from_a_timer:
            longer = [
                item
                for item in exchanges
                if completion.is_stream(item)
                and item.error is None
                and item.timeline.end_s - sent_at(item) > death.total_s + 0.5
            ]
            why = f"{len(alike)} requests died alike."
            if longer:
                why += " Streams that lasted longer came through."
            confidence = 0.9 if longer else 0.7
            return timer_result(L7_TIMEOUT, death.total_s, exchange, death, confidence=confidence, why=why)
    return Result()


# Heartbeats ---------------------------------------------------------------------------------


def heartbeat_of(exchanges: Sequence[Exchange]) -> tuple[float, str] | None:
    """The interval of signs of life in the silences of streams, in seconds, and their kind."""
    for kind in ("comment", "data"):
        gaps: list[float] = []
        for exchange in exchanges:
            if completion.is_stream(exchange):
                gaps += _gaps(exchange, kind)
        if gaps:
            said = "comments" if kind == "comment" else "empty data events"
            return median(gaps), f"heartbeats ({said}) every {median(gaps):.1f} s of silence"
    return None


def _gaps(exchange: Exchange, kind: str) -> list[float]:
    """The times between two signs of life, or from the last byte of another kind to one."""
    reading = completion.read_stream(exchange)
    empty = {chunk.index for chunk in reading.chunks if not chunk.finish_reason and _says_nothing(chunk)}
    beats: list[tuple[float, bool]] = []
    for index, event in enumerate(reading.stream.events):
        alive = event.kind == "comment" if kind == "comment" else index in empty
        beats.append((event.at_s, alive))
    found = [
        later - earlier
        for (earlier, _), (later, alive) in pairwise([(sent_at(exchange), False), *beats])
        if alive and later - earlier > 0.25
    ]
    # One late sign of life is no heartbeat: a server may open its stream with a comment.
    return found if len(found) >= 2 else []


def _says_nothing(chunk: completion.Chunk) -> bool:
    if not isinstance(member(chunk.body, "choices"), list):
        return False  # no chunk of a chat completion: the Responses API streams other events
    if member(chunk.body, "usage") or member(chunk.body, "choices") == []:
        return not member(chunk.body, "usage")
    return not any(chunk.delta.get(name) for name in ("content", "tool_calls", *completion.REASONING_FIELDS)) and (
        not chunk.delta.get("role") or chunk.index > 0
    )
