"""Unusual but correct behaviour that no client should stumble over: no fault here yields a finding."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call, Chunk
from probe.simulator.fault import (
    Fault,
    deltas,
    has_pictures,
    is_finished,
    on_chat,
    on_chunks,
    on_json,
    on_request,
    on_response,
    on_stream,
)
from probe.simulator.model import pictures
from probe.simulator.model.prompt import data_uris
from probe.simulator.response import Response, Write

# Token counts of whole answers -------------------------------------------------------------------------


def _is_counted(payload: Any) -> bool:
    return isinstance(payload, dict) and "prompt_tokens" in (payload.get("usage") or {})


@on_json("whole answers have no usage")
def usage_missing(fault: Fault, call: Call, payload: Any) -> Any:
    """Small mock servers and some gateways leave `usage` out."""
    return {key: value for key, value in payload.items() if key != "usage"} if _is_counted(payload) else payload


@on_json("whole answers have the same prompt tokens for every prompt")
def usage_constant(fault: Fault, call: Call, payload: Any) -> Any:
    """A mock server that does not count."""
    return {**payload, "usage": {**payload["usage"], "prompt_tokens": 10}} if _is_counted(payload) else payload


@on_json("prompt tokens are estimated from the request's JSON")
def usage_raw(fault: Fault, call: Call, payload: Any) -> Any:
    """A gateway that estimates from the JSON of the messages instead of what the model is shown."""
    if not _is_counted(payload):
        return payload
    estimate = len(json.dumps(call.sent.get("messages"))) // 4
    return {**payload, "usage": {**payload["usage"], "prompt_tokens": estimate}}


# Forms of event streams that the standard allows (WHATWG HTML section 9.2) ----------------------------


@on_stream("lines of a stream end in CR LF")
def crlf(fault: Fault, call: Call, response: Response) -> Response:
    """The line ending of sse-starlette."""
    return response.with_each_write(lambda data: data.replace(b"\n", b"\r\n"))


@on_stream("lines of a stream end in CR alone")
def cr(fault: Fault, call: Call, response: Response) -> Response:
    """The third line ending of the standard."""
    return response.with_each_write(lambda data: data.replace(b"\n", b"\r"))


@on_stream("there is no space after data:")
def no_space(fault: Fault, call: Call, response: Response) -> Response:
    """Old versions of TGI."""
    return response.with_each_write(lambda data: data.replace(b"data: ", b"data:", 1))


@on_stream("the stream begins with a byte order mark")
def bom(fault: Fault, call: Call, response: Response) -> Response:
    """One byte order mark may precede the stream."""
    first, *rest = response.writes
    return replace(response, writes=[replace(first, data=b"\xef\xbb\xbf" + first.data), *rest])


@on_stream("events have event:, id: and retry: fields")
def event_fields(fault: Fault, call: Call, response: Response) -> Response:
    """Fields that chat clients do not use."""
    writes = []
    for place, write in enumerate(response.writes):
        retry = "" if place else "retry: 3000\n"
        writes.append(replace(write, data=f"{retry}id: {place}\nevent: message\n".encode() + write.data))
    return replace(response, writes=writes)


@on_stream("every event is written in two pieces, cut within a character where there is one")
def utf8_split(fault: Fault, call: Call, response: Response) -> Response:
    """TCP has no notion of characters: a read may end within one."""
    writes: list[Write] = []
    for write in response.writes:
        place = next((at + 1 for at, byte in enumerate(write.data) if byte >= 0xC0), len(write.data) // 2)
        writes += [replace(write, data=write.data[:place]), Write(write.at + 0.001, write.data[place:])]
    return replace(response, writes=writes, end_at=max(response.end_at, writes[-1].at))


@on_stream("there are comment lines between the events")
def comments(fault: Fault, call: Call, response: Response) -> Response:
    """OpenRouter's comments between the chunks."""
    writes: list[Write] = []
    for place, write in enumerate(response.writes):
        if place % 7 == 0:
            writes.append(Write(write.at, b": OPENROUTER PROCESSING\n\n"))
        writes.append(write)
    return replace(response, writes=writes)


# Slowness, heartbeats, connections ---------------------------------------------------------------------


@on_response("the first token comes after N seconds (=N)", value="3")
def slow_first_token(fault: Fault, call: Call, response: Response) -> Response:
    """A long prompt, a queue or a cold start."""
    return response.delayed(fault.number) if call.operation in ("chat", "responses") else response


