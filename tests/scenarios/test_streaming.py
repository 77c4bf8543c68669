"""Streams: fault to exact codes, and nothing against the healthy ones."""

from __future__ import annotations

import pytest

from probe.model import Depth, Report, Severity, State
from probe.simulator import Simulator, all_styles
from tests.scenarios.runs import against, codes, diagnose, errors

pytestmark = pytest.mark.timing

ONLY = ("stream.*",)
FAMILIES = ("stream", "idle")
PACED = {"rate_tokens_s": 100.0}
VARIANTS = [
    ("stream-truncated=cut", "stream.truncated"),
    ("stream-truncated=mid-chunk", "stream.truncated"),
    ("stream-truncated=reset", "stream.truncated"),
    ("stream-framing=no-blank-line", "stream.framing"),
    ("stream-framing=split-json", "stream.framing"),
    ("stream-framing=double-encoded", "stream.framing"),
    ("stream-framing=double-prefix", "stream.framing"),
    ("stream-content-type=application/json", "stream.content-type"),
    ("stream-utf8=invalid", "stream.utf8"),
    ("stream-size-buffered=1024", "stream.size-buffered"),
    ("stream-size-buffered=16384", "stream.size-buffered"),
    ("stream-coalesced=0.2", "stream.coalesced"),
]
HEALTHY = [
    *("bom", "cr", "crlf", "no-space", "event-fields", "comments", "heartbeats", "utf8-split", "usage-on-finish"),
    *("empty-first-chunk", "close-delimited", "connection-close", "tls", "slow-first-token=3"),
]


#: Only where the stream cannot be used, or nothing is lost by it.
STREAMING_OFF = {"stream.held", "stream.not-sse", "stream.framing", "stream.truncated", "stream.rejected"}


def in_order(report: Report) -> None:
    """What holds for every run: no fault of our own, few requests, right advice."""
    assert not errors(report)
    assert report.run.requests <= 14
    for finding in report.findings:
        assert "Streaming off" not in finding.remedy or finding.code in STREAMING_OFF


@pytest.mark.parametrize(("fault", "code"), VARIANTS)
def test_each_variant_gives_its_code(fault: str, code: str) -> None:
    report = diagnose([fault], sim=PACED, only=ONLY)
    assert codes(report, *FAMILIES) == {code}
    in_order(report)


@pytest.mark.parametrize("quirk", HEALTHY)
def test_what_is_legal_is_no_fault(quirk: str) -> None:
    report = diagnose([quirk], sim=PACED, only=ONLY)
    assert codes(report, *FAMILIES) == set()
    assert not errors(report)
    assert report.facts["delivery"] == "streaming"
    assert report.capabilities["streaming"].verdict is State.WORKS
    assert report.capabilities["stream_usage"].verdict is State.WORKS


@pytest.mark.parametrize("style", [item.name for item in all_styles()])
def test_every_style_streams(style: str) -> None:
    report = diagnose(style=style, sim=PACED, only=ONLY)
    assert codes(report, *FAMILIES, least=Severity.INFO) == set()
    assert not errors(report)
    assert report.facts["delivery"] == "streaming"


@pytest.mark.parametrize("model", ["weak-model", "chatty-model", "reasoning-model", "hidden-reasoning", "think-tags"])
def test_models_of_every_kind_give_no_finding(model: str) -> None:
    report = diagnose([model], sim={"rate_tokens_s": 300.0}, only=ONLY)
    assert codes(report, *FAMILIES) == set()
    assert not errors(report)
    assert report.facts["delivery"] == "streaming"


def test_a_slow_first_token_of_a_held_stream_hides_nothing() -> None:
    report = diagnose(["stream-held", "slow-first-token=1"], sim=PACED, only=ONLY)
    assert codes(report, *FAMILIES) == {"stream.held"}


@pytest.mark.parametrize("rate", [0.0, 2000.0])
def test_what_is_over_at_once_is_not_guessed(rate: float) -> None:
    for fault in ([], ["stream-held"]):
        report = diagnose(fault, sim={"rate_tokens_s": rate}, only=ONLY)
        assert codes(report, *FAMILIES) == set()
        assert report.facts["delivery"] in ("too-fast", "streaming")


def test_a_healthy_stream_costs_one_request_and_one_for_its_characters() -> None:
    report = diagnose(sim=PACED, only=ONLY)
    requests = {item.id: item.requests for item in report.checks if item.id.startswith("stream.") and item.requests}
    assert requests == {"stream.shape": 1, "stream.characters": 1}
    assert report.facts["tokens_per_s"] == pytest.approx(100, rel=0.3)
    assert report.facts["first_token_s"] < 1.0


def test_a_quick_run_sees_a_held_stream() -> None:
    report = diagnose(["stream-held"], sim=PACED, only=ONLY, depth=Depth.QUICK)
    assert codes(report, *FAMILIES) == {"stream.held"}


def test_the_timing_checks_run_alone() -> None:
    with Simulator(**PACED) as sim:
        report = against(sim, only=("stream.*", "tools.*", "output.*"))
    alone = [item for item in report.checks if item.exclusive and item.started_s is not None]
    assert {item.id for item in alone} >= {"stream.shape", "stream.delivery"}
    for item in alone:
        assert item.started_s is not None
        for other in report.checks:
            if other.id != item.id and other.started_s is not None:
                before = other.started_s + other.duration_s <= item.started_s + 0.005
                after = other.started_s >= item.started_s + item.duration_s - 0.005
                assert before or after, (item.id, other.id)
