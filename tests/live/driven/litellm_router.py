"""LiteLLM's router with the exported model list: whole, streamed, and a tool loop."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import litellm
import yaml
from steps import DEGREES, REPEAT, TOOL, WEATHER, held, main, system, weather

PREFIX = "os.environ/"


def resolved(value: Any) -> Any:
    """Variables replaced as the proxy does when it reads its file (BerriAI/litellm litellm/proxy/proxy_server.py)."""
    if isinstance(value, dict):
        return {key: resolved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item) for item in value]
    named = isinstance(value, str) and value.startswith(PREFIX)
    return os.environ.get(value.removeprefix(PREFIX)) if named else value


def steps(job: dict[str, Any]) -> dict[str, Callable[[], None]]:
    config = resolved(yaml.safe_load(Path(job["file"]).read_text(encoding="utf-8")))
    router = litellm.Router(model_list=config["model_list"], num_retries=0)
    (name,) = router.get_model_names()
    ask: Any = [*({"role": "system", "content": text} for text in system(job)), {"role": "user", "content": REPEAT}]

    def chat() -> None:
        held(router.completion(name, ask).choices[0].message.content)

    def stream() -> None:
        options = {"include_usage": True}
        chunks = router.completion(name, ask, stream=True, stream_options=options)
        held("".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices))

    def tools() -> None:
        history: Any = [{"role": "user", "content": WEATHER}]
        answer = router.completion(name, history, tools=[TOOL]).choices[0].message
        call = answer.tool_calls[0]
        result = weather(json.loads(call.function.arguments)["city"])
        history += [answer.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": result}]
        held(router.completion(name, history, tools=[TOOL]).choices[0].message.content, DEGREES)

    return {"chat": chat, "stream": stream, "tools": tools}


if __name__ == "__main__":
    main(steps)
