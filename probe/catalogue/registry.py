"""The checks, and the catalogue of finding codes that follows from them.

The built-in checks are found by walking the ``checks`` package, so that adding one is one file.
Third parties plug in through the entry-point group ``endpoint_probe.checks``, whose entry points
name a module each.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import EntryPoint
from typing import Any

from probe.catalogue.remedies import Advice, Guide
from probe.model import Check, CheckRecord, Depth, Diagnosis, Outcome, Result
from probe.wording import cut, did_you_mean, shorten

Run = Callable[[Any], Awaitable[Result]]

GuideSource = Callable[[], Iterable[Guide]]

#: The package of the built-in checks.  It is found by its name, as plugins are, so that the engine imports no check.
_BUILT_IN = "checks"
_CHECKS: dict[str, Check] = {}
_GUIDES: list[GuideSource] = []
_PROBLEMS: dict[str, str] = {}
_loaded = False


class RegistryError(Exception):
    """A check or code is declared wrongly: an error of this program or of a plugin."""


def graph(checks: Sequence[Check]) -> dict[str, set[str]]:
    """The checks that each check waits for, by id, from what they require and provide.

    ``after={"*"}`` waits for every check that does not do so itself.  Checks that require what they provide take a
    second look at it, and do not wait for each other.
    """
    by_need: dict[str, set[str]] = {}
    by_id = {item.id: item for item in checks}
    for item in checks:
        for name in item.provides:
            by_need.setdefault(name, set()).add(item.id)
    last = {item.id for item in checks if "*" in item.after}
    edges: dict[str, set[str]] = {}
    for item in checks:
        needs = item.requires | (item.after - {"*"})
        waits = {other for need in needs for other in by_need.get(need, ())}
        again = item.requires & item.provides
        waits -= {other for need in again for other in by_need[need] if need in by_id[other].requires}
        waits |= {need for need in item.after if any(other.id == need for other in checks)}
        if item.id in last:
            waits |= {other.id for other in checks if other.id not in last}
        edges[item.id] = waits - {item.id}
    return edges


# Registering -------------------------------------------------------------------------------------------


def check(
    id: str,
    *,
    title: str,
    proves: str,
    requires: Collection[str] = (),
    after: Collection[str] = (),
    provides: Collection[str] = (),
    emits: Iterable[Diagnosis] = (),
    max_requests: int = 1,
    max_tokens: int = 0,
    max_seconds: float = 0.0,
    depth: Depth = Depth.STANDARD,
    exclusive: bool = False,
    least_requests: int | None = None,
    version: int = 1,
) -> Callable[[Run], Run]:
    """Register an async function of a Context as a check.

    Args:
        id: ``family.name``, unique.
        title: a few words for lists.
        proves: one sentence: what a pass proves.
        requires: needs that must be met; a capability that works, or a provided name.
        after: needs or ids whose checks run first if they run at all.
        provides: capabilities that it judges and other names that it may provide.
        emits: every diagnosis that it can make; another one is an error of this program.
        max_requests: the most requests it can send.
        max_tokens: the most prompt and completion tokens of those.
        max_seconds: how long it can take in addition to its requests.
        depth: from which depth on it runs.
        exclusive: it measures time, so that no other check runs at the same time.
        least_requests: the requests that must be left in the budget for it to begin; default
            ``max_requests``.  For checks that nearly all others need and that usually send far fewer.

    Raises:
        RegistryError: the id is taken or has no family.
    """

    def register(run: Run) -> Run:
        if "." not in id:
            raise RegistryError(f"check id '{id}' has no family")
        known = _CHECKS.get(id)
        if known is not None and known.run.__module__ != run.__module__:
            raise RegistryError(f"check id '{id}' is declared in two modules")
        _CHECKS[id] = Check(
            id=id,
            version=version,
            title=title,
            proves=proves,
            run=run,
            requires=frozenset(requires),
            after=frozenset(after),
            provides=frozenset(provides),
            emits=tuple(emits),
            max_requests=max_requests,
            max_tokens=max_tokens,
            max_seconds=max_seconds,
            depth=depth,
            exclusive=exclusive,
            least_requests=least_requests,
        )
        return run

    return register


def guide_source(source: GuideSource) -> GuideSource:
    """Register a function that gives the remedies of some systems; it is called when they are first needed."""
    _GUIDES.append(source)
    return source


def load() -> None:
    """Import every module below ``checks`` and every plugin, once.

    A plugin that cannot be imported or conflicts with other checks is left out whole and noted in
    ``problems()``; a built-in that cannot be imported is a broken installation and raises.
    """
    global _loaded
    if _loaded:
        return
    built_in = importlib.import_module(_BUILT_IN)
    for module in pkgutil.walk_packages(built_in.__path__, f"{_BUILT_IN}."):
        importlib.import_module(module.name)
    from importlib.metadata import entry_points

    for point in entry_points(group="endpoint_probe.checks"):
        _plug_in(point)
    _loaded = True


def _plug_in(point: EntryPoint) -> None:
    """Load a plugin; whatever it raises is noted and goes no further."""
    before, guides_before = dict(_CHECKS), list(_GUIDES)
    try:
        point.load()
        _verify()
    except (Exception, SystemExit) as error:
        _CHECKS.clear()
        _CHECKS.update(before)
        _GUIDES[:] = guides_before
        _PROBLEMS[point.name] = f"plugin '{point.name}' was left out: {cut(f'{type(error).__name__}: {error}', 300)}"


def _diagnoses() -> dict[str, Diagnosis]:
    """Every diagnosis of the registered checks by code; raises RegistryError if two share a code."""
    found: dict[str, Diagnosis] = {}
    for item in _CHECKS.values():
        for diagnosis in item.emits:
            if not isinstance(diagnosis, Diagnosis):
                raise RegistryError(f"the check '{item.id}' emits something that is not a Diagnosis")
            if found.setdefault(diagnosis.code, diagnosis) is not diagnosis:
                raise RegistryError(f"code '{diagnosis.code}' is declared twice")
    return dict(sorted(found.items()))


def _verify() -> None:
    """Raise RegistryError if the registered checks cannot be run together."""
    _diagnoses()
    try:
        TopologicalSorter(graph(list(_CHECKS.values()))).prepare()
    except CycleError as error:
        raise RegistryError(f"checks wait for each other: {' -> '.join(error.args[1])}") from None


def problems() -> tuple[str, ...]:
    """The problems of plugins that were left out, a line each."""
    return tuple(_PROBLEMS.values())


def broken_plugins() -> tuple[CheckRecord, ...]:
    """The plugins that were left out, as the errors that a report lists."""
    return tuple(
        CheckRecord(f"plugin.{name}", 0, f"Load the plugin {name}", Outcome.ERROR, said)
        for name, said in sorted(_PROBLEMS.items())
    )


def checks() -> tuple[Check, ...]:
    """All checks, by id."""
    load()
    return tuple(_CHECKS[name] for name in sorted(_CHECKS))


@cache
def guides() -> dict[str, Guide]:
    """The remedies of each system, by software id.

    Raises:
        RegistryError: two sources have the same software.
    """
    load()
    found: dict[str, Guide] = {}
    for source in _GUIDES:
        for guide in source():
            if found.setdefault(guide.software, guide) is not guide:
                raise RegistryError(f"the remedies of '{guide.software}' come from two sources")
    return dict(sorted(found.items()))


def declared() -> dict[str, Diagnosis]:
    """Every diagnosis as the checks declare it, by code, without the guides' remedies.

    Raises:
        RegistryError: two different diagnoses share a code.
    """
    load()
    return _diagnoses()


def catalogue() -> dict[str, Diagnosis]:
    """Every diagnosis that a check can make, by code, with the remedies of every system.

    A remedy of the diagnosis itself counts before one of a system's guide.

    Raises:
        RegistryError: two different diagnoses share a code.
    """
    extra: dict[str, dict[str, str]] = {}
    for software, guide in guides().items():
        for code, advice in guide.advice.items():
            extra.setdefault(code, {})[software] = advice.text()
    return {code: replace(item, remedies={**extra.get(code, {}), **item.remedies}) for code, item in declared().items()}


def advice(code: str, software: str) -> Advice | None:
    """What to change in this software for this code, or None if nothing special is known."""
    diagnosis = declared().get(code)
    guide = guides().get(software)
    for name in (software, guide.like if guide else None):
        if name is None:
            continue
        if diagnosis is not None and name in diagnosis.remedies:
            return Advice(diagnosis.remedies[name], diagnosis.verify)
        known = guides().get(name)
        if known is not None and code in known.advice:
            found = known.advice[code]
            return found if found.check or diagnosis is None else replace(found, check=diagnosis.verify)
    return None


def general_remedy(code: str) -> str:
    """The remedy of a code for any software; empty for an unknown code."""
    diagnosis = declared().get(code)
    return diagnosis.remedy if diagnosis else ""


def title(software: str) -> str:
    """The name of a software for readers; its id if no guide names it."""
    guide = guides().get(software)
    return guide.title if guide else software


def select(
    depth: Depth, only: Collection[str] = (), skip: Collection[str] = (), also: Collection[str] = ()
) -> list[Check]:
    """The checks of a run, by depth and globs, with those that provide what the chosen ones require.

    Args:
        also: globs of checks that run at any depth, where ``only`` chooses none.

    Raises:
        RegistryError: a glob matches no check.
    """
    every = checks()
    for glob in (*only, *skip):
        if not any(fnmatchcase(item.id, glob) for item in every):
            ids = sorted(item.id for item in every)
            hint = did_you_mean(glob, ids, f"there are {', '.join(ids)}; a family is chosen as in 'tools.*'", 0.7)
            raise RegistryError(f"no check is called '{shorten(glob, 40)}'; {hint}")

    def matches(item: Check, globs: Collection[str]) -> bool:
        return any(fnmatchcase(item.id, glob) for glob in globs)

    offered = [item for item in every if not matches(item, skip)]
    chosen = {
        item.id
        for item in offered
        if (matches(item, only) if only else item.depth.rank <= depth.rank or matches(item, also))
    }
    waiting = list(chosen)
    while waiting:
        requires = _CHECKS[waiting.pop()].requires
        more = [item.id for item in offered if item.id not in chosen and item.provides & requires]
        chosen |= set(more)
        waiting += more
    return [item for item in every if item.id in chosen]
