"""The speed of an endpoint, and the limits and the order that follow from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.catalogue import registry
from probe.catalogue.typical import TYPICAL, typical
from probe.exchange import Exchange, Timeline
from probe.model import Check
from probe.parsing.urls import parse
from probe.run.options import Options
from probe.run.order import Order
from probe.run.speed import LEAST_TOKENS, SLOW_RATE, Speed
from tests.unit import answers
from tests.unit.streams import answer, streamed


def whole(tokens: int, seconds: float) -> Exchange:
    timeline = Timeline(sent_s=0.0, headers_s=seconds, end_s=seconds)
    return replace(answers.chat("word", prompt=20, written=tokens), timeline=timeline)


def stream(rate: float, tokens: int = 40, first_s: float = 0.3) -> Exchange:
    return streamed(answer([number / rate for number in range(tokens)], first_s, usage=False))


def known(*exchanges: Exchange) -> Speed:
    speed = Speed()
    for exchange in exchanges:
        speed.observe(exchange)
    return speed


def test_nothing_is_known_before_the_first_answer() -> None:
    speed = known()
    assert not speed.slow
    assert speed.answer(300) == 300
    assert speed.expected_s(100) == 0.0


def test_a_short_answer_within_a_second_makes_no_endpoint_slow() -> None:
    assert not known(whole(4, 0.9)).slow
    assert known(whole(9, 2.3)).slow
    assert not known(whole(1, 30.0)).slow  # one token after a cold start


def test_a_stream_shows_the_rate_and_corrects_a_cold_start() -> None:
    speed = known(whole(9, 20.0))
    assert speed.slow
    speed.observe(stream(60.0))
    assert not speed.slow
    assert speed.rate == pytest.approx(60.0, rel=0.1)


def test_a_held_stream_is_as_slow_as_its_generation() -> None:
    made = answer([10.0 + 0.005 * number for number in range(50)], 10.0, usage=False)
    assert known(streamed(made)).rate == pytest.approx(5.0, rel=0.1)


def test_answers_of_a_slow_endpoint_are_short() -> None:
    speed = known(stream(4.0))
    assert speed.answer(300) == pytest.approx(LEAST_TOKENS, abs=4)
    assert speed.answer(16) == 16
    assert speed.thinking(1024) < 300
    assert known(stream(SLOW_RATE + 1)).answer(300) == 300


def test_requests_that_wait_for_each_other_are_noticed_when_they_do_it_again() -> None:
    speed = known(stream(20.0))
    slow = whole(20, 6.0)  # expected: 1.4 s
    assert [speed.queued(slow), speed.queued(whole(20, 1.2)), speed.queued(slow)] == [False, False, True]


OPTIONS = Options(parse("http://127.0.0.1/v1"), soon_s=100.0)


def order(speed: Speed) -> Order:
    checks = list(registry.checks())
    return Order(checks, registry.graph(checks), OPTIONS, speed)


def test_a_slow_endpoint_is_first_asked_for_what_clients_have_switches_for() -> None:
    ready = ["params.limit", "tools.call", "output.json-schema", "auth.enforced"]
    assert set(order(known(stream(4.0))).next(ready, ())) == {"tools.call", "output.json-schema"}
    assert order(known(stream(4.0))).next(["params.limit"], ("tools.call",)) == []
    assert order(known(stream(4.0))).next(["params.limit"], ()) == ["params.limit"]
    assert set(order(known(stream(60.0))).next(ready, ())) == set(ready)


def test_only_a_slow_endpoint_is_not_asked_for_everything() -> None:
    agent = _check("tools.agent")
    said = order(known(stream(4.0))).left_out(agent, 80.0, ())
    assert said is not None
    assert "tokens/s" in said
    assert "--only tools.agent" in said
    assert order(known(stream(4.0))).left_out(agent, 10.0, ()) is None
    assert order(known(stream(60.0))).left_out(agent, 500.0, ()) is None
    assert order(known(stream(4.0))).left_out(_check("tools.call"), 500.0, ()) is None


def _check(name: str) -> Check:
    return next(item for item in registry.checks() if item.id == name)


def test_costs_are_of_checks_that_exist_and_within_their_limits() -> None:
    checks = {item.id: item for item in registry.checks()}
    assert set(TYPICAL) <= set(checks)
    for name, item in checks.items():
        assert typical(item).requests <= item.max_requests, name
