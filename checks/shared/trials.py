"""How often a request is repeated, and what the counts of repeated requests prove.

A result that is the same every time is settled at once.  Only where results differ is the request repeated, and
the Wilson interval of the failure rate decides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from checks.shared.outcome import Answer, outcome
from probe.api import Exchange, Inconclusive, wilson

#: Where only the model's answer is evidence, this many trials must agree: small models repeat codes by chance.
ROUNDS = 3
#: Trials in all of a request whose results differ.
FLAKY_TRIALS = 5
#: The share of failing calls that a client can live with.
TOLERATED = 0.1


@dataclass(frozen=True)
class Count:
    """How many of the calls failed."""

    bad: int
    of: int

    @property
    def mixed(self) -> bool:
        """Whether some calls failed and some did not."""
        return 0 < self.bad < self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the failure rate."""
        return wilson(self.bad, self.of)

    @property
    def confidence(self) -> float:
        """The confidence that the failure rate exceeds what a client can live with."""
        if not self.mixed:
            return 1.0 if self.bad else 0.0
        return round(max(0.5, min(1.0, 0.5 + self.interval[0])), 2)

    def breaks(self) -> bool:
        """Whether the capability is unusable: calls fail always, or surely more often than tolerated."""
        return self.bad > 0 and (not self.mixed or self.interval[0] > TOLERATED)

    def sentence(self) -> str:
        """``It happened in 2 of 5 calls (95 % interval 12% to 77%).``; empty where all or none failed."""
        if not self.mixed:
            return ""
        low, high = self.interval
        return f"It happened in {self.bad} of {self.of} calls (95 % interval {low:.0%} to {high:.0%})."


async def repeat_unclear(send: Callable[[], Awaitable[Exchange]], *about: str) -> list[Exchange]:
    """Send a request, and a second time where it failed without a reason (see ``outcome``)."""
    exchanges = [await send()]
    try:
        unclear = outcome(exchanges[0], *about) is Answer.FAILED
    except Inconclusive:
        unclear = False
    if unclear:
        exchanges.append(await send())
    return exchanges
