"""The matrix as plain values; matrix.json is this, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from probe.wording import amount

SCHEMA_VERSION = "1.0"
STATES = ("works", "broken", "ignored", "rejected", "unknown")


@dataclass(frozen=True)
class Mark:
    """One capability of one row.

    ``met`` is whether the expectation holds: None where there is none, or where the verdict is
    unknown.  ``changed`` is the verdict before, or empty.
    """

    state: str
    confidence: float = 0.0
    finding: str | None = None
    note: str = ""
    trials: int = 1
    agreed: int = 1
    expected: tuple[str, ...] = ()
    met: bool | None = None
    changed: str = ""


@dataclass(frozen=True)
class FindingLine:
    """A finding of a row."""

    code: str
    severity: str
    owner: str
    title: str


class _Named:
    target: str
    model: str
    vantage: str

    @property
    def name(self) -> str:
        """Target, model and place in a few words."""
        text = f"{self.target} {self.model}".rstrip()
        return f"{text} from {self.vantage}" if self.vantage else text


@dataclass(frozen=True)
class Row(_Named):
    """A target's model seen from a place.

    ``state`` is done, failed (it could not be probed; ``problem`` is the reason) or planned (the
    audit has not reached it).  ``report`` is the report's file, relative to the matrix.
    """

    target: str
    model: str
    vantage: str
    endpoint: str
    labels: Mapping[str, str]
    state: str
    problem: str = ""
    usable: bool = False
    complete: bool = True
    base_url: str | None = None
    server: str = ""
    started_at: str = ""
    duration_s: float = 0.0
    requests: int = 0
    findings: tuple[FindingLine, ...] = ()
    marks: Mapping[str, Mark] = field(default_factory=dict)
    report: str | None = None

    def count(self, severity: str) -> int:
        """The number of findings of this severity."""
        return sum(item.severity == severity for item in self.findings)

    @property
    def cause(self) -> str:
        """Why the row is not usable: the finding behind the verdict on chat, else the first, else the note."""
        chat = self.marks.get("chat")
        named = [item for item in self.findings if chat and item.code == chat.finding] or list(self.findings)
        return f"{named[0].code}: {named[0].title}" if named else chat.note if chat else "no chat completion"

    @property
    def unmet(self) -> list[str]:
        """The capabilities whose expectation does not hold."""
        return [name for name, mark in self.marks.items() if mark.met is False]


@dataclass(frozen=True)
class ChangeLine(_Named):
    """What changed: regression, flapping, change or recovery."""

    kind: str
    target: str
    model: str
    vantage: str
    capability: str
    before: str
    after: str
    trials: int
    agreed: int
    finding: str | None
    since: str
    note: str = ""

    @property
    def trial_words(self) -> str:
        """The number of trials in words."""
        return "not tried again" if self.trials == 1 else f"{self.agreed} of {self.trials} trials"


@dataclass(frozen=True)
class Point:
    """One audit in the trend: its rows, the usable ones, and the number of verdicts of each state."""

    started_at: str
    rows: int
    usable: int
    states: Mapping[str, int]


@dataclass(frozen=True)
class Matrix:
    """Everything an audit found.  ``compared_with`` names what the changes are relative to."""

    tool: str
    fleet: str
    audit: str
    started_at: str
    finished_at: str | None
    executor: str
    capabilities: tuple[str, ...]
    rows: tuple[Row, ...]
    changes: tuple[ChangeLine, ...] = ()
    compared_with: str = ""
    paths: tuple[str, ...] = ()
    trend: tuple[Point, ...] = ()
    schema_version: str = SCHEMA_VERSION

    @property
    def done(self) -> list[Row]:
        """The rows that were probed."""
        return [row for row in self.rows if row.state == "done"]

    @property
    def tried(self) -> list[str]:
        """The capabilities for which some row has a definite verdict."""
        return [
            name
            for name in self.capabilities
            if any(name in row.marks and row.marks[name].state != "unknown" for row in self.rows)
        ]

    def changed(self, *kinds: str) -> list[ChangeLine]:
        """The changes of some kinds."""
        return [item for item in self.changes if item.kind in kinds]


def label_names(rows: Iterable[Row]) -> list[str]:
    """The names of all labels, sorted."""
    return sorted({name for row in rows for name in row.labels})


def headline(matrix: Matrix) -> str:
    """The state of the fleet in a few words."""
    total, usable = len(matrix.rows), sum(row.usable for row in matrix.rows)
    words = [f"{usable} of {total} usable"]
    unmet = sum(len(row.unmet) for row in matrix.rows)
    if unmet:
        words.append(f"{amount(unmet, 'expectation')} not met")
    for kind, singular, plural in (
        ("regression", "regression", ""),
        ("flapping", "flapping verdict", ""),
        ("recovery", "recovery", "recoveries"),
    ):
        number = len(matrix.changed(kind))
        if number:
            words.append(amount(number, singular, plural))
    waiting = sum(row.state == "planned" for row in matrix.rows)
    if waiting:
        words.append(f"{waiting} not probed yet")
    return ", ".join(words)
