"""Rate limits, quotas and the length of the context: fault to exact codes."""

from __future__ import annotations

import pytest

from probe.model import Severity, State
from tests.scenarios.runs import codes, diagnose, errors

ONLY = ("limits.*",)
FAST = {"rate_tokens_s": 0, "first_token_s": 0}
STYLES = ("openai", "vllm", "llamacpp", "ollama", "groq", "lmstudio", "sglang")


def test_what_was_waited_out_is_no_verdict() -> None:
    report = diagnose(["rate-limited=2"], sim=FAST, only=("limits.seen", "roles.system"))
    assert codes(report) == {"limits.rate-limited"}
    assert codes(report, least=Severity.WARNING) == set()
    assert report.capabilities["chat"].verdict is State.WORKS
    assert report.capabilities["system_role"].verdict is State.WORKS
    assert report.facts["rate_limits"]["x-ratelimit-limit-requests"] == "30"


def test_loading_that_was_waited_out_is_not_reported() -> None:
    report = diagnose(["loading-503=2"], sim=FAST, only=("limits.seen", "roles.system"))
    assert codes(report) == set()
    assert report.capabilities["chat"].verdict is State.WORKS


def test_a_limit_without_end_is_a_warning_and_no_verdict() -> None:
    report = diagnose(["rate-limited=always"], sim=FAST, only=("limits.seen", "roles.system"))
    assert codes(report, least=Severity.WARNING) == {"limits.rate-limited"}
    assert report.capabilities["chat"].verdict is State.UNKNOWN


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("length", [2048, 16384])
def test_a_prompt_that_does_not_fit_is_refused_or_read(style: str, length: int) -> None:
    sim = {**FAST, "options": {"context_length": str(length)}}
    report = diagnose(style=style, sim=sim, only=ONLY)
    assert codes(report, "limits") == set()
    assert not errors(report)
    known = report.facts.get("context_length")
    # Ollama's refusal names no number, and a list without one leaves a prompt that fits untold.
    assert known == length or (known is None and (length > 9000 or style == "ollama"))


@pytest.mark.parametrize("personality", ["weak", "reasoning"])
def test_models_of_every_kind_give_no_finding(personality: str) -> None:
    report = diagnose(sim={**FAST, "personality": personality}, only=ONLY)
    assert codes(report) == set()


def test_a_cut_below_the_declared_length_is_seen() -> None:
    report = diagnose(["context-silent=4096"], style="vllm", sim=FAST, only=ONLY)
    assert codes(report) == {"limits.context-silent"}
    assert report.facts["context_length"] == 4096


@pytest.mark.parametrize("counts", ["usage-missing", "usage-constant"])
def test_without_counts_nothing_is_claimed(counts: str) -> None:
    report = diagnose([counts, "context-silent"], sim=FAST, only=ONLY)
    assert codes(report) == set()
    assert [item.outcome for item in report.checks if item.id == "limits.context"] == ["inconclusive"]
