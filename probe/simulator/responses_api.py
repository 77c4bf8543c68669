"""POST /responses: the newer OpenAI API, carried by the same stand-in model (openai/openai-openapi, CreateResponse)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.simulator.completion import finished_at, pace, started_at
from probe.simulator.script import Script, Write, to_json
from probe.simulator.standin.prompt import split

if TYPE_CHECKING:
    from probe.simulator.call import JSON, Call, Reply


def _content(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    parts = []
    for part in value:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("input_text", "output_text", "text"):
            parts.append({"type": "text", "text": part.get("text", "")})
        elif kind == "input_image":
            parts.append({"type": "image_url", "image_url": {"url": part.get("image_url", "")}})
    return parts


def to_chat(body: Any) -> JSON | str:
    """The chat request that a responses request stands for, or a message saying what is wrong with it."""
    if not isinstance(body, dict) or "input" not in body:
        return "Missing required parameter: 'input'."
    messages: list[JSON] = []
    if isinstance(body.get("instructions"), str):
        messages.append({"role": "system", "content": body["instructions"]})
    given = body["input"]
    if isinstance(given, str):
        messages.append({"role": "user", "content": given})
    elif isinstance(given, list):
        for item in given:
            if isinstance(item, dict):
                messages.append(_message(item))
    else:
        return "Invalid type for 'input': expected one of a string or array."
    tools = [
        {"type": "function", "function": {key: tool.get(key) for key in ("name", "description", "parameters")}}
        for tool in body.get("tools") or []
        if isinstance(tool, dict) and tool.get("type") == "function"
    ]
    chat: JSON = {"model": body.get("model"), "messages": messages, "stream": body.get("stream") is True}
    if tools:
        chat["tools"] = tools
        chat["tool_choice"] = body.get("tool_choice", "auto")
    if isinstance(body.get("max_output_tokens"), int):
        chat["max_completion_tokens"] = body["max_output_tokens"]
    form = (body.get("text") or {}).get("format") if isinstance(body.get("text"), dict) else None
    if isinstance(form, dict) and form.get("type") == "json_schema":
        chat["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": form.get("name"), "schema": form.get("schema")},
        }
    return chat


def _message(item: JSON) -> JSON:
    if item.get("type") == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": item.get("call_id"), "type": "function", "function": function}],
        }
    if item.get("type") == "function_call_output":
        return {"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")}
    return {"role": item.get("role", "user"), "content": _content(item.get("content"))}


def _items(call: Call, reply: Reply) -> list[JSON]:
    mark = call.id.rpartition("-")[2]
    items: list[JSON] = []
    if reply.text or not reply.tool_calls:
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        items.append(
            {"type": "message", "id": f"msg_{mark}", "status": "completed", "role": "assistant", "content": [part]}
        )
    for place, made in enumerate(reply.tool_calls):
        items.append(
            {
                "type": "function_call",
                "id": f"fc_{mark}{place}",
                "call_id": made.id,
                "name": made.name,
                "arguments": made.arguments,
                "status": "completed",
            }
        )
    return items


def _object(call: Call, reply: Reply, status: str, output: list[JSON]) -> JSON:
    made: JSON = {
        "id": "resp_" + call.id.rpartition("-")[2], "object": "response", "created_at": call.created,
        "status": status, "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": call.notes["model"], "output": output,
        "parallel_tool_calls": True, "tools": call.notes["responses"].get("tools") or [],
        "tool_choice": "auto", "usage": None,
    }  # fmt: skip
    if status != "in_progress":
        made["usage"] = {
            "input_tokens": reply.prompt_tokens, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": reply.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": reply.notes.get("reasoning_tokens", 0)},
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        }  # fmt: skip
    return made


def respond(call: Call, reply: Reply) -> Script:
    """The response, whole or as typed events."""
    items = _items(call, reply)
    status = "incomplete" if reply.finish_reason == "length" else "completed"
    style, site = call.site.style, call.site
    if not call.stream:
        return style.completed(call, _object(call, reply, status, items), finished_at(site, [reply]))
    events: list[tuple[float, JSON]] = []
    start, step = started_at(site), pace(site)
    opening = _object(call, reply, "in_progress", [])
    events += [
        (start, {"type": "response.created", "response": opening}),
        (start, {"type": "response.in_progress", "response": opening}),
    ]
    place = 0
    for index, item in enumerate(items):
        kind = "output_text" if item["type"] == "message" else "function_call_arguments"
        text = reply.text if item["type"] == "message" else str(item["arguments"])
        opened: JSON = {"content": []} if item["type"] == "message" else {"arguments": ""}
        empty = {**item, "status": "in_progress", **opened}
        events.append(
            (start + place * step, {"type": "response.output_item.added", "output_index": index, "item": empty})
        )
        for piece in split(text):
            events.append(
                (
                    start + place * step,
                    {
                        "type": f"response.{kind}.delta",
                        "item_id": item["id"],
                        "output_index": index,
                        "content_index": 0,
                        "delta": piece,
                    },
                )
            )
            place += 1
        done = {"text": text} if kind == "output_text" else {"arguments": text}
        events.append(
            (
                start + place * step,
                {
                    "type": f"response.{kind}.done",
                    "item_id": item["id"],
                    "output_index": index,
                    "content_index": 0,
                    **done,
                },
            )
        )
        events.append(
            (start + place * step, {"type": "response.output_item.done", "output_index": index, "item": item})
        )
    events.append(
        (start + place * step, {"type": f"response.{status}", "response": _object(call, reply, status, items)})
    )
    writes = []
    for number, (at, event) in enumerate(events):
        event["sequence_number"] = number
        writes.append(Write(at, b"event: " + event["type"].encode() + b"\ndata: " + to_json(event) + b"\n\n", number))
    return Script(200, style.stream_headers(), writes, head_at=start, end_at=writes[-1].at, framing="chunked")
