"""One change that explains every text of a call, and what is a slip of the model's own."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from checks.tools import agent_tools
from checks.tools.agent_values import BODY, LONG_NAME, SERIAL, TEXT, VALUES, are_right, signs
from checks.tools.call import by_server
from checks.tools.model_text import object_in
from checks.tools.reading import read
from checks.tools.streamed import diagnose_difference, differing_calls
from checks.tools.structured_calls import faults
from checks.tools.text_changes import MOST_STEPS, common_change, substitution
from probe.api import Owner
from probe.simulator.faults.tool_values import HABITS, TEXTS
from tests.unit import answers, tool_answers

RIGHT = ["Plan", TEXT, BODY, "blue", "Paris"]


@pytest.mark.parametrize("how", TEXTS)
def test_a_change_of_all_texts_is_found(how: str) -> None:
    change = common_change(RIGHT, [TEXTS[how](text) for text in RIGHT])
    assert change is not None
    assert change.habit is (how in HABITS)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (lambda text: text.replace("&", "%26"), "each & as %26"),
        (lambda text: text.replace('"', ""), 'each " lost'),
        (lambda text: text.replace("\n", " "), "each line end as a space"),
        (lambda text: f"<|'{text}'|>", "each of them within <|' and '|>"),
        (lambda text: text if len(text) < 50 else text[:47] + "...", "the end cut off after 47 characters"),
        (lambda text: text.lower(), "all letters in lower case"),
        (lambda text: html.escape(text.replace("<b>", "").replace("</b>", "").replace("<c>", "")), "tags dropped"),
    ],
)
def test_a_change_is_described(form: Callable[[str], str], words: str) -> None:
    change = common_change(RIGHT, [form(text) for text in RIGHT])
    assert change is not None
    assert words in change.words


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        BODY.replace("pump", "engine"),
        BODY.replace("the keys, ", ""),
        BODY.replace(";", ",", 1),
        BODY.replace("é", "e", 1),
        BODY.replace("&", "and").replace("valve", "tap"),
        "A plan for the week.",
        "",
        "\0" * 100,
    ],
)
def test_a_slip_in_one_place_is_none(body: str) -> None:
    assert common_change(RIGHT, ["Plan", TEXT, body, "blue", "Paris"]) is None


@pytest.mark.parametrize("given", ["&" * 3000, "a" * 3000, " " * 3000, "\n&<" * 900, BODY.replace(" ", "\t" * 12)])
def test_a_hostile_text_takes_a_bounded_number_of_steps(given: str) -> None:
    assert MOST_STEPS <= 20_000
    assert substitution(RIGHT, ["Plan", TEXT, given, "blue", "Paris"]) is None or "\t" in given


def kinds(**changes: Any) -> list[tuple[str, bool]]:
    arguments = json.dumps({**VALUES, **changes}, ensure_ascii=False)
    made = signs(read(tool_answers.called(tool_answers.call(arguments, LONG_NAME), tools=agent_tools.agent_tools())))
    return [(sign.kind, sign.sure) for sign in made]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"budget": 1287}, "numbers in another precision (budget)"),
        ({"budget": 1287.36}, "numbers in another precision (budget)"),
        ({"budget": 1287.3641357421875}, "numbers in another precision (budget)"),
        ({"priority": 3.0}, "numbers in another precision (priority)"),
        ({"serial": float(SERIAL)}, "numbers in another precision (serial)"),
        ({"serial": 9.0472138653107e15}, "numbers in another precision (serial)"),
        ({"pinned": None}, "lacks the required pinned"),
        ({"place": None, "tags": None}, "lacks the required place and tags"),
    ],
)
def test_what_a_model_may_do_too_is_not_sure(changes: dict[str, Any], kind: str) -> None:
    assert kinds(**changes) == [(kind, False)]


@pytest.mark.parametrize(
    "changes", [{"budget": 99.5}, {"serial": 7}, {"budget": True}, {"pinned": None, "priority": 4}]
)
def test_another_value_is_the_models_own(changes: dict[str, Any]) -> None:
    assert kinds(**changes) == []


# What the model writes as text decides ------------------------------------------------------------------


class Endpoint:
    """A context whose model writes some values as JSON, some in a call as text, and others in structured calls."""

    def __init__(self, called: dict[str, Any], as_json: dict[str, Any] | None, as_text: dict[str, Any] | None) -> None:
        self.called, self.as_json, self.as_text = called, as_json, as_text
        self.sent: list[str] = []
        self.target = SimpleNamespace(tools={"way": "auto", "outcome": "called", "call": None})
        self.options = SimpleNamespace(depth="standard")
        self.verdicts: dict[str, Any] = {}
        self.codes: frozenset[str] = frozenset()

    async def chat(self, asked: Any, *, tools: Any = (), **_: Any) -> Any:
        if tools:
            self.sent.append("tools")
            return tool_answers.called(tool_answers.call(json.dumps(self.called), LONG_NAME), tools=tools)
        self.sent.append("json" if isinstance(asked, str) else "text")
        if isinstance(asked, str):
            return answers.chat("I would rather not." if self.as_json is None else json.dumps(self.as_json))
        if self.as_text is None:
            return answers.chat("I would rather not.")
        call = json.dumps({"name": LONG_NAME, "arguments": self.as_text})
        return answers.chat(f"<tool_call>\n{call}\n</tool_call>")


def rewritten(how: str) -> dict[str, Any]:
    return {name: TEXTS[how](value) if isinstance(value, str) else value for name, value in VALUES.items()}


@pytest.mark.parametrize(
    ("called", "as_json", "as_text", "code", "asked"),
    [
        (rewritten("percent"), VALUES, None, "tools.values-altered", ["json"]),
        (rewritten("tags"), VALUES, VALUES, "tools.values-altered", ["json", "text"]),
        ({**VALUES, "pinned": None}, VALUES, VALUES, "tools.arguments-off-schema", ["json", "text"]),
        # The model is no better where it writes text, or it cannot be told.
        (rewritten("percent"), rewritten("percent"), VALUES, None, ["json"]),
        (rewritten("percent"), None, VALUES, None, ["json"]),
        (rewritten("tags"), VALUES, rewritten("tags"), None, ["json", "text"]),
        (rewritten("tags"), VALUES, None, None, ["json", "text"]),
        (VALUES, VALUES, VALUES, None, []),
    ],
)
def test_who_changed_a_value(called: Any, as_json: Any, as_text: Any, code: str | None, asked: list[str]) -> None:
    endpoint = Endpoint(called, as_json, as_text)
    result = anyio.run(agent_tools.agent, endpoint)
    assert [finding.code for finding in result.findings] == ([code] if code else [])
    assert all(finding.owner is Owner.SERVER for finding in result.findings)
    assert [one for one in endpoint.sent if one != "tools"] == asked
    assert len(endpoint.sent) <= 4


@pytest.mark.parametrize(
    ("arguments", "code", "owner"),
    [
        ('{"unit": "celsius"}', "tools.arguments-off-schema", Owner.SERVER),
        ('{"city": "\\"Paris\\"", "unit": "\\"celsius\\""}', "tools.values-altered", Owner.SERVER),
        ('{"city": "<![CDATA[Paris]]>", "unit": "<![CDATA[celsius]]>"}', "tools.values-altered", Owner.SERVER),
        ('{"city": "\\nParis\\n", "unit": "\\ncelsius\\n"}', "tools.values-altered", Owner.SERVER),
        ('{"city": "Paris", "unit": "kelvin"}', "tools.arguments-off-schema", Owner.MODEL),
        ('{"city": "Paris", "unit": "CELSIUS"}', "tools.arguments-off-schema", Owner.MODEL),
    ],
)
def test_a_call_that_the_model_writes_right_as_text(arguments: str, code: str, owner: Owner) -> None:
    (fault,) = faults(read(tool_answers.called(tool_answers.call(arguments))))
    assert fault.owner is Owner.MODEL
    finding = by_server(fault).finding()
    assert (finding.code, finding.owner) == (code, owner)


def test_an_object_in_a_text() -> None:
    assert object_in('Sure:\n```json\n{"a": 1}\n```') == {"a": 1}
    assert object_in("none") is None
    assert object_in('{"a": ') is None
    assert object_in("[" * 9000 + "{" * 9000) is None
    assert are_right(VALUES, VALUES)
    assert not are_right(None, ["text"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('{"unit": "celsius"}', "tools.arguments-off-schema"),
        ('{"city": null}', "tools.arguments-off-schema"),
        ('{"city": "`Paris`", "unit": "`celsius`"}', "tools.values-altered"),
        ('{"city": "Paris", "unit": "kelvin"}', None),
        (tool_answers.PARIS, None),
    ],
)
def test_arguments_that_fit_the_schema_without_streaming_alone(arguments: str, code: str | None) -> None:
    whole = read(tool_answers.called())
    stream = read(tool_answers.streamed(tool_answers.part("", "get_weather", "call_1"), tool_answers.part(arguments)))
    what = differing_calls(whole, stream)
    assert bool(what) is bool(code)
    if code:
        (finding,) = diagnose_difference(whole, stream, what).findings
        assert (finding.code, finding.owner) == (code, Owner.SERVER)
        assert not differing_calls(stream, stream)
