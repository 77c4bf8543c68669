"""What all checks of a run share: the exchanges so far, the results, and the limit of concurrent requests."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from probe.model import CheckRecord, Event, Exchange, Verdict
from probe.run.budget import Budget, Pace
from probe.run.options import Options, Settled
from probe.run.speed import Speed


class Sender(Protocol):
    """A check that is about to send a request; Context is one."""

    options: Options
    target: Settled
    budget: Budget
    scope: anyio.CancelScope


class Turns(Protocol):
    """Decides when a request may be sent, where several runs share a process."""

    def turn(self, url: str, sender: Sender) -> AbstractAsyncContextManager[Callable[[Exchange], None]]:
        """Wait until a request may go to this URL; yields a function that takes the finished exchange."""


_WORDS = tuple(
    (
        "ZEBRA AMBER COPPER FALCON MAPLE ORBIT QUARTZ RAVEN SAFFRON TULIP VELVET WALNUT INDIGO JASPER "
        "KESTREL LAGOON MARBLE NECTAR OPAL PEBBLE RUBY SIERRA TIMBER UMBER VIOLET WILLOW CEDAR DELTA "
        "EMBER FJORD GINGER HAZEL IVORY JUNIPER KOALA LOTUS MANGO NUTMEG OLIVE PLUM"
    ).split()
)


@dataclass
class Log:
    """The state of a run; ``results`` and ``shared`` are by the names under which exchanges are shared."""

    exchanges: list[Exchange] = field(default_factory=list)
    shared: dict[str, anyio.Event] = field(default_factory=dict)
    results: dict[str, Exchange | Exception] = field(default_factory=dict)
    throttled: list[Exchange] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    records: list[CheckRecord] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    nonces: dict[str, str] = field(default_factory=dict)
    counter: int = 0
    lane: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(4))
    emit: Callable[[Event], None] = lambda event: None
    turns: Turns | None = None
    pace: Pace = field(default_factory=Pace)
    speed: Speed = field(default_factory=Speed)
    tagged: int = 0
    waited_in_vain: bool = False

    def turn(self, url: str, sender: Sender) -> AbstractAsyncContextManager[Callable[[Exchange], None]]:
        """Wait for this run's turn at the host of the URL, if runs of this process take turns."""
        return nullcontext(lambda _exchange: None) if self.turns is None else self.turns.turn(url, sender)

    def nonce(self, label: str) -> str:
        """A code no model can guess: the same for the same label, with another word for another label."""
        if label not in self.nonces:
            source = random.SystemRandom()
            used = {code.partition("-")[0] for code in self.nonces.values()}
            words = [word for word in _WORDS if word not in used] or list(_WORDS)
            self.nonces[label] = f"{source.choice(words)}-{source.randrange(10_000, 99_999)}"
        return self.nonces[label]
