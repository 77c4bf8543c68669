"""Unusual but correct behaviour that no client should stumble over: no fault here yields a finding."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call, Chunk
from probe.simulator.fault import Fault, deltas, has_pictures, is_finished
from probe.simulator.model import pictures
from probe.simulator.model.prompt import data_uris
from probe.simulator.response import Response, Write

# Token counts of whole answers -------------------------------------------------------------------------


def _is_counted(payload: Any) -> bool:
    return isinstance(payload, dict) and "prompt_tokens" in (payload.get("usage") or {})


class Missing(Fault):
    """Small mock servers and some gateways leave `usage` out."""

    name = "usage-missing"
    summary = "whole answers have no usage"

    def on_json(self, call: Call, payload: Any) -> Any:
        return {key: value for key, value in payload.items() if key != "usage"} if _is_counted(payload) else payload


class Constant(Fault):
    """A mock server that does not count."""

    name = "usage-constant"
    summary = "whole answers have the same prompt tokens for every prompt"

    def on_json(self, call: Call, payload: Any) -> Any:
        return {**payload, "usage": {**payload["usage"], "prompt_tokens": 10}} if _is_counted(payload) else payload


class Raw(Fault):
    """A gateway that estimates from the JSON of the messages instead of what the model is shown."""

    name = "usage-raw"
    summary = "prompt tokens are estimated from the request's JSON"

    def on_json(self, call: Call, payload: Any) -> Any:
        if not _is_counted(payload):
            return payload
        estimate = len(json.dumps(call.sent.get("messages"))) // 4
        return {**payload, "usage": {**payload["usage"], "prompt_tokens": estimate}}


# Forms of event streams that the standard allows (WHATWG HTML section 9.2) ----------------------------


class Crlf(Fault):
    """The line ending of sse-starlette."""

    name = "crlf"
    summary = "lines of a stream end in CR LF"

    def on_stream(self, call: Call, response: Response) -> Response:
        return response.with_each_write(lambda data: data.replace(b"\n", b"\r\n"))


class Cr(Fault):
    """The third line ending of the standard."""

    name = "cr"
    summary = "lines of a stream end in CR alone"

    def on_stream(self, call: Call, response: Response) -> Response:
        return response.with_each_write(lambda data: data.replace(b"\n", b"\r"))


class NoSpace(Fault):
    """Old versions of TGI."""

    name = "no-space"
    summary = "there is no space after data:"

    def on_stream(self, call: Call, response: Response) -> Response:
        return response.with_each_write(lambda data: data.replace(b"data: ", b"data:", 1))


class Bom(Fault):
    """One byte order mark may precede the stream."""

    name = "bom"
    summary = "the stream begins with a byte order mark"

    def on_stream(self, call: Call, response: Response) -> Response:
        first, *rest = response.writes
        return replace(response, writes=[replace(first, data=b"\xef\xbb\xbf" + first.data), *rest])


class Fields(Fault):
    """Fields that chat clients do not use."""

    name = "event-fields"
    summary = "events have event:, id: and retry: fields"

    def on_stream(self, call: Call, response: Response) -> Response:
        writes = []
        for place, write in enumerate(response.writes):
            retry = "" if place else "retry: 3000\n"
            writes.append(replace(write, data=f"{retry}id: {place}\nevent: message\n".encode() + write.data))
        return replace(response, writes=writes)


class Halves(Fault):
    """TCP has no notion of characters: a read may end within one."""

    name = "utf8-split"
    summary = "every event is written in two pieces, cut within a character where there is one"

    def on_stream(self, call: Call, response: Response) -> Response:
        writes: list[Write] = []
        for write in response.writes:
            place = next((at + 1 for at, byte in enumerate(write.data) if byte >= 0xC0), len(write.data) // 2)
            writes += [replace(write, data=write.data[:place]), Write(write.at + 0.001, write.data[place:])]
        return replace(response, writes=writes, end_at=max(response.end_at, writes[-1].at))


class Comments(Fault):
    """OpenRouter's comments between the chunks."""

    name = "comments"
    summary = "there are comment lines between the events"

    def on_stream(self, call: Call, response: Response) -> Response:
        writes: list[Write] = []
        for place, write in enumerate(response.writes):
            if place % 7 == 0:
                writes.append(Write(write.at, b": OPENROUTER PROCESSING\n\n"))
            writes.append(write)
        return replace(response, writes=writes)


# Slowness, heartbeats, connections ---------------------------------------------------------------------


class SlowFirstToken(Fault):
    """A long prompt, a queue or a cold start."""

    name = "slow-first-token"
    summary = "the first token comes after N seconds (=N)"
    value = "3"

    def on_response(self, call: Call, response: Response) -> Response:
        return response.delayed(self.number) if call.operation in ("chat", "responses") else response


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


class CloseDelimited(Fault):
    """HTTP/1.0's way to end a body: closing the connection."""

    name = "close-delimited"
    summary = "streams end by closing the connection, without chunks"

    def on_response(self, call: Call, response: Response) -> Response:
        return replace(response, framing="close") if response.framing == "chunked" else response


class CloseEach(Fault):
    """No connection is used twice."""

    name = "connection-close"
    summary = "the connection is closed after every answer"

    def on_response(self, call: Call, response: Response) -> Response:
        return replace(response, close=True)


# Chunks of other servers -------------------------------------------------------------------------------


class WholeCalls(Fault):
    """Each tool call in one delta (Groq, Ollama, xAI)."""

    name = "tool-stream-whole"
    summary = "each streamed tool call comes whole in one delta"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
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


class UsageOnFinish(Fault):
    """Token counts on the chunk with the finish reason instead of one of their own (Cerebras)."""

    name = "usage-on-finish"
    summary = "the token counts of a stream are on the chunk with the finish reason"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
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


class EmptyFirst(Fault):
    """Azure's first chunk has no choices."""

    name = "empty-first-chunk"
    summary = "the first chunk of a stream has an empty list of choices"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        first: JSON = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
        return [Chunk(chunks[0].at, first), *chunks]


# Optional features that healthy servers support in part ------------------------------------------------


class WantsSize(Fault):
    """Providers with a minimum picture size (xAI, Qwen)."""

    name = "vision-least-size"
    summary = "pictures of less than 100 pixels a side are refused"

    def on_chat(self, call: Call) -> Response | None:
        shown = [picture for message in call.messages for picture in data_uris(message.get("content"))]
        if not has_pictures(call) or all(min(pictures.size(picture)) >= 100 for picture in shown):
            return None
        return self.error(400, "Invalid image: the height and width must be at least 100 pixels.")


class NotStrict(Fault):
    """Schemas without OpenAI's strict mode (earlier versions of Gemini)."""

    name = "schema-not-strict"
    summary = "schemas are obeyed, but additionalProperties in them is refused"

    def on_chat(self, call: Call) -> Response | None:
        if "additionalProperties" not in str(call.body.get("response_format")):
            return None
        return self.error(400, 'Unknown name "additionalProperties" at response_format')


class NoResponses(Fault):
    """Servers with chat completions only."""

    name = "no-responses"
    summary = "there is no /responses"

    def on_request(self, call: Call) -> Response | None:
        return self.style.not_found(call) if call.path.endswith("/responses") else None


class NoMessages(Fault):
    """Servers without Anthropic's API."""

    name = "no-messages"
    summary = "there is no /messages"
    home = "litellm"

    def on_request(self, call: Call) -> Response | None:
        return self.style.not_found(call) if "/messages" in call.path else None


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
