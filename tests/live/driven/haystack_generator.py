"""Haystack's OpenAIChatGenerator from the exported module."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from typing import Any

from haystack.dataclasses import ChatMessage
from haystack.tools import Tool
from steps import DEGREES, REPEAT, SCHEMA, WEATHER, held, main, system, weather


def steps(job: dict[str, Any]) -> dict[str, Callable[[], None]]:
    model = runpy.run_path(job["file"])["model"]
    model.max_retries = 0
    ask = [*map(ChatMessage.from_system, system(job)), ChatMessage.from_user(REPEAT)]

    def chat() -> None:
        held(model.run(ask)["replies"][0].text)

    def stream() -> None:
        pieces: list[str] = []
        model.run(ask, streaming_callback=lambda chunk: pieces.append(chunk.content))
        held("".join(pieces))

    def tools() -> None:
        tool = Tool(name="get_weather", description="Weather", parameters=SCHEMA, function=weather)
        history = [ChatMessage.from_user(WEATHER)]
        (answer,) = model.run(history, tools=[tool])["replies"]
        (call,) = answer.tool_calls
        history += [answer, ChatMessage.from_tool(weather(**call.arguments), origin=call)]
        held(model.run(history, tools=[tool])["replies"][0].text, DEGREES)

    return {"chat": chat, "stream": stream, "tools": tools}


if __name__ == "__main__":
    main(steps)
