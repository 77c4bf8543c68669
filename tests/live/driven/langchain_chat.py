"""LangChain's ChatOpenAI from the exported module: invoke, stream, and a loop with a bound tool."""

from __future__ import annotations

import runpy
from collections.abc import Callable

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from steps import DEGREES, REPEAT, WEATHER, held, main, weather

get_weather = tool("get_weather")(weather)


def steps(job: dict[str, str]) -> dict[str, Callable[[], None]]:
    model = runpy.run_path(job["file"])["model"]
    model.max_retries = 0
    ask = [SystemMessage("Be brief."), HumanMessage(REPEAT)]

    def chat() -> None:
        held(model.invoke(ask).content)

    def stream() -> None:
        held("".join(str(chunk.content) for chunk in model.stream(ask)))

    def tools() -> None:
        bound = model.bind_tools([get_weather])
        history = [HumanMessage(WEATHER)]
        whole = None
        for chunk in bound.stream(history):
            whole = chunk if whole is None else whole + chunk
        (call,) = whole.tool_calls
        history += [whole, ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])]
        held(bound.invoke(history).content, DEGREES)

    return {"chat": chat, "stream": stream, "tools": tools}


if __name__ == "__main__":
    main(steps)
