"""Pictures: fault to exact codes, and a blind model that guesses."""

from __future__ import annotations

import pytest

from probe.model import Severity, State
from probe.simulator import Simulator, all_faults
from tests.scenarios.runs import against, codes, diagnose, errors

ONLY = ("vision.*",)
FAST = {"rate_tokens_s": 0, "first_token_s": 0.0}
TABLE = [
    item for item in all_faults() if item.yields and {code.partition(".")[0] for code in item.yields} == {"vision"}
]
STATES = {"vision.rejected": State.REJECTED, "vision.ignored": State.IGNORED, "vision.misread": State.BROKEN}


@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.name)
def test_each_fault_gives_exactly_its_codes(fault) -> None:  # type: ignore[no-untyped-def]
    report = diagnose([fault.name], sim=FAST, only=ONLY)
    assert codes(report) == set(fault.yields)
    assert not errors(report)
    assert report.capabilities["vision"].verdict is STATES[fault.yields[0]]
    for finding in report.findings:
        assert finding.remedy
        assert {item.exchange for item in finding.evidence} <= {exchange.id for exchange in report.exchanges}


@pytest.mark.parametrize("words", ["vllm", "llamacpp", "sglang", "openrouter"])
def test_refusals_in_other_words(words: str) -> None:
    report = diagnose([f"vision-rejected={words}"], sim=FAST, only=ONLY)
    assert codes(report) == {"vision.rejected"}
    assert codes(report, least=Severity.WARNING) == set()


def test_one_request_proves_a_healthy_endpoint() -> None:
    report = diagnose(sim=FAST, only=ONLY)
    assert report.capabilities["vision"].verdict is State.WORKS
    assert sum(item.requests for item in report.checks if item.id == "vision.picture") == 1
    assert codes(report) == set()


@pytest.mark.parametrize("personality", ["weak", "reasoning", "chatty", "declines", "refuses"])
def test_models_of_every_kind_give_no_finding(personality: str) -> None:
    report = diagnose(sim={**FAST, "personality": personality}, only=ONLY)
    assert codes(report, "vision") == set()
    assert not errors(report)


def test_a_least_size_is_met() -> None:
    report = diagnose(["vision-least-size"], sim=FAST, only=ONLY)
    assert codes(report, "vision") == set()
    assert report.capabilities["vision"].verdict is State.WORKS


@pytest.mark.parametrize("guess", ["random", "common"])
def test_a_blind_model_that_guesses_never_passes(guess: str) -> None:
    with Simulator(faults=[f"vision-guessed={guess}"], **FAST) as sim:  # type: ignore[arg-type]
        verdicts = [against(sim, only=ONLY).capabilities["vision"].verdict for _ in range(6)]
    # One random guess in 360 is right; two in six runs never are. A lucky half is left open.
    assert verdicts.count(State.WORKS) <= (1 if guess == "random" else 0)
    assert verdicts.count(State.IGNORED) >= 4
    assert State.BROKEN not in verdicts


def test_lost_blocks_are_not_blamed_on_vision() -> None:
    report = diagnose(["blocks-rejected"], sim=FAST, only=("vision.*", "content.*"))
    assert codes(report, "vision") == set()
