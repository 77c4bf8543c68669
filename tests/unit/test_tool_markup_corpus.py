"""The corpus of assistant messages: every leak is named, nothing healthy is.

Each line of corpus/*.jsonl is one message: the text, the offered tools, what is expected (null for
no leak), and where the text comes from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checks.tools.markup import FAMILIES, find_calls

CORPUS = Path(__file__).parent / "corpus"


def definition(name: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


DEFINITIONS = {
    "get_weather": definition("get_weather", {"city": {"type": "string"}, "days": {"type": "integer"}}, ["city"]),
    "get_time": definition("get_time", {}, []),
    "search": definition("search", {"query": {"type": "string"}}, ["query"]),
    "send_email": definition(
        "send_email",
        {
            "to": {"type": "array", "items": {"type": "string"}},
            "subject": {"type": "string"},
            "urgent": {"type": "boolean"},
            "priority": {"type": ["string", "null"]},
        },
        ["to", "subject"],
    ),
    "run_code": definition("run_code", {"code": {"type": "string"}}, ["code"]),
}


def offered(names: list[str]) -> list[Any]:
    return [DEFINITIONS.get(name, name) for name in names]


def load() -> list[dict[str, Any]]:
    cases = []
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            cases.append(json.loads(line))
    return cases


CASES = load()
LEAKS = [case for case in CASES if case["expect"]]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_message_is_read_right(case: dict[str, Any]) -> None:
    leak = find_calls(case["text"], offered(case["tools"]))
    expect = case["expect"]
    if expect is None:
        assert leak is None
        return
    assert leak is not None
    assert (leak.kind, leak.family) == (expect["kind"], expect["family"])
    assert [call.name for call in leak.calls] == expect["names"]
    assert leak.partial is expect["partial"]
    assert leak.offered is expect.get("offered", True)
    if "arguments" in expect:
        assert [call.arguments for call in leak.calls] == expect["arguments"]
    if "inside_reasoning" in expect:
        assert leak.inside_reasoning is expect["inside_reasoning"]
    for call in leak.calls:
        assert 0 <= call.start < call.end <= len(case["text"])


def test_corpus_is_large_and_covers_every_family() -> None:
    assert len(CASES) >= 200
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert len([case for case in CASES if case["expect"] is None]) >= 100
    assert {family.id for family in FAMILIES} <= {case["expect"]["family"] for case in LEAKS}


def test_most_leaks_are_seen_with_names_alone() -> None:
    """Without definitions only those JSON shapes are lost that need a schema to be told from data."""
    lost = []
    for case in LEAKS:
        leak = find_calls(case["text"], case["tools"])
        if leak is None or [call.name for call in leak.calls] != case["expect"]["names"]:
            lost.append(case["id"])
    by_schema = {"j-keyed", "j-flat", "j-no-arguments", "s-apertus", "named-tag", "t-name-json", "w-js-line", "w-colon"}
    assert set(lost) == by_schema


def test_with_names_alone_only_a_result_is_taken_for_arguments() -> None:
    """`NAME` and a JSON object on two lines: without a schema nothing tells a result from arguments."""
    healthy = [case for case in CASES if case["expect"] is None]
    assert [case["id"] for case in healthy if find_calls(case["text"], case["tools"])] == ["w-none-result"]


def test_an_offered_call_is_surer_than_one_that_was_not_offered() -> None:
    text = '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>'
    known = find_calls(text, ["get_weather"])
    unknown = find_calls(text, ["get_time"])
    assert known is not None and unknown is not None
    assert known.confidence > 0.9 > unknown.confidence
