"""What changed between runs, and what only flaps.  Pure functions of stored runs.

A verdict that differs from the one before is tried again in the same run.  Where every
trial says the new state it has changed; where the trials differ among themselves it
flaps, and nothing is known to have changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from probe.fleet.job import DEFINITE, Cell, Judged
from probe.fleet.store import Ran

REGRESSION, RECOVERY, CHANGE, FLAPPING = "regression", "recovery", "change", "flapping"
#: The order in which changes are shown: what needs somebody first.
KINDS = (REGRESSION, FLAPPING, CHANGE, RECOVERY)


@dataclass(frozen=True)
class Change:
    """A capability that was in one state before and is in another now.

    ``trials`` and ``agreed`` are those of the new run; ``since`` is when the run began
    that showed the change.
    """

    cell: Cell
    capability: str
    before: str
    after: str
    kind: str
    trials: int
    agreed: int
    since: str
    finding: str | None = None
    note: str = ""

    def __str__(self) -> str:
        tried = f" ({self.agreed} of {self.trials} trials)" if self.trials > 1 else ""
        why = f": {self.finding}" if self.finding else ""
        return f"{self.cell}: {self.capability} {self.before} -> {self.after}{tried}{why}"


def kind_of(before: str, judged: Judged) -> str:
    """What a difference is."""
    if judged.agreed < judged.trials:
        return FLAPPING
    if before == "works":
        return REGRESSION
    return RECOVERY if judged.state == "works" else CHANGE


def changes(known: Mapping[str, Judged], run: Ran) -> list[Change]:
    """How a run differs from the last definite verdicts before it.

    What could not be told is no change, save for ``chat``: an endpoint that gave
    completions and gives none any more has lost them, whatever the reason.
    """
    found = []
    for name, judged in run.verdicts.items():
        before = known.get(name)
        if before is None or before.state == judged.state:
            continue
        lost = name == "chat" and before.state == "works" and not run.usable
        if judged.state in DEFINITE or lost:
            found.append(
                Change(
                    run.cell,
                    name,
                    before.state,
                    judged.state,
                    kind_of(before.state, judged),
                    judged.trials,
                    judged.agreed,
                    run.started_at,
                    judged.finding,
                    judged.note,
                )
            )
    return ordered(found)


def ordered(found: Iterable[Change]) -> list[Change]:
    """Changes with what needs somebody first."""
    return sorted(found, key=lambda item: (KINDS.index(item.kind), item.cell, item.capability))


def timeline(runs: Sequence[Ran]) -> list[Change]:
    """Every change within the runs of one cell.

    Args:
        runs: of one cell, the newest first, as the store gives them.
    """
    found: list[Change] = []
    known: dict[str, Judged] = {}
    for run in reversed(runs):
        found += changes(known, run)
        for name, judged in run.verdicts.items():
            if judged.state in DEFINITE and judged.agreed == judged.trials:
                known[name] = judged
    return found


@dataclass(frozen=True)
class PathDifference:
    """A capability that one place sees otherwise than the others: something on its path differs.

    ``places`` is state to the vantage points that saw it; ``hops`` what was recognised only
    on the path of the places that fare worse.
    """

    target: str
    model: str
    capability: str
    places: Mapping[str, tuple[str, ...]]
    hops: tuple[str, ...]
    finding: str | None

    def __str__(self) -> str:
        seen = "; ".join(f"{state} from {', '.join(places)}" for state, places in self.places.items())
        who = f"; only on that path: {', '.join(self.hops)}" if self.hops else ""
        why = f" ({self.finding})" if self.finding else ""
        return f"{self.target} {self.model}".rstrip() + f": {self.capability} {seen}{why}{who}"


def path_differences(runs: Iterable[Ran]) -> list[PathDifference]:
    """Where the same target and model was judged differently from several places.

    A definite verdict against another definite one, or a finding of the stream or of idle
    connections that only some of the places met, since that is what a proxy on a path does.
    """
    groups: dict[tuple[str, str], list[Ran]] = {}
    for run in runs:
        if run.cell.vantage:
            groups.setdefault((run.cell.target, run.cell.model), []).append(run)
    found: list[PathDifference] = []
    for (target, model), group in sorted(groups.items()):
        if len(group) > 1:
            found += _differing(target, model, group)
    return found


def _differing(target: str, model: str, group: Sequence[Ran]) -> list[PathDifference]:
    found = []
    told: set[str] = set()
    for name in group[0].verdicts:
        states: dict[str, list[Ran]] = {}
        for run in group:
            judged = run.verdicts.get(name)
            if judged is not None and judged.state in DEFINITE:
                states.setdefault(judged.state, []).append(run)
        if len(states) < 2:
            continue
        worse = [run for state, runs in states.items() if state != "works" for run in runs]
        code = next((run.verdicts[name].finding for run in worse), None)
        told.add(code or "")
        found.append(PathDifference(target, model, name, _places(states), _only_on(worse, group), code))
    for code in sorted({item.code for run in group for item in run.findings} - told):
        if not code.startswith(("stream.", "idle.", "connect.", "tls.")):
            continue
        met = [run for run in group if any(item.code == code for item in run.findings)]
        if len(met) < len(group):
            rest = [run for run in group if run not in met]
            states = {"met": met, "not met": rest}
            found.append(PathDifference(target, model, code, _places(states), _only_on(met, group), None))
    return found


def _places(states: Mapping[str, Sequence[Ran]]) -> dict[str, tuple[str, ...]]:
    return {state: tuple(run.cell.vantage for run in runs) for state, runs in states.items()}


def _only_on(worse: Sequence[Ran], group: Sequence[Ran]) -> tuple[str, ...]:
    """What was recognised on the path of every run that fares worse and of none that does not."""
    rest = {hop for run in group if run not in worse for hop in (*run.hops, run.software)}
    shared = set.intersection(*({*run.hops, run.software} for run in worse)) if worse else set()
    return tuple(sorted(shared - rest - {"unknown"}))
