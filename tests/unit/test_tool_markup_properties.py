"""Prose and arbitrary text are never a leak; nothing raises; time grows with the text and not faster."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.tools.markup import FAMILIES, assemble, find_calls, judge
from tests.unit.test_tool_markup_formats import NAMES, WORDS, arguments, dump, quick


@given(
    st.lists(st.sampled_from([*WORDS, *NAMES, "\n", "{", "}", "[", "]", "(", ")", "<b>", "`", '"name":']), max_size=80)
)
@settings(quick, max_examples=120)
def test_prose_is_never_a_leak(words: list[str]) -> None:
    assert find_calls(" ".join(words), NAMES) is None


MARKERS = sorted({hint for family in FAMILIES for hint in family.hints})


@given(st.lists(st.one_of(st.sampled_from(MARKERS), st.text(max_size=8), st.sampled_from(WORDS)), max_size=40))
@settings(quick, max_examples=120)
def test_markers_without_a_call_are_never_a_leak_of_an_offered_tool(pieces: list[str]) -> None:
    leak = find_calls("".join(pieces), ["a_tool_that_no_text_names"])
    assert leak is None or (not leak.offered and leak.confidence < 0.6)


@given(st.text(max_size=400))
@settings(quick, max_examples=120)
def test_arbitrary_text_is_never_a_leak(text: str) -> None:
    assert find_calls(text, NAMES) is None


@given(
    st.lists(
        st.sampled_from([*MARKERS, *NAMES, "{", "}", "[", "]", '"', "'", ":", ",", '"name"', '"arguments"', "\\"]),
        max_size=60,
    )
)
@settings(quick, max_examples=120)
def test_hostile_mixtures_do_not_raise(pieces: list[str]) -> None:
    text = "".join(pieces)
    leak = find_calls(text, [{"name": name, "parameters": {"type": "object"}} for name in NAMES])
    if leak is not None:
        assert leak.calls and all(0 <= c.start <= c.end <= len(text) for c in leak.calls)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.sampled_from(["index", "id", "function", "name", "x"]), v),
    max_leaves=12,
)
loose = st.one_of(
    json_values, st.sampled_from([0, 1, -1, 10**12, "0", None, True, 1.5, "a", "get_weather", "{}", '{"a":', "1}"])
)
fragments = st.fixed_dictionaries(
    {},
    optional={
        "index": loose,
        "id": loose,
        "type": loose,
        "function": st.fixed_dictionaries({}, optional={"name": loose, "arguments": loose}) | loose,
    },
)
deltas = st.lists(
    st.fixed_dictionaries(
        {}, optional={"content": loose, "tool_calls": st.lists(fragments | loose, max_size=3) | loose}
    )
    | loose,
    max_size=12,
)


@given(deltas)
@settings(quick, max_examples=150)
def test_arbitrary_deltas_do_not_raise(items: list[Any]) -> None:
    result = assemble(items)
    assert all(isinstance(call.arguments, str) for call in (*result.by_index, *result.sdk, *result.intended))


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), arguments), min_size=1, max_size=4),
    st.integers(1, 9),
)
@settings(quick, max_examples=100)
def test_healthy_streams_have_no_anomaly(calls: list[tuple[str, dict[str, Any]]], size: int) -> None:
    items: list[Any] = []
    for index, (name, args) in enumerate(calls):
        head = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        items.append({"tool_calls": [head]})
        text = dump(args)
        for start in range(0, len(text), size):
            part = {"index": index, "function": {"arguments": text[start : start + size]}}
            items.append({"tool_calls": [part]})
    result = assemble(items)
    assert result.anomalies == ()
    assert [(c.name, json.loads(c.arguments)) for c in result.by_index] == [(n, a) for n, a in calls]
    assert result.by_index == result.intended == result.sdk


@given(st.one_of(json_values, st.text(), json_values.map(json.dumps)))
@settings(quick, max_examples=100)
def test_judging_anything_does_not_raise(value: Any) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    assert judge(value, schema).verdict in ("ok", "not-string", "not-json", "off-schema", "not-judged")


OPENERS = [
    "<tool_call>", '<tool_call>{"name": "get_weather", "arguments": {', "<tool_call>get_weather<arg_key>",
    "<function=get_weather><parameter=city>", '<invoke name="get_weather"><parameter name="city">', "[TOOL_CALLS][",
    '{"a":', "[[[[", "{'", '{"\\"', "\n[Search(", "<|channel|>commentary to=functions.get_weather <|message|>",
    "call:get_weather{city:", "get_weather{", "`", "```\n", "a-", "<get_weather><city>", "functions.",
]  # fmt: skip


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.flaky(reruns=2)
def test_time_grows_with_the_text_and_not_faster(opener: str) -> None:
    """Four times the text may take some four times as long; backtracking would take sixteen times."""

    def once(text: str) -> float:
        start = time.process_time()
        find_calls(text, NAMES)
        return time.process_time() - start

    def cost(length: int) -> float:
        text = "get_weather Search <tool_call> [ARGS] to= " + opener * (length // len(opener))
        return min(once(text) for _ in range(3))  # garbage collection of a large heap may fall into one

    small = max(cost(20_000), 0.004)
    assert cost(80_000) < 10 * small


def test_a_megabyte_of_hostile_text_is_read_in_seconds() -> None:
    start = time.process_time()
    find_calls('{"a": [{"get_weather' * 25_000, NAMES)
    find_calls("<tool_call>[TOOL_CALLS]<function=x>" * 15_000, NAMES)
    assert time.process_time() - start < 20
