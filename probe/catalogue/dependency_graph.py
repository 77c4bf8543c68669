"""Which checks wait for which: the graph that follows from what they require and provide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.model import Check


def graph(checks: Sequence[Check]) -> dict[str, set[str]]:
    """Which checks each check waits for, by id.

    ``after={"*"}`` waits for every check that does not do so itself.
    """
    by_need: dict[str, set[str]] = {}
    for item in checks:
        for name in item.provides:
            by_need.setdefault(name, set()).add(item.id)
    last = {item.id for item in checks if "*" in item.after}
    edges: dict[str, set[str]] = {}
    for item in checks:
        needs = item.requires | (item.after - {"*"})
        waits = {other for need in needs for other in by_need.get(need, ())}
        waits |= {need for need in item.after if any(other.id == need for other in checks)}
        if item.id in last:
            waits |= {other.id for other in checks if other.id not in last}
        edges[item.id] = waits - {item.id}
    return edges
