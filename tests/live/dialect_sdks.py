"""The official libraries against endpoints: which of their calls work.  Runs in the part `dialect-sdks`.

Reads a JSON list of [api, base URL, key, model] on standard input, and writes for each a JSON object: `plain` and
`helper` (the `stream()` of the library) with null where they work, else the error.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anthropic
import openai

CODE = "KIWI-12345"
ASK, WEATHER = f"Repeat exactly: {CODE}", "What is the weather in Paris? Use the get_weather tool."
RESULT = "The weather in Paris is 48213 degrees."
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def wanted(found: object, right: object) -> None:
    if found != right:
        raise ValueError(f"{found!r} in place of {right!r}")


def responses_plain(base: str, key: str, model: str) -> None:
    api = openai.OpenAI(base_url=base, api_key=key, max_retries=0).responses
    wanted(api.create(model=model, input=ASK).output_text, CODE)
    deltas = api.create(model=model, input=ASK, stream=True)
    wanted("".join(event.delta for event in deltas if event.type == "response.output_text.delta"), CODE)
    tools: Any = [{"type": "function", "name": "get_weather", "description": "Get the weather", "parameters": SCHEMA}]
    made = api.create(model=model, input=WEATHER, tools=tools)
    call = next(item for item in made.output if item.type == "function_call")
    wanted(json.loads(call.arguments)["city"], "Paris")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
    turns: Any = [{"role": "user", "content": WEATHER}, *made.output, result]
    wanted("48213" in api.create(model=model, input=turns, tools=tools).output_text, True)


def responses_helper(base: str, key: str, model: str) -> None:
    api = openai.OpenAI(base_url=base, api_key=key, max_retries=0).responses
    with api.stream(model=model, input=ASK) as stream:
        wanted(stream.get_final_response().output_text, CODE)
    tools: Any = [{"type": "function", "name": "get_weather", "description": "Get the weather", "parameters": SCHEMA}]
    with api.stream(model=model, input=WEATHER, tools=tools) as stream:
        call: Any = next(item for item in stream.get_final_response().output if item.type == "function_call")
        wanted(json.loads(call.arguments)["city"], "Paris")


def _messages(base: str, key: str) -> Any:
    root = base.removesuffix("/v1")
    return anthropic.Anthropic(base_url=root, auth_token=key, api_key=None, max_retries=0).messages


TOOLS: Any = [{"name": "get_weather", "description": "Get the weather", "input_schema": SCHEMA}]


def _user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def messages_plain(base: str, key: str, model: str) -> None:
    api = _messages(base, key)
    wanted(api.create(model=model, max_tokens=300, messages=[_user(ASK)]).content[-1].text, CODE)
    events = api.create(model=model, max_tokens=300, messages=[_user(ASK)], stream=True)
    wanted("".join(event.delta.text for event in events if event.type == "content_block_delta"), CODE)
    made = api.create(model=model, max_tokens=300, messages=[_user(WEATHER)], tools=TOOLS)
    call = next(block for block in made.content if block.type == "tool_use")
    wanted(call.input["city"], "Paris")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": RESULT}
    turns = [_user(WEATHER), {"role": "assistant", "content": made.content}, _user([result])]
    again = api.create(model=model, max_tokens=300, messages=turns, tools=TOOLS)
    wanted("48213" in again.content[-1].text, True)


def messages_helper(base: str, key: str, model: str) -> None:
    api = _messages(base, key)
    with api.stream(model=model, max_tokens=300, messages=[_user(ASK)]) as stream:
        wanted(stream.get_final_message().content[-1].text, CODE)
    with api.stream(model=model, max_tokens=300, messages=[_user(WEATHER)], tools=TOOLS) as stream:
        call = next(block for block in stream.get_final_message().content if block.type == "tool_use")
        wanted(call.input["city"], "Paris")


CALLS = {
    "responses": {"plain": responses_plain, "helper": responses_helper},
    "messages": {"plain": messages_plain, "helper": messages_helper},
}


def main() -> None:
    for api, base, key, model in json.load(sys.stdin):
        outcome: dict[str, str | None] = {}
        for name, call in CALLS[api].items():
            try:
                call(base, key, model)
                outcome[name] = None
            except Exception as error:
                outcome[name] = f"{type(error).__name__}: {error}"[:200]
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
