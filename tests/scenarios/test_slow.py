"""Slow endpoints: short answers, one at a time, what clients have switches for first, nothing lost to a limit."""

from __future__ import annotations

from itertools import pairwise

from probe.api import Exchange, completion
from probe.model import Outcome, State
from probe.run.typed_options import TIMEOUT_S
from tests.scenarios.runs import codes, diagnose, errors

SLOW = {"rate_tokens_s": 9.0}
SWITCHES = ("chat", "streaming", "stream_usage", "tools", "block_content")
ONLY = ("stream.shape", "tools.call", "content.blocks", "params.limit", "tools.agent")


def test_a_slow_endpoint_is_asked_for_the_switches_first_and_spared_the_rest() -> None:
    report = diagnose(["single-slot"], sim=SLOW, only=ONLY, timeout_s=TIMEOUT_S, adaptive=True, soon_s=8.0)
    assert not errors(report)
    assert codes(report) == set()
    for name in SWITCHES:
        assert report.capabilities[name].verdict is State.WORKS, name
    assert [item.error for item in report.exchanges if item.error] == []
    spared = {item.id: item.reason for item in report.checks if item.outcome is Outcome.SKIP}
    assert "tokens/s" in spared["tools.agent"]
    assert "--only tools.agent" in spared["tools.agent"]
    chats = [item for item in report.exchanges if completion.is_completion(item) or completion.is_stream(item)]
    first = next(item for item in report.exchanges if completion.is_stream(item))
    assert "to 20," in str(first.request.body)
    after = sorted((item for item in chats if item.timeline.started_s > first.timeline.started_s), key=started)
    for one, other in pairwise(after):
        assert started(other) >= started(one) + one.timeline.end_s - 0.3  # one at a time
    queued = next(item for item in report.checks if item.id == "content.blocks")
    own = sum(item.timeline.end_s for item in report.exchanges if item.check == queued.id)
    assert queued.duration_s < own + 1.0  # the wait for its turn is not its time


def started(exchange: Exchange) -> float:
    return exchange.timeline.started_s
