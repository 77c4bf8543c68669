"""The vocabulary of a run: checks, findings, verdicts and the report, as frozen dataclasses.

Nothing here touches the network, so the same diagnosis runs on a live endpoint, on a saved
report and on a recorded transcript.  The recorded exchange is in ``probe.exchange`` and can be
imported from here too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from probe.exchange import Autopsy as Autopsy
from probe.exchange import Evidence as Evidence
from probe.exchange import Exchange as Exchange
from probe.exchange import Failure as Failure
from probe.exchange import Request as Request
from probe.exchange import Response as Response
from probe.exchange import Timeline as Timeline

SCHEMA_VERSION = "1.0"
CAPABILITIES: tuple[str, ...] = tuple(
    (
        "chat model_list streaming stream_usage system_role developer_role block_content tools tool_results "
        "tool_choice_required tool_choice_named parallel_tools streaming_tools json_object json_schema vision "
        "reasoning logprobs stop responses_api responses_tools messages_api messages_tools long_silence"
    ).split()
)
#: The families of findings in the order in which a client meets them; those of plugins come last.
FAMILIES: tuple[str, ...] = tuple(
    (
        "connect tls url auth models errors limits shape content roles stream idle tools params output vision "
        "reasoning responses messages"
    ).split()
)

# Words of a report -----------------------------------------------------------------------------------


class Severity(StrEnum):
    """How much a finding matters to a client."""

    ERROR = "error"  # a client will fail or be misled
    WARNING = "warning"  # works, with a cost or a risk
    INFO = "info"  # worth knowing, such as an optional feature that is absent


class Owner(StrEnum):
    """Who can fix what a finding names."""

    CLIENT = "client"
    SERVER = "server"
    GATEWAY = "gateway"
    NETWORK = "network"
    MODEL = "model"
    KEY = "key"


class Outcome(StrEnum):
    """How one check ended.  ``error`` is an error of this program, never a fault of the endpoint."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class State(StrEnum):
    """The verdict on a capability; only ``works`` switches a client's toggle on."""

    WORKS = "works"
    BROKEN = "broken"
    IGNORED = "ignored"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Depth(StrEnum):
    """How much a run may spend."""

    QUICK = "quick"
    STANDARD = "standard"
    DEEP = "deep"

    @property
    def rank(self) -> int:
        return (Depth.QUICK, Depth.STANDARD, Depth.DEEP).index(self)


# What a check declares and returns ---------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """A fault of the endpoint, or something worth knowing, with evidence and a remedy."""

    code: str
    severity: Severity
    check: str
    title: str
    detail: str
    remedy: str
    owner: Owner
    confidence: float
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """The catalogue entry of one finding code.

    ``code`` is ``family.fault`` and is never reused.  ``what`` says what was observed, ``why`` what it
    does to a client, ``remedy`` how to fix it if the software is not known; ``remedies`` maps a
    recognised software (``vllm``, ``nginx`` …) to the exact flag or setting.  ``verify`` says how to
    check that the remedy worked.
    """

    code: str
    severity: Severity
    owner: Owner
    title: str
    what: str
    why: str
    remedy: str
    verify: str = "Run endpoint-probe again: the finding is gone."
    # Not compared: the catalogue adds the remedies from the systems' data files.
    remedies: Mapping[str, str] = field(default_factory=dict, compare=False)
    sources: tuple[str, ...] = ()

    def found(
        self,
        detail: str,
        *evidence: Evidence,
        severity: Severity | None = None,
        owner: Owner | None = None,
        remedy: str | None = None,
        confidence: float = 1.0,
    ) -> Finding:
        """Make a finding of this diagnosis.  The engine adds the check's id."""
        return Finding(
            self.code,
            severity or self.severity,
            "",
            self.title,
            detail,
            remedy or self.remedy,
            owner or self.owner,
            confidence,
            evidence,
        )


@dataclass(frozen=True)
class Verdict:
    """The state of one capability, its confidence (0 to 1), and the reason in a few words."""

    verdict: State
    confidence: float = 1.0
    finding: str | None = None
    checks: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Result:
    """What a check returns.

    ``provides`` are the needs it meets in addition to the capabilities whose verdict is ``works``;
    ``settles`` are fields of the target that are now known (``probe.run.options.Settled``).
    ``note`` is shown as the reason of a pass.  ``retracts`` are checks, or families of them, whose findings, and
    verdicts other than ``works``, do not hold for the reason in ``note``: an endpoint that answers the same request
    in two ways cannot be blamed for either.
    """

    findings: tuple[Finding, ...] = ()
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    provides: frozenset[str] = frozenset()
    settles: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    retracts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, finding: Finding, **states: State) -> Result:
        """A finding, and the states of the capabilities that rest on it."""
        return cls((finding,), {name: because(state, finding) for name, state in states.items()})

    def __or__(self, other: Result) -> Result:
        """Both together; for a verdict or fact that is in both, the other's value counts."""
        return Result(
            findings=self.findings + other.findings,
            verdicts={**self.verdicts, **other.verdicts},
            facts={**self.facts, **other.facts},
            provides=self.provides | other.provides,
            settles={**self.settles, **other.settles},
            note=other.note or self.note,
            retracts=self.retracts | other.retracts,
        )


