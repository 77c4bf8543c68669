"""Running the checks against the simulated endpoint, as a user's run would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import anyio

from probe.model import Report, Severity
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.simulator import Simulator
from probe.simulator.fault import Fault
from probe.wire.transport import Transport

#: Long enough for a loaded machine, short enough for the faults that never answer.
TIMEOUT_S = 15.0


def against(sim: Simulator, *, typed: str | None = None, **options: Any) -> Report:
    """Diagnose a running simulator at the URL its faults say the user typed."""
    settings = Options(
        parse(typed or sim.typed_url),
        Auth(key=sim.key, source="test"),
        model=sim.model,
        timeout_s=TIMEOUT_S,
        transport=Transport(ca_bundle=str(sim.ca_bundle) if sim.ca_bundle else None),
    )
    settings = replace(settings, **options)
    return anyio.run(lambda: run(settings))


def diagnose(
    faults: Iterable[str | Fault] = (), *, style: str = "openai", sim: dict[str, Any] | None = None, **options: Any
) -> Report:
    """Start a simulator with these faults, diagnose it, stop it."""
    with Simulator(style=style, faults=tuple(faults), **(sim or {})) as running:
        return against(running, **options)


def codes(report: Report, *families: str, least: Severity = Severity.INFO) -> set[str]:
    """The finding codes of a report, of some families or all, from a severity up."""
    order = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    return {
        finding.code
        for finding in report.findings
        if (not families or finding.code.partition(".")[0] in families)
        and order.index(finding.severity) <= order.index(least)
    }


def errors(report: Report) -> list[str]:
    """The checks that ended as a fault of this program, with their reasons."""
    return [f"{item.id}: {item.reason}" for item in report.checks if item.outcome == "error"]
