"""Whole messages with the verdict that a person gives them: what kind of answer it is, and which findings it leads to.

The texts of leaks have their own corpus (test_tool_markup_corpus.py); these cases are about everything around them:
structured calls and their faults, refusals, thinking, other languages, and prose that only looks like a call.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from checks.tools.call import diagnose_calls
from checks.tools.reading import Kind, read
from tests.unit import answers, tool_answers
from tests.unit.test_tool_markup_corpus import CASES as TEXTS

CALLED, LEAKED, PROSE, EMPTY, CUT = Kind.CALLED, Kind.LEAKED, Kind.PROSE, Kind.EMPTY, Kind.CUT
PARIS = '{"city": "Paris"}'


def call(arguments: Any = PARIS, name: Any = "get_weather", **more: Any) -> dict[str, Any]:
    """An entry of ``tool_calls``; a member of ``more`` that is ``...`` is left out."""
    made = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}, **more}
    return {key: value for key, value in made.items() if value is not ...}


def under(member: str, value: Any) -> dict[str, Any]:
    """A call whose arguments are in another member of its function."""
    return {"id": "call_1", "type": "function", "function": {"name": "get_weather", member: value}}


HERMES = f'<tool_call>\n{{"name": "get_weather", "arguments": {PARIS}}}\n</tool_call>'
LLAMA = '{"name": "get_weather", "parameters": {"city": "Paris"}}'
MISTRAL = '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Paris"}}]'
QWEN = "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>"

#: (name, message, finish reason, kind, codes)
CALLS: list[tuple[str, dict[str, Any], str | None, Kind, str]] = [
    # Structured calls that are right
    ("plain", {"tool_calls": [call()]}, "tool_calls", CALLED, ""),
    ("null content", {"content": None, "tool_calls": [call()]}, "tool_calls", CALLED, ""),
    ("empty content", {"content": "", "tool_calls": [call()]}, "tool_calls", CALLED, ""),
    ("words before it", {"content": "Let me look.", "tool_calls": [call()]}, "tool_calls", CALLED, ""),
    ("words in German", {"content": "Ich sehe nach.", "tool_calls": [call()]}, "tool_calls", CALLED, ""),
    ("thinking in a field", {"reasoning_content": "Use it.", "tool_calls": [call()]}, "tool_calls", CALLED, ""),
    ("thinking in tags", {"content": "<think>Use it.</think>", "tool_calls": [call()]}, "tool_calls", CALLED, ""),
    (
        "thinking about markup",
        {"content": f"<think>I could write {HERMES}</think>", "tool_calls": [call()]},
        "tool_calls",
        CALLED,
        "",
    ),
    ("arguments with blanks", {"tool_calls": [call('{\n  "city" : "Paris"\n}')]}, "tool_calls", CALLED, ""),
    ("arguments escaped", {"tool_calls": [call('{"city": "\\u0050aris"}')]}, "tool_calls", CALLED, ""),
    ("city in Chinese", {"tool_calls": [call('{"city": "巴黎"}')]}, "tool_calls", CALLED, ""),
    ("city with country", {"tool_calls": [call('{"city": "Paris, France"}')]}, "tool_calls", CALLED, ""),
    ("enum too", {"tool_calls": [call('{"city": "Paris", "unit": "celsius"}')]}, "tool_calls", CALLED, ""),
    ("type missing", {"tool_calls": [call(type=...)]}, "tool_calls", CALLED, ""),
    ("with an index", {"tool_calls": [call(index=0)]}, "tool_calls", CALLED, ""),
    ("with a signature", {"tool_calls": [call(extra_content={"google": {"x": "y"}})]}, "tool_calls", CALLED, ""),
    ("an id of nine", {"tool_calls": [call(id="a1B2c3D4e")]}, "tool_calls", CALLED, ""),
    ("an id of Kimi", {"tool_calls": [call(id="functions.get_weather:0")]}, "tool_calls", CALLED, ""),
    ("two calls", {"tool_calls": [call(), call('{"city": "Rome"}', id="call_2")]}, "tool_calls", CALLED, ""),
    ("a refusal member of null", {"refusal": None, "tool_calls": [call()]}, "tool_calls", CALLED, ""),
    ("a list of no annotations", {"annotations": [], "tool_calls": [call()]}, "tool_calls", CALLED, ""),
    (
        "content as parts",
        {"content": [{"type": "text", "text": "Hi"}], "tool_calls": [call()]},
        "tool_calls",
        CALLED,
        "",
    ),
    # Structured calls with one fault
    ("arguments an object", {"tool_calls": [call({"city": "Paris"})]}, "tool_calls", CALLED, "arguments-not-string"),
    ("arguments null", {"tool_calls": [call(None)]}, "tool_calls", CALLED, "arguments-not-string"),
    ("arguments a list", {"tool_calls": [call(["Paris"])]}, "tool_calls", CALLED, "arguments-not-string"),
    (
        "arguments in parameters",
        {"tool_calls": [under("parameters", PARIS)]},
        "tool_calls",
        CALLED,
        "arguments-not-string",
    ),
    (
        "arguments in input",
        {"tool_calls": [under("input", {"city": "Paris"})]},
        "tool_calls",
        CALLED,
        "arguments-not-string",
    ),
    (
        "arguments in args",
        {"tool_calls": [under("args", {"city": "Paris"})]},
        "tool_calls",
        CALLED,
        "arguments-not-string",
    ),
    ("arguments empty", {"tool_calls": [call("")]}, "tool_calls", CALLED, "arguments-not-json"),
    ("arguments a word", {"tool_calls": [call("Paris")]}, "tool_calls", CALLED, "arguments-not-json"),
    ("arguments of Python", {"tool_calls": [call("{'city': 'Paris'}")]}, "tool_calls", CALLED, "arguments-not-json"),
    ("arguments half", {"tool_calls": [call('{"city": "Par')]}, "tool_calls", CALLED, "arguments-not-json"),
    (
        "arguments in a fence",
        {"tool_calls": [call(f"```json\n{PARIS}\n```")]},
        "tool_calls",
        CALLED,
        "arguments-not-json",
    ),
    ("arguments twice", {"tool_calls": [call(PARIS + PARIS)]}, "tool_calls", CALLED, "arguments-not-json"),
    ("a comma too many", {"tool_calls": [call('{"city": "Paris",}')]}, "tool_calls", CALLED, "arguments-not-json"),
    ("encoded twice", {"tool_calls": [call(json.dumps(PARIS))]}, "tool_calls", CALLED, "values-altered"),
    ("another member", {"tool_calls": [call('{"town": "Paris"}')]}, "tool_calls", CALLED, "arguments-off-schema"),
    (
        "off the enum",
        {"tool_calls": [call('{"city": "Paris", "unit": "K"}')]},
        "tool_calls",
        CALLED,
        "arguments-off-schema",
    ),
    ("a list for an object", {"tool_calls": [call('["Paris"]')]}, "tool_calls", CALLED, "arguments-off-schema"),
    ("id missing", {"tool_calls": [call(id=...)]}, "tool_calls", CALLED, "id-missing"),
    ("id null", {"tool_calls": [call(id=None)]}, "tool_calls", CALLED, "id-missing"),
    ("id a number", {"tool_calls": [call(id=7)]}, "tool_calls", CALLED, "id-missing"),
    ("id blank", {"tool_calls": [call(id=" ")]}, "tool_calls", CALLED, "id-missing"),
    ("one id for two", {"tool_calls": [call(), call('{"city": "Rome"}')]}, "tool_calls", CALLED, "id-duplicate"),
    (
        "a module before the name",
        {"tool_calls": [call(name="functions.get_weather")]},
        "tool_calls",
        CALLED,
        "name-altered",
    ),
    (
        "tokens behind the name",
        {"tool_calls": [call(name="get_weather<|channel|>json")]},
        "tool_calls",
        CALLED,
        "name-altered",
    ),
    ("a hyphen in the name", {"tool_calls": [call(name="get-weather")]}, "tool_calls", CALLED, "name-altered"),
    ("a name in capitals", {"tool_calls": [call(name="GetWeather")]}, "tool_calls", CALLED, "name-altered"),
    ("an invented tool", {"tool_calls": [call(name="look_outside")]}, "tool_calls", CALLED, "arguments-off-schema"),
    ("no name", {"tool_calls": [call(name=None)]}, "tool_calls", CALLED, "name-altered"),
    ("ends with stop", {"tool_calls": [call()]}, "stop", CALLED, "finish-reason"),
    ("ends with nothing", {"tool_calls": [call()]}, None, CALLED, "finish-reason"),
    ("ends with length, far from it", {"tool_calls": [call()]}, "length", CALLED, "finish-reason"),
    ("ends with function_call", {"tool_calls": [call()]}, "function_call", CALLED, "finish-reason"),
    ("the old member", {"function_call": {"name": "get_weather", "arguments": PARIS}}, "stop", CALLED, "finish-reason"),
    ("calls in the text too", {"content": HERMES, "tool_calls": [call()]}, "tool_calls", CALLED, "parser-missing"),
    ("a marker is left", {"content": "</tool_call>", "tool_calls": [call()]}, "tool_calls", CALLED, "parser-missing"),
    # Calls in the text
    ("Hermes", {"content": HERMES}, "stop", LEAKED, "parser-missing"),
    ("Hermes after words", {"content": f"One moment.\n{HERMES}"}, "stop", LEAKED, "parser-missing"),
    ("Hermes after thinking", {"content": f"<think>Use it.</think>\n{HERMES}"}, "stop", LEAKED, "parser-missing"),
    ("Hermes with an empty list", {"content": HERMES, "tool_calls": []}, "stop", LEAKED, "parser-missing"),
    ("Hermes with null", {"content": HERMES, "tool_calls": None}, "stop", LEAKED, "parser-missing"),
    ("Hermes, said to be called", {"content": HERMES}, "tool_calls", LEAKED, "parser-missing"),
    ("Hermes in parts", {"content": [{"type": "text", "text": HERMES}]}, "stop", LEAKED, "parser-missing"),
    ("Hermes in the reasoning", {"content": "", "reasoning_content": HERMES}, "stop", LEAKED, "parser-missing"),
    ("Llama", {"content": LLAMA}, "stop", LEAKED, "text-call"),
    ("Llama with its tag", {"content": f"<|python_tag|>{LLAMA}"}, "stop", LEAKED, "parser-missing"),
    ("Llama in a fence", {"content": f"```json\n{LLAMA}\n```"}, "stop", LEAKED, "text-call"),
    ("Mistral", {"content": MISTRAL}, "stop", LEAKED, "parser-missing"),
    ("Qwen", {"content": QWEN}, "stop", LEAKED, "parser-missing"),
    ("pythonic", {"content": '[get_weather(city="Paris")]'}, "stop", LEAKED, "parser-missing"),
    ("print", {"content": 'print(get_weather(city="Paris"))'}, "stop", LEAKED, "parser-missing"),
    ("tool_code", {"content": '```tool_code\nget_weather(city="Paris")\n```'}, "stop", LEAKED, "parser-missing"),
    ("default_api", {"content": 'print(default_api.get_weather(city="Paris"))'}, "stop", LEAKED, "parser-missing"),
    ("a list in a sentence", {"content": 'I call [get_weather(city="Paris")] now.'}, "stop", LEAKED, "parser-missing"),
    ("Action:", {"content": 'Action: get_weather(city="Paris")'}, "stop", LEAKED, "parser-missing"),
    ("Call:", {"content": 'Call: get_weather {"city": "Paris"}'}, "stop", LEAKED, "parser-missing"),
    ("JSON5", {"content": "{name: 'get_weather', arguments: {city: 'Paris'}}"}, "stop", LEAKED, "text-call"),
    (
        "Grok",
        {
            "content": '<xai:function_call name="get_weather"><parameter name="city">Paris</parameter>'
            "</xai:function_call>"
        },
        "stop",
        LEAKED,
        "parser-missing",
    ),
    (
        "Beam",
        {
            "content": " to=get_weather<|channel|>analysis <|constrain|>xml<|message|>"
            '<rfl:parameter name="city">Paris</rfl:parameter><|call|>'
        },
        "stop",
        LEAKED,
        "parser-missing",
    ),
    ("Kimi, tokens lost", {"content": f"functions.get_weather:0{PARIS}"}, "stop", LEAKED, "parser-missing"),
    ("PLaMo, tokens lost", {"content": f"get_weatherjson{PARIS}"}, "stop", LEAKED, "parser-missing"),
    ("Gemma", {"content": "call:get_weather{city:Paris}"}, "stop", LEAKED, "parser-missing"),
]

#: (name, message, finish reason, kind)
OTHERS: list[tuple[str, dict[str, Any], str | None, Kind]] = [
    ("a call that the limit cut off", {"content": HERMES[:60]}, "length", CUT),
    ("an answer", {"content": "It is mild in Paris."}, "stop", PROSE),
    ("in French", {"content": "Il fait doux à Paris, environ 18 °C."}, "stop", PROSE),
    ("in Japanese", {"content": "パリの天気は晴れです。"}, "stop", PROSE),
    ("in Arabic", {"content": "الطقس في باريس معتدل."}, "stop", PROSE),
    ("a refusal in words", {"content": "I'm sorry, but I can't access live weather data."}, "stop", PROSE),
    ("names the tool", {"content": "I would use the get_weather tool for Paris."}, "stop", PROSE),
    ("names it in code", {"content": "Use `get_weather` with `city` set to Paris."}, "stop", PROSE),
    ("a call in backticks", {"content": "You could run `get_weather(city='Paris')` yourself."}, "stop", PROSE),
    ("explains the format", {"content": "A call is written between <tool_call> tags."}, "stop", PROSE),
    (
        "a definition in code",
        {"content": "```python\ndef get_weather(city):\n    return api(city)\n```"},
        "stop",
        PROSE,
    ),
    ("use in code", {"content": "```python\nresult = get_weather('Paris')\nprint(result)\n```"}, "stop", PROSE),
    ("a result as JSON", {"content": '{"city": "Paris", "temperature": 18, "unit": "celsius"}'}, "stop", PROSE),
    ("a result in a fence", {"content": '```json\n{"temperature": 18}\n```'}, "stop", PROSE),
    ("the schema quoted", {"content": '{"type": "object", "properties": {"city": {"type": "string"}}}'}, "stop", PROSE),
    ("a JSON person", {"content": '{"name": "Zoë", "age": 30}'}, "stop", PROSE),
    ("JSON with another name", {"content": '{"name": "order_pizza", "arguments": {"size": "L"}}'}, "stop", PROSE),
    ("an HTML element", {"content": "<function>f(x) = 2x</function>"}, "stop", PROSE),
    ("a maths function", {"content": "The function f(x) = x² has a minimum at 0."}, "stop", PROSE),
    ("an action in a story", {"content": "Action: the hero walks to Paris (slowly)."}, "stop", PROSE),
    ("a call in a story", {"content": "Call: +33 1 23 45 67 89"}, "stop", PROSE),
    ("a table", {"content": "| city | weather |\n| --- | --- |\n| Paris | mild |"}, "stop", PROSE),
    ("a shell line", {"content": '$ curl -d \'{"city": "Paris"}\' https://example.com/weather'}, "stop", PROSE),
    ("JavaScript", {"content": "```js\nconst w = await getWeather({city: 'Paris'});\n```"}, "stop", PROSE),
    ("an assignment", {"content": "calls = [get_weather(city='Paris')]"}, "stop", PROSE),
    ("square brackets", {"content": "[1] Paris is mild [see get_weather]."}, "stop", PROSE),
    ("an emoji", {"content": "☀️ 18°"}, "stop", PROSE),
    ("after thinking", {"content": f"<think>Shall I? {HERMES}</think>It is mild."}, "stop", PROSE),
    ("thinking in a field", {"content": "It is mild.", "reasoning_content": HERMES}, "stop", PROSE),
    (
        "thinks of a call and says so",
        {"content": "It is mild.", "reasoning": 'I could call get_weather({"city": "Paris"}).'},
        "stop",
        PROSE,
    ),
    (
        "the final channel",
        {"content": f'<|channel|>final<|message|>{{"name": "get_weather", "arguments": {PARIS}}}'},
        "stop",
        PROSE,
    ),
    ("nothing", {"content": None}, "stop", EMPTY),
    ("empty", {"content": ""}, "stop", EMPTY),
    ("blanks", {"content": " \n"}, "stop", EMPTY),
    ("thinking alone", {"content": "<think>Hm.</think>"}, "stop", EMPTY),
    ("an empty list of calls", {"content": None, "tool_calls": []}, "stop", EMPTY),
    ("lost by the server", {"content": None}, "tool_calls", EMPTY),
    ("a list without calls", {"content": None, "tool_calls": [{}]}, "tool_calls", EMPTY),
    ("cut at once", {"content": ""}, "length", CUT),
    ("cut in its thinking", {"content": "<think>The user wants"}, "length", CUT),
    ("half a call", {"content": None, "tool_calls": [call('{"city": "Pa')]}, "length", CUT),
    ("cut in its words", {"content": "It is mild in"}, "length", PROSE),
]


def answered(message: dict[str, Any], finish: str | None) -> Any:
    """The answer read; its token limit is too high to be reached."""
    body = {"content": None, **message}
    exchange = answers.chat(body.pop("content"), finish=finish, prompt=100, **body)
    return read(tool_answers.asked(exchange, max_tokens=60))


@pytest.mark.parametrize(
    ("message", "finish", "kind", "codes"), [case[1:] for case in CALLS], ids=[one[0] for one in CALLS]
)
def test_an_answer_with_a_call(message: dict[str, Any], finish: str | None, kind: Kind, codes: str) -> None:
    reading = answered(message, finish)
    assert reading.kind is kind
    found = {finding.code for finding in diagnose_calls([reading], "unknown", None).findings}
    assert found == {f"tools.{code}" for code in codes.split()}


@pytest.mark.parametrize(("message", "finish", "kind"), [case[1:] for case in OTHERS], ids=[one[0] for one in OTHERS])
def test_an_answer_without_a_call(message: dict[str, Any], finish: str | None, kind: Kind) -> None:
    reading = answered(message, finish)
    assert reading.kind is kind
    assert reading.leak is None


def test_the_oracle_is_large() -> None:
    """With the corpus of texts: at least 400 messages, no two alike, a third of them without a call."""
    texts = {json.dumps([one["text"], one["tools"]]) for one in TEXTS}
    messages = {json.dumps(one[1:3], sort_keys=True) for one in (*CALLS, *OTHERS)}
    assert len(messages) == len(CALLS) + len(OTHERS)
    assert len(texts) + len(messages) >= 600
    assert len([one for one in TEXTS if one["expect"] is None]) + len(OTHERS) >= 200
