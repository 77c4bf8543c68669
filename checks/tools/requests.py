"""The requests of the tools family: tools, questions, and conversations with a call and its result.

The questions are plain, so that weak models understand them; the tool is ``get_weather`` of the OpenAI function
calling guide.  A request that several checks need has a share name and is sent once per run.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probe.api import Context, Exchange

Tool = dict[str, Any]
Message = dict[str, Any]
Request = Callable[["Context"], Awaitable["Exchange"]]

#: Output limit (tokens) for a call with some text before it.
LIMIT = 200
#: Output limit (tokens) for an answer that must not be cut off: a forced call, two calls, the use of a result.
LONG_LIMIT = 300

QUESTION = "What is the weather in Paris in celsius? Use the get_weather tool."
#: For a model that answered in prose: every argument is given.
ORDER = "Call the get_weather tool with city Paris and unit celsius."
#: A call in answer to this can only come from a forced choice.
UNRELATED = "Tell me a short joke about Paris."
TWO_CITIES = "What is the weather in Paris and in Rome in celsius? Use the get_weather tool for each city."
CITIES = ("Paris", "Rome")
NAME_THE_CODE = "What is the station code in the description of the get_weather tool?"
NOTE_QUESTION = 'Tell me something about the café "Zoë" in Paris.'


# Tools --------------------------------------------------------------------------------------------


def function(name: str, description: str, properties: Mapping[str, Any], required: Sequence[str]) -> Tool:
    """A tool definition of the chat completions API."""
    parameters = {"type": "object", "properties": dict(properties), "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def weather(description: str = "Get the current weather in a city.") -> Tool:
    """The tool of most requests: a string and an enum."""
    properties = {
        "city": {"type": "string", "description": "The name of the city"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "The temperature unit"},
    }
    return function("get_weather", description, properties, ["city"])


def simplest() -> Tool:
    """The smallest useful tool, for an endpoint that refused the other one."""
    return function("get_weather", "Get the weather in a city.", {"city": {"type": "string"}}, ["city"])


def coded(code: str) -> Tool:
    """The weather tool with a code in its description, which the model knows only if it was shown the tool."""
    return weather(f"Get the current weather in a city. The station code is {code}.")


def wordy() -> list[Tool]:
    """Definitions so much longer that the prompt tokens must grow where the tools are shown to the model."""
    longer = weather(
        "Get the current weather in a city. The answer names the temperature, the wind, the humidity, the "
        "pressure, the chance of rain, the time of sunrise and sunset, and the quality of the air, as they were "
        "measured at the nearest weather station during the last hour before the question was asked."
    )
    other = function(
        "get_tide_table",
        "Get the times of high and low water in a harbour for one day, with the height of the water in metres "
        "above the chart datum and the name of the harbour for which it was calculated.",
        {
            "harbour": {"type": "string", "description": "The name of the harbour"},
            "date": {"type": "string", "description": "The day, written as year, month and day"},
        },
        ["harbour", "date"],
    )
    return [longer, other]


def note_tool() -> Tool:
    """A tool with arguments of every type: numbers, a list, an object, a boolean."""
    place = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
        "required": ["city"],
    }
    properties = {
        "title": {"type": "string", "description": "A short title"},
        "text": {"type": "string", "description": "The text of the note"},
        "stars": {"type": "integer", "description": "How important it is, from 1 to 5"},
        "tags": {"type": "array", "items": {"type": "string"}, "description": "One or more key words"},
        "place": {**place, "description": "Where it is"},
        "private": {"type": "boolean", "description": "Whether nobody else may read it"},
    }
    return function("save_note", "Save a note for later.", properties, ["title", "stars", "tags", "place"])


def as_template(tool: Tool) -> str:
    """A tool in a system message, worded as in the chat templates of Hermes and Qwen2.5."""
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided "
        f"with function signatures within <tools></tools> XML tags:\n<tools>\n{json.dumps(tool)}\n</tools>"
    )


def schema_of(tools: Sequence[Tool], name: str) -> dict[str, Any] | None:
    """The parameters of the offered tool of that name, or None."""
    return next((tool["function"]["parameters"] for tool in tools if tool["function"]["name"] == name), None)


def named(name: str) -> dict[str, Any]:
    """The ``tool_choice`` that forces one tool."""
    return {"type": "function", "function": {"name": name}}


def offered(exchange: Exchange) -> list[Tool]:
    """The tools in a request that was sent."""
    body = exchange.request.body
    tools = body.get("tools") if isinstance(body, dict) else None
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


# A conversation with a call and its result ---------------------------------------------------------

#: Ids of nine letters and digits, the only form that Mistral's API accepts.
OWN_IDS = ("a1B2c3D4e", "f5G6h7J8k")


def own_call(place: int = 0) -> dict[str, Any]:
    """A call written by this program, where the model's cannot be used."""
    arguments = json.dumps({"city": CITIES[place], "unit": "celsius"})
    return {"id": OWN_IDS[place], "name": "get_weather", "arguments": arguments}


