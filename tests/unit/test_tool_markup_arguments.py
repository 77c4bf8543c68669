"""Arguments judged against a schema, the offered tools, imports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from checks.tools.markup import find_calls, judge
from checks.tools.markup.text_scan import Tools

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1},
        "where": {"type": "object", "properties": {"lat": {"type": "number"}}, "required": ["lat"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "a/b~c": {"type": "boolean"},
    },
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "arguments",
    [
        '{"city": "Paris"}',
        ' {"city": "Zürich \\"Nord\\"\\n", "unit": "celsius", "days": 3}',
        '{"city": "東京", "where": {"lat": 1.5}, "tags": ["a", "b"]}',
        '{"city": "\\ud83c\\udf27"}',
        '{"city": "x", "days": 2.0}',
    ],
)
def test_good_arguments(arguments: str) -> None:
    result = judge(arguments, SCHEMA)
    assert result.ok and result.errors == () and result.value == json.loads(arguments)


@pytest.mark.parametrize(
    ("arguments", "pointers"),
    [
        ('{"city": 5}', ["/city"]),
        ("{}", [""]),
        ('{"city": "Paris", "unit": "kelvin"}', ["/unit"]),
        ('{"city": "Paris", "days": "3"}', ["/days"]),
        ('{"city": "Paris", "days": 0}', ["/days"]),
        ('{"city": "Paris", "where": {}}', ["/where"]),
        ('{"city": "Paris", "tags": ["a", 1]}', ["/tags/1"]),
        ('{"city": "Paris", "country": "France"}', [""]),
        ('{"city": "Paris", "a/b~c": 1}', ["/a~1b~0c"]),
        ('{"city": 1, "days": "x"}', ["/city", "/days"]),
        ("[]", [""]),
        ('"Paris"', [""]),
        ("null", [""]),
    ],
)
def test_off_schema(arguments: str, pointers: list[str]) -> None:
    result = judge(arguments, SCHEMA)
    assert result.verdict == "off-schema"
    assert [error.pointer for error in result.errors] == pointers
    assert all(error.expected and error.actual for error in result.errors)


def test_an_error_says_what_was_expected_and_what_was_there() -> None:
    (error,) = judge('{"city": "Paris", "unit": "kelvin"}', SCHEMA).errors
    assert "celsius" in error.expected and error.actual == '"kelvin"'


@pytest.mark.parametrize(
    "arguments", ["", "   ", "{", "{'city': 'Paris'}", '{"city": NaN}', '{"city": "a"}{"city": "b"}', "Paris"]
)
def test_not_json(arguments: str) -> None:
    result = judge(arguments, SCHEMA)
    assert (result.verdict, result.value) == ("not-json", None)
    assert result.detail


@pytest.mark.parametrize("arguments", [{"city": "Paris"}, None, ["Paris"], 3, True])
def test_not_a_string(arguments: Any) -> None:
    result = judge(arguments, SCHEMA)
    assert result.verdict == "not-string" and not result.ok
    assert result.on_schema is (arguments == {"city": "Paris"})


def test_encoded_twice_is_off_schema() -> None:
    assert judge(json.dumps('{"city": "Paris"}'), SCHEMA).verdict == "off-schema"


def test_without_a_schema_any_object_will_do() -> None:
    assert judge('{"x": 1}', None).ok
    assert judge("[1]", None).verdict == "off-schema"


def test_size_and_depth_are_bounded() -> None:
    deep = '{"city": ' + "[" * 200 + "]" * 200 + "}"
    assert judge(deep, SCHEMA).verdict == "not-judged"
    assert judge("[" * 100_000, SCHEMA).verdict in ("not-json", "not-judged")
    assert judge('"' + "x" * 3_000_000 + '"', SCHEMA).verdict == "not-judged"
    wide = judge(json.dumps({"city": "x", "tags": list(range(5000))}), SCHEMA)
    assert len(wide.errors) == 20
    assert len(judge(json.dumps({"city": ["x" * 5000]}), SCHEMA).errors[0].actual) <= 120


def test_tools_are_taken_in_every_shape() -> None:
    definition = {"name": "a", "parameters": {"type": "object", "properties": {"x": {}}, "required": ["x"]}}
    for offered in (
        ["a"],
        "a",
        [definition],
        [{"type": "function", "function": definition}],
        {"a": 1},
        Tools.of(["a"]),
    ):
        assert Tools.of(offered).resolve("functions.a") == "a"
    assert Tools.of([None, 3, {"name": 5}, {}]).names == frozenset()
    assert Tools.of([definition]).required("a") == ("x",)


def test_a_leak_names_the_parser_of_each_server() -> None:
    leak = find_calls('<tool_call>{"name": "a", "arguments": {}}</tool_call>', ["a"])
    assert leak is not None
    assert leak.vllm[0] == "hermes" and "hermes" in leak.sglang
    bare = find_calls('{"name": "a", "parameters": {"x": 1}}', ["a"])
    assert bare is not None and bare.vllm[0] == "llama3_json" and bare.sglang == ("llama3",)
