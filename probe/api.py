"""The public interface of the engine: the only names checks and plugins import.

Light on purpose: importing it pulls in no HTTP client, so that ``explain`` and
``checks`` start at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe import wording
from probe.catalogue.registry import check, guide_source
from probe.catalogue.remedies import Advice, Guide
from probe.model import (
    CAPABILITIES,
    Depth,
    Diagnosis,
    Evidence,
    Exchange,
    Finding,
    Hop,
    Outcome,
    Owner,
    Result,
    ServerInfo,
    Severity,
    State,
    Verdict,
    because,
    unknown,
    works,
)
from probe.parsing import chat_completion as completion
from probe.parsing import png, sse, urls
from probe.parsing.error_bodies import Obstacle
from probe.parsing.strict_json import count_at, member, parse, text_at
from probe.redaction.redactor import too_common
from probe.run.outcomes import BudgetExceeded, Inconclusive, KeyWithheld, Skip, Throttled, wilson

if TYPE_CHECKING:
    from probe.run.context import Context
    from probe.run.options import Auth, ToolState
    from probe.wire.looks import Address, Handshake
    from probe.wire.proxies import ProxyInUse
    from probe.wire.transport import Wire

__all__ = [
    "CAPABILITIES",
    "Address",
    "Advice",
    "Auth",
    "BudgetExceeded",
    "Context",
    "Depth",
    "Diagnosis",
    "Evidence",
    "Exchange",
    "Finding",
    "Guide",
    "Handshake",
    "Hop",
    "Inconclusive",
    "KeyWithheld",
    "Obstacle",
    "Outcome",
    "Owner",
    "ProxyInUse",
    "Result",
    "ServerInfo",
    "Severity",
    "Skip",
    "State",
    "Throttled",
    "ToolState",
    "Verdict",
    "Wire",
    "because",
    "check",
    "completion",
    "count_at",
    "guide_source",
    "member",
    "parse",
    "png",
    "sse",
    "text_at",
    "too_common",
    "unknown",
    "urls",
    "wilson",
    "wording",
    "works",
]


def __getattr__(name: str) -> object:
    """Load what needs the HTTP client only when it is asked for (PEP 562)."""
    if name == "Context":
        from probe.run.context import Context

        return Context
    if name in ("Auth", "ToolState"):
        from probe.run import options

        return getattr(options, name)
    if name in ("Address", "Handshake"):
        from probe.wire import looks

        return getattr(looks, name)
    if name == "ProxyInUse":
        from probe.wire.proxies import ProxyInUse

        return ProxyInUse
    if name == "Wire":
        from probe.wire.transport import Wire

        return Wire
    raise AttributeError(name)