def call_message(calls: Sequence[Mapping[str, Any]], content: str | None = None) -> Message:
    """The assistant message with these calls.

    Each has an id, a name and arguments as a JSON string; members that only some services use (``more``) are sent back
    unchanged.  Null content is what the API itself returns for a call (OpenAI API reference, chat completion message).
    """
    entries = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
            **call.get("more", {}),
        }
        for call in calls
    ]
    return {"role": "assistant", "content": content, "tool_calls": entries}


def result_message(call_id: str, text: str) -> Message:
    """The message with a tool's result."""
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def report(city: str, number: str) -> str:
    """A result in a plain sentence: very small models repeat its number, though not a bare code."""
    return f"The weather in {city} is {number} degrees."


def number_of(ctx: Context, label: str = "tool-result") -> str:
    """Five digits that cannot be guessed, the same for the same label."""
    return ctx.nonce(label).rpartition("-")[2]


def conversation(number: str, call: Mapping[str, Any] | None = None, content: str | None = None) -> list[Message]:
    """A question, a call (of this program where none is given), and a result that holds five digits."""
    call = call or own_call()
    return [
        {"role": "user", "content": QUESTION},
        call_message([call], content),
        result_message(call["id"], report("Paris", number)),
    ]


def with_content(messages: Sequence[Message], content: str | None) -> list[Message]:
    """The conversation with this content in the message that holds the call."""
    return [{**item, "content": content} if item.get("tool_calls") else dict(item) for item in messages]


def with_blocks(messages: Sequence[Message]) -> list[Message]:
    """The conversation with the tool's result as a list of one text block."""
    return [
        {**item, "content": [{"type": "text", "text": item["content"]}]}
        if item.get("role") == "tool" and isinstance(item.get("content"), str)
        else dict(item)
        for item in messages
    ]


async def send_history(
    ctx: Context, messages: Sequence[Message], *, tools: bool = True, share: str | None = None
) -> Exchange:
    """Send a conversation, with or without the tool on offer."""
    return await ctx.chat(messages, limit=LONG_LIMIT, share=share, tools=[weather()] if tools else None)


# Requests that several checks share ----------------------------------------------------------------


async def auto(ctx: Context) -> Exchange:
    """The first request with a tool, without a tool_choice."""
    return await ctx.chat(QUESTION, limit=LIMIT, share="tools.auto", tools=[weather()])


async def two_streamed(ctx: Context, parameters: Mapping[str, Any]) -> Exchange:
    """The question that needs two calls, streamed.

    Args:
        parameters: the tools, and a forced choice where that is needed.
    """
    more = {**parameters, "limit": LONG_LIMIT, "stream": True}
    return await ctx.chat(TWO_CITIES, parallel_tool_calls=True, share="tools.two-streamed", **more)


async def required(ctx: Context) -> Exchange:
    """``tool_choice: required`` with an unrelated question."""
    return await ctx.chat(
        UNRELATED, limit=LONG_LIMIT, share="tools.required", tools=[weather()], tool_choice="required"
    )


async def by_name(ctx: Context) -> Exchange:
    """A named ``tool_choice`` with a question that suggests another tool, or none."""
    tools, choice = [weather(), note_tool()], named("save_note")
    return await ctx.chat(NOTE_QUESTION, limit=LONG_LIMIT, share="tools.named", tools=tools, tool_choice=choice)


async def by_name_plainly(ctx: Context) -> Exchange:
    """A named ``tool_choice`` with the plain tool, where the other was refused or had no effect."""
    tools, choice = [weather()], named("get_weather")
    return await ctx.chat(UNRELATED, limit=LONG_LIMIT, share="tools.named-plain", tools=tools, tool_choice=choice)


async def result(ctx: Context) -> Exchange:
    """The conversation with a result, with the tool on offer as agents send it."""
    share = "tools.result-named" if ctx.target.tool_turn_name else "tools.result"
    return await send_history(ctx, conversation(number_of(ctx)), share=share)
