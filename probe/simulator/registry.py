"""Finds styles and faults by importing every module of their folders; a new one is one file and no other edit."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probe.simulator.fault import Fault
    from probe.simulator.style import Style


class UnknownName(ValueError):
    """A style or fault that does not exist; the message suggests the nearest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "`endpoint-probe simulate --list` lists them all"
        super().__init__(f"unknown {kind} {name!r}: {hint}")


@dataclass(frozen=True, slots=True)
class FaultInfo:
    """A fault as `simulate --list` shows it. `yields` are finding codes; without any it is harmless.

    `deep`: only depth deep finds it; `home`: the style on which it has these codes.
    """

    name: str
    summary: str
    yields: tuple[str, ...]
    value: str | None = None
    deep: bool = False
    home: str = "openai"


@dataclass(frozen=True, slots=True)
class StyleInfo:
    """A style as `simulate --list` shows it. `yields`: findings that are true of such a server without any fault."""

    name: str
    summary: str
    yields: tuple[str, ...] = ()


def all_styles() -> list[StyleInfo]:
    """All server styles, by name."""
    return [StyleInfo(name, style.summary, style.yields) for name, style in _styles().items()]


def all_faults() -> list[FaultInfo]:
    """All faults, by name."""
    return [
        FaultInfo(name, fault.summary, fault.yields, fault.value, fault.deep, fault.home)
        for name, fault in _faults().items()
    ]


def make_style(name: str) -> Style:
    """The style of that name; raises UnknownName."""
    known = _styles()
    if name not in known:
        raise UnknownName("style", name, known)
    return known[name]()


def make_fault(text: str) -> Fault:
    """A new fault from `name` or `name=value`; raises UnknownName, or ValueError for a value that it cannot use."""
    name, equals, value = text.partition("=")
    known = _faults()
    if name not in known:
        raise UnknownName("fault", name, known)
    return known[name](value if equals else None)


@cache
def _faults() -> dict[str, type[Fault]]:
    from probe.simulator.fault import Fault

    return _by_name(_classes("probe.simulator.faults", Fault))


@cache
def _styles() -> dict[str, type[Style]]:
    from probe.simulator.style import Style

    return _by_name(_classes("probe.simulator.styles", Style))


def _classes(package: str, base: type) -> Iterator[Any]:
    """The named subclasses that the modules of a package define, or make from a table and list in `FAULTS`."""
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        module = importlib.import_module(found.name)
        found_in = [*vars(module).values(), *getattr(module, "FAULTS", ())]
        yield from (
            one for one in found_in if isinstance(one, type) and issubclass(one, base) and vars(one).get("name")
        )


def _by_name(classes: Iterable[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for one in classes:
        if made.setdefault(one.name, one) is not one:
            raise RuntimeError(f"two classes are named {one.name}")
    return dict(sorted(made.items()))
