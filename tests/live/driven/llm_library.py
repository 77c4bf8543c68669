"""llm with the exported extra-openai-models.yaml: whole, streamed, and a chain with a tool."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import llm
from steps import DEGREES, REPEAT, WEATHER, held, main, weather


def steps(job: dict[str, str]) -> dict[str, Callable[[], None]]:
    shutil.copy(job["file"], Path(os.environ["LLM_USER_PATH"]) / "extra-openai-models.yaml")
    model, key = llm.get_model(f"lab/{job['model']}"), os.environ["LAB_API_KEY"]

    def chat() -> None:
        held(model.prompt(REPEAT, system="Be brief.", key=key, stream=False).text())

    def stream() -> None:
        if not model.can_stream:
            raise AssertionError("can_stream is false")
        held("".join(model.prompt(REPEAT, key=key, stream=True)))

    def tools() -> None:
        tool = llm.Tool.function(weather, name="get_weather")
        held(model.chain(WEATHER, tools=[tool], key=key, stream=model.can_stream).text(), DEGREES)

    return {"chat": chat, "stream": stream, "tools": tools}


if __name__ == "__main__":
    main(steps)
