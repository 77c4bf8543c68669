"""Thinking, wherever it comes: never a fault, and the fact says where."""

from __future__ import annotations

import pytest

from probe.model import State
from probe.simulator import all_styles
from tests.scenarios.runs import codes, diagnose, errors

ONLY = ("reasoning.*",)
FAST = {"rate_tokens_s": 0, "first_token_s": 0.0}


@pytest.mark.parametrize(
    ("quirk", "field"),
    [("reasoning-model", "reasoning_content"), ("think-tags", "think_tags"), ("hidden-reasoning", None)],
)
def test_thinking_is_found(quirk: str, field: str | None) -> None:
    report = diagnose([quirk], sim=FAST, only=ONLY)
    assert report.capabilities["reasoning"].verdict is State.WORKS
    assert report.facts.get("reasoning_field") == field
    assert codes(report, "reasoning") == ({"reasoning.tags-in-text"} if field == "think_tags" else set())
    assert not errors(report)


@pytest.mark.parametrize("style", [item.name for item in all_styles()])
def test_a_thinking_model_behind_every_style(style: str) -> None:
    report = diagnose(style=style, sim={**FAST, "personality": "reasoning"}, only=ONLY)
    assert report.capabilities["reasoning"].verdict in (State.WORKS, State.UNKNOWN)
    if report.capabilities["reasoning"].verdict is State.UNKNOWN:
        thought = [
            exchange for exchange in report.exchanges if exchange.response and "reasoning" in exchange.response.text
        ]
        assert not any('"reasoning":"' in (item.response.text if item.response else "") for item in thought)


def test_a_model_that_does_not_think_is_no_fault_and_costs_one_request() -> None:
    report = diagnose(sim=FAST, only=ONLY)
    assert report.capabilities["reasoning"].verdict is State.UNKNOWN
    assert {item.id: item.requests for item in report.checks if item.id.startswith("reasoning.")} == {
        "reasoning.asked": 1,
        "reasoning.seen": 0,
    }
    assert codes(report) == set()


def test_thinking_seen_elsewhere_costs_no_request() -> None:
    report = diagnose(sim={**FAST, "personality": "reasoning"}, only=ONLY)
    assert sum(item.requests for item in report.checks if item.id.startswith("reasoning.")) == 0
