"""Which clients fail on which deviation of a chat completion: the measured table, read once.

The table is written by ``python -m tests.benchmarks.mutations --rules``, which runs the clients
against answers that deviate in one field.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from probe.api import Severity

#: Kinds of a value of a wrong type; for one that was not measured, the mildest of those measured speaks.
_TYPES = frozenset(
    "boolean,zero,integer,negative,fraction,string,empty string,list,empty list,object,empty object".split(",")
)
_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}


@dataclass(frozen=True)
class Rule:
    """What clients do where a field deviates in one way.

    Attributes:
        where: ``answer`` or ``chunk``.
        field: a dotted path; ``[]`` means every element of a list.
        deviations: kinds of values (``kind_of`` in checks.shape.reading), or ``other``, ``repeated``.
        values: for ``other``, the values that were measured.
        chunks: which chunks were changed: all, first, last, later, one, usage.
        answers: text, tool.
        allowed: the published API has it so.
        fails: how each client fails, by client.
    """

    where: str
    field: str
    severity: Severity
    deviations: tuple[str, ...]
    values: tuple[Any, ...] = ()
    chunks: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    allowed: bool = False
    fails: Mapping[str, str] | None = None

    def holds_for(self, answer: str, chunks: frozenset[str]) -> bool:
        """Whether it was measured with such an answer, and in one of these chunks."""
        if answer not in self.answers:
            return False
        return not self.chunks or "all" in self.chunks or not chunks.isdisjoint(self.chunks)


@cache
def rules() -> Mapping[tuple[str, str], tuple[Rule, ...]]:
    """The rules by (where, field)."""
    text = files(__package__).joinpath("clients.toml").read_text(encoding="utf-8")
    found: dict[tuple[str, str], list[Rule]] = {}
    for raw in tomllib.loads(text)["rule"]:
        if "field" not in raw:
            continue  # about the order of events, which checks/stream judges
        rule = Rule(
            raw["where"],
            raw["field"],
            Severity(raw["severity"]),
            tuple(raw["deviations"]),
            tuple(raw.get("values", ())),
            tuple(raw.get("chunks", ())),
            tuple(raw["answers"]),
            bool(raw.get("allowed", False)),
            raw.get("fails", {}),
        )
        found.setdefault((rule.where, rule.field), []).append(rule)
    return {key: tuple(value) for key, value in found.items()}


def rule_for(where: str, field: str, deviation: str, value: Any, answer: str, chunks: frozenset[str]) -> Rule | None:
    """The rule for one deviation, or None where nothing is known of it.

    Args:
        deviation: a kind of value, ``other`` or ``repeated``.
        value: what the field holds; decides between the rules for ``other``.
        answer: ``text`` or ``tool``.
        chunks: what the chunk is in its stream; empty for a whole answer.
    """
    known = [rule for rule in rules().get((where, field), ()) if rule.holds_for(answer, chunks)]
    exact = [rule for rule in known if deviation in rule.deviations]
    if deviation == "other":
        named = [rule for rule in exact if value in rule.values]
        return named[0] if named else _mildest(exact)
    if exact:
        return exact[0]
    if deviation in _TYPES:
        return _mildest([rule for rule in known if _TYPES & set(rule.deviations)])
    return None


def _mildest(known: list[Rule]) -> Rule | None:
    return min(known, key=lambda rule: _RANK[rule.severity], default=None)
