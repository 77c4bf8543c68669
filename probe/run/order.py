"""Which checks come first, and which a slow endpoint is not asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

from probe.catalogue.typical import Cost, typical
from probe.model import Check
from probe.run.options import Options
from probe.run.speed import Speed
from probe.wording import seconds

#: Capabilities that clients have a switch or a setting for.
SWITCHES = frozenset(
    "chat streaming stream_usage system_role block_content tools tool_results streaming_tools json_object json_schema "
    "vision".split()
)

#: The length of a wait, in requests.
WAITING = 100


def tails(checks: Sequence[Check], edges: Mapping[str, set[str]]) -> dict[str, int]:
    """For each check the length of the longest chain that it begins, in requests that are likely sent.

    A check that waits for --idle seconds takes longer than any chain of requests, and others run at the same time.
    """
    heads: dict[str, set[str]] = {}
    for name, waits in edges.items():
        for other in waits:
            heads.setdefault(other, set()).add(name)
    lengths: dict[str, int] = {}
    weights = {item.id: WAITING if typical(item).waits else min(item.max_requests, 2) for item in checks}
    with suppress(CycleError):  # the scheduler names the circle
        for name in reversed(list(TopologicalSorter(edges).static_order())):
            lengths[name] = weights[name] + max((lengths[other] for other in heads.get(name, ())), default=0)
    return {item.id: lengths.get(item.id, 0) for item in checks}


class Order:
    """The order of the checks of one run.

    Args:
        edges: the checks that each check waits for.
    """

    def __init__(self, checks: Sequence[Check], edges: Mapping[str, set[str]], options: Options, speed: Speed) -> None:
        self.checks = {item.id: item for item in checks}
        self.options = options
        self.speed = speed
        self._tails = tails(checks, edges)
        measuring = [item.id for item in checks if item.exclusive and "*" not in item.after]
        timed = {name for measured in measuring for name in edges.get(measured, ())}
        self._pressing = {name for name in timed if typical(self.checks[name]) == Cost()}
        first = [item.id for item in checks if item.provides & SWITCHES - item.requires - item.after]
        first = [name for name in first if "*" not in self.checks[name].after]
        self.needed: set[str] = set()
        while first:
            name = first.pop()
            if name not in self.needed:
                self.needed.add(name)
                first += edges.get(name, ())

    def next(self, ready: Sequence[str], running: Collection[str]) -> list[str]:
        """The checks that may begin, in order: those of the longest chain first, since a run takes as long as that.

        Those that only read, and that a timed check waits for, are ended before others begin, which it would wait for
        as well.  At a slow endpoint the others wait until everything is known that clients have switches for.
        """
        ready = sorted(ready, key=lambda name: (-self._tails[name], name))
        if self._pressing & {*ready, *running}:
            return [name for name in ready if name in self._pressing]
        if not self.speed.slow:
            return ready
        needed = [name for name in ready if name in self.needed]
        return needed if needed or self.needed & set(running) else ready

    def left_out(self, item: Check, elapsed_s: float, running: Collection[str]) -> str | None:
        """The reason why a slow endpoint is not asked for this, or None.

        Args:
            elapsed_s: seconds since the run began.
        """
        soon = self.options.soon_s
        if soon is None or not self.speed.slow or self.speed.rate is None or item.id in self.needed:
            return None
        needed = self.seconds(item)
        short = needed <= 3 and (elapsed_s < soon or not typical(item).completion)
        if short or elapsed_s + needed + sum(self.seconds(self.checks[name]) for name in running) / 2 <= soon:
            return None
        return (
            f"left out: the endpoint writes {self.speed.rate:.1f} tokens/s, and this takes about "
            f"{seconds(round(needed))} more; --only {item.id} asks for it, --deadline for everything"
        )

    def seconds(self, item: Check) -> float:
        """About how long a check takes at the known speed."""
        cost = typical(item)
        work = self.speed.expected_s(cost.completion, cost.prompt) if cost.completion else 0.0
        return work + (self.options.idle_s if cost.waits else 0.0)

    def left_s(self, done: Collection[str], elapsed_s: float) -> float | None:
        """About how many seconds the checks that have not ended take; None before the speed is known."""
        if self.speed.rate is None:
            return None
        open_ = [item for name, item in self.checks.items() if name not in done]
        waits = max((self.options.idle_s for item in open_ if typical(item).waits), default=0.0)
        work = sum(map(self.seconds, open_)) - sum(self.options.idle_s for item in open_ if typical(item).waits)
        if self.speed.slow and self.options.soon_s is not None:
            needed = sum(self.seconds(item) for item in open_ if item.id in self.needed)
            return max(needed, min(work + waits, self.options.soon_s - elapsed_s))
        return max(waits, work / min(self.options.concurrency, 3))
