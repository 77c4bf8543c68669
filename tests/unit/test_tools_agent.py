"""Tools as agents offer them: what was done to a call, which order was refused, and what is nobody's proof."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import anyio
import jsonschema
import pytest

from checks.tools import call_limits, turn_orders
from checks.tools.agent_tools import agent, diagnose_agent, refused_keyword
from checks.tools.agent_values import (
    BARE_NAME,
    KEYWORDS,
    LONG_NAME,
    SERIAL,
    TEXT,
    VALUES,
    agent_question,
    agent_tools,
    is_as_string,
    likely_first,
    meant_tool,
    signs,
    text_change,
)
from checks.tools.reading import read
from checks.tools.turn_orders import (
    AFTER_TOOL,
    ASSISTANT_LAST,
    LATE,
    NO_CONTENT,
    NO_TOOLS,
    SECOND_SYSTEM,
    TWO_USERS,
    History,
    Search,
)
from probe.api import Inconclusive, Severity
from probe.model import Exchange
from tests.unit import answers, tool_answers

RIGHT = json.dumps(VALUES, ensure_ascii=False)


def saved(**changes: Any) -> str:
    """The right arguments with these changes."""
    return json.dumps({**VALUES, **changes}, ensure_ascii=False)


def answered(*calls: tuple[Any, Any], **more: Any) -> Any:
    made = [tool_answers.call(arguments, name, f"call_{place}") for place, (name, arguments) in enumerate(calls)]
    return read(tool_answers.called(*made, tools=agent_tools(), **more))


def streamed(name: str, arguments: str) -> Any:
    parts = [tool_answers.part("", name, "call_1"), tool_answers.part(arguments)]
    return read(tool_answers.streamed(*parts, tools=agent_tools()))


def seen(*calls: tuple[Any, Any]) -> list[tuple[str, str]]:
    return [(sign.code, sign.kind) for sign in signs(answered(*calls))]


# The request ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_keyword_is_in_the_schema_only_where_it_is_wanted(keyword: str) -> None:
    assert f'"{keyword}"' in json.dumps(agent_tools((keyword,)))
    others = [one for one in KEYWORDS if one != keyword]
    assert f'"{keyword}"' not in json.dumps(agent_tools(others))


@pytest.mark.parametrize("keywords", [KEYWORDS, (), ("$ref",)])
def test_the_values_of_the_question_fit_the_schema(keywords: Sequence[str]) -> None:
    schema = agent_tools(keywords)[0]["function"]["parameters"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(VALUES)
    for value in ("Plan", TEXT, "3", "1287.3641", str(SERIAL), "true", "blue", "Paris", "alpha", "beta"):
        assert value in agent_question(agent_tools(keywords))


def test_the_names_are_those_that_the_api_allows() -> None:
    assert len(LONG_NAME) == 64
    names = [tool["function"]["name"] for tool in agent_tools(odd_names=False)]
    assert all(name.replace("_", "").isalnum() and len(name) < 20 for name in names)
    assert [tool["function"]["name"] for tool in agent_tools(long_name=False)] == ["save_note", BARE_NAME]
    assert BARE_NAME not in agent_question(agent_tools(bare=False))


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ("Unknown name $defs", "$ref"),
        ("anyOf is not permitted", "anyOf"),
        ("Unrecognized: additional_properties", "additionalProperties"),
        ("Invalid request", "$ref"),
    ],
)
def test_the_keyword_of_the_error_is_tried_first(said: str, first: str) -> None:
    assert likely_first(said)[0] == first
    assert sorted(likely_first(said)) == sorted(KEYWORDS)


# What was done to a call ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (saved(priority="3", budget="1287.3641"), "numbers as strings"),
        (saved(priority=" 3 ", budget="1287.36410"), "numbers as strings"),
        (saved(pinned="true"), "booleans as strings"),
        (saved(pinned="True"), "booleans as strings"),
        (saved(tags='["alpha", "beta"]'), "arrays as strings"),
        (saved(tags="['alpha', 'beta']"), "arrays as strings"),
        (saved(place='{"city": "Paris"}'), "objects as strings"),
        (saved(place="{'city': 'Paris'}"), "objects as strings"),
        (saved(text=html.escape(TEXT, quote=False)), "HTML entities"),
        (saved(text=html.escape(TEXT).replace("é", "&eacute;")), "HTML entities"),
        (saved(text=html.escape(html.escape(TEXT, quote=False)).replace("&quot;", "&#34;")), "HTML entities"),
        (saved(text=TEXT.replace('"', '\\"')), "doubled escapes"),
        (saved(text=json.dumps(TEXT)[1:-1]), "doubled escapes"),
        (saved(text=TEXT.replace("é", "\\u00e9")), "doubled escapes"),
        (saved(text=TEXT.replace("é", "Ã©")), "UTF-8 read in another encoding"),
        (json.dumps(RIGHT), "encoded twice"),
    ],
)
def test_a_right_value_in_another_form_is_a_sign(arguments: str, kind: str) -> None:
    assert seen((LONG_NAME, arguments)) == [("tools.values-altered", kind)]


@pytest.mark.parametrize(
    "arguments",
    [
        RIGHT,
        saved(priority="4", budget="1287.3641"),
        saved(priority=3, budget="1287.3641"),
        saved(priority="high", budget="much"),
        saved(pinned="yes"),
        saved(pinned=1),
        saved(tags="alpha, beta"),
        saved(place="Paris"),
        saved(text="a and b"),
        saved(text=TEXT + " "),
        saved(text="a & b"),
        saved(text=["a"]),
        saved(text="&amp;" * 5000),
        "{}",
        '{"city": "test_city"}',
        "[]",
        "7",
        '{"title": "Plan", "te',
        "",
        "{" * 5000,
    ],
)
def test_a_value_of_the_models_own_is_no_sign(arguments: str) -> None:
    assert seen((LONG_NAME, arguments)) == []


@pytest.mark.parametrize("arguments", ["", "  ", "null", '""', "[]", "undefined", "{}{}", None])
def test_arguments_that_are_no_object_are_a_sign(arguments: Any) -> None:
    assert seen((BARE_NAME, arguments)) == [("tools.no-arguments", "no arguments")]


@pytest.mark.parametrize("arguments", ["{}", " {} ", '{"a": 1}', {}, '"{}"'])
def test_an_object_is_none(arguments: Any) -> None:
    assert seen((BARE_NAME, arguments)) == []


@pytest.mark.parametrize(
    ("name", "meant", "altered"),
    [
        (LONG_NAME, LONG_NAME, False),
        (LONG_NAME[:48], LONG_NAME, True),
        (LONG_NAME[:16], LONG_NAME, True),
        (BARE_NAME, BARE_NAME, False),
        ("list_open_tabs", BARE_NAME, True),
        ("listOpenTabs", BARE_NAME, True),
        ("functions.list-open-tabs", BARE_NAME, True),
        ("save_note", None, False),
        ("list_tabs", None, False),
        ("", None, False),
        (None, None, False),
        (7, None, False),
    ],
)
def test_a_name_is_read_as_the_offered_one_that_it_was(name: Any, meant: str | None, altered: bool) -> None:
    assert meant_tool(name) == meant
    arguments = RIGHT if meant == LONG_NAME else "{}"
    assert [code for code, _ in seen((name, arguments))] == (["tools.name-altered"] if altered else [])


@pytest.mark.parametrize(
    ("given", "right", "expected"),
    [("3", 3, True), ("3.0", 3, False), (3, 3, False), ("true", True, True), ("1", True, False), ("9" * 900, 3, False)],
)
def test_a_value_as_a_string(given: Any, right: Any, expected: bool) -> None:
    assert is_as_string(given, right) is expected


def test_a_text_is_compared_with_the_right_one() -> None:
    assert text_change(TEXT) == ""
    assert text_change(7) == ""
    assert text_change("x" * 500) == ""


# One sign is no proof ------------------------------------------------------------------------------


def judged(*readings: Any, codes: frozenset[str] = frozenset()) -> Any:
    return diagnose_agent([(reading, signs(reading)) for reading in readings], codes)


def test_a_sign_in_two_answers_is_a_finding() -> None:
    result = judged(answered((BARE_NAME, "")), answered((BARE_NAME, "")))
    assert [finding.code for finding in result.findings] == ["tools.no-arguments"]
    assert len(result.findings[0].evidence) == 2
    assert "2 answers" in result.findings[0].detail


def test_a_sign_in_one_answer_is_a_note() -> None:
    result = judged(answered((BARE_NAME, "")), answered((BARE_NAME, "{}")))
    assert result.findings == ()
    assert "no arguments" in result.note
    other = judged(answered((LONG_NAME, saved(pinned="true"))), answered((BARE_NAME, "")))
    assert other.findings == ()


def test_streamed_alone_and_both_are_named() -> None:
    stream, whole = streamed(BARE_NAME, ""), answered((BARE_NAME, "{}"))
    assert "only streamed" in judged(stream, whole, streamed(BARE_NAME, "")).findings[0].detail
    assert "streamed and whole" in judged(stream, answered((BARE_NAME, ""))).findings[0].detail


@pytest.mark.parametrize("known", ["tools.no-arguments", "tools.arguments-not-json", "tools.arguments-not-string"])
def test_what_is_known_is_not_said_again(known: str) -> None:
    twice = answered((BARE_NAME, "")), answered((BARE_NAME, ""))
    assert judged(*twice, codes=frozenset({known})).findings == ()


def test_a_weak_model_is_accused_of_nothing() -> None:
    prose = read(tool_answers.said("I would rather talk about it.", tools=agent_tools()))
    result = judged(prose)
    assert result.findings == ()
    assert "no call" in result.note


def test_the_finding_of_a_keyword_names_it() -> None:
    refusal = read(tool_answers.refused("Unknown name", tools=agent_tools(("$ref",))))
    finding = refused_keyword("$ref", refusal, ["anyOf"])
    assert finding.code == "tools.schema-rejected"
    assert "`$ref`" in finding.detail
    assert "Unknown name" in finding.detail
    assert "Accepted: `anyOf`" in finding.detail


# The order of messages -----------------------------------------------------------------------------

TURNS = turn_orders.tool_turns(None)
ALL = (NO_TOOLS, AFTER_TOOL, TWO_USERS, SECOND_SYSTEM, LATE)


def roles(*orders: str, system: bool = True) -> list[str]:
    return [message["role"][0] for message in History(TURNS, system).messages(orders)]


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ((), "suau"),
        ((NO_TOOLS,), "suat"),
        ((AFTER_TOOL,), "suatu"),
        ((TWO_USERS,), "suauu"),
        ((SECOND_SYSTEM,), "ssuau"),
        ((LATE,), "suasu"),
        ((AFTER_TOOL, TWO_USERS), "suatuu"),
        (ALL, "ssuatuuasu"),
    ],
)
def test_a_conversation_has_its_orders_and_no_other(orders: Sequence[str], expected: str) -> None:
    assert "".join(roles(*orders)) == expected


def test_without_tool_turns_and_system_messages_less_is_tried() -> None:
    assert History().orders() == (ASSISTANT_LAST, TWO_USERS, SECOND_SYSTEM, LATE)
    assert History(TURNS, system=False).orders() == (NO_TOOLS, AFTER_TOOL, NO_CONTENT, ASSISTANT_LAST, TWO_USERS)
    assert "s" not in roles(AFTER_TOOL, TWO_USERS, system=False)
    assert roles(TWO_USERS, ASSISTANT_LAST)[-3:] == ["u", "u", "a"]
    bare = [turn for turn in History(TURNS).messages([NO_CONTENT]) if turn.get("tool_calls")]
    assert [("content" in turn) for turn in bare] == [False]


def searched(history: History, *wrong: str) -> tuple[Search, int]:
    """The search on an endpoint that refuses these pairs of roles (first letters), and its requests."""
    sent = 0

    async def send(messages: Sequence[Any], offered: bool) -> Exchange:
        nonlocal sent
        sent += 1
        text = "".join(message["role"][0] for message in messages)
        assert offered == ("tu" in text)
        return answers.refusal(400, "no") if any(pair in text for pair in wrong) else answers.chat("Lyon")

    search = Search(send, history)
    anyio.run(turn_orders.narrow_down, search)
    return search, sent


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (("tu",), [AFTER_TOOL]),
        (("uu",), [TWO_USERS]),
        (("tu", "uu"), [AFTER_TOOL, TWO_USERS]),
        (("ss",), [SECOND_SYSTEM]),
        (("as",), [LATE]),
        (("ss", "as"), [SECOND_SYSTEM, LATE]),
        (("tu", "uu", "as"), [AFTER_TOOL, TWO_USERS, LATE]),
    ],
)
def test_the_refused_orders_are_found_with_six_requests(wrong: Sequence[str], expected: list[str]) -> None:
    search, sent = searched(History(TURNS), *wrong)
    assert list(search.refused) == expected
    assert sent <= 6
    finding = turn_orders.diagnose_orders(search, answers.refusal(400, "no")).findings[0]
    assert finding.code == "roles.order-rejected"
    assert all(one in finding.detail for one in expected)


def test_an_order_that_is_accepted_alone_is_no_finding() -> None:
    search, _ = searched(History(TURNS), "nothing")
    with pytest.raises(Inconclusive):
        turn_orders.diagnose_orders(search, answers.refusal(400, "no"))


@pytest.mark.parametrize("status", [401, 403, 429, 502, 503, 504])
def test_an_answer_about_access_is_no_refusal(status: int) -> None:
    with pytest.raises(Inconclusive):
        turn_orders.is_refused(answers.refusal(status, "Unauthorized"))


# Choice and limit ----------------------------------------------------------------------------------


def with_limit(arguments: Any, finish: str, completion: int = 48) -> Any:
    tool = call_limits.text_tool()
    message = answers.chat(
        None,
        finish=finish,
        prompt=50,
        written=completion,
        tool_calls=[tool_answers.call(arguments, "save_text")],
    )
    return read(tool_answers.asked(message, tools=[tool], max_tokens=48))


HALF = '{"text": "The ferry to the northern'
WHOLE = json.dumps({"text": call_limits.SENTENCE})


@pytest.mark.parametrize(
    ("arguments", "finish", "expected"),
    [
        (HALF, "tool_calls", True),
        (HALF, "stop", True),
        (HALF + '"}', "tool_calls", True),
        (HALF, "length", False),
        (WHOLE, "tool_calls", False),
        ('{"text": "A ferry leaves."}', "tool_calls", False),
        ("", "tool_calls", False),
        ("{}", "tool_calls", False),
    ],
)
def test_a_cut_call_that_looks_complete(arguments: str, finish: str, expected: bool) -> None:
    reading = with_limit(arguments, finish)
    assert call_limits.cut_reported_complete(reading) is expected
    codes = [finding.code for finding in call_limits.diagnose_cut([reading, reading]).findings]
    assert codes == (["tools.call-cut"] if expected else [])


def test_broken_json_far_below_the_limit_was_not_cut_by_it() -> None:
    assert not call_limits.cut_reported_complete(with_limit(HALF, "tool_calls", completion=20))


def test_none_is_ignored_only_where_both_answers_call() -> None:
    call, text = read(tool_answers.called()), read(tool_answers.said("It is mild."))
    assert [item.code for item in call_limits.diagnose_none([call, call]).findings] == ["tools.none-ignored"]
    assert call_limits.diagnose_none([call, text]).findings == ()
    assert call_limits.diagnose_none([text]).findings == ()
    assert call_limits.diagnose_none([read(tool_answers.refused("no"))]).findings == ()


# What was refused for another reason ---------------------------------------------------------------


class Refusing:
    """A context whose endpoint refuses some lists of tools with these words."""

    def __init__(self, words: str, wrong: Callable[[list[Any]], bool], *, of_words: bool = False) -> None:
        self.words, self.wrong, self.of_words = words, wrong, of_words
        self.target = SimpleNamespace(tools={"way": "auto", "outcome": "called", "call": None})
        self.verdicts: dict[str, Any] = {}
        self.codes: frozenset[str] = frozenset()

    async def chat(self, question: str, *, tools: Sequence[Any] = (), **_: Any) -> Exchange:
        if not tools and not self.of_words:
            return tool_answers.said("Plan")
        wrong = self.of_words or self.wrong(list(tools))
        return tool_answers.refused(self.words) if wrong else tool_answers.called(tools=list(tools))


@pytest.mark.parametrize(
    ("words", "wrong", "code"),
    [
        ("at most 1 tool may be supplied", lambda tools: len(tools) > 1, "tools.rejected"),
        ("needs one property", lambda tools: not all(one["function"]["parameters"]["properties"] for one in tools),
         "tools.no-arguments"),
        ("parameter kind array cannot be compiled", lambda tools: True, "tools.schema-rejected"),
        ("type boolean is not available", lambda tools: True, "tools.schema-rejected"),
        ("Tool definitions are too large (max 700 characters)", lambda tools: True, "tools.schema-rejected"),
        ("Request contains disallowed characters", lambda tools: True, "tools.rejected"),
        ("failed to call a function", lambda tools: True, None),
        ("the prompt exceeds the available context size", lambda tools: True, None),
    ],
)  # fmt: skip
def test_a_refusal_of_all_forms_is_told_in_the_words_of_the_server(words: str, wrong: Any, code: str | None) -> None:
    result = anyio.run(agent, Refusing(words, wrong))
    assert [item.code for item in result.findings] == ([code] if code else [])
    assert words in (result.findings[0].detail if code else result.note)
    if code not in (None, "tools.no-arguments"):
        assert result.findings[0].severity is Severity.WARNING


def test_a_refusal_that_the_same_words_get_without_tools_is_not_about_tools() -> None:
    result = anyio.run(agent, Refusing("No fixture matched", lambda tools: True, of_words=True))
    assert not result.findings
    assert "refused without tools too" in result.note