@dataclass(frozen=True)
class Check:
    """A registered check: what it needs, what it can prove, and what it may spend.

    The arguments of ``probe.catalogue.registry.check`` explain the fields.  ``run`` takes a
    ``probe.run.context.Context``, which this module does not know.
    """

    id: str
    version: int
    title: str
    proves: str
    run: Callable[[Any], Awaitable[Result]]
    requires: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    provides: frozenset[str] = frozenset()
    emits: tuple[Diagnosis, ...] = ()
    max_requests: int = 1
    max_tokens: int = 0
    max_seconds: float = 0.0
    depth: Depth = Depth.STANDARD
    exclusive: bool = False
    least_requests: int | None = None

    @property
    def family(self) -> str:
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class CheckRecord:
    """How one check ended in a run, as the report shows it."""

    id: str
    version: int
    title: str
    outcome: Outcome
    reason: str = ""
    duration_s: float = 0.0
    requests: int = 0
    findings: tuple[str, ...] = ()
    started_s: float | None = None
    exclusive: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class RunInfo:
    id: str
    started_at: str
    finished_at: str
    duration_s: float
    depth: str
    complete: bool
    requests: int
    prompt_tokens: int
    completion_tokens: int
    loop_lag_p99_ms: float | None = None
    fail_on: str = "error"
    accept: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuthInfo:
    scheme: str
    header: str | None
    source: str


@dataclass(frozen=True)
class TargetInfo:
    """The endpoint, and how it was reached.

    ``headers`` are the extra headers with secrets as ``${NAME}``; ``verification`` is how the certificate was
    verified: by the system's authorities (system), by a file (ca-bundle) or not at all (none).
    """

    endpoint: str
    base_url: str | None
    chat_url: str | None
    model: str | None
    auth: AuthInfo
    http_version: str | None = None
    tls: Mapping[str, Any] | None = None
    proxy: str | None = None
    proxy_source: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    verification: str = "system"
    client_certificate: bool = False


@dataclass(frozen=True)
class Hop:
    software: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServerInfo:
    software: str = "unknown"
    version: str | None = None
    confidence: float = 0.0
    evidence: tuple[str, ...] = ()
    hops: tuple[Hop, ...] = ()


@dataclass(frozen=True)
class ToolInfo:
    name: str
    version: str


@dataclass(frozen=True)
class Report:
    """Everything a run found; ``probe.report`` writes and reads it as report.json."""

    tool: ToolInfo
    run: RunInfo
    target: TargetInfo
    server: ServerInfo
    capabilities: Mapping[str, Verdict]
    facts: Mapping[str, Any]
    findings: tuple[Finding, ...]
    checks: tuple[CheckRecord, ...]
    exchanges: tuple[Exchange, ...] = field(repr=False)
    schema_version: str = SCHEMA_VERSION


@dataclass(frozen=True)
class Event:
    """Live progress: ``kind`` is check-started, check-finished, request, waiting, note or estimate."""

    kind: str
    check: str = ""
    text: str = ""
    at_s: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)


def works(note: str = "", confidence: float = 1.0) -> Verdict:
    """A ``works`` verdict."""
    return Verdict(State.WORKS, confidence, note=note)


def unknown(note: str) -> Verdict:
    """An ``unknown`` verdict with the reason."""
    return Verdict(State.UNKNOWN, 0.0, note=note)


def because(state: State, finding: Finding, note: str = "") -> Verdict:
    """A verdict that rests on a finding."""
    return Verdict(state, finding.confidence, finding=finding.code, note=note or finding.title)


def with_check(finding: Finding, check_id: str) -> Finding:
    """The same finding, signed by the check that made it."""
    return replace(finding, check=check_id)


# What a whole report says: every format, the exit status and the history use these functions ---------

SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, what to fix first at the top.

    By severity, then by family in the order in which a client meets them (with a wrong address or
    key nothing else can be fixed), then by confidence.
    """

    def rank(finding: Finding) -> tuple[int, int, float, str]:
        family = finding.code.partition(".")[0]
        place = FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)
        return SEVERITIES.index(finding.severity), place, -finding.confidence, finding.code

    return sorted(findings, key=rank)


def worst(report: Report) -> Finding | None:
    """The finding to fix first, or None if there are only notes."""
    return next((item for item in in_order(report.findings) if item.severity is not Severity.INFO), None)


def usable(report: Report) -> bool:
    """Whether chat works, on which every other feature depends."""
    chat = report.capabilities.get("chat")
    return chat is not None and chat.verdict is State.WORKS


def tried(verdict: Verdict | None) -> bool:
    """Whether a run examined the capability at all."""
    return verdict is not None and (verdict.verdict is not State.UNKNOWN or bool(verdict.checks))


def lacks_chat(report: Report) -> bool:
    """Whether the run requested a chat completion and got none: not usable, exit status 3.

    In a report of an older version a chat that could not be judged looks like one that was not
    requested; there the checks that were skipped for lack of it show the difference.
    """
    asked = tried(report.capabilities.get("chat")) or any(
        check.outcome is Outcome.SKIP and check.reason.startswith("needs chat,") for check in report.checks
    )
    return asked and not usable(report)
