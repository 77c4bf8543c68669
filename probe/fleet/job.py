"""The data of an audit: targets as the fleet file has them, jobs and their outcomes.

Nothing here holds a secret: keys and headers are references, resolved where a job runs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: All verdicts but ``unknown``, which never counts as a change.
DEFINITE = frozenset(("works", "broken", "ignored", "rejected"))


@dataclass(frozen=True)
class Target:
    """One endpoint of the fleet, as the file has it.

    Attributes:
        name: unique in the fleet and its key in history, so that the URL may change.
        endpoint: the URL, with ``${VAR}`` in place of secret parts.
        models: ids to probe; empty for the endpoint's only or first one.
        discover: probe the models that the endpoint lists, by ``include`` and ``exclude`` globs.
        key: ``("env", NAME)`` or ``("file", PATH)``, never the key.
        headers: name to value, ``${VAR}`` unresolved.
        expect: capability to the states that are allowed.
        expect_of: the same for single models, by id; overrides ``expect``.
        vantage: the vantage points to probe it from; empty for where the audit runs.
        options: further options of a run, by the names in ``Given`` (depth, idle …).
    """

    name: str
    endpoint: str
    models: tuple[str, ...] = ()
    discover: bool = False
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    key: tuple[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    expect: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expect_of: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    vantage: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """Settings of the whole audit.

    Attributes:
        concurrency: endpoints probed at once, and requests in flight over all of them.
        per_host: targets of one host probed at once.
        requests_per_second: most requests a second to one host; None for no limit.
        confirm: how often a changed verdict is tried again.
        quiet_workers: processes for checks that measure time; None for the default by concurrency.
        keep_days: how long history is kept; None for ever.
    """

    concurrency: int = 16
    per_host: int = 1
    requests_per_second: float | None = None
    confirm: int = 2
    quiet_workers: int | None = None
    keep_days: float | None = None

    @property
    def quiet(self) -> int:
        """Processes for checks that measure time: a quarter of the concurrency, at most eight."""
        return self.quiet_workers or max(1, min(8, -(-self.concurrency // 4)))


@dataclass(frozen=True)
class Fleet:
    """A fleet file: its name, targets and settings, and the SHA-256 of its text."""

    name: str
    targets: tuple[Target, ...]
    settings: Settings = field(default_factory=Settings)
    digest: str = ""

    def target(self, name: str) -> Target:
        """The target of this name.

        Raises:
            KeyError: there is none.
        """
        return next(item for item in self.targets if item.name == name)


@dataclass(frozen=True, order=True)
class Cell:
    """What is probed once in an audit: a model of a target, from a vantage point."""

    target: str
    model: str = ""
    vantage: str = ""

    def __str__(self) -> str:
        text = f"{self.target} {self.model}".rstrip()
        return f"{text} from {self.vantage}" if self.vantage else text

    @property
    def slug(self) -> str:
        """A unique and readable file name."""
        words = "-".join(filter(None, (self.target, self.model, self.vantage)))
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-.")[:60] or "target"
        mark = hashlib.sha256("\0".join((self.target, self.model, self.vantage)).encode()).hexdigest()[:8]
        return f"{plain}-{mark}"


@dataclass(frozen=True)
class Job:
    """One cell to be probed, with everything that a worker on another machine needs.

    ``known`` are the definite verdicts before; a verdict that differs is tried again.
    ``discover`` requests only the model list.
    """

    cell: Cell
    target: Target
    known: Mapping[str, str] = field(default_factory=dict)
    confirm: int = 0
    discover: bool = False


@dataclass(frozen=True)
class Judged:
    """The verdict on a capability in one run; ``agreed`` of the ``trials`` gave this state."""

    capability: str
    state: str
    confidence: float = 0.0
    finding: str | None = None
    note: str = ""
    trials: int = 1
    agreed: int = 1


@dataclass(frozen=True)
class Found:
    """A finding of one run, with the fields that the matrix and history need."""

    code: str
    severity: str
    owner: str
    check: str
    title: str
    detail: str
    remedy: str


@dataclass(frozen=True)
class Summary:
    """The part of a run that the store keeps in tables.  Times are ISO 8601 with a zone."""

    run_id: str
    started_at: str
    finished_at: str
    duration_s: float
    depth: str
    complete: bool
    usable: bool
    endpoint: str
    base_url: str | None
    model: str | None
    requests: int
    prompt_tokens: int
    completion_tokens: int
    software: str
    version: str | None
    hops: tuple[str, ...]
    verdicts: tuple[Judged, ...]
    findings: tuple[Found, ...]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job: a summary and its report, the listed models, or the problem.

    ``report`` is report.json, compressed with gzip.  ``place`` names the worker.
    """

    cell: Cell
    summary: Summary | None = None
    report: bytes = b""
    models: tuple[str, ...] | None = None
    problem: str = ""
    place: str = ""
