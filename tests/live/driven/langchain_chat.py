"""LangChain's ChatOpenAI from the exported module: invoke, stream, and a loop with a bound tool."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from steps import DEGREES, REPEAT, WEATHER, held, main, system, weather

get_weather = tool("get_weather")(weather)


def steps(job: dict[str, Any]) -> dict[str, Callable[[], None]]:
    model = runpy.run_path(job["file"])["model"]
    model.max_retries = 0
    ask = [*map(SystemMessage, system(job)), HumanMessage(REPEAT)]

    def chat() -> None:
        held(str(model.invoke(ask).text))

    def stream() -> None:
        held("".join(str(chunk.text) for chunk in model.stream(ask)))

    def tools() -> None:
        bound = model.bind_tools([get_weather])
        history = [HumanMessage(WEATHER)]
        whole = None
        for chunk in bound.stream(history):
            whole = chunk if whole is None else whole + chunk
        (call,) = whole.tool_calls
        history += [whole, ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])]
        held(str(bound.invoke(history).text), DEGREES)

    return {"chat": chat, "stream": stream, "tools": tools}


if __name__ == "__main__":
    main(steps)
