"""The findings on one dialect as they are made, with the verdicts of chat completions for comparison.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from checks.dialects.dialect import PLAIN, Deviation, Group, Reading
from checks.dialects.questions import Answers
from probe.api import Evidence, Finding, Severity, State, Verdict, wording

#: Deviations that a finding names; the others are counted.
_NAMED = 3
#: Why chat completions refuse what agents send: capabilities that fail there, and codes.
OF_TURNS = ("block_content", "system_role", "developer_role", "content.blocks-rejected")
OF_RESULTS = ("tools.echo-required", "content.null-rejected", "tools.result-rejected", "roles.order-rejected")


@dataclass
class Case:
    """The findings made so far, by the second part of their code."""

    answers: Answers
    chat: Mapping[str, Verdict]
    codes: frozenset[str] = frozenset()
    said: dict[str, list[tuple[Severity, str, Evidence, tuple[str, ...]]]] = field(default_factory=dict)
    others: list[Finding] = field(default_factory=list)

    def add(self, name: str, text: str, evidence: Evidence, *fails: str, severity: Severity = Severity.ERROR) -> None:
        known = self.said.setdefault(name, [])
        if all(text != other for _, other, _, _ in known):
            known.append((severity, text, evidence, fails))

    def deviations(self, reading: Reading, *groups: Group) -> None:
        for item in reading.deviations:
            if item.group in groups:
                self.add(item.group, item.text, _evidence(reading, item), *item.fails, severity=item.severity)

    def chat_state(self, name: str) -> State:
        verdict = self.chat.get(name)
        return verdict.verdict if verdict else State.UNKNOWN

    def same_cause(self, name: str) -> Verdict | None:
        """The verdict of chat completions where the capability fails there too."""
        verdict = self.chat.get(name)
        if verdict is None or verdict.verdict in (State.WORKS, State.UNKNOWN):
            return None
        return replace(verdict, checks=(), note="as on chat completions")

    def same_refusal(self, *names: str) -> Verdict | None:
        """The verdict that rests on chat completions' refusal of the same thing, or on the first of these codes."""
        for name in names:
            if name in self.codes:
                return Verdict(State.BROKEN, 0.9, name, note="as on chat completions")
            if "." not in name and (same := self.same_cause(name)):
                return same
        return None

    def findings(self) -> tuple[Finding, ...]:
        made = list(self.others)
        for name, said in self.said.items():
            order = sorted(said, key=lambda one: one[0] is not Severity.ERROR)
            severity = min((one[0] for one in said), key=list(Severity).index)
            texts = "; ".join(_sentence(text, fails) for _, text, _, fails in order[:_NAMED])
            more = f"; {len(order) - _NAMED} more" if len(order) > _NAMED else ""
            detail = f"{texts[0].upper()}{texts[1:]}{more}."
            diagnosis = self.answers.dialect.codes[name]
            made.append(diagnosis.found(detail, *(one[2] for one in order[:8]), severity=severity))
        return tuple(made)

    def failing(self) -> dict[str, list[str]]:
        """The clients that fail here, each with the code and the reason."""
        family = self.answers.dialect.name
        return {
            client: [f"{family}.{name}", text]
            for name, said in reversed(self.said.items())
            for _, text, _, fails in reversed(said)
            for client in fails
        }


def _sentence(text: str, fails: Sequence[str]) -> str:
    """What deviates, with the plain clients that fail, or the others where none does."""
    names = [name for name in fails if name in PLAIN] or list(fails)
    return f"{text} ({wording.listing(names)} {wording.form(len(names), 'fails', 'fail')})" if names else text


def _evidence(reading: Reading, item: Deviation) -> Evidence:
    return reading.exchange.shows(item.pointer, expected="what the API describes", actual=item.actual)
