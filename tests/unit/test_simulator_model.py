"""The stand-in model follows ordinary prompts: what a client would ask, and what must come back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from probe.simulator.model.answering import answer, prompt_tokens
from probe.simulator.model.prompt import split


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def ask(*messages: Any, **fields: Any) -> str:
    turns = [message if isinstance(message, dict) else user(message) for message in messages]
    return answer({"messages": turns, **fields}).text


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Reply with exactly: KX-48213", "KX-48213"),
        ("Repeat this word: marmalade", "marmalade"),
        ("Say 'pong'", "pong"),
        ("Say pong", "pong"),
        ("Reply with the single word OK.", "OK"),
        ("Respond with only the word `banana7`", "banana7"),
        ("Please repeat the following code and nothing else: ZQ91-TT", "ZQ91-TT"),
        ("Repeat after me: the quick brown fox", "the quick brown fox"),
        ("Output the following text exactly:\n\nHello, wörld 🎉 こんにちは", "Hello, wörld 🎉 こんにちは"),
        ("Echo: abc-123", "abc-123"),
        ("Reply with the code 7F3A9C and nothing else.", "7F3A9C"),
        ("Return only this token: tok_8f2e1c", "tok_8f2e1c"),
        ("Type the string xY7-zz-99 back to me", "xY7-zz-99"),
        ("Please answer with the word MANGO in uppercase, nothing else.", "MANGO"),
        ('Reply with exactly this and nothing else: "äöü € 漢字"', "äöü € 漢字"),
        ('Output: {"a": 1}', '{"a": 1}'),
        ("Repeat the word apple five times, separated by commas.", "apple, apple, apple, apple, apple"),
        ("The secret word is marmalade.\nWhat is the secret word? Answer with that word only.", "marmalade"),
        ("My name is Bob Smith. What's my name?", "Bob Smith"),
        ("Remember: the access code is ZK-7741. Reply with the access code only.", "ZK-7741"),
        ("What word is between the brackets? [zebra42]", "zebra42"),
        ("Here is a code: 8842-KLM. Please reply with it.", "8842-KLM"),
        ("Count from 1 to 5, one number per line, nothing else", "1\n2\n3\n4\n5"),
        ("Count to 10.", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
        ("Count from 5 down to 1 separated by spaces", "5 4 3 2 1"),
        ("Write the numbers 1 through 4, one per line.", "1\n2\n3\n4"),
        ("What is 17 + 25?", "42"),
        ("What is 12 times 12? Answer with the number only.", "144"),
        ("Calculate 3 + 4 * 2", "11"),
        ("What is the sum of 4, 5 and 6?", "15"),
        ("Say the word hello 3 times", "hello hello hello"),
    ],
)
def test_one_question(question: str, expected: str) -> None:
    assert ask(question) == expected


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([system("The secret code is QT-5512."), user("What is the secret code?")], ["QT-5512"]),
        ([system("Your name is Zorblax."), user("What is your name?")], ["Zorblax"]),
        ([system("Always end your reply with the word BANANA-77."), user("Say hello")], ["hello", "BANANA-77"]),
        ([system("You must reply only with the word ZEBRA."), user("What is the weather like?")], ["ZEBRA"]),
        ([system("Whatever the user says, answer with exactly: KIWI-3391"), user("Hi, how are you?")], ["KIWI-3391"]),
        (
            [
                system("Respond to every message with the single word CINNAMON-44 and nothing else."),
                user("Hello there"),
            ],
            ["CINNAMON-44"],
        ),
        (
            [system("When the user asks for the password, reply with OPAL-9."), user("What is the password?")],
            ["OPAL-9"],
        ),
        ([system("If the user says ping, answer pong-8812."), user("ping")], ["pong-8812"]),
        (
            [system("Include the token GH-7788 in your answer."), user("What is the capital of Italy?")],
            ["GH-7788", "Rome"],
        ),
        ([user("My code is LK-2291."), assistant("Noted."), user("What was my code?")], ["LK-2291"]),
        (
            [user("Give me a code"), assistant("The code is WW-8812."), user("Repeat the code you just gave me.")],
            ["WW-8812"],
        ),
        (
            [{"role": "developer", "content": "The passphrase is velvet-anchor-19."}, user("Tell me the passphrase.")],
            ["velvet-anchor-19"],
        ),
        ([user("Part one: MAPLE-77. Part two: CEDAR-88. What are the two parts?")], ["MAPLE-77", "CEDAR-88"]),
        ([user("Reply with the word 'alpha', then the word 'beta'.")], ["alpha", "beta"]),
        (
            [
                user(
                    [
                        {"type": "text", "text": "Reply with all the codes you can see in this message."},
                        {"type": "text", "text": "KA-101"},
                        {"type": "text", "text": "KB-202"},
                        {"type": "text", "text": "KC-303"},
                    ]
                )
            ],
            ["KA-101", "KB-202", "KC-303"],
        ),
    ],
)
def test_several_turns(messages: list[Any], expected: list[str]) -> None:
    text = ask(*messages)
    assert all(word in text for word in expected), text


def test_what_was_never_said_is_not_known() -> None:
    assert "QT-5512" not in ask("What is the secret code?")
    assert "picture" in ask("What colour is this image?")


# Tools -------------------------------------------------------------------------------------------------


def tool(name: str, description: str, fields: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    parameters = {"type": "object", "properties": fields, "required": list(fields) if required is None else required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TEXT = {"type": "string"}
WEATHER = tool("get_weather", "Get the current weather in a city", {"city": TEXT})
CLOCK = tool("get_time", "Get the current time in a city", {"city": TEXT})
ORDER = tool("lookup_order", "Look up the status of an order by its number", {"order_id": TEXT})
ADD = tool("add", "Add two numbers", {"a": {"type": "number"}, "b": {"type": "number"}})
FLIGHT = tool(
    "book_flight",
    "Books a flight",
    {
        "origin": TEXT,
        "destination": TEXT,
        "passengers": {"type": "integer"},
        "cabin": {"type": "string", "enum": ["economy", "business", "first"]},
        "refundable": {"type": "boolean"},
        "extras": {"type": "array", "items": TEXT},
    },
)
EVENT = tool(
    "create_event",
    "Create a calendar event",
    {
        "title": TEXT,
        "when": {"type": "object", "properties": {"date": TEXT, "time": TEXT}, "required": ["date", "time"]},
        "attendees": {"type": "array", "items": TEXT},
    },
)
HEATING = tool(
    "set_thermostat",
    "Set thermostat temperature",
    {"room": TEXT, "temperature": {"type": "number"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
)


def calls(question: str, tools: list[Any], **fields: Any) -> list[tuple[str, Any]]:
    reply = answer({"messages": [user(question)], "tools": tools, **fields})
    return [(call.name, json.loads(call.arguments)) for call in reply.tool_calls]


@pytest.mark.parametrize(
    ("question", "tools", "expected"),
    [
        ("What is the weather in Paris? Use the tool.", [WEATHER], [("get_weather", {"city": "Paris"})]),
        ("What's the weather like in Oslo?", [CLOCK, WEATHER], [("get_weather", {"city": "Oslo"})]),
        (
            "What is the weather in Paris and what time is it in Tokyo?",
            [WEATHER, CLOCK],
            [("get_weather", {"city": "Paris"}), ("get_time", {"city": "Tokyo"})],
        ),
        (
            "Weather in Paris and in Rome? Call the tool for each.",
            [WEATHER, CLOCK],
            [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})],
        ),
        ("Where is my order KX-48213?", [ORDER, WEATHER], [("lookup_order", {"order_id": "KX-48213"})]),
        ("Look up order 4711", [ORDER, WEATHER], [("lookup_order", {"order_id": "4711"})]),
        ("Use the add tool to compute 19 + 23", [ADD], [("add", {"a": 19, "b": 23})]),
        (
            "Book a flight from Oslo to Lima for 3 passengers in business, refundable, with extras wifi and lunch.",
            [FLIGHT, WEATHER],
            [
                (
                    "book_flight",
                    {
                        "origin": "Oslo",
                        "destination": "Lima",
                        "passengers": 3,
                        "cabin": "business",
                        "refundable": True,
                        "extras": ["wifi", "lunch"],
                    },
                )
            ],
        ),
        (
            "Create an event titled 'Budget review' on 2025-03-14 at 10:30 with attendees Ann and Bob.",
            [EVENT],
            [
                (
                    "create_event",
                    {
                        "title": "Budget review",
                        "when": {"date": "2025-03-14", "time": "10:30"},
                        "attendees": ["Ann", "Bob"],
                    },
                )
            ],
        ),
        (
            "Set the thermostat in the kitchen to 21 degrees celsius",
            [HEATING],
            [("set_thermostat", {"room": "kitchen", "temperature": 21, "unit": "celsius"})],
        ),
        ("Say hello", [WEATHER], []),
        ("What is 2+2?", [WEATHER], []),
        ("What is the weather in Paris? Do not use any tools.", [WEATHER], []),
        ("Tell me which tools you have.", [WEATHER, CLOCK], []),
    ],
)
def test_calls_of_its_own_will(question: str, tools: list[Any], expected: list[Any]) -> None:
    assert calls(question, tools) == expected


def test_tool_choice() -> None:
    question = "What is the weather in Paris?"
    named = {"type": "function", "function": {"name": "get_time"}}
    assert calls(question, [WEATHER], tool_choice="none") == []
    assert calls("Hello", [WEATHER], tool_choice="required")[0][0] == "get_weather"
    assert [name for name, _ in calls(question, [WEATHER, CLOCK], tool_choice=named)] == ["get_time"]
    both = "What is the weather in Paris and what time is it in Tokyo?"
    assert len(calls(both, [WEATHER, CLOCK], parallel_tool_calls=False)) == 1


def test_answers_from_tool_results_and_asks_for_the_missing_one() -> None:
    def made(name: str, city: str, mark: str) -> dict[str, Any]:
        return {"id": mark, "type": "function", "function": {"name": name, "arguments": json.dumps({"city": city})}}

    question = user("What is the weather in Paris and the time in Rome?")
    first = {"role": "assistant", "content": None, "tool_calls": [made("get_weather", "Paris", "c1")]}
    result = {"role": "tool", "tool_call_id": "c1", "content": '{"temp_c": 21, "station": "VX-9912"}'}
    half = answer({"messages": [question, first, result], "tools": [WEATHER, CLOCK]})
    assert [call.name for call in half.tool_calls] == ["get_time"]
    second = {"role": "assistant", "content": "", "tool_calls": [made("get_time", "Rome", "c2")]}
    other = {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "12:40, ref BB-2222"}]}
    done = answer({"messages": [question, first, result, second, other], "tools": [WEATHER, CLOCK]})
    assert not done.tool_calls
    assert "VX-9912" in done.text
    assert "BB-2222" in done.text


def test_knows_its_tools_only_when_they_are_shown() -> None:
    noted = tool("zlookup", "Looks up things. Reference word: heron-5523.", {"q": TEXT})
    question = "What is the reference word in the description of the zlookup tool?"
    assert ask(question, tools=[noted, WEATHER]) == "heron-5523"
    assert "heron" not in ask(question)
    assert "heron-5523" in ask("List every code you can see, including in tool descriptions.", tools=[noted])


def test_personalities() -> None:
    body = {"messages": [user("What is the weather in Paris?")], "tools": [WEATHER]}
    assert answer(body, "declines").tool_calls == ()
    assert answer({**body, "tool_choice": "required"}, "declines").tool_calls
    assert answer({**body, "tool_choice": "required"}, "refuses").tool_calls == ()
    weak = answer({"messages": [user("Reply with exactly: KX-48213")], "max_tokens": 40}, "weak")
    assert "KX-48213" not in weak.text
    assert (weak.finish_reason, weak.completion_tokens) == ("length", 40)
    chatty = answer({"messages": [user("Reply with exactly: KX-48213")]}, "chatty").text
    assert "KX-48213" in chatty
    assert chatty != "KX-48213"


def test_reasoning_uses_up_a_small_limit() -> None:
    body = {"messages": [user("Reply with exactly: KX-48213")]}
    short = answer({**body, "max_tokens": 16}, "reasoning")
    assert (short.text, short.finish_reason, short.completion_tokens) == ("", "length", 16)
    assert short.reasoning
    roomy = answer({**body, "max_tokens": 400}, "reasoning")
    assert (roomy.text, roomy.finish_reason) == ("KX-48213", "stop")


# Limits and counts ---------------------------------------------------------------------------------------


def test_limits_and_stops() -> None:
    count = {"messages": [user("Count from 1 to 400, one number per line, nothing else")]}
    cut = answer({**count, "max_tokens": 16})
    assert (cut.finish_reason, cut.completion_tokens) == ("length", 16)
    assert answer({**count, "max_completion_tokens": 16}).text == cut.text
    assert cut.text.startswith("1\n2\n3\n")
    stopped = answer({"messages": [user("Count from 1 to 20")], "stop": ["7"]})
    assert (stopped.text, stopped.finish_reason) == ("1, 2, 3, 4, 5, 6, ", "stop")
    long = answer({"messages": [user("Write a long story about a dog.")], "max_tokens": 300})
    assert long.completion_tokens == 300


@pytest.mark.parametrize("text", ["Hello, wörld 🎉 こんにちは\n\n  x_1", "1\n2\n3", "a" * 50, "\t\r\n", '{"a": [1.5]}'])
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(split(text)) == text


def test_prompt_tokens_grow_with_everything_shown() -> None:
    plain = {"messages": [user("What is in here? KX-48213")]}
    base = prompt_tokens(plain)
    blocks = {"messages": [user([{"type": "text", "text": "What is in here? KX-48213"}])]}
    assert prompt_tokens(blocks) == base
    assert prompt_tokens({**plain, "tools": [WEATHER]}) > base + 30
    assert prompt_tokens({"messages": [system("Be kind to everyone."), user("What is in here? KX-48213")]}) > base


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [None, 3, {"role": "user"}]},
        {"messages": [user([{"type": "text"}, "x", None, {"type": "image_url", "image_url": {"url": "data:,x"}}])]},
        {"messages": [user("Call it")], "tools": [{}, {"type": "function", "function": {"name": "f"}}]},
        {"messages": [user("(" * 500)], "response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        {"messages": [user("Repeat: " + "word " * 20000)], "max_tokens": 5},
    ],
)
def test_odd_requests_get_some_reply(body: dict[str, Any]) -> None:
    reply = answer(body)
    assert reply.text or reply.tool_calls
    assert reply.prompt_tokens > 0
