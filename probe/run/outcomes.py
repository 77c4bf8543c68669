"""How checks end: without a verdict, by an exception, or with verdicts, which are merged into one a capability."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import sqrt
from pathlib import PurePath

from probe.model import CAPABILITIES, State, Verdict

_PACKAGES = frozenset(("probe", "checks", "reports"))


class Inconclusive(Exception):
    """The check could not decide; the text is the reason."""


class Skip(Exception):
    """The check does not apply; the text is the reason."""


class Throttled(Inconclusive):
    """The endpoint answered "not now" for as long as this run could wait."""


class KeyWithheld(Inconclusive):
    """The request would have carried the key to another origin, or in clear text."""


class BudgetExceeded(Exception):
    """A request would exceed the budget; the text names which limit and by how much."""


def failed_at(error: BaseException, plugin: str = "") -> str:
    """The type of an exception and the line of this program or of a plugin that it came out of.

    Of several frames the innermost one that is ours: what a library raises was provoked by its
    caller.  Of an exception group it is the first exception.  Values are left out, since they
    may be secret.

    Args:
        plugin: the name of a module whose top-level package counts as ours too.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    ours = _PACKAGES | {plugin.partition(".")[0]}
    place = ""
    trace = error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in ours:
            file = PurePath(trace.tb_frame.f_code.co_filename).name
            folders = module.split(".") if file == "__init__.py" else module.split(".")[:-1]
            place = f" at {'/'.join([*folders, file])}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}{place}"


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
