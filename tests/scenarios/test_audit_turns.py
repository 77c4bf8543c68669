"""Politeness: requests a second to a host, a host that says "not now", and one exclusive check a host."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise

import anyio
import pytest

from probe.fleet.executors import LocalExecutor
from probe.fleet.job import Cell, Job, Outcome, Settings, Target
from probe.simulator import Simulator

pytestmark = pytest.mark.slow
QUICK = {"idle": 0.0, "depth": "quick", "only": ("models.list", "stream.shape")}


def job(sim: Simulator, name: str) -> Job:
    os.environ["TURNS_KEY"] = sim.key or ""
    target = Target(name, sim.base_url, models=(sim.model,), key=("env", "TURNS_KEY"), options=QUICK)
    return Job(Cell(name, sim.model), target)


def executed(jobs: Sequence[Job], settings: Settings) -> list[Outcome]:
    """Run jobs in this process; its outcomes in the order in which they came."""
    found: list[Outcome] = []

    async def keep(outcome: Outcome) -> None:
        found.append(outcome)

    async def main() -> None:
        async with LocalExecutor.open(settings) as executor:
            await executor.run(jobs, keep)

    anyio.run(main)
    return found


def test_a_host_gets_no_more_requests_a_second_than_allowed() -> None:
    with Simulator(rate_tokens_s=2000) as sim:
        settings = Settings(concurrency=4, per_host=2, requests_per_second=4, quiet_workers=1)
        outcomes = executed([job(sim, "a"), job(sim, "b")], settings)
        times = [request.time for request in sim.journal]
    assert [outcome.problem for outcome in outcomes] == ["", ""]
    assert all(outcome.summary and outcome.summary.usable for outcome in outcomes)
    assert len(times) >= 8
    # A request may be late on a busy machine, which brings the next one nearer; over several it evens out.
    for first, fourth in zip(times, times[4:], strict=False):
        assert fourth - first > 4 * 0.25 * 0.6
    assert times[-1] - times[0] > (len(times) - 1) * 0.25 * 0.85


def test_hosts_do_not_wait_for_each_other() -> None:
    with Simulator(rate_tokens_s=2000) as one, Simulator(rate_tokens_s=2000) as two:
        settings = Settings(concurrency=4, requests_per_second=4, quiet_workers=2)
        executed([job(one, "a"), job(two, "b")], settings)
        spans = [(sim.journal[0].time, sim.journal[-1].time) for sim in (one, two)]
    assert max(begin for begin, _ in spans) < min(end for _, end in spans)


def test_one_target_of_a_host_at_a_time_is_the_default() -> None:
    with Simulator(rate_tokens_s=2000) as sim:
        outcomes = executed([job(sim, name) for name in ("a", "b", "c")], Settings(concurrency=8, quiet_workers=1))
    summaries = [outcome.summary for outcome in outcomes]
    assert [outcome.cell.target for outcome in outcomes] == ["a", "b", "c"]
    spans = [(item.started_at, item.finished_at) for item in summaries if item]
    assert len(spans) == 3
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


def test_a_target_whose_key_is_missing_is_an_outcome_and_no_exception() -> None:
    target = Target("a", "http://127.0.0.1:9/v1", key=("env", "NO_SUCH_KEY_AT_ALL"))
    (outcome,) = executed([Job(Cell("a"), target)], Settings(quiet_workers=1))
    assert outcome.summary is None
    assert "NO_SUCH_KEY_AT_ALL" in outcome.problem
