"""Joining streamed tool calls: what each kind of client gets, and which anomalies are named."""

from __future__ import annotations

from typing import Any

import pytest

from checks.tools.markup import ANOMALIES, assemble


def part(index: Any = None, id: Any = None, name: Any = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """One entry of delta.tool_calls; what is None is left out."""
    entry: dict[str, Any] = {"index": index, "id": id, **more}
    function = {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}
    entry = {k: v for k, v in entry.items() if v is not None}
    return {**entry, "function": function} if function else entry


def delta(*entries: Any) -> dict[str, Any]:
    return {"tool_calls": list(entries)}


def first(index: Any, id: Any, name: Any, arguments: Any = "") -> dict[str, Any]:
    return delta(part(index, id, name, arguments, type="function"))


PARIS, ROME = '{"city":"Paris"}', '{"city":"Rome"}'
ONE = [("w", PARIS)]
# name: (deltas, codes with whether they hurt, what joining by index gives, what was intended)
CASES: dict[str, tuple[list[Any], set[tuple[str, bool]], list[tuple[str, str]], list[tuple[str, str]]]] = {
    "openai": (
        [first(0, "a", "w"), delta(part(0, arguments='{"city":')), delta(part(0, arguments='"Paris"}'))],
        set(),
        ONE,
        ONE,
    ),
    "one whole call without an index": ([first(None, "a", "w", PARIS)], {("index-missing", False)}, ONE, ONE),
    "two whole calls without an index run together": (
        [first(None, "a", "w", PARIS), first(None, "b", "w", ROME)],
        {("index-missing", True)},
        [("w", PARIS + ROME)],
        [("w", PARIS), ("w", ROME)],
    ),
    "two calls in one delta without an index": (
        [delta(part(None, "a", "w", PARIS, type="function"), part(None, "b", "t", "{}", type="function"))],
        {("index-missing", True)},
        [("t", PARIS + "{}")],
        [("w", PARIS), ("t", "{}")],
    ),
    "index null": (
        [delta({**part(None, "a", "w", PARIS, type="function"), "index": None})],
        {("index-missing", False)},
        ONE,
        ONE,
    ),
    "every call has index 0": (
        [first(0, "a", "w", PARIS), first(0, "b", "w", ROME)],
        {("index-repeated-for-new-id", True)},
        [("w", PARIS + ROME)],
        [("w", PARIS), ("w", ROME)],
    ),
    "every call has index 0, in fragments": (
        [first(0, "a", "w"), delta(part(0, arguments=PARIS)), first(0, "b", "t"), delta(part(0, arguments="{}"))],
        {("index-repeated-for-new-id", True)},
        [("t", PARIS + "{}")],
        [("w", PARIS), ("t", "{}")],
    ),
    "index as a string": ([first("0", "a", "w", PARIS)], {("index-not-int", True)}, [], ONE),
    "index as a fraction": ([first(0.0, "a", "w", PARIS)], {("index-not-int", True)}, [], ONE),
    "negative index": ([first(-1, "a", "w", PARIS)], {("index-negative", True)}, ONE, ONE),
    "huge index": ([first(10**9, "a", "w", PARIS)], {("index-huge", True), ("index-gap", False)}, ONE, ONE),
    "indexes begin at 1": ([first(1, "a", "w", PARIS)], {("index-gap", False)}, ONE, ONE),
    "no id": ([first(0, None, "w", PARIS)], {("id-missing", True)}, ONE, ONE),
    "empty id": ([first(0, "", "w", PARIS)], {("id-missing", True)}, ONE, ONE),
    "id late": ([first(0, None, "w"), delta(part(0, "a", arguments=PARIS))], {("id-late", False)}, ONE, ONE),
    "id repeated": (
        [first(0, "a", "w"), delta(part(0, "a", arguments='{"city":')), delta(part(0, "a", arguments='"Paris"}'))],
        {("id-repeated", False)},
        ONE,
        ONE,
    ),
    "id changes in every fragment": (
        [first(0, "a", "w"), delta(part(0, "b", arguments='{"city":')), delta(part(0, "c", arguments='"Paris"}'))],
        {("id-changes", False)},
        ONE,
        ONE,
    ),
    "two calls with one id": (
        [first(0, "a", "w", PARIS), first(1, "a", "w", ROME)],
        {("id-shared", True)},
        [("w", PARIS), ("w", ROME)],
        [("w", PARIS), ("w", ROME)],
    ),
    "name late": (
        [delta(part(0, "a", arguments='{"city":', type="function")), delta(part(0, name="w", arguments='"Paris"}'))],
        {("name-late", False)},
        ONE,
        ONE,
    ),
    "name in every fragment": (
        [
            first(0, "a", "w"),
            delta(part(0, name="w", arguments='{"city":')),
            delta(part(0, name="w", arguments='"Paris"}')),
        ],
        {("name-repeated-in-fragments", True)},
        ONE,
        ONE,
    ),
    "name in pieces": (
        [first(0, "a", "get_"), delta(part(0, name="weather")), delta(part(0, arguments=PARIS))],
        {("name-in-fragments", True)},
        [("weather", PARIS)],
        [("get_weather", PARIS)],
    ),
    "empty name later": (
        [first(0, "a", "w"), delta(part(0, name="", arguments=PARIS))],
        set(),
        ONE,
        ONE,
    ),
    "no name": ([first(0, "a", None, PARIS)], {("name-missing", True)}, [("", PARIS)], [("", PARIS)]),
    "arguments as an object": (
        [first(0, "a", "w", {"city": "Paris"})],
        {("arguments-object", True)},
        [],
        [("w", '{"city": "Paris"}')],
    ),
    "arguments as a list": (
        [first(0, "a", "w", ["Paris"])],
        {("arguments-not-string", True)},
        [],
        [("w", '["Paris"]')],
    ),
    "arguments null first": (
        [
            delta({"index": 0, "id": "a", "type": "function", "function": {"name": "w", "arguments": None}}),
            delta(part(0, arguments=PARIS)),
        ],
        set(),
        ONE,
        ONE,
    ),
    "arguments that do not join": (
        [first(0, "a", "w", '{"city":'), delta(part(0, arguments="Paris"))],
        {("fragments-not-json", True)},
        [("w", '{"city":Paris')],
        [("w", '{"city":Paris')],
    ),
    "arguments cut off": (
        [first(0, "a", "w", '{"city":"Pa')],
        {("fragments-not-json", True)},
        [("w", '{"city":"Pa')],
        [("w", '{"city":"Pa')],
    ),
    "no arguments": ([first(0, "a", "w", "")], {("arguments-empty", False)}, [("w", "")], [("w", "")]),
    "every delta repeats the text so far": (
        [first(0, "a", "w", '{"city"'), delta(part(0, arguments='{"city":"Pa')), delta(part(0, arguments=PARIS))],
        {("arguments-repeated-whole", True)},
        [("w", '{"city"' + '{"city":"Pa' + PARIS)],
        ONE,
    ),
    "the last delta repeats all of it": (
        [first(0, "a", "w", '{"city":'), delta(part(0, arguments='"Paris"}')), delta(part(0, arguments=PARIS))],
        {("arguments-repeated-whole", True)},
        [("w", PARIS + PARIS)],
        ONE,
    ),
    "no type": ([delta(part(0, "a", "w", PARIS))], {("type-missing", False)}, ONE, ONE),
    "empty deltas": (
        [delta(), {}, {"tool_calls": None}, None, first(0, "a", "w", PARIS), delta(part(0))],
        {("empty-delta", False)},
        ONE,
        ONE,
    ),
    "text among the calls": (
        [first(0, "a", "w"), {"content": "Let me see."}, delta(part(0, arguments=PARIS))],
        {("text-among-calls", False)},
        ONE,
        ONE,
    ),
    "later fragments of the second call lack the index": (
        [first(0, "a", "w", PARIS), first(1, "b", "w"), delta(part(None, arguments=ROME))],
        {("index-missing", True)},
        [("w", PARIS + ROME), ("w", "")],
        [("w", PARIS), ("w", ROME)],
    ),
    "interleaved": (
        [first(0, "a", "w"), first(1, "b", "w"), delta(part(1, arguments=ROME)), delta(part(0, arguments=PARIS))],
        set(),
        [("w", PARIS), ("w", ROME)],
        [("w", PARIS), ("w", ROME)],
    ),
    "tool_calls is an object": (
        [{"tool_calls": {"index": 0}}, first(0, "a", "w", PARIS)],
        {("malformed", True)},
        ONE,
        ONE,
    ),
    "an entry is null": ([delta(None), first(0, "a", "w", PARIS)], {("malformed", True)}, ONE, ONE),
}


@pytest.mark.parametrize("name", CASES)
def test_fragments(name: str) -> None:
    deltas, codes, by_index, intended = CASES[name]
    result = assemble(deltas)
    assert {(a.code, a.hurts) for a in result.anomalies} == codes
    assert [(c.name, c.arguments) for c in result.by_index] == by_index
    assert [(c.name, c.arguments) for c in result.intended] == intended


def test_every_anomaly_is_in_a_case() -> None:
    seen = {code for _, codes, _, _ in CASES.values() for code, _ in codes}
    assert seen == set(ANOMALIES)


def test_the_sdk_helper_doubles_what_is_repeated() -> None:
    fragments = [first(0, "call_1", "w"), delta(part(0, "call_1", "w", '{"a":')), delta(part(0, "call_1", "w", "1}"))]
    (call,) = assemble(fragments).sdk
    assert (call.id, call.name, call.arguments) == ("call_1" * 3, "www", '{"a":1}')


def test_the_sdk_helper_refuses_a_missing_index_after_the_first_delta() -> None:
    result = assemble([first(None, "a", "w", PARIS), first(None, "b", "w", ROME)])
    assert "index" in result.sdk_error
    assert [c.id for c in result.sdk] == ["a"]


def test_an_anomaly_says_where_it_was_first_seen() -> None:
    result = assemble([{"role": "assistant"}, first(0, "a", "w", PARIS), first(0, "b", "w", ROME)])
    (anomaly,) = result.anomalies
    assert (anomaly.delta, anomaly.call) == (2, 1)


def test_many_fragments_take_bounded_time() -> None:
    stream = [delta(part(0, f"id{n}", "w", "}")) for n in range(6_000)]
    assert len(assemble(stream).intended) <= 256


@pytest.mark.parametrize("index", [2**63, -(2**70), 10**400])
def test_an_index_beyond_a_machine_word_stops_the_sdk_and_not_this_program(index: int) -> None:
    found = assemble([first(0, "a", "w", PARIS), first(index, "b", "w", ROME)])
    assert [call.arguments for call in found.intended] == [PARIS, ROME]
    assert [call.arguments for call in found.sdk] == [PARIS]
    assert "machine word" in found.sdk_error
