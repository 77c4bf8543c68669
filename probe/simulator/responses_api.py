"""POST /responses, the newer OpenAI API, answered by the same simulated model.

Source of the shapes: openai/openai-openapi, CreateResponse, Response and ResponseStreamEvent.
"""

from __future__ import annotations

from base64 import b64encode
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
        messages += [_message(item) for item in given if isinstance(item, dict) and item.get("type") != "reasoning"]
    chat: JSON = {"model": body.get("model"), "messages": _joined(messages), "stream": body.get("stream") is True}
    tools = [
        {"type": "function", "function": {key: tool.get(key) for key in ("name", "description", "parameters")}}
        for tool in body.get("tools") or []
        if isinstance(tool, dict) and tool.get("type") == "function"
    ]
    if tools:
        choice = body.get("tool_choice", "auto")
        if isinstance(choice, dict):
            choice = {"type": "function", "function": {"name": choice.get("name")}}
        chat |= {"tools": tools, "tool_choice": choice}
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


def _joined(messages: list[JSON]) -> list[JSON]:
    """The messages with the calls of one turn in one message, together with the text before them."""
    made: list[JSON] = []
    for message in messages:
        last = made[-1] if made else {}
        if message.get("tool_calls") and last.get("role") == "assistant":
            made[-1] = {**last, "tool_calls": [*last.get("tool_calls", []), *message["tool_calls"]]}
        else:
            made.append(message)
    return made


_PARTS = ("input_text", "output_text", "text", "input_image")


def _part(part: JSON) -> JSON:
    if part["type"] == "input_image":
        return {"type": "image_url", "image_url": {"url": part.get("image_url", "")}}
    return {"type": "text", "text": part.get("text", "")}


def _items(call: Call, reply: Reply) -> list[JSON]:
    """The output items: the reasoning, a message, then the tool calls."""
    mark = call.id.rpartition("-")[2]
    items: list[JSON] = []
    done: JSON = {"status": "completed"}
    if reply.reasoning:
        part: JSON = {"type": "reasoning_text", "text": reply.reasoning}
        hidden: JSON = {"encrypted_content": b64encode(call.id.encode()).decode()} if _hides(call.sent) else {}
        items.append({"type": "reasoning", "id": f"rs_{mark}", "summary": [], "content": [part], **hidden})
    if reply.text or not reply.tool_calls:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        items.append({"type": "message", "id": f"msg_{mark}", **done, "role": "assistant", "content": [part]})
    for place, made in enumerate(reply.tool_calls):
        named = {"call_id": made.id, "name": made.name, "arguments": made.arguments}
        items.append({"type": "function_call", "id": f"fc_{mark}{place}", **named, **done})
    return items


def _hides(sent: JSON) -> bool:
    """Whether the reasoning is asked for in its encrypted form, which a client without stored responses sends back."""
    asked = sent.get("include")
    return isinstance(asked, list) and "reasoning.encrypted_content" in asked


def _status(reply: Reply) -> str:
    return "incomplete" if reply.finish_reason == "length" else "completed"


def _object(call: Call, reply: Reply, status: str, output: list[JSON]) -> JSON:
    usage = None
    if status != "in_progress":
        usage = {
            "input_tokens": reply.prompt_tokens, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": reply.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        }  # fmt: skip
    given = {key: call.sent.get(key) for key in ("instructions", "max_output_tokens", "previous_response_id")}
    return {
        "id": "resp_" + call.id.rpartition("-")[2], "object": "response", "created_at": call.created,
        "status": status, "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": call.model, "output": output, "parallel_tool_calls": True, "store": call.sent.get("store", True),
        "tools": call.sent.get("tools") or [], "tool_choice": call.sent.get("tool_choice", "auto"), "usage": usage,
        **given,
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
        where = {"item_id": item["id"], "output_index": index}
        calls = item["type"] == "function_call"
        begun: JSON = {"arguments": ""} if calls else {"content": []}
        status = {} if item["type"] == "reasoning" else {"status": "in_progress"}
        add("output_item.added", output_index=index, item={**item, **status, **begun})
        if calls:
            for piece in split(str(item["arguments"])):
                add("function_call_arguments.delta", **where, delta=piece)
                place += 1
            add("function_call_arguments.done", **where, name=item["name"], arguments=item["arguments"])
        else:
            part = item["content"][0]
            where["content_index"] = 0
            add("content_part.added", **where, part={**part, "text": ""})
            more: JSON = {"logprobs": []} if part["type"] == "output_text" else {}
            for piece in split(part["text"]):
                add(f"{part['type']}.delta", **where, delta=piece, **more)
                place += 1
            add(f"{part['type']}.done", **where, text=part["text"], **more)
            add("content_part.done", **where, part=part)
        add("output_item.done", output_index=index, item=item)
    add(_status(reply), response=_object(call, reply, _status(reply), items))
    return made
