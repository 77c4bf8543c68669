"""The promised limits hold, and the benchmarks that print them count rightly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.model import AuthInfo, CheckRecord, Depth, Outcome, Report, RunInfo, ServerInfo, TargetInfo, ToolInfo
from probe.simulator import Simulator
from tests.benchmarks.cost import LIMITS, VAIN, Limits, by_check
from tests.benchmarks.walltime import critical_path
from tests.scenarios.runs import against

#: Fast enough for a test, slow enough for the stream checks to tell streaming from a replay.
RATE_TOKENS_S = 200.0


def report_of(
    *checks: CheckRecord, requests: int = 0, prompt: int = 0, completion: int = 0, wall: float = 1.0
) -> Report:
    run = RunInfo("r", "", "", wall, "standard", True, requests, prompt, completion)
    target = TargetInfo("http://h", None, None, None, AuthInfo("none", None, "none"))
    return Report(ToolInfo("endpoint-probe", "0"), run, target, ServerInfo(), {}, {}, (), checks, ())


def ran(name: str, started: float, seconds: float, *, exclusive: bool = False) -> CheckRecord:
    return CheckRecord(name, 1, name, Outcome.PASS, duration_s=seconds, started_s=started, exclusive=exclusive)


@pytest.mark.parametrize("style", ["openai", "ollama", "lmstudio"])
@pytest.mark.parametrize("depth", [Depth.QUICK, Depth.STANDARD])
def test_a_healthy_endpoint_costs_what_is_promised(style: str, depth: Depth) -> None:
    with Simulator(style, rate_tokens_s=RATE_TOKENS_S) as sim:
        report = against(sim, depth=depth)
    limits = LIMITS[depth]
    assert limits is not None
    assert replace(limits, seconds=None).passed(report) == []  # seconds are the benchmark's; this machine is shared
    assert report.run.requests > 4


_START_PAGE = (
    "the start page is read to tell a web site from an API without a chat operation: one request over the limit"
)


_NO_CHAT = pytest.param("no-chat", marks=pytest.mark.xfail(strict=True, reason=_START_PAGE))


@pytest.mark.parametrize("fault", [_NO_CHAT, "auth-rejected"])
def test_a_run_in_vain_is_short(fault: str) -> None:
    with Simulator(faults=[fault], rate_tokens_s=0) as sim:
        assert VAIN.passed(against(sim)) == []


def test_every_limit_that_is_passed_is_named() -> None:
    limits = Limits(requests=5, prompt_tokens=100, completion_tokens=10, seconds=2.0)
    assert limits.passed(report_of(requests=5, prompt=100, completion=10, wall=2.0)) == []
    over = limits.passed(report_of(requests=6, prompt=101, completion=11, wall=2.5))
    assert over == ["6 requests > 5", "101 prompt tokens > 100", "11 completion tokens > 10", "2.5 seconds > 2.0"]


def test_the_chain_of_needs_and_the_exclusive_checks_are_the_critical_path() -> None:
    report = report_of(
        ran("connect.reach", 0.0, 1.0),
        ran("url.resolve", 1.0, 2.0),
        ran("output.json-object", 3.0, 5.0),
        ran("output.json-schema", 3.0, 4.0),
        ran("stream.shape", 8.0, 3.0, exclusive=True),
        CheckRecord("vision.picture", 1, "", Outcome.SKIP),
    )
    seconds, chain = critical_path(report)
    assert seconds == pytest.approx(1 + 2 + 5 + 3)
    assert chain == ["connect.reach", "url.resolve", "output.json-object"]


def test_the_table_by_check_has_a_row_for_each() -> None:
    table = by_check(report_of(ran("url.resolve", 0.0, 1.0), ran("stream.shape", 1.0, 1.0)))
    assert table.row_count == 2
