"""Silence: each way to die of it gives its code, its limit and its advice."""

from __future__ import annotations

import sys

import pytest

from checks.idle import provocation
from probe.model import Depth, Severity, State
from probe.simulator import all_faults
from tests.scenarios.runs import codes, diagnose, errors

pytestmark = pytest.mark.timing

ONLY = ("idle.*", "stream.delivery")
PACED = {"rate_tokens_s": 100.0}
#: Their limits are no plain values; what they give is in the table of every fault.
ELSEWHERE = ("idle-late-error", "idle-retries", "idle-stream-deadline", "idle-deadline-in-band")
TABLE = [item for item in all_faults() if {code.partition(".")[0] for code in item.yields} == {"idle"}]
TABLE = [item for item in TABLE if item.name not in ELSEWHERE]
KINDS = {
    "idle.l7-timeout": "idle",
    "idle.total-deadline": "total",
    "idle.l4-reset": "l4",
    "idle.l4-dropped": "l4",
    "idle.reuse-closed": None,
}
linux = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO is read on Linux alone")


@linux
@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.name)
def test_each_fault_gives_exactly_its_codes(fault) -> None:  # type: ignore[no-untyped-def]
    report = diagnose([fault.name], sim=PACED, only=ONLY, idle_s=3.0)
    assert codes(report) == set(fault.yields)
    assert not errors(report)
    kind = KINDS[fault.yields[0]]
    assert report.facts.get("idle_limit_kind") == kind
    works = report.capabilities["long_silence"].verdict
    assert works is (State.WORKS if kind is None else State.BROKEN)
    if kind in ("idle", "total"):
        assert report.facts["idle_limit_s"] == pytest.approx(float(fault.value), abs=0.5)


def test_a_healthy_silence_costs_one_request() -> None:
    report = diagnose(sim=PACED, only=ONLY, idle_s=2.0)
    assert codes(report) == set()
    assert report.capabilities["long_silence"].verdict is State.WORKS
    requests = {item.id: item.requests for item in report.checks if item.id.startswith("idle.")}
    assert requests == {"idle.silence": 1, "idle.reuse": 2, "idle.observed": 0}


def test_without_the_wish_nothing_is_provoked() -> None:
    report = diagnose(sim=PACED, only=ONLY, idle_s=0.0)
    assert codes(report) == set()
    assert report.capabilities["long_silence"].verdict is State.UNKNOWN
    assert sum(item.requests for item in report.checks if item.id.startswith("idle.")) == 0


def test_a_model_that_is_too_fast_is_not_paid_for() -> None:
    report = diagnose(sim={"rate_tokens_s": 1500.0}, only=ONLY, idle_s=10.0, skip=("idle.reuse",))
    assert codes(report) == set()
    verdict = report.capabilities["long_silence"]
    assert verdict.verdict is State.UNKNOWN
    assert "tokens/s" in verdict.note
    assert next(item.requests for item in report.checks if item.id == "idle.silence") == 0


@pytest.mark.parametrize("style", ["openai", "together"])
def test_a_context_that_is_too_short_costs_one_long_answer(style: str) -> None:
    """The one ends the answer at its limit, the other refuses to begin a longer one."""
    sim = {"rate_tokens_s": 300.0, "options": {"context_length": "500"}}
    report = diagnose(style=style, sim=sim, only=("idle.silence", "stream.delivery"), idle_s=3.0)
    assert codes(report) == set()
    verdict = report.capabilities["long_silence"]
    assert (verdict.verdict, "of 3 s" in verdict.note) == (State.UNKNOWN, True)
    asked = [item for item in report.exchanges if item.check == "idle.silence" and item.status == 200]
    assert len(asked) == 1
    assert asked[0].timeline.end_s > 1.0


def test_a_deep_run_tries_a_long_prompt_where_no_long_answer_can_be_had() -> None:
    report = diagnose(sim={"rate_tokens_s": 0.0}, only=("idle.silence",), idle_s=3.0, depth=Depth.DEEP)
    assert codes(report) == set()
    assert not errors(report)
    assert report.capabilities["long_silence"].verdict is State.UNKNOWN
    asked = [item for item in report.exchanges if item.check == "idle.silence"]
    assert max(len(str(item.request.body)) for item in asked) > 3000


@pytest.mark.parametrize(
    "quirk", ["slow-first-token=3", "weak-model", "connection-close", "hidden-reasoning", "short-answers=90"]
)
def test_honest_slowness_is_no_fault(quirk: str) -> None:
    report = diagnose([quirk], sim=PACED, only=ONLY, idle_s=2.0)
    assert codes(report, least=Severity.INFO) == set()
    assert not errors(report)
    assert report.capabilities["long_silence"].verdict is State.WORKS


def test_a_long_limit_is_explained_by_requests_beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provocation, "BESIDE_S", 0.5)
    report = diagnose(["idle-l7-timeout=1"], sim=PACED, only=("idle.silence", "stream.delivery"), idle_s=2.0)
    assert codes(report) == {"idle.l7-timeout"}
    assert report.findings[0].confidence > 0.9
    asked = [item.timeline for item in report.exchanges if item.check == "idle.silence"]
    starts = sorted(item.started_s or 0.0 for item in asked)
    assert len(asked) == 4
    assert starts[3] - starts[1] < 0.5 < starts[1] - starts[0]


def test_heartbeats_are_measured() -> None:
    report = diagnose(["slow-first-token=2.2", "heartbeats=0.5"], sim=PACED, only=ONLY, idle_s=0.0)
    assert report.facts["heartbeat_s"] == pytest.approx(0.5, abs=0.15)
    assert codes(report) == set()


def test_a_deadline_that_cuts_the_first_stream_is_seen_without_a_wish() -> None:
    report = diagnose(["idle-total-deadline=1.2"], sim={"rate_tokens_s": 50.0}, only=ONLY, idle_s=0.0)
    assert codes(report) == {"idle.total-deadline"}
    assert report.facts["idle_limit_s"] == pytest.approx(1.2, abs=0.5)
    assert report.capabilities["streaming"].verdict is State.WORKS


def test_advice_never_turns_streaming_off_and_keepalive_is_for_lost_connections_alone() -> None:
    from checks.idle import catalogue

    for diagnosis in (catalogue.L7_TIMEOUT, catalogue.TOTAL_DEADLINE):
        said = " ".join([diagnosis.remedy, *diagnosis.remedies.values()])
        assert "Streaming off" not in said
        assert "Enable TCP keepalive" not in said
    assert "streaming on" in catalogue.L7_TIMEOUT.remedy
    for diagnosis in (catalogue.L4_DROPPED, catalogue.L4_RESET):
        assert "Enable TCP keepalive" in diagnosis.remedy
