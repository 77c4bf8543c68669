"""POST /messages, Anthropic's Messages API, answered by the same simulated model.

Source of the shapes: the types of anthropic-sdk-python (MessageCreateParams, Message, RawMessageStreamEvent).
"""

from __future__ import annotations

import json
from typing import Any

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.completion import pace, started_at
from probe.simulator.model.prompt import split
from probe.simulator.response import Response, send_json, to_json

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_STOPS = {"length": "max_tokens", "tool_calls": "tool_use"}
_KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error",
}  # fmt: skip


def to_chat(body: Any) -> JSON | str:
    """The chat request that says the same as a Messages request, or a message that names what is wrong with it."""
    for name, wanted in (("messages", list), ("max_tokens", int)):
        if not isinstance(body, dict) or name not in body:
            return f"{name}: Field required"
        if not isinstance(body[name], wanted):
            return f"{name}: Input should be a valid {'list' if wanted is list else 'integer'}"
    messages: list[JSON] = []
    if body.get("system"):
        messages.append({"role": "system", "content": _text_of(body["system"])})
    for turn in body["messages"]:
        if not isinstance(turn, dict) or turn.get("role") not in ("user", "assistant", "system"):
            return "messages.0.role: Input should be 'user', 'assistant' or 'system'"
        messages += _messages(turn)
    chat: JSON = {"model": body.get("model"), "messages": messages, "stream": body.get("stream") is True}
    chat["max_completion_tokens"] = body["max_tokens"]
    if isinstance(body.get("stop_sequences"), list):
        chat["stop"] = body["stop_sequences"]
    config = body.get("output_config")
    form = config.get("format") if isinstance(config, dict) else None
    if isinstance(form, dict) and form.get("type") == "json_schema":
        schema = {"name": "answer", "schema": form.get("schema")}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    names = ("name", "description", "input_schema")
    tools = [tuple(tool.get(name) for name in names) for tool in body.get("tools") or [] if isinstance(tool, dict)]
    if tools:
        choice = body.get("tool_choice") or {"type": "auto"}
        named = {"type": "function", "function": {"name": choice.get("name")}}
        chat["tools"] = [
            {"type": "function", "function": {"name": name, "description": said, "parameters": schema}}
            for name, said, schema in tools
        ]
        chat["tool_choice"] = _CHOICES.get(str(choice.get("type")), named)
    return chat


def _messages(turn: JSON) -> list[JSON]:
    """The chat messages of one turn: results first, then what was said, with the calls of that turn."""
    content = turn.get("content")
    if not isinstance(content, list):
        return [{"role": turn["role"], "content": content}]
    made: list[JSON] = []
    parts: list[JSON] = []
    calls: list[JSON] = []
    for block in content:
        kind = block.get("type")
        if kind == "tool_result":
            text = _text_of(block.get("content") or "")
            made.append({"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": text})
        elif kind == "tool_use":
            function = {"name": block.get("name"), "arguments": json.dumps(block.get("input"))}
            calls.append({"id": block.get("id"), "type": "function", "function": function})
        elif kind == "image":
            source = block.get("source") or {}
            url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        elif kind == "text":
            parts.append({"type": "text", "text": block.get("text", "")})
    if calls:
        made.append({"role": "assistant", "content": _text_of(parts) or None, "tool_calls": calls})
    elif parts:
        made.append({"role": turn["role"], "content": parts})
    return made


def _text_of(content: Any) -> str:
    """Text, or the text of a list of blocks."""
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content if isinstance(block, dict))


def _blocks(call: Call, reply: Reply) -> list[JSON]:
    """The content blocks: the thinking, the text, then the tool calls."""
    blocks: list[JSON] = []
    if reply.reasoning:
        signature = call.id.rpartition("-")[2]
        blocks.append({"type": "thinking", "thinking": reply.reasoning, "signature": signature})
    if reply.text or not reply.tool_calls:
        blocks.append({"type": "text", "text": reply.text})
    for made in reply.tool_calls:
        given = json.loads(made.arguments) if isinstance(made.arguments, str) else made.arguments
        blocks.append({"type": "tool_use", "id": made.id, "name": made.name, "input": given})
    return blocks


def _object(call: Call, reply: Reply, content: list[JSON], stop: str | None, written: int) -> JSON:
    usage = {
        "input_tokens": reply.prompt_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": written,
    }  # fmt: skip
    return {
        "id": "msg_" + call.id.rpartition("-")[2], "type": "message", "role": "assistant", "model": call.model,
        "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _stop(reply: Reply) -> str:
    return "tool_use" if reply.tool_calls else _STOPS.get(reply.finish_reason, "end_turn")


def whole(call: Call, reply: Reply) -> JSON:
    """The body of a message that is not streamed."""
    return _object(call, reply, _blocks(call, reply), _stop(reply), reply.completion_tokens)


def events(call: Call, reply: Reply) -> list[Chunk]:
    """The events of a streamed message, at the times of the generation."""
    start, step = started_at(call.site), pace(call.site)
    made: list[Chunk] = []
    place = 0

    def add(kind: str, **fields: Any) -> None:
        made.append(Chunk(start + place * step, {"type": kind, **fields}, kind))

    add("message_start", message=_object(call, reply, [], None, 1))
    add("ping")
    for index, block in enumerate(_blocks(call, reply)):
        kind = block["type"]
        field = {"text": "text", "thinking": "thinking", "tool_use": "partial_json"}[kind]
        empty: JSON = {"input": {}} if kind == "tool_use" else {kind: ""}
        if kind == "thinking":
            empty["signature"] = ""
        add("content_block_start", index=index, content_block={**block, **empty})
        text = to_json(block["input"]).decode() if kind == "tool_use" else block[kind]
        named = "input_json_delta" if kind == "tool_use" else f"{kind}_delta"
        for piece in split(text):
            add("content_block_delta", index=index, delta={"type": named, field: piece})
            place += 1
        if kind == "thinking":
            signed = {"type": "signature_delta", "signature": block["signature"]}
            add("content_block_delta", index=index, delta=signed)
        add("content_block_stop", index=index)
    delta = {"stop_reason": _stop(reply), "stop_sequence": None}
    add("message_delta", delta=delta, usage={"output_tokens": reply.completion_tokens})
    add("message_stop")
    return made


def error(response: Response) -> Response:
    """An error of the style in the form of this API."""
    body = json.loads(response.body)
    found = body.get("error") if isinstance(body, dict) else None
    text = found.get("message") if isinstance(found, dict) else found or str(body)
    kind = _KINDS.get(response.status, "api_error")
    return send_json(response.status, {"type": "error", "error": {"type": kind, "message": text}})
