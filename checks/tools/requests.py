"""What the family asks: the plainest classic questions, so that weak models understand them too.

The tool is the `get_weather` of the OpenAI function calling guide.  Nothing here is sent
twice for two checks: a request that several want has a share name.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probe.api import Context, Exchange

Tool = dict[str, Any]
Message = dict[str, Any]

#: Room for a call and some talk before it (tokens).
LIMIT = 200
#: Room for what has to end in a call, or for two of them: cut off, it settles nothing.
ROOM = 300

QUESTION = "What is the weather in Paris in celsius? Use the get_weather tool."
#: For a model that answered in prose: nothing is left to decide.
ORDER = "Call the get_weather tool with city Paris and unit celsius."
#: Nobody would call a weather tool for this, so a call shows that the choice was forced.
UNRELATED = "Tell me a short joke about Paris."
TWO_CITIES = "What is the weather in Paris and in Rome in celsius? Use the get_weather tool for each city."
CITIES = ("Paris", "Rome")
NAME_THE_CODE = "What is the station code in the description of the get_weather tool?"


def function(name: str, description: str, properties: Mapping[str, Any], required: Sequence[str]) -> Tool:
    """A tool definition as the chat completions API takes it."""
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
    """The least a tool can be, for an endpoint that refused the other."""
    return function("get_weather", "Get the weather in a city.", {"city": {"type": "string"}}, ["city"])


def coded(code: str) -> Tool:
    """The weather tool with a code in its description that only a model that was shown it can know."""
    return weather(f"Get the current weather in a city. The station code is {code}.")


def wordy() -> list[Tool]:
    """The weather tool again, with so much more to show that prompt tokens cannot fail to grow."""
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
    """A tool with every type of argument: numbers, a list, an object in an object."""
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


NOTE_QUESTION = 'Tell me something about the café "Zoë" in Paris.'


def as_template(tool: Tool) -> str:
    """A tool in a system message, in the words of the chat templates of Hermes and Qwen2.5."""
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided "
        f"with function signatures within <tools></tools> XML tags:\n<tools>\n{json.dumps(tool)}\n</tools>"
    )


def schema_of(tools: Sequence[Tool], name: str) -> dict[str, Any] | None:
    """The parameters of the offered tool of that name, or None."""
    for tool in tools:
        if tool["function"]["name"] == name:
            found: dict[str, Any] = tool["function"]["parameters"]
            return found
    return None


def named(name: str) -> dict[str, Any]:
    """The `tool_choice` that forces one tool."""
    return {"type": "function", "function": {"name": name}}


def offered(exchange: Exchange) -> list[Tool]:
    """The tools of a request that was sent."""
    body = exchange.request.body
    tools = body.get("tools") if isinstance(body, dict) else None
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


# Turns of a conversation with a result ---------------------------------------------------------

#: Nine letters and digits: the only form of id that Mistral's API takes.
SPARE_IDS = ("a1B2c3D4e", "f5G6h7J8k")


def call_message(calls: Sequence[Mapping[str, Any]], content: str | None = None) -> Message:
    """The assistant's turn that made these calls.

    Each has an id, a name and arguments as a JSON string; what else a service put into it
    (``more``) is sent back unchanged.
    """
    listed = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
            **call.get("more", {}),
        }
        for call in calls
    ]
    return {"role": "assistant", "content": content, "tool_calls": listed}


def result_message(call_id: str, text: str) -> Message:
    """The turn with a tool's result."""
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def spare_call(place: int = 0) -> dict[str, Any]:
    """A call of our own, where the model's cannot be used."""
    arguments = json.dumps({"city": CITIES[place], "unit": "celsius"})
    return {"id": SPARE_IDS[place], "name": "get_weather", "arguments": arguments}


def reading(city: str, number: str) -> str:
    """A result in a plain sentence: even very small models repeat the number of one.

    A bare code is not repeated by them; a number of five digits cannot be guessed.
    """
    return f"The weather in {city} is {number} degrees."


def number_of(ctx: Context, label: str) -> str:
    """Five digits nobody can guess; the same for the same label."""
    return ctx.nonce(label).rpartition("-")[2]


# Requests that several checks share ---------------------------------------------------------------

Ask = Callable[["Context"], Awaitable["Exchange"]]


async def auto(ctx: Context) -> Exchange:
    """The first request with a tool: the model decides."""
    return await ctx.chat(QUESTION, limit=LIMIT, share="tools.auto", tools=[weather()])


async def required(ctx: Context) -> Exchange:
    """`tool_choice: required` beside a question that wants no tool."""
    return await ctx.chat(UNRELATED, limit=ROOM, share="tools.required", tools=[weather()], tool_choice="required")


async def by_name(ctx: Context) -> Exchange:
    """A named `tool_choice` beside a question that wants another tool, or none."""
    return await ctx.chat(
        NOTE_QUESTION,
        limit=ROOM,
        share="tools.named",
        tools=[weather(), note_tool()],
        tool_choice=named("save_note"),
    )


async def by_name_plainly(ctx: Context) -> Exchange:
    """The same with the plain tool, where the other was refused or came to nothing."""
    return await ctx.chat(
        UNRELATED, limit=ROOM, share="tools.named-plain", tools=[weather()], tool_choice=named("get_weather")
    )
