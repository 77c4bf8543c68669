"""Rate limits, quotas and the length of the context: fault to exact codes."""

from __future__ import annotations

import anyio
import pytest

from probe.model import Event, Severity, State
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.simulator import Simulator
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


@pytest.mark.parametrize("fault", ["loading-503=3", "loading-silent=3"])
def test_loading_is_waited_out_and_the_model_taken_from_the_list(fault: str) -> None:
    """Without --model the id comes from the list, which is read again once the server answers."""
    events: list[Event] = []
    with Simulator(faults=[fault], rate_tokens_s=0) as sim:
        key = Auth(key=sim.key, source="test")
        options = Options(parse(sim.typed_url), key, only=("url.resolve", "limits.seen", "roles.system"))
        report = anyio.run(lambda: run(options, emit=events.append))
    assert codes(report) == {"limits.loading"}
    assert codes(report, least=Severity.WARNING) == set()
    assert report.capabilities["chat"].verdict is State.WORKS
    assert report.target.model == sim.model
    assert any(event.kind == "waiting" for event in events)


def test_a_limit_without_end_is_a_warning_and_no_verdict() -> None:
    report = diagnose(["rate-limited=always"], sim=FAST, only=("limits.seen", "roles.system"))
    assert codes(report, least=Severity.WARNING) == {"limits.rate-limited"}
    assert report.capabilities["chat"].verdict is State.UNKNOWN


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("length", [2048, 16384])
def test_a_prompt_that_does_not_fit_is_refused_or_read(style: str, length: int) -> None:
    sim = {**FAST, "options": {"context_length": str(length)}}
    report = diagnose(style=style, sim=sim, only=ONLY)
    assert not errors(report)
    known = report.facts.get("context_length")
    assert codes(report, "limits") == ({"limits.context-small"} if known == 2048 else set())
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
