"""Finds styles and faults by walking their folders; a new one is one file and no other edit."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.simulator.fault import Fault
    from probe.simulator.style import Style


class UnknownName(ValueError):
    """A style or fault that does not exist; the message suggests the nearest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "`endpoint-probe simulate --list` names them all"
        super().__init__(f"unknown {kind} {name!r}: {hint}")


@dataclass(frozen=True, slots=True)
class FaultInfo:
    """A fault as `simulate --list` shows it. `yields` are finding codes; empty means harmless."""

    name: str
    summary: str
    yields: tuple[str, ...]
    value: str | None = None


@dataclass(frozen=True, slots=True)
class StyleInfo:
    """A style as `simulate --list` shows it. `yields`: findings that are true of such a server without any fault."""

    name: str
    summary: str
    yields: tuple[str, ...] = ()


def _modules(package: str) -> Iterable[str]:
    folder = importlib.import_module(package)
    for found in pkgutil.walk_packages(folder.__path__, package + "."):
        if not found.ispkg:
            yield found.name


@cache
def _fault_classes() -> dict[str, type[Fault]]:
    from probe.simulator.fault import Fault

    made: dict[str, type[Fault]] = {}
    for name in _modules("probe.simulator.faults"):
        module = importlib.import_module(name)
        # A module's own classes, and those that it makes from a table and lists in FAULTS.
        listed = [
            *(
                value
                for value in vars(module).values()
                if isinstance(value, type)
                and issubclass(value, Fault)
                and value.__module__ == name
                and hasattr(value, "name")
            ),
            *getattr(module, "FAULTS", ()),
        ]
        for fault in listed:
            if fault.name in made:
                raise RuntimeError(f"two faults are named {fault.name}")
            made[fault.name] = fault
    return dict(sorted(made.items()))


@cache
def _style_classes() -> dict[str, type[Style]]:
    from probe.simulator.style import Style

    made: dict[str, type[Style]] = {}
    for name in _modules("probe.simulator.styles"):
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and issubclass(value, Style) and value.__module__ == name and value.name:
                made[value.name] = value
    return made


def all_styles() -> list[StyleInfo]:
    """All server styles, by name."""
    return [StyleInfo(name, style.summary, style.yields) for name, style in sorted(_style_classes().items())]


def all_faults() -> list[FaultInfo]:
    """All faults, by name."""
    return [FaultInfo(name, fault.summary, fault.yields, fault.value) for name, fault in _fault_classes().items()]


def make_style(name: str) -> Style:
    """The style of that name; raises UnknownName."""
    known = _style_classes()
    if name not in known:
        raise UnknownName("style", name, known)
    return known[name]()


def make_fault(text: str) -> Fault:
    """A fresh fault from `name` or `name=value`; raises UnknownName, or ValueError for a value it cannot use."""
    name, equals, value = text.partition("=")
    known = _fault_classes()
    if name not in known:
        raise UnknownName("fault", name, known)
    return known[name](value if equals else None)
