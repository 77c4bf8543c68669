"""The parser flags that are named for a leaked call, held against what the servers' own parsers made of each text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checks.tools.leaked_calls import facts, remedy
from checks.tools.markup import FAMILIES, find_calls
from checks.tools.markup.parser_flags import MODELS, SGLANG, VLLM
from tests.parser_table import PAGE, page

RECORD = json.loads((Path(__file__).parents[1] / "data" / "parser_outcomes.json").read_text(encoding="utf-8"))
OUTCOMES: list[dict[str, Any]] = RECORD["outcomes"]
#: Forms that are deliberately not read as calls: with these words around them they are as often an explanation.
NOT_READ = {
    ("pythonic", "list in backticks in a sentence"),
    ("pythonic", "one call in print"),
    ("pythonic", "calls on lines, brackets lost"),
}
#: Texts that some parser reads although it is not the parser of the format, and whose reading is left unnamed.
LEFT_UNNAMED = {("sglang", "json", "JSON5: single quotes")}


def identity(outcome: dict[str, Any]) -> str:
    return f"{outcome['family']}-{outcome['variant']}-{outcome['context']}"


def parsed(outcome: dict[str, Any], server: str) -> set[str]:
    """The flags that parse the text, or what the model wrote where the text lost its tokens."""
    written = outcome.get("written", [])
    return set(outcome[server]).union(*(w[server] for w in written))


@pytest.mark.parametrize("outcome", OUTCOMES, ids=identity)
def test_only_flags_that_parse_the_text_are_named(outcome: dict[str, Any]) -> None:
    leak = find_calls(outcome["text"], RECORD["tools"])
    if leak is None:
        assert (outcome["family"], outcome["variant"]) in NOT_READ
        return
    assert [call.name for call in leak.calls] == [call["name"] for call in outcome["calls"]]
    for server, named in (("vllm", leak.vllm), ("sglang", leak.sglang)):
        reads = parsed(outcome, server)
        assert set(named) <= reads, (server, named, sorted(reads))
        if (server, outcome["family"], outcome["variant"]) not in LEFT_UNNAMED:
            assert bool(named) == bool(reads), (server, named, sorted(reads))


def test_the_record_is_large_and_covers_every_family() -> None:
    assert len(OUTCOMES) >= 400
    assert {family.id for family in FAMILIES} <= {outcome["family"] for outcome in OUTCOMES}


def test_every_named_value_is_registered() -> None:
    for server, values in (("vllm", VLLM), ("sglang", SGLANG)):
        registered = set(RECORD["registered"][server])
        assert set(values) <= registered
        assert {value for family in FAMILIES for value in getattr(family, server)} <= registered
    assert set(MODELS) <= set(RECORD["registered"]["vllm"]) | set(RECORD["registered"]["sglang"])


def test_every_registered_parser_read_some_text() -> None:
    """A parser that reads no recorded text would mean a format that the record does not know."""
    for server in ("vllm", "sglang"):
        used = set().union(*(parsed(outcome, server) for outcome in OUTCOMES))
        assert set(RECORD["registered"][server]) - used == set()


def test_the_page_says_what_was_recorded() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(RECORD)


@pytest.mark.parametrize(
    ("text", "vllm", "sglang"),
    [
        ('{"name": "get_weather", "arguments": {"city": "Paris"}}', "llama3_json", "llama3"),
        ('[{"name": "get_weather", "arguments": {"city": "Paris"}}]', "xlam", None),
        ('It is this: [{"name": "get_weather", "arguments": {"city": "Paris"}}]', "llama3_json", None),
        ('<tool_call>[{"name": "get_weather", "arguments": {"city": "Paris"}}]</tool_call>', "granite", "hermes"),
        ("<tool_call>get_weather<arg_key>city</arg_key><arg_value>Paris</arg_value></tool_call>", "glm45", "glm47"),
        (
            "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>",
            "glm45",
            "glm45",
        ),
        ("print(default_api.get_weather(city='Paris'))", None, None),
    ],
)
def test_the_text_decides_and_not_the_family_alone(text: str, vllm: str | None, sglang: str | None) -> None:
    leak = find_calls(text, RECORD["tools"])
    assert leak is not None
    assert next(iter(leak.vllm), None) == vllm
    assert next(iter(leak.sglang), None) == sglang
    assert facts(leak, "sglang")["tool_parser"] == sglang
    assert facts(leak, "vllm")["tool_parser"] == vllm
    assert (f"--tool-call-parser {sglang}" if sglang else "No tool call parser of SGLang") in remedy(leak, "sglang")
    assert (f"--tool-call-parser {vllm}" if vllm else "No tool call parser of vLLM") in remedy(leak, "vllm")
