"""openai-python with the exported module, or with the exported .env file."""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openai import OpenAI
from steps import DEGREES, REPEAT, TOOL, WEATHER, held, main, system, weather


def client_of(job: dict[str, Any]) -> tuple[Any, str]:
    """The client and the model's name."""
    if job["file"].endswith(".py"):
        made = runpy.run_path(job["file"])
        return made["client"].with_options(max_retries=0), made["MODEL"]
    lines = Path(job["file"]).read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines)
    os.environ.update({name: value.strip("'") for name, value in given.items()})
    os.environ.setdefault("OPENAI_API_KEY", os.environ["LAB_API_KEY"])
    return OpenAI(max_retries=0), os.environ["OPENAI_MODEL"]


def steps(job: dict[str, Any]) -> dict[str, Callable[[], None]]:
    client, model = client_of(job)
    create = client.chat.completions.create
    ask: Any = [*({"role": "system", "content": text} for text in system(job)), {"role": "user", "content": REPEAT}]

    def chat() -> None:
        held(create(model=model, messages=ask).choices[0].message.content)

    def stream() -> None:
        chunks = create(model=model, messages=ask, stream=True)
        held("".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices))

    def tools() -> None:
        history: Any = [{"role": "user", "content": WEATHER}]
        answer = create(model=model, messages=history, tools=[TOOL]).choices[0].message
        call = answer.tool_calls[0]
        result = weather(json.loads(call.function.arguments)["city"])
        history += [answer.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": result}]
        held(create(model=model, messages=history, tools=[TOOL]).choices[0].message.content, DEGREES)

    return {"chat": chat, "stream": stream, "tools": tools}


if __name__ == "__main__":
    main(steps)
