"""LlamaIndex' OpenAILike from the exported module."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from steps import DEGREES, REPEAT, WEATHER, held, main, system, weather


def steps(job: dict[str, Any]) -> dict[str, Callable[[], None]]:
    model = runpy.run_path(job["file"])["model"]
    model.max_retries = 0
    ask = [
        *(ChatMessage(role="system", content=text) for text in system(job)),
        ChatMessage(role="user", content=REPEAT),
    ]

    def chat() -> None:
        held(model.chat(ask).message.content)

    def stream() -> None:
        held("".join(piece.delta or "" for piece in model.stream_chat(ask)))

    def tools() -> None:
        tool = FunctionTool.from_defaults(weather, name="get_weather")
        history = [ChatMessage(role="user", content=WEATHER)]
        answer = model.chat_with_tools([tool], chat_history=history)
        (call,) = model.get_tool_calls_from_response(answer)
        result = tool(**call.tool_kwargs)
        history += [answer.message, ChatMessage(role="tool", content=str(result), additional_kwargs={"tool_call_id": call.tool_id})]  # fmt: skip  # noqa: E501
        held(model.chat_with_tools([tool], chat_history=history).message.content, DEGREES)

    return {"chat": chat, "stream": stream, "tools": tools}


if __name__ == "__main__":
    main(steps)
