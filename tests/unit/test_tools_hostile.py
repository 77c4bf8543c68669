"""Whatever a stranger's server puts into an answer, reading and judging it end with a verdict and never raise."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.tools.call import diagnose_calls, is_chancy, is_sound
from checks.tools.parallel import answerable, diagnose_parallel
from checks.tools.reading import MOST_CALLS, Kind, read
from checks.tools.state import settled
from checks.tools.streamed import diagnose_stream
from probe.api import Inconclusive, wording
from tests.unit import answers
from tests.unit import tool_answers as made

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
#: Mostly right, with anything in any place.
NAME = st.just("get_weather") | JSON
ARGUMENTS = st.sampled_from([made.PARIS, "{", "", '{"city": 1}', "null", "[]"]) | JSON
FUNCTION = st.fixed_dictionaries({}, optional={"name": NAME, "arguments": ARGUMENTS}) | JSON
CALL = st.fixed_dictionaries(
    {}, optional={"id": st.text(max_size=4) | JSON, "type": JSON, "function": FUNCTION, "index": JSON}
)
CALLS = st.lists(CALL | JSON, max_size=4) | JSON
TEXT = st.sampled_from(["", "It is sunny.", made.hermes(), "<tool_call>", '{"name": "get_weather"']) | JSON
REASON = st.sampled_from(["stop", "tool_calls", "length", None]) | JSON
MESSAGE = st.fixed_dictionaries(
    {}, optional={"content": TEXT, "tool_calls": CALLS, "reasoning_content": TEXT, "function_call": FUNCTION}
)
QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUIET
@given(MESSAGE, REASON)
def test_whole_answers(message: dict[str, Any], reason: Any) -> None:
    body = {"choices": [{"message": message, "finish_reason": reason}]}
    reading = read(made.asked(answers.exchange(200, body)))
    assert reading.kind in Kind
    is_sound(reading)
    is_chancy(reading)
    answerable(reading)
    json.dumps(settled("auto", "called", reading))
    diagnose_parallel([reading], "unknown", frozenset())
    if reading.has_call:
        result = diagnose_calls([reading, reading], "vllm", None)
        assert "tools" in result.verdicts
        for finding in result.findings:
            assert len(finding.detail) < 3000


@QUIET
@given(st.lists(MESSAGE | JSON, max_size=5), REASON, st.booleans())
def test_streams(deltas: list[Any], reason: Any, done: bool) -> None:
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    reading = read(made.asked(answers.events(*chunks, done=done), stream=True))
    try:
        result = diagnose_stream([reading], read(made.called()), None, frozenset(), "unknown", sound=True)
    except Inconclusive:
        assert reading.kind is Kind.LOST
    else:
        assert "streaming_tools" in result.verdicts


@QUIET
@given(JSON)
def test_bodies_of_any_kind(body: Any) -> None:
    assert read(made.asked(answers.exchange(200, body))).kind in Kind
    assert read(made.asked(answers.exchange(400, body))).kind in Kind


def test_deep_nesting_is_shown_in_short() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert "nested" in wording.shown(deep)
    nested = "[" * 150 + "]" * 150
    assert read(made.called(made.call(arguments=json.loads(nested)))).kind is Kind.CALLED


def test_a_flood_of_calls_is_judged_by_its_first_ones() -> None:
    calls = [made.call(id=f"call_{number}") for number in range(2_000)]
    begin = time.monotonic()
    reading = read(made.called(*calls))
    assert len(reading.calls) == MOST_CALLS
    assert is_sound(reading)
    assert time.monotonic() - begin < 10
