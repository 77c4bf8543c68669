"""POST /responses, the newer OpenAI API, answered by the same simulated model.

Source of the shapes: openai/openai-openapi, CreateResponse and ResponseStreamEvent.
"""

from __future__ import annotations

from typing import Any

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.completion import pace, started_at
from probe.simulator.model.prompt import split


def to_chat(body: Any) -> JSON | str:
    """The chat request that says the same as a Responses request, or a message that names what is wrong with it."""
    if not isinstance(body, dict) or "input" not in body:
        return "Missing required parameter: 'input'."
    given = body["input"]
    if not isinstance(given, str | list):
        return "Invalid type for 'input': expected one of a string or array."
    messages: list[JSON] = []
    if isinstance(body.get("instructions"), str):
        messages.append({"role": "system", "content": body["instructions"]})
    if isinstance(given, str):
        messages.append({"role": "user", "content": given})
    else:
        messages += [_message(item) for item in given if isinstance(item, dict)]
    chat: JSON = {"model": body.get("model"), "messages": messages, "stream": body.get("stream") is True}
    tools = [
        {"type": "function", "function": {key: tool.get(key) for key in ("name", "description", "parameters")}}
        for tool in body.get("tools") or []
        if isinstance(tool, dict) and tool.get("type") == "function"
    ]
    if tools:
        chat |= {"tools": tools, "tool_choice": body.get("tool_choice", "auto")}
    if isinstance(body.get("max_output_tokens"), int):
        chat["max_completion_tokens"] = body["max_output_tokens"]
    form = (body.get("text") or {}).get("format") if isinstance(body.get("text"), dict) else None
    if isinstance(form, dict) and form.get("type") == "json_schema":
        schema = {"name": form.get("name"), "schema": form.get("schema")}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    return chat


def _message(item: JSON) -> JSON:
    """The chat message for one item of `input`."""
    if item.get("type") == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if item.get("type") == "function_call_output":
        return {"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")}
    content = item.get("content")
    if isinstance(content, list):
        content = [_part(part) for part in content if isinstance(part, dict) and part.get("type") in _PARTS]
    return {"role": item.get("role", "user"), "content": content}


_PARTS = ("input_text", "output_text", "text", "input_image")


def _part(part: JSON) -> JSON:
    if part["type"] == "input_image":
        return {"type": "image_url", "image_url": {"url": part.get("image_url", "")}}
    return {"type": "text", "text": part.get("text", "")}


def _items(call: Call, reply: Reply) -> list[JSON]:
    """The output items: a message, then the tool calls."""
    mark = call.id.rpartition("-")[2]
    items: list[JSON] = []
    done = {"status": "completed"}
    if reply.text or not reply.tool_calls:
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        items.append({"type": "message", "id": f"msg_{mark}", **done, "role": "assistant", "content": [part]})
    for place, made in enumerate(reply.tool_calls):
        named = {"call_id": made.id, "name": made.name, "arguments": made.arguments}
        items.append({"type": "function_call", "id": f"fc_{mark}{place}", **named, **done})
    return items


def _status(reply: Reply) -> str:
    return "incomplete" if reply.finish_reason == "length" else "completed"


def _object(call: Call, reply: Reply, status: str, output: list[JSON]) -> JSON:
    usage = None
    if status != "in_progress":
        usage = {
            "input_tokens": reply.prompt_tokens, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": reply.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        }  # fmt: skip
    return {
        "id": "resp_" + call.id.rpartition("-")[2], "object": "response", "created_at": call.created,
        "status": status, "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": call.model, "output": output,
        "parallel_tool_calls": True, "tools": call.sent.get("tools") or [], "tool_choice": "auto", "usage": usage,
    }  # fmt: skip


def whole(call: Call, reply: Reply) -> JSON:
    """The body of a response that is not streamed."""
    return _object(call, reply, _status(reply), _items(call, reply))


def events(call: Call, reply: Reply) -> list[Chunk]:
    """The typed events of a streamed response, at the times of the generation."""
    start, step = started_at(call.site), pace(call.site)
    made: list[Chunk] = []
    place = 0

    def add(kind: str, **fields: Any) -> None:
        event = f"response.{kind}"
        made.append(Chunk(start + place * step, {"type": event, **fields, "sequence_number": len(made)}, event))

    opening = _object(call, reply, "in_progress", [])
    add("created", response=opening)
    add("in_progress", response=opening)
    items = _items(call, reply)
    for index, item in enumerate(items):
        is_text = item["type"] == "message"
        kind, field = ("output_text", "text") if is_text else ("function_call_arguments", "arguments")
        text = reply.text if is_text else str(item["arguments"])
        where = {"item_id": item["id"], "output_index": index, "content_index": 0}
        begun: JSON = {"content": []} if is_text else {"arguments": ""}
        add("output_item.added", output_index=index, item={**item, "status": "in_progress", **begun})
        for piece in split(text):
            add(f"{kind}.delta", **where, delta=piece)
            place += 1
        add(f"{kind}.done", **where, **{field: text})
        add("output_item.done", output_index=index, item=item)
    add(_status(reply), response=_object(call, reply, _status(reply), items))
    return made
