"""From a test's verdicts to saved toggles; what a person set by hand stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from probe.model import CAPABILITIES, Report, State, Verdict
from probe.provider.saved_provider import Found, Provider, Toggle

#: Facts that a client needs to be set up.
_FACTS = (
    "block_content_roles",
    "context_length",
    "max_tokens_param",
    "models",
    "reasoning_field",
    "rejected_params",
    "roles",
)


@dataclass(frozen=True)
class Change:
    """What a test did to one toggle.

    ``kept`` says that a person's setting differs from the verdict and was left.
    """

    capability: str
    before: bool | None
    after: bool | None
    verdict: str
    kept: bool = False


def switch(verdict: Verdict | None) -> bool | None:
    """The toggle of a verdict: on where it works, off where it does not, None where it is not known."""
    if verdict is None or verdict.verdict is State.UNKNOWN:
        return None
    return verdict.verdict is State.WORKS


def tried(verdict: Verdict | None) -> bool:
    """Whether a run looked at the capability at all."""
    return verdict is not None and (verdict.verdict is not State.UNKNOWN or bool(verdict.checks))


def taken_over(provider: Provider, report: Report) -> tuple[Provider, list[Change]]:
    """The provider with the toggles that a report gives, and what changed.

    A capability that the run did not look at keeps its toggle.  A toggle set by hand
    keeps its value; the verdict is noted beside it.
    """
    toggles: dict[str, Toggle] = dict(provider.toggles)
    changes = []
    for name in CAPABILITIES:
        verdict = report.capabilities.get(name)
        if verdict is None or not tried(verdict):
            continue
        old = toggles.get(name, Toggle())
        by_verdict = switch(verdict)
        hand = old.by == "hand"
        new = Toggle(old.on if hand else by_verdict, old.by, str(verdict.verdict))
        toggles[name] = new
        changes.append(
            Change(
                name,
                old.on,
                new.on,
                str(verdict.verdict),
                kept=hand and by_verdict is not None and old.on != by_verdict,
            )
        )
    toggles = {name: toggles[name] for name in CAPABILITIES if name in toggles}
    found = Found(
        at=report.run.finished_at,
        base_url=report.target.base_url,
        model=report.target.model,
        auth_scheme=report.target.auth.scheme if report.target.auth.scheme in ("bearer", "api-key-header") else "none",
        auth_header=report.target.auth.header,
        facts=_facts(report.facts),
    )
    return replace(provider, toggles=toggles, found=found), changes


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in _FACTS if facts.get(name) is not None}
