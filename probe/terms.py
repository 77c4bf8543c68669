"""The words a report uses: severities, owners, outcomes, verdict states, depths, capabilities."""

from __future__ import annotations

from enum import StrEnum

CAPABILITIES: tuple[str, ...] = (
    "chat",
    "model_list",
    "streaming",
    "stream_usage",
    "system_role",
    "developer_role",
    "block_content",
    "tools",
    "tool_results",
    "tool_choice_required",
    "tool_choice_named",
    "parallel_tools",
    "streaming_tools",
    "json_object",
    "json_schema",
    "vision",
    "reasoning",
    "logprobs",
    "stop",
    "responses_api",
    "long_silence",
)


class Severity(StrEnum):
    """How much a finding matters to a client."""

    ERROR = "error"  # a client will fail or be misled
    WARNING = "warning"  # works, with a cost or a risk
    INFO = "info"  # worth knowing; absence of an optional feature is no fault


class Owner(StrEnum):
    """Who can mend what a finding names."""

    CLIENT = "client"
    SERVER = "server"
    GATEWAY = "gateway"
    NETWORK = "network"
    MODEL = "model"
    KEY = "key"


class Outcome(StrEnum):
    """How one check ended.  ``error`` is a fault of this program, never the endpoint's."""

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
