"""What changed between runs.  Pure functions of stored runs.

A verdict that differs from the one before is tried again in the same run.  Where all trials
give the new state it has changed; where the trials differ it is flapping, and no change is
established.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from probe.fleet.job import DEFINITE, Cell, Judged
from probe.fleet.store import Ran

REGRESSION, RECOVERY, CHANGE, FLAPPING = "regression", "recovery", "change", "flapping"
#: The order in which changes are shown: the most urgent first.
KINDS = (REGRESSION, FLAPPING, CHANGE, RECOVERY)
_RANK = {"info": 0, "warning": 1, "error": 2}


@dataclass(frozen=True)
class Change:
    """A capability whose state differs from the one before, or a finding (``finding CODE``) that came or went.

    ``trials`` and ``agreed`` are those of the new run; ``since`` is when that run began.
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
    """The kind of a change."""
    if judged.agreed < judged.trials:
        return FLAPPING
    if before == "works":
        return REGRESSION
    return RECOVERY if judged.state == "works" else CHANGE


def changes(known: Mapping[str, Judged], run: Ran, earlier: Iterable[Ran] = ()) -> list[Change]:
    """How a run differs from the last definite verdicts before it, and from the findings of the last comparable run.

    Args:
        earlier: runs of the cell before this one, the newest first; without them findings are not compared.

    An unknown verdict is not a change, except for ``chat``: an endpoint that gave
    completions and no longer does has lost them, for whatever reason.
    """
    found = []
    for name, judged in run.verdicts.items():
        before = known.get(name)
        if before is None or before.state == judged.state:
            continue
        lost = name == "chat" and before.state == "works" and not run.usable
        if judged.state in DEFINITE or lost:
            kind = kind_of(before.state, judged)
            trials = judged.trials, judged.agreed
            change = Change(run.cell, name, before.state, judged.state, kind, *trials, run.started_at)
            found.append(replace(change, finding=judged.finding, note=judged.note))
    last = next((item for item in earlier if _comparable(item, run)), None)
    if last is not None:
        explained = {item.finding for item in found}
        found += [item for item in _finding_changes(last, run) if item.finding not in explained]
    return ordered(found)


def _comparable(earlier: Ran, run: Ran) -> bool:
    """Whether a finding that only one of the runs has was gained or lost, and not merely out of sight."""
    return earlier.usable and run.usable and earlier.complete and run.complete and earlier.depth == run.depth


def _finding_changes(earlier: Ran, run: Ran) -> Iterator[Change]:
    """Findings that came, went, or became worse or milder: by the rule of `diff`; notes do not count.

    A remedy that changed says that the cause did, or the software in whose terms it is given.
    """
    was, now = ({item.code: item for item in each.findings} for each in (earlier, run))
    for code in dict.fromkeys([*now, *was]):
        before, after = was.get(code), now.get(code)
        rank = [_RANK[item.severity] if item else 0 for item in (before, after)]
        if rank[0] != rank[1]:
            kind = REGRESSION if rank[1] > rank[0] else RECOVERY
        elif before and after and before.remedy != after.remedy and rank[1]:
            kind = CHANGE
        else:
            continue
        known = after or before
        assert known is not None
        old, new = (item.severity if item else "absent" for item in (before, after))
        note = "the remedy changed" if kind == CHANGE else known.title
        yield Change(run.cell, f"finding {code}", old, new, kind, 1, 1, run.started_at, code, note)


def ordered(found: Iterable[Change]) -> list[Change]:
    """Changes with the most urgent first."""
    return sorted(found, key=lambda item: (KINDS.index(item.kind), item.cell, item.capability))


def timeline(runs: Sequence[Ran]) -> list[Change]:
    """Every change within the runs of one cell.

    Args:
        runs: of one cell, the newest first, as the store gives them.
    """
    found: list[Change] = []
    known: dict[str, Judged] = {}
    for number, run in reversed(list(enumerate(runs))):
        found += changes(known, run, (runs[place] for place in range(number + 1, len(runs))))
        for name, judged in run.verdicts.items():
            if judged.state in DEFINITE and judged.agreed == judged.trials:
                known[name] = judged
    return found


@dataclass(frozen=True)
class PathDifference:
    """A capability that differs between vantage points, so something on their network paths differs.

    ``places`` maps each state to the vantage points that saw it; ``hops`` are the gateways
    and proxies recognised only on the path of those with the worse state.
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
    """Where the same target and model was judged differently from several vantage points.

    Either two definite verdicts differ, or only some vantage points have a finding about
    the connection, the stream or idle time, which are the faults of a proxy.
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
    explained: set[str] = set()
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
        explained.add(code or "")
        found.append(PathDifference(target, model, name, _places(states), _only_on(worse, group), code))
    for code in sorted({item.code for run in group for item in run.findings} - explained):
        if not code.startswith(("stream.", "idle.", "connect.", "tls.")):
            continue
        having = [run for run in group if any(item.code == code for item in run.findings)]
        if len(having) < len(group):
            states = {"found": having, "not found": [run for run in group if run not in having]}
            found.append(PathDifference(target, model, code, _places(states), _only_on(having, group), None))
    return found


def _places(states: Mapping[str, Sequence[Ran]]) -> dict[str, tuple[str, ...]]:
    return {state: tuple(run.cell.vantage for run in runs) for state, runs in states.items()}


def _only_on(worse: Sequence[Ran], group: Sequence[Ran]) -> tuple[str, ...]:
    """The hops recognised in every run with the worse state and in no other."""
    rest = {hop for run in group if run not in worse for hop in (*run.hops, run.software)}
    shared = set.intersection(*({*run.hops, run.software} for run in worse)) if worse else set()
    return tuple(sorted(shared - rest - {"unknown"}))
