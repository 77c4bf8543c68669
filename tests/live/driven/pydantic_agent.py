"""pydantic-ai with the exported model: run_sync, run_stream, and an agent with a tool."""

from __future__ import annotations

import asyncio
import runpy
from collections.abc import Callable
from typing import Any

from pydantic_ai import Agent
from steps import DEGREES, REPEAT, WEATHER, held, main, system, weather


def steps(job: dict[str, Any]) -> dict[str, Callable[[], None]]:
    model = runpy.run_path(job["file"])["model"]
    agent = Agent(model, retries=0, instructions="".join(system(job)) or None)
    loop = asyncio.Runner()

    def chat() -> None:
        held(loop.run(agent.run(REPEAT)).output)

    def stream() -> None:
        async def go() -> None:
            async with agent.run_stream(REPEAT) as result:
                held("".join([text async for text in result.stream_text(delta=True)]))

        loop.run(go())

    def tools() -> None:
        with_tool = Agent(model, retries=0)
        with_tool.tool_plain(name="get_weather")(weather)
        held(loop.run(with_tool.run(WEATHER)).output, DEGREES)

    return {"chat": chat, "stream": stream, "tools": tools}


if __name__ == "__main__":
    main(steps)
