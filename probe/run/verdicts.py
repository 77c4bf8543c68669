"""Merging the verdicts of checks into one for each capability, and the interval of a proportion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import sqrt

from probe.model import CAPABILITIES, State, Verdict

#: If two checks judge one capability, the state further left counts.
_ORDER = (State.BROKEN, State.IGNORED, State.REJECTED, State.WORKS, State.UNKNOWN)


def merge(given: Iterable[tuple[str, str, Verdict]]) -> dict[str, Verdict]:
    """One verdict for every capability.

    A fault found by any check outweighs a success found by another, since a client meets both; a
    definite state outweighs ``unknown``.

    Args:
        given: (check id, capability, verdict) in the order in which checks ended.
    """
    merged: dict[str, Verdict] = {}
    for check, capability, verdict in given:
        mine = replace(verdict, checks=(check,))
        known = merged.get(capability)
        if known is None:
            merged[capability] = mine
            continue
        stronger, weaker = sorted((known, mine), key=lambda item: _ORDER.index(item.verdict))
        joined = known.checks + tuple(name for name in mine.checks if name not in known.checks)
        merged[capability] = replace(stronger, checks=joined, note=stronger.note or weaker.note)
    empty = Verdict(State.UNKNOWN, 0.0, note="not tried")
    return {name: merged.get(name, empty) for name in CAPABILITIES} | {
        name: verdict for name, verdict in merged.items() if name not in CAPABILITIES
    }


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a proportion (E. B. Wilson, JASA 22, 1927).

    Args:
        successes: how many of the trials succeeded.
        trials: how many there were; 0 gives (0, 1).
        z: the normal quantile; 1.96 is 95 %.
    """
    if trials <= 0:
        return 0.0, 1.0
    share = successes / trials
    base = 1 + z * z / trials
    middle = share + z * z / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (middle - spread) / base), min(1.0, (middle + spread) / base)