class Heartbeats(Fault):
    """Comments during every silence of a stream."""

    name = "heartbeats"
    summary = "comments are sent in every silence of a stream, every N seconds (=N)"
    value = "1"

    def on_stream(self, call: Call, response: Response) -> Response:
        every = max(self.number, 0.01)
        writes: list[Write] = []
        last = 0.0
        for write in response.writes:
            while write.at - last > every:
                last += every
                writes.append(Write(last, b": keep-alive\n\n"))
            writes.append(write)
            last = write.at
        return replace(response, writes=writes, head_at=min(response.head_at, writes[0].at))


@on_response("streams end by closing the connection, without chunks")
def close_delimited(fault: Fault, call: Call, response: Response) -> Response:
    """HTTP/1.0's way to end a body: closing the connection."""
    return replace(response, framing="close") if response.framing == "chunked" else response


@on_response("the connection is closed after every answer")
def connection_close(fault: Fault, call: Call, response: Response) -> Response:
    """No connection is used twice."""
    return replace(response, close=True)


# Chunks of other servers -------------------------------------------------------------------------------


@on_chunks("each streamed tool call comes whole in one delta")
def tool_stream_whole(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Each tool call in one delta (Groq, Ollama, xAI)."""
    first: dict[int, JSON] = {}
    kept: list[Chunk] = []
    for chunk in chunks:
        parts = [part for delta in deltas(chunk.data) for part in delta.get("tool_calls") or []]
        later = [part for part in parts if first.setdefault(part["index"], part) is not part]
        for part in later:
            first[part["index"]]["function"]["arguments"] += part["function"].get("arguments") or ""
        if not parts or len(later) < len(parts):
            kept.append(chunk)
    return kept


@on_chunks("the token counts of a stream are on the chunk with the finish reason")
def usage_on_finish(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Token counts on the chunk with the finish reason instead of one of their own (Cerebras)."""
    counts = [chunk.data["usage"] for chunk in chunks if isinstance(chunk.data, dict) and chunk.data.get("usage")]
    kept = []
    for chunk in chunks:
        data = chunk.data
        if isinstance(data, dict):
            if not data.get("choices"):
                continue
            data = {key: value for key, value in data.items() if key != "usage"}
            if counts and is_finished(data):
                data["usage"] = counts[-1]
        kept.append(replace(chunk, data=data))
    return kept


@on_chunks("the first chunk of a stream has an empty list of choices")
def empty_first_chunk(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Azure's first chunk has no choices."""
    first: JSON = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
    return [Chunk(chunks[0].at, first), *chunks]


# Optional features that healthy servers support in part ------------------------------------------------


@on_chat("pictures of less than 100 pixels a side are refused")
def vision_least_size(fault: Fault, call: Call) -> Response | None:
    """Providers with a minimum picture size (xAI, Qwen)."""
    shown = [picture for message in call.messages for picture in data_uris(message.get("content"))]
    if not has_pictures(call) or all(min(pictures.size(picture)) >= 100 for picture in shown):
        return None
    return fault.error(400, "Invalid image: the height and width must be at least 100 pixels.")


@on_chat("schemas are obeyed, but additionalProperties in them is refused")
def schema_not_strict(fault: Fault, call: Call) -> Response | None:
    """Schemas without OpenAI's strict mode (earlier versions of Gemini)."""
    if "additionalProperties" not in str(call.body.get("response_format")):
        return None
    return fault.error(400, 'Unknown name "additionalProperties" at response_format')


@on_request("there is no /responses")
def no_responses(fault: Fault, call: Call) -> Response | None:
    """Servers with chat completions only."""
    return fault.style.not_found(call) if call.path.endswith("/responses") else None


@on_request("there is no /messages", home="litellm")
def no_messages(fault: Fault, call: Call) -> Response | None:
    """Servers without Anthropic's API."""
    return fault.style.not_found(call) if "/messages" in call.path else None


# Few resources ---------------------------------------------------------------------------------------


class SingleSlot(Fault):
    """A server that generates one answer at a time (llama.cpp with --parallel 1, mlx_lm.server)."""

    name = "single-slot"
    summary = "requests for answers wait for each other"
    layer = 1
    free_at = 0.0

    def on_response(self, call: Call, response: Response) -> Response:
        if call.operation not in ("chat", "responses", "messages"):
            return response
        now = time.monotonic()
        wait_s = max(0.0, self.free_at - now)
        self.free_at = now + wait_s + response.finished_at()
        return response.delayed(wait_s) if wait_s else response
