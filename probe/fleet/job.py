"""The vocabulary of an audit: targets as the fleet file has them, jobs, and what came of a job.

Nothing here ever holds a secret: keys and headers are references, and they are resolved
where a job is run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: A verdict that says something; ``unknown`` never counts as a change.
DEFINITE = frozenset(("works", "broken", "ignored", "rejected"))


@dataclass(frozen=True)
class Target:
    """One endpoint of the fleet, as the file has it.

    Attributes:
        name: unique in the fleet; how history knows it, so that the URL may change.
        endpoint: the URL, with ``${VAR}`` where a part is secret.
        models: ids to probe; empty means the endpoint's only or first one.
        discover: probe what the endpoint lists, by ``include`` and ``exclude`` globs.
        key: ``("env", NAME)`` or ``("file", PATH)``, never the key.
        headers: name to value, ``${VAR}`` unresolved.
        expect: capability to the states that are allowed.
        expect_of: the same for single models, by id; beside what the target expects.
        vantage: the places to probe it from; empty means from wherever the audit runs.
        options: further options of a run by their name in the file (depth, idle …).
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
    """What holds for the whole audit.

    Attributes:
        concurrency: endpoints probed at once, and requests in flight over all of them.
        per_host: targets of one host probed at once.
        requests_per_second: the most requests a second to one host; None is no limit.
        confirm: how often a changed verdict is tried again before it is believed.
        quiet_workers: processes for checks that measure time; None follows the concurrency.
        keep_days: how long history is kept; None is for ever.
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
    """A fleet file: its name, settings and targets, and the digest of what was read."""

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
    """What is probed once in an audit: a target's model, seen from a place."""

    target: str
    model: str = ""
    vantage: str = ""

    def __str__(self) -> str:
        text = f"{self.target} {self.model}".rstrip()
        return f"{text} from {self.vantage}" if self.vantage else text

    @property
    def slug(self) -> str:
        """A file name that is unique and can be recognised."""
        words = "-".join(filter(None, (self.target, self.model, self.vantage)))
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-.")[:60] or "target"
        mark = hashlib.sha256("\0".join((self.target, self.model, self.vantage)).encode()).hexdigest()[:8]
        return f"{plain}-{mark}"


@dataclass(frozen=True)
class Job:
    """One cell to be probed, with everything a worker elsewhere needs.

    ``known`` are the definite verdicts of the run before; where the new one differs it is
    tried again.  ``discover`` asks only for the model list.
    """

    cell: Cell
    target: Target
    known: Mapping[str, str] = field(default_factory=dict)
    confirm: int = 0
    discover: bool = False


@dataclass(frozen=True)
class Judged:
    """A capability of one run: its state, and how many of the trials said so."""

    capability: str
    state: str
    confidence: float = 0.0
    finding: str | None = None
    note: str = ""
    trials: int = 1
    agreed: int = 1


@dataclass(frozen=True)
class Found:
    """A finding of one run, as far as the matrix and history need it."""

    code: str
    severity: str
    owner: str
    check: str
    title: str
    detail: str
    remedy: str


@dataclass(frozen=True)
class Summary:
    """What is kept of a run beside its report.  Times are ISO 8601 with a zone."""

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
    """What came of a job: a summary and its report, the listed models, or why nothing could be done.

    ``report`` is report.json, compressed with gzip.  ``place`` names the worker.
    """

    cell: Cell
    summary: Summary | None = None
    report: bytes = b""
    models: tuple[str, ...] | None = None
    problem: str = ""
    place: str = ""
