"""Roles of messages: fault to exact codes."""

from __future__ import annotations

import pytest

from probe.model import Depth, State
from probe.simulator import all_faults
from tests.scenarios.runs import codes, diagnose, errors

ONLY = ("roles.*",)
BASIC = ("roles.system", "roles.developer")
FAST = {"rate_tokens_s": 0, "first_token_s": 0}
STYLES = ("openai", "vllm", "llamacpp", "ollama", "groq", "sglang")
#: Faults of the order of messages need the conversations of the tools family: tests/scenarios/test_every_fault.py.
ORDERS = ("roles.order-rejected",)
TABLE = [
    item
    for item in all_faults()
    if item.yields and item.yields != ORDERS and {code.partition(".")[0] for code in item.yields} == {"roles"}
]


@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.name)
def test_each_fault_gives_exactly_its_codes(fault) -> None:  # type: ignore[no-untyped-def]
    report = diagnose([fault.name], sim=FAST, only=ONLY)
    assert not errors(report)
    assert codes(report) == set(fault.yields)
    role, _, kind = fault.name.partition("-")
    state = {"ignored": State.IGNORED, "rejected": State.REJECTED}[kind]
    assert report.capabilities[f"{role}_role"].verdict is state
    other = {"system": "developer", "developer": "system"}[role]
    assert report.capabilities[f"{other}_role"].verdict is State.WORKS
    assert role not in report.facts["roles"]
    assert other in report.facts["roles"]


@pytest.mark.parametrize("style", STYLES)
def test_a_healthy_endpoint_takes_both_roles(style: str) -> None:
    report = diagnose(style=style, sim=FAST, only=BASIC)
    assert codes(report, "roles") == set()
    assert report.facts["roles"] == ["system", "developer"]


@pytest.mark.parametrize("personality", ["reasoning", "chatty"])
def test_thinking_and_talk_do_not_hide_the_code(personality: str) -> None:
    report = diagnose(sim={**FAST, "personality": personality}, only=BASIC)
    assert codes(report, "roles") == set()
    assert report.facts["roles"] == ["system", "developer"]


@pytest.mark.parametrize("quirks", [(), ("usage-missing",), ("usage-constant",)])
def test_a_weak_model_gives_no_finding(quirks: tuple[str, ...]) -> None:
    report = diagnose(quirks, sim={**FAST, "personality": "weak"}, only=ONLY)
    assert codes(report) == set()
    assert report.capabilities["system_role"].verdict is State.UNKNOWN
    assert report.capabilities["developer_role"].verdict is State.UNKNOWN
    assert "roles" not in report.facts


@pytest.mark.parametrize("counts", ["usage-missing", "usage-constant"])
@pytest.mark.parametrize("fault", ["system-ignored", "developer-ignored"])
def test_a_dropped_role_is_seen_without_counts(counts: str, fault: str) -> None:
    report = diagnose([counts, fault], sim=FAST, only=BASIC)
    assert codes(report) == {f"roles.{fault}"}


def test_the_rarer_forms_are_facts() -> None:
    report = diagnose(sim=FAST, only=ONLY, depth=Depth.DEEP)
    assert report.facts["roles"] == ["system", "developer", "multi_system", "mid_system"]
    strict = diagnose(["strict-role-order"], sim=FAST, only=ONLY, depth=Depth.DEEP)
    assert codes(strict) == {"roles.order-rejected"}
    assert "mid_system" not in strict.facts["roles"]


def test_the_system_role_costs_one_shared_request() -> None:
    report = diagnose(sim=FAST, only=("roles.system", "content.blocks"))
    spent = {item.id: item.requests for item in report.checks}
    # The conversation as strings is also the second question of errors.cached.
    assert spent["roles.system"] + spent["content.blocks"] + spent["errors.cached"] == 2
