"""Token counts of whole answers that tell less than they seem to; clients get along with all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

from probe.simulator.call import JSON, Call, Chunk
from probe.simulator.fault import Fault, deltas, each_frame, finish_reasons, has_pictures, is_events
from probe.simulator.script import Script, Write, delayed
from probe.simulator.standin import pictures
from probe.simulator.standin.prompt import data_uris


def _counted(payload: Any) -> bool:
    return isinstance(payload, dict) and isinstance(payload.get("usage"), dict)


class Missing(Fault):
    """Small mock servers and some gateways leave `usage` out."""

    name = "usage-missing"
    summary = "whole answers have no usage (harmless)"

    def on_response(self, call: Call, payload: JSON) -> Any:
        if not _counted(payload):
            return payload
        return {key: value for key, value in payload.items() if key != "usage"}


class Constant(Fault):
    """A stub that never counted."""

    name = "usage-constant"
    summary = "whole answers have the same prompt tokens for every prompt (harmless)"

    def on_response(self, call: Call, payload: JSON) -> Any:
        if not _counted(payload):
            return payload
        return {**payload, "usage": {**payload["usage"], "prompt_tokens": 10}}


class Raw(Fault):
    """A gateway that counts the JSON of the messages in place of what the model is shown."""

    name = "usage-raw"
    summary = "prompt tokens are estimated from the request's JSON (harmless)"

    def on_response(self, call: Call, payload: JSON) -> Any:
        if not _counted(payload):
            return payload
        sent = json.loads(call.request.body or b"{}")
        return {**payload, "usage": {**payload["usage"], "prompt_tokens": len(json.dumps(sent.get("messages"))) // 4}}


# Odd but correct event streams (WHATWG HTML section 9.2). ------------------------------------------


class Crlf(Fault):
    """sse-starlette's separator."""

    name = "crlf"
    summary = "events end in CR LF"

    def on_script(self, call: Call, script: Script) -> Script:
        return each_frame(script, lambda data: data.replace(b"\n", b"\r\n")) if is_events(script) else script


class Cr(Fault):
    """The third line ending that the standard allows."""

    name = "cr"
    summary = "events end in CR alone"

    def on_script(self, call: Call, script: Script) -> Script:
        return each_frame(script, lambda data: data.replace(b"\n", b"\r")) if is_events(script) else script


class NoSpace(Fault):
    """Old TGI."""

    name = "no-space"
    summary = "there is no space after data:"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        return each_frame(script, lambda data: data.replace(b"data: ", b"data:", 1))


class Bom(Fault):
    """One byte order mark may lead the stream."""

    name = "bom"
    summary = "the stream begins with a byte order mark"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        first, *rest = script.writes
        return replace(script, writes=[replace(first, data=b"\xef\xbb\xbf" + first.data), *rest])


class Fields(Fault):
    """Fields that chat clients have no use for."""

    name = "event-fields"
    summary = "events carry event:, id: and retry: fields"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        made = []
        for place, write in enumerate(script.writes):
            lead = f"{'retry: 3000' + chr(10) if place == 0 else ''}id: {place}\nevent: message\n".encode()
            made.append(replace(write, data=lead + write.data))
        return replace(script, writes=made)


