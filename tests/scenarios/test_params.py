"""Request parameters: fault to exact codes."""

from __future__ import annotations

import pytest

from probe.model import Severity, State
from tests.scenarios.runs import codes, diagnose, errors

ONLY = ("params.limit", "params.others", "params.seen")
FAST = {"rate_tokens_s": 0, "first_token_s": 0}
STYLES = ("openai", "vllm", "llamacpp", "ollama", "groq", "sglang", "lmstudio")


@pytest.mark.parametrize("words", ["openai", "fastapi", "serde"])
def test_an_unknown_parameter_is_found_in_any_words(words: str) -> None:
    report = diagnose([f"unknown-param-rejected={words}"], sim=FAST, only=ONLY)
    assert codes(report) == {"params.unknown-rejected"}
    assert codes(report, least=Severity.WARNING) == set()
    assert "rejected_params" not in report.facts  # the invented one is nothing to leave out
    assert [item.requests for item in report.checks if item.id == "params.others"] == [2]


@pytest.mark.parametrize("name", ["seed", "user", "top_p", "presence_penalty", "stop"])
def test_a_parameter_that_is_not_named_is_found_by_leaving_out(name: str) -> None:
    report = diagnose([f"param-rejected-unnamed={name}"], sim=FAST, only=ONLY)
    sampling = name == "top_p"
    assert codes(report) == {"params.sampling-rejected" if sampling else "params.unknown-rejected"}
    assert report.facts["rejected_params"] == [name]
    (spent,) = [item.requests for item in report.checks if item.id == "params.others"]
    assert spent <= 9
    assert report.capabilities["stop"].verdict is (State.REJECTED if name == "stop" else State.WORKS)


def test_refused_log_probabilities_are_no_fault() -> None:
    report = diagnose(["logprobs-rejected"], sim=FAST, only=ONLY)
    assert codes(report) == set()
    assert report.capabilities["logprobs"].verdict is State.REJECTED
    assert report.capabilities["stop"].verdict is State.WORKS
    assert report.facts["rejected_params"] == ["logprobs", "top_logprobs"]


@pytest.mark.parametrize(
    ("fault", "name"),
    [(None, "max_tokens"), ("max-tokens-rejected", "max_completion_tokens"), ("max-tokens-ignored", None)],
)
def test_the_name_of_the_limit(fault: str | None, name: str | None) -> None:
    report = diagnose([fault] if fault else [], sim=FAST, only=("params.limit",))
    assert report.facts.get("max_tokens_param") == name


@pytest.mark.parametrize("style", STYLES)
def test_a_healthy_endpoint_has_nothing_to_mend(style: str) -> None:
    report = diagnose(style=style, sim=FAST, only=ONLY)
    assert codes(report, "params") == set()
    assert not errors(report)
    assert report.capabilities["stop"].verdict is State.WORKS
    assert report.capabilities["logprobs"].verdict in (State.WORKS, State.REJECTED)
    assert report.facts["max_tokens_param"] == "max_tokens"


@pytest.mark.parametrize("personality", ["weak", "small", "copies", "reasoning", "chatty"])
@pytest.mark.parametrize("quirk", [None, "usage-missing"])
def test_models_of_every_kind_give_no_finding(personality: str, quirk: str | None) -> None:
    report = diagnose([quirk] if quirk else [], sim={**FAST, "personality": personality}, only=ONLY)
    assert codes(report) == set()
    assert report.capabilities["stop"].verdict is State.WORKS


@pytest.mark.parametrize("personality", ["weak", "small", "copies"])
def test_a_small_model_hides_no_stop_sequence_that_is_ignored(personality: str) -> None:
    report = diagnose(["stop-ignored"], sim={**FAST, "personality": personality}, only=ONLY)
    assert codes(report) == {"params.stop-ignored"}


@pytest.mark.parametrize("quirk", ["think-tags", "hidden-reasoning", "reasoning-model"])
def test_thinking_does_not_pass_for_a_limit_without_effect(quirk: str) -> None:
    assert codes(diagnose([quirk], sim=FAST, only=ONLY)) == set()


def test_sampling_gives_facts_only() -> None:
    report = diagnose(sim=FAST, only=("params.sampling",))
    assert report.facts["seed_repeatable"] is True
    assert report.facts["choices_for_n_2"] == 2


def test_three_requests_prove_a_healthy_endpoint() -> None:
    report = diagnose(sim=FAST, only=ONLY)
    spent = {item.id: item.requests for item in report.checks if item.id.startswith("params.")}
    assert spent == {"params.limit": 2, "params.others": 1, "params.seen": 0}
