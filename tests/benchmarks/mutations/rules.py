"""`checks/shape/clients.toml`: the outcomes as a declarative table for a checker.

A rule says: where this field deviates in this way, these clients fail, and it is this severe.  Mutations with the same
severity and the same failing clients are one rule, whatever answer, chunk or value they were measured with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.mutations.outcomes import OK, severity
from tests.benchmarks.mutations.record import Record

FILE = Path(__file__).resolve().parents[3] / "checks" / "shape" / "clients.toml"
_WHERE = ("answer", "chunk", "stream")
_SEVERITIES = ("error", "warning", "info")
_TOOLS = " with tools"

_HEAD = """\
# How clients react to a chat completion answer that deviates in one field.  Generated from client_outcomes.json:
#   python -m tests.benchmarks.mutations --rules
#
# where       answer: a whole answer; chunk: a chunk of a stream; stream: the events and their order, without a `field`
# field       JSON path, `[]` stands for every element of a list
# deviations  by the value alone: missing, null, boolean, integer, zero, negative, fraction, empty string, string,
#             empty list, list, empty object, object; integer is any number where the field has no rule for the others
#             other: of the right type, and not what the API has there; `values` are those that were sent
#             same: two elements of the list have one value;  from 1: indexes start at 1
#             repeated: a later chunk says once more what the first one said
# chunks      the chunks that were changed: all, first, last (the one with the finish reason), later (fragments of a
#             call after its first), one (a single content chunk), usage (the chunk that include_usage asks for)
# answers     the answers it was measured with; two-tools has two calls
# severity    error: openai-python or openai-node (plain call or loop) or the AI SDK fails
#             warning: only helpers, loops that do not check `choices`, or typed clients fail, or the finish reason is
#             another word;  info: nobody fails
# allowed     the published API, or a widespread extension of it, has it so; listed because a client fails nevertheless
# fails       client = how; cut to what is common where the deviations of the rule fail differently
#
# Go, Rust and Java clients were not run: their outcomes follow from the published types, see [sources].
"""


@dataclass
class Rule:
    """Deviations of one field that have the same consequence: every one of them, in each of the chunks and answers.

    fails: by client, what is common to the outcomes.
    """

    where: str
    field: str
    severity: str
    allowed: bool
    deviations: list[str]
    values: list[Any]
    chunks: list[str]
    answers: list[str]
    fails: dict[str, str]


@dataclass(frozen=True)
class _Seen:
    """One measured deviation: what it is (deviation and value as JSON), its chunk and answer, and the outcomes."""

    what: tuple[str, str | None]
    chunk: str
    answer: str
    failing: Mapping[str, str]


def _failing(outcomes: Mapping[str, str]) -> dict[str, str]:
    """Failing clients; the AI SDK with and without tools is one client here."""
    seen: dict[str, str] = {}
    for column, outcome in outcomes.items():
        if outcome != OK:
            seen.setdefault(column.removesuffix(_TOOLS), outcome)
    return seen


def derive(record: Record) -> list[Rule]:
    """The rules of a record, sorted.  What the API allows and nobody fails on is no rule."""
    groups: dict[tuple[Any, ...], list[_Seen]] = {}
    for mutation, outcomes in record.rows:
        failing = _failing(outcomes)
        if mutation.allowed and not failing:
            continue
        valued = mutation.deviation == "other"
        # Events, and what deviates in the value alone, are not merged with others.
        apart = mutation.deviation if valued or not mutation.field else ""
        key = (mutation.where, mutation.field, severity(outcomes), mutation.allowed, apart, frozenset(failing))
        what = (mutation.deviation, json.dumps(mutation.value) if valued else None)
        answer = mutation.situation.removesuffix("-stream")
        groups.setdefault(key, []).append(_Seen(what, mutation.chunks, answer, failing))
    rules = [
        _rule(where, field, rated, allowed, block)
        for (where, field, rated, allowed, *_), seen in groups.items()
        for block in _blocks(seen)
    ]
    return sorted(rules, key=_order)


def _blocks(seen: Sequence[_Seen]) -> list[list[_Seen]]:
    """The measurements in blocks of which each is complete: every deviation with every chunk and every answer."""
    answers: dict[tuple[Any, str], set[str]] = {}
    for one in seen:
        answers.setdefault((one.what, one.chunk), set()).add(one.answer)
    chunks: dict[tuple[Any, frozenset[str]], set[str]] = {}
    for (what, chunk), found in answers.items():
        chunks.setdefault((what, frozenset(found)), set()).add(chunk)
    blocks: dict[tuple[frozenset[str], frozenset[str]], list[_Seen]] = {}
    for (what, complete), where in chunks.items():
        members = [one for one in seen if one.what == what and one.chunk in where and one.answer in complete]
        blocks.setdefault((complete, frozenset(where)), []).extend(members)
    return list(blocks.values())


def _rule(where: str, field: str, rated: str, allowed: bool, block: Sequence[_Seen]) -> Rule:
    whats = list(dict.fromkeys(one.what for one in block))
    hows: dict[str, list[str]] = {}
    for one in block:
        for client, how in one.failing.items():
            hows.setdefault(client, []).append(how)
    return Rule(
        where,
        field,
        rated,
        allowed,
        deviations=list(dict.fromkeys(deviation for deviation, _ in whats)),
        values=[json.loads(value) for _, value in whats if value is not None],
        chunks=sorted({one.chunk for one in block if one.chunk}),
        answers=sorted({one.answer for one in block}),
        fails={client: common(list(dict.fromkeys(outcomes))) for client, outcomes in hows.items()},
    )


def common(outcomes: Sequence[str]) -> str:
    """What several outcomes of one client have in common: the outcome, the kind of exception, or the kinds."""
    if len(outcomes) == 1:
        return outcomes[0]
    if all(outcome.startswith("finish reason ") for outcome in outcomes):
        return "another finish reason"
    for parts in (2, 1):
        heads = {":".join(outcome.split(":")[:parts]) for outcome in outcomes}
        if len(heads) == 1:
            return heads.pop()
    heads = {"another finish reason" if o.startswith("finish reason ") else o.split(":")[0] for o in outcomes}
    return " or ".join(sorted(heads))


def _order(rule: Rule) -> tuple[Any, ...]:
    return (
        _WHERE.index(rule.where),
        rule.field,
        rule.deviations,
        _SEVERITIES.index(rule.severity),
        rule.chunks,
        rule.answers,
        sorted(rule.fails),
    )


def _toml(value: Any) -> str:
    """A TOML value; JSON's strings, numbers and lists are TOML's as well."""
    return json.dumps(value, ensure_ascii=False)


def render(record: Record) -> str:
    """The text of the file."""
    lines = [_HEAD, "[versions]"]
    lines += [f"{_toml(name)} = {_toml(version)}" for name, version in sorted(record.versions.items())]
    lines += ["", "[sources]"]
    lines += [f"{_toml(column)} = {_toml(list(source))}" for column, source in sorted(record.sources.items())]
    for rule in derive(record):
        lines += ["", "[[rule]]", f"where = {_toml(rule.where)}"]
        if rule.field:
            lines.append(f"field = {_toml(rule.field)}")
        lines.append(f"deviations = {_toml(rule.deviations)}")
        if rule.values:
            # TOML has no null; no rule of these kinds is about null.
            lines.append(f"values = {_toml(rule.values)}")
        if rule.chunks:
            lines.append(f"chunks = {_toml(rule.chunks)}")
        lines += [f"answers = {_toml(rule.answers)}", f"severity = {_toml(rule.severity)}"]
        if rule.allowed:
            lines.append("allowed = true")
        if rule.fails:
            lines.append("[rule.fails]")
            lines += [f"{_toml(client)} = {_toml(how)}" for client, how in rule.fails.items()]
    return "\n".join(lines) + "\n"
