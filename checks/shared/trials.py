"""How often, and how sure that makes us.

An answer that comes out the same every time is settled at once.  Only where answers
differ is it worth asking on, and then the Wilson interval says what the numbers bear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from probe.api import State, wilson

#: How often an endpoint that answers now so, now so is asked in all.
FLAKY_TRIALS = 5
#: A client can live with as many failed calls in all calls; with more it cannot work.
TOLERATED = 0.1


@dataclass(frozen=True)
class Count:
    """How many of so many calls went wrong."""

    bad: int
    of: int

    @property
    def mixed(self) -> bool:
        """Whether some went wrong and some did not."""
        return 0 < self.bad < self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the share that goes wrong."""
        return wilson(self.bad, self.of)

    @property
    def confidence(self) -> float:
        """How sure it is that calls go wrong to more than the tolerated share."""
        if not self.mixed:
            return 1.0 if self.bad else 0.0
        return round(max(0.5, min(1.0, 0.5 + self.interval[0])), 2)

    def turns(self) -> bool:
        """Whether this makes the capability unusable: always, or surely more often than tolerated."""
        return self.bad > 0 and (not self.mixed or self.interval[0] > TOLERATED)

    def sentence(self) -> str:
        """`2 of 5 calls went wrong (95 % interval 12 to 77 %)`; empty where all or none did."""
        if not self.mixed:
            return ""
        low, high = self.interval
        return f"It happened in {self.bad} of {self.of} calls (95 % interval {low:.0%} to {high:.0%})."


def state(counts: Sequence[Count]) -> State:
    """``broken`` where any count turns the verdict, else ``works``."""
    return State.BROKEN if any(count.turns() for count in counts) else State.WORKS
