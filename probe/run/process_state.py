"""What the runs of one process share where there are many of them; a single run needs none of it.

They build one TLS context in place of many, watch the event loop once, take turns at a host,
and hand the checks that measure time to a process where nothing else runs.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from probe.model import Check, Result
from probe.run.context import Context
from probe.run.interruption import Interrupted
from probe.run.run_state import Sender, Turns
from probe.wire.loop_lag import LagMonitor
from probe.wire.recorder import RUN_LIMIT

#: Seconds, longer than any run: a deadline moved so far away cannot pass during a wait.
_FAR_S = 1e6


class Alone(Protocol):
    """Runs an exclusive check where nothing else keeps the event loop busy.

    The other checks of its run continue, and their requests wait while it measures.
    """

    def __call__(self, item: Check, context: Context, /) -> Awaitable[Result]:
        """The check's result; raises what the check raises."""


@dataclass(frozen=True)
class Shared:
    """What the runs of a process share.

    Attributes:
        lag: the loop-lag monitor, already running.
        turns: decides when a request may be sent.
        alone: runs an exclusive check; None runs it in place.
        interrupted: whether a signal ended the audit.
        room: the bytes that the bodies of each run may take.
    """

    lag: LagMonitor
    turns: Turns
    alone: Alone | None = None
    interrupted: Interrupted | None = None
    room: int = RUN_LIMIT


@contextmanager
def off_the_clock(sender: Sender) -> Iterator[None]:
    """The block waits for other runs of this program: its time counts for neither the check nor the run."""
    begin = time.monotonic()
    scope = sender.scope
    scope.deadline += _FAR_S
    try:
        with sender.budget.paused():
            yield
    finally:
        scope.deadline += time.monotonic() - begin - _FAR_S
