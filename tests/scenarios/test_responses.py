"""The Responses API: there or not, streamed or not, and never a finding."""

from __future__ import annotations

import pytest

from probe.model import State
from probe.simulator import all_styles
from tests.scenarios.runs import codes, diagnose, errors

ONLY = ("responses.*",)
FAST = {"rate_tokens_s": 0, "first_token_s": 0.0}


@pytest.mark.parametrize(
    ("given", "state", "requests"),
    [([], State.WORKS, 2), (["no-responses"], State.REJECTED, 1), (["responses-unstreamed"], State.BROKEN, 2)],
)
def test_the_verdict_follows_what_is_offered(given: list[str], state: State, requests: int) -> None:
    report = diagnose(given, sim=FAST, only=ONLY)
    assert report.capabilities["responses_api"].verdict is state
    assert report.capabilities["responses_api"].note
    assert sum(item.requests for item in report.checks if item.id == "responses.create") == requests
    assert codes(report) == set()
    assert not errors(report)


@pytest.mark.parametrize("style", [item.name for item in all_styles()])
@pytest.mark.parametrize("personality", ["plain", "weak", "reasoning"])
def test_every_style_is_judged(style: str, personality: str) -> None:
    report = diagnose(style=style, sim={**FAST, "personality": personality}, only=ONLY)
    assert report.capabilities["responses_api"].verdict in (State.WORKS, State.REJECTED)
    assert codes(report, "responses") == set()
    assert not errors(report)