class Halves(Fault):
    """TCP knows no characters: a read may end inside one."""

    name = "utf8-split"
    summary = "every event is written in two pieces, cut inside a character where there is one"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        made: list[Write] = []
        for write in script.writes:
            place = next((at + 1 for at, byte in enumerate(write.data) if byte >= 0xC0), len(write.data) // 2)
            made += [replace(write, data=write.data[:place]), Write(write.at + 0.001, write.data[place:])]
        return replace(script, writes=made, end_at=max(script.end_at, made[-1].at))


# Optional features that good servers have in part. -------------------------------------------------


class WantsSize(Fault):
    """Providers with a least picture size (xAI, Qwen)."""

    name = "vision-least-size"
    summary = "pictures of less than 100 pixels a side are refused"

    def on_chat(self, call: Call) -> Script | None:
        if not has_pictures(call):
            return None
        shown = [found for message in call.messages for found in data_uris(message.get("content"))]
        if all(min(pictures.size(picture)) >= 100 for picture in shown):
            return None
        return call.site.style.error(
            call, 400, "Invalid image: the height and width must be at least 100 pixels.", "invalid_request_error"
        )


class NotStrict(Fault):
    """Schemas without OpenAI's strict mode (Gemini once)."""

    name = "schema-not-strict"
    summary = "schemas are obeyed, but additionalProperties in them is refused"

    def on_chat(self, call: Call) -> Script | None:
        form = call.body.get("response_format") or {}
        if "additionalProperties" not in str(form):
            return None
        return call.site.style.error(
            call, 400, 'Unknown name "additionalProperties" at response_format', "invalid_request_error"
        )


class NoResponses(Fault):
    """Servers that speak chat completions only."""

    name = "no-responses"
    summary = "there is no /responses"

    def on_request(self, call: Call) -> Script | None:
        return call.site.style.not_found(call) if call.path.endswith("/responses") else None


class ResponsesUnstreamed(Fault):
    """A /responses that answers a streamed request whole."""

    name = "responses-unstreamed"
    summary = "/responses answers, and never streams"

    def on_request(self, call: Call) -> Script | None:
        if call.path.endswith("/responses"):
            call.request = replace(call.request, body=call.request.body.replace(b'"stream":true', b'"stream":false'))
        return None


# Honest slowness and signs of life. ----------------------------------------------------------------


class SlowFirstToken(Fault):
    """A long prompt, a queue, a cold start."""

    name = "slow-first-token"
    summary = "the first token comes after N seconds (=N)"
    value = "3"

    def on_script(self, call: Call, script: Script) -> Script:
        return delayed(script, self.number) if call.operation in ("chat", "responses") else script


class Heartbeats(Fault):
    """Comments while nothing else is said (`: keep-alive`, every N seconds)."""

    name = "heartbeats"
    summary = "comments are sent in every silence of a stream, every N seconds (=N)"
    value = "1"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        every = max(self.number, 0.01)
        made: list[Write] = []
        last = 0.0
        for write in script.writes:
            while write.at - last > every:
                last += every
                made.append(Write(last, b": keep-alive\n\n"))
            made.append(write)
            last = write.at
        return replace(script, writes=made, head_at=min(script.head_at, made[0].at))


class Comments(Fault):
    """OpenRouter's, between the chunks."""

    name = "comments"
    summary = "comment lines stand between the events"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        made: list[Write] = []
        for place, write in enumerate(script.writes):
            if place % 7 == 0:
                made.append(Write(write.at, b": OPENROUTER PROCESSING\n\n"))
            made.append(write)
        return replace(script, writes=made)


class CloseDelimited(Fault):
    """HTTP/1.0's way to end a body: by closing."""

    name = "close-delimited"
    summary = "streams are ended by closing the connection, without chunks"

    def on_script(self, call: Call, script: Script) -> Script:
        return replace(script, framing="close") if script.framing == "chunked" else script


class CloseEach(Fault):
    """No connection is used twice."""

    name = "connection-close"
    summary = "the connection is closed after every answer"

    def on_script(self, call: Call, script: Script) -> Script:
        return replace(script, close=True)


# Shapes that differ between good servers. ----------------------------------------------------------


class WholeCalls(Fault):
    """Each tool call in one delta (Groq, Ollama, xAI)."""

    name = "tool-stream-whole"
    summary = "each streamed tool call comes whole in one delta"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        whole: dict[int, JSON] = {}
        kept: list[Chunk] = []
        for chunk in chunks:
            parts = [part for delta in deltas(chunk) for part in delta.get("tool_calls") or []]
            fresh = []
            for part in parts:
                known = whole.get(part["index"])
                if known is None:
                    whole[part["index"]] = part
                    fresh.append(part)
                else:
                    known["function"]["arguments"] += part["function"].get("arguments") or ""
            if not parts or fresh:
                kept.append(chunk)
        return kept


class UsageOnFinish(Fault):
    """Token counts on the chunk with the finish reason, none after it (Cerebras)."""

    name = "usage-on-finish"
    summary = "the token counts of a stream stand on its finish chunk"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        counts = [chunk.data["usage"] for chunk in chunks if isinstance(chunk.data, dict) and chunk.data.get("usage")]
        kept = []
        for chunk in chunks:
            data = chunk.data
            if isinstance(data, dict):
                if not data.get("choices"):
                    continue
                data = {key: value for key, value in data.items() if key != "usage"}
                if counts and finish_reasons(chunk):
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


class RoleOrder(Fault):
    """Templates that insist on the order of the roles."""

    name = "strict-role-order"
    summary = "user and assistant must alternate and system come first, else 400"

    def on_chat(self, call: Call) -> Script | None:
        roles = [str(turn.get("role")) for turn in call.messages]
        if any(role in ("system", "developer") for role in roles[1:]) and roles[0] != "system":
            return call.site.style.error(call, 400, "System message must be at the beginning.", "BadRequestError")
        spoken = [role for role in roles if role in ("user", "assistant")]
        if any(one == two == "user" for one, two in pairwise(spoken)):
            message = "Conversation roles must alternate user/assistant/user/assistant/..."
            return call.site.style.error(call, 400, message, "BadRequestError")
        return None
