"""Structured output: fault to exact codes."""

from __future__ import annotations

import pytest

from probe.model import Severity, State
from probe.simulator import all_faults, all_styles
from tests.scenarios.runs import codes, diagnose, errors

ONLY = ("output.*",)
FAST = {"rate_tokens_s": 0, "first_token_s": 0.0}
#: Lost spaces show in the texts of a whole run.
TABLE = [
    item
    for item in all_faults()
    if item.yields
    and {code.partition(".")[0] for code in item.yields} == {"output"}
    and item.yields != ("output.spaces-altered",)
]


@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.name)
def test_each_fault_gives_exactly_its_codes(fault) -> None:  # type: ignore[no-untyped-def]
    report = diagnose([fault.name], sim=FAST, only=ONLY)
    assert codes(report) == set(fault.yields)
    assert not errors(report)
    if fault.yields == ("output.template-tokens",):  # which stand in every text, JSON or not
        assert {report.capabilities[name].verdict for name in ("json_object", "json_schema")} == {State.BROKEN}
        return
    broken = "json_schema" if fault.yields[0].startswith("output.schema") else "json_object"
    other = {"json_schema": "json_object", "json_object": "json_schema"}[broken]
    assert report.capabilities[broken].verdict in (State.REJECTED, State.IGNORED, State.BROKEN)
    assert report.capabilities[other].verdict is State.WORKS


@pytest.mark.parametrize("style", [item.name for item in all_styles()])
def test_a_healthy_endpoint_has_nothing_to_mend(style: str) -> None:
    report = diagnose(style=style, sim=FAST, only=ONLY)
    assert codes(report, "output", least=Severity.WARNING) == set()
    assert not errors(report)
    for name in ("json_object", "json_schema"):
        assert report.capabilities[name].verdict in (State.WORKS, State.REJECTED)


@pytest.mark.parametrize("personality", ["weak", "reasoning", "chatty"])
def test_models_of_every_kind_give_no_finding(personality: str) -> None:
    report = diagnose(sim={**FAST, "personality": personality}, only=ONLY)
    assert codes(report, "output") == set()
    assert not errors(report)


@pytest.mark.parametrize("quirk", ["think-tags", "hidden-reasoning", "schema-not-strict"])
def test_harmless_oddities_are_no_fault(quirk: str) -> None:
    report = diagnose([quirk], sim=FAST, only=ONLY)
    assert codes(report, "output") == set()
    assert report.capabilities["json_schema"].verdict is State.WORKS


def test_one_request_each_proves_a_healthy_endpoint() -> None:
    report = diagnose(sim=FAST, only=ONLY)
    sent = {item.id: item.requests for item in report.checks if item.id.startswith("output.")}
    assert sent == {"output.json-object": 1, "output.json-schema": 1, "output.tokens": 0}
