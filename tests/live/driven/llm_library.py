"""llm with the exported extra-openai-models.yaml: whole, streamed, and a chain with a tool."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llm
import yaml
from steps import DEGREES, REPEAT, WEATHER, held, main, system, weather


def steps(job: dict[str, Any]) -> dict[str, Callable[[], None]]:
    (entry,) = yaml.safe_load(Path(job["file"]).read_text(encoding="utf-8"))
    if job["headers"]:
        entry["headers"] = job["headers"]
    (Path(os.environ["LLM_USER_PATH"]) / "extra-openai-models.yaml").write_text(yaml.safe_dump([entry]))
    model, key = llm.get_model(f"lab/{job['model']}"), os.environ["LAB_API_KEY"]

    def chat() -> None:
        held(model.prompt(REPEAT, system="".join(system(job)) or None, key=key, stream=False).text())

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
