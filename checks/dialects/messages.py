"""Anthropic's Messages API: its requests, its answers and the grammar of its streams.  Pure.

Sources: the types of anthropic-sdk-python (MessageCreateParams, Message, RawMessageStreamEvent), and the request of
Claude Code 2.1 as it was received by a simulated endpoint.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from checks.dialects import catalogue
from checks.dialects.dialect import (
    AI_SDK,
    Called,
    Dialect,
    Field,
    Group,
    Reading,
    StreamReader,
    arguments_of,
    check_fields,
    check_ids,
    events_of,
    number_of,
    said_in,
)
from probe.api import count_at, member, text_at

PYTHON, NODE, CLAUDE = "anthropic-python", "anthropic-typescript", "Claude Code"
PYTHON_HELPER, NODE_HELPER = "anthropic-python's stream()", "anthropic-typescript's stream()"
_ALL = (PYTHON, NODE, AI_SDK)
_HELPERS = (PYTHON_HELPER, NODE_HELPER)
#: Where a stream fails, Claude Code sends the request again without streaming.
_AGAIN = "Claude Code's streaming"

_TABLE = (
    Field("content", "list", fails=_ALL),
    Field("content[].type", "string", fails=_ALL),
    Field("content[text].text", "string", fails=_ALL),
    Field("content[tool_use].id", "string", Group.TOOLS, (*_ALL, CLAUDE)),
    Field("content[tool_use].name", "string", Group.TOOLS, (*_ALL, CLAUDE)),
    Field("content[tool_use].input", "object", Group.TOOLS, _ALL),
    Field("stop_reason", "string"),
    Field("usage", "object", fails=(AI_SDK, *_HELPERS)),
    Field("usage.input_tokens", "number", fails=(AI_SDK,)),
    Field("usage.output_tokens", "number", fails=(AI_SDK,)),
)
_START = tuple(row for row in _TABLE if row.path.startswith("usage"))
_BLOCK = (
    Field("id", "string", Group.TOOLS, (*_ALL, CLAUDE)),
    Field("name", "string", Group.TOOLS, (*_ALL, CLAUDE)),
)
#: The refusals of messages of the role system that Claude Code 2.1.332 understands: it makes them the user's.
_NO_SYSTEM_TURNS = re.compile(
    r"(?:unknown variant .{0,2}system\b.{0,2}, expected|Input should be) [\\'\"`]{1,2}(?:user|assistant)\b.{0,2} or "
    r"[\\'\"`]{1,2}(?:user|assistant)\b|Unexpected role.{0,80}input message role|role .{0,2}system.{0,2} must |"
    r"role .{0,2}system.{0,80}not supported|not supported.{0,80}role .{0,2}system",
    re.IGNORECASE,
)
#: A tool whose definition Claude Code keeps back, with the mark that it sends.
_DEFERRED = {
    "name": "get_tide_table", "description": "Get the times of high and low water in a harbour.",
    "input_schema": {"type": "object", "properties": {"harbour": {"type": "string"}}, "required": ["harbour"]},
    "defer_loading": True,
}  # fmt: skip
_EVENTS = (
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
    "message_stop",
)  # fmt: skip
_DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


class Messages(Dialect):
    name = "messages"
    title = "the Messages API"
    operation = "/messages"
    agent = CLAUDE
    libraries = (PYTHON, NODE)
    codes = catalogue.MESSAGES
    headers: Mapping[str, str] = {"anthropic-version": "2023-06-01"}
    agent_headers: Mapping[str, str] = {
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27"
    }
    places: Mapping[str, tuple[str, ...]] = {
        "archive": ("the second block of `system`", CLAUDE),
        "vault": ("messages of the role system", CLAUDE),
    }

    def urls(self, chat_url: str) -> list[str]:
        parts = urlsplit(chat_url)
        base, found, _ = parts.path.rpartition("/chat/completions")
        if not found:
            return []
        # Clients add /v1/messages to the base that they are given.
        root = base.removesuffix("/v1")
        elsewhere = "/api/anthropic" if base.startswith("/api/") else "/anthropic"
        paths = [f"{root}/v1/messages", f"{elsewhere}/v1/messages" if base.endswith("/v1") else f"{base}/messages"]
        return [urlunsplit(parts._replace(path=path)) for path in paths]

    def request(self, model: str, turns: Sequence[Any], limit: int, **more: Any) -> dict[str, Any]:
        body: dict[str, Any] = {"model": model, "messages": list(turns), "max_tokens": limit}
        if system := more.get("system"):
            body["system"] = system
        if tools := more.get("tools"):
            given = [tool["function"] for tool in tools]
            body["tools"] = [
                {"name": one["name"], "description": one["description"], "input_schema": one["parameters"]}
                for one in given
            ]
            if more.get("forced"):
                body["tool_choice"] = {"type": "any"}
        return body

    def as_agent(self, body: Mapping[str, Any], system: str, note: str) -> dict[str, Any]:
        cached = {"cache_control": {"type": "ephemeral"}}
        turns = [*body["messages"]]
        # After the user's first turn; the last block of the conversation is marked for the cache.
        last = turns[-1]["content"]
        turns[-1] = {**turns[-1], "content": [*last[:-1], {**last[-1], **cached}]}
        if note:
            turns.insert(1, {"role": "system", "content": [{"type": "text", "text": note}]})
        return {
            **{name: value for name, value in body.items() if name != "temperature"},
            "messages": turns,
            "system": [
                {"type": "text", "text": "You are an agent."},
                *([{"type": "text", "text": system, **cached}] if system else []),
            ],
            **({"tools": [*body["tools"], _DEFERRED]} if "tools" in body else {}),
            "metadata": {"user_id": "endpoint-probe"},
            "thinking": {"type": "adaptive"},
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            "output_config": {"effort": "high"},
        }

    def leaves_out_note(self, words: str) -> bool:
        return _NO_SYSTEM_TURNS.search(words[:2000]) is not None

    def user(self, text: str, *, parts: bool = False, picture: bytes = b"") -> Any:
        content: Any = [{"type": "text", "text": text}] if parts or picture else text
        if picture:
            data = base64.b64encode(picture).decode()
            content.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}})
        return {"role": "user", "content": content}

    def results(self, given: Sequence[tuple[Called, str]]) -> list[Any]:
        blocks = [{"type": "tool_result", "tool_use_id": call.id, "content": text} for call, text in given]
        return [{"role": "user", "content": blocks}]

    def form(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}

    def assistant(self, reading: Reading, *, thinking: bool) -> list[Any]:
        hidden = () if thinking else ("thinking", "redacted_thinking")
        blocks = [block for block in reading.turn if member(block, "type") not in hidden]
        return [{"role": "assistant", "content": blocks}]

    def read_whole(self, reading: Reading, body: Any) -> None:
        _whole(reading, body)

    def read_stream(self, reading: Reading) -> None:
        _Stream(reading).read()


def _whole(reading: Reading, body: Any) -> None:
    reading.known = isinstance(body, dict) and (member(body, "type") == "message" or "stop_reason" in body)
    if not reading.known:
        return
    check_fields(reading, body, _TABLE, "/response/body")
    content = member(body, "content")
    _take(reading, content if isinstance(content, list) else [], member(body, "stop_reason"))
    reading.tokens = _tokens(body)


def _take(reading: Reading, blocks: Sequence[Any], stop: Any) -> None:
    """The text, the thinking and the calls of content blocks, and whether the stop reason fits them."""
    reading.turn = [block for block in blocks if isinstance(block, dict)]
    for kind in ("text", "thinking"):
        texts = (text_at(block, kind) for block in reading.turn if block.get("type") == kind)
        setattr(reading, kind, "".join(texts))
    for block in reading.turn:
        if block.get("type") == "tool_use":
            given = block.get("input")
            read = given if isinstance(given, dict) else arguments_of(given)
            reading.calls.append(Called(text_at(block, "id") or None, text_at(block, "name"), read))
    check_ids(reading, "/response/body/content")
    reading.cut = stop == "max_tokens"
    if reading.calls and isinstance(stop, str) and stop not in ("tool_use", "max_tokens"):
        text = f"a message with a call ends with the stop_reason `{stop[:40]}`"
        reading.deviates(Group.TOOLS, text, "/response/body/stop_reason", stop[:40], "an agent that waits for tool_use")


def _tokens(body: Any) -> tuple[int | None, int | None]:
    """Prompt and answer; the parts of the prompt that came from a cache are counted apart."""
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    parts = [count_at(body, "usage", name) for name in names]
    prompt = None if parts[0] is None else sum(part or 0 for part in parts)
    return prompt, count_at(body, "usage", "output_tokens")


class _Stream(StreamReader):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self.blocks: dict[Any, dict[str, Any]] = {}
        self.parts: dict[Any, list[str]] = {}
        self.open: set[Any] = set()
        self.stop: Any = None

    def read(self) -> None:
        reading = self.reading
        found = events_of(reading.exchange)
        events = [(place, body) for place, _, body in found if text_at(body, "type") in (*_EVENTS, "error")]
        kinds = [text_at(body, "type") for _, body in events]
        reading.known = any(kind in _EVENTS for kind in kinds)
        if not reading.known:
            return
        unnamed = next((place for place, event, body in found if text_at(body, "type") and not event.event), None)
        if unnamed:
            text = "events have no `event:` line"
            self.wrong(text, unnamed, "no event name", PYTHON, NODE, *_HELPERS, _AGAIN)
        if kinds[0] != "message_start" and "error" not in kinds[:1]:
            text = f"the stream begins with {kinds[0]} and not with message_start"
            self.wrong(text, events[0][0], kinds[0], *_HELPERS, _AGAIN)
        for place, body in events:
            self._event(text_at(body, "type"), place, body)
        self._ends(kinds, events[-1][0])
        if "error" not in kinds:
            _take(reading, self._finished(events[-1][0]), self.stop)
        reading.text = self.text

    def _ends(self, kinds: Sequence[str], place: str) -> None:
        if "error" in kinds:
            return
        if "message_stop" not in kinds:
            text = "the stream ends without message_stop"
            self.wrong(text, place, kinds[-1], NODE_HELPER)
        if self.open and "message_delta" in kinds:
            text = "a content block has no content_block_stop"
            self.wrong(text, place, kinds[-1], CLAUDE, AI_SDK)
        if "message_delta" not in kinds:
            self.wrong("the stream has no message_delta", place, kinds[-1], *_HELPERS, AI_SDK)

    def _event(self, kind: str, place: str, body: dict[str, Any]) -> None:
        index = number_of(body.get("index"))
        if kind == "error":
            text = f"the stream breaks off with an error event: {said_in(body)[:120]}"
            self.wrong(text, place, "error", PYTHON, NODE, AI_SDK, *_HELPERS, _AGAIN)
        elif kind == "message_start":
            message = member(body, "message")
            check_fields(self.reading, message, _START, f"{place}/message")
            self.reading.tokens = _tokens(message)
        elif kind == "content_block_start":
            block = body.get("content_block")
            if index in self.blocks:
                self.wrong(f"two blocks have the index {str(index)[:20]}", place, index, *_HELPERS, AI_SDK)
                earlier = f"{index} before {place}"  # clients that end a block at its stop have read it by now
                self.blocks[earlier] = self.blocks.pop(index)
                self.parts[earlier] = self.parts.pop(index, [])
            elif index != len(self.blocks):
                text = f"block {len(self.blocks)} has the index {str(index)[:20]}: it is used as a place in a list"
                self.wrong(text, place, index, *_HELPERS)
            self.blocks[index] = dict(block) if isinstance(block, dict) else {}
            self.open.add(index)
            if member(block, "type") == "tool_use":
                check_fields(self.reading, block, _BLOCK, f"{place}/content_block")
        elif kind == "content_block_delta":
            self._delta(place, body, index)
        elif kind == "content_block_stop":
            self.open.discard(index)
        elif kind == "message_delta":
            self.stop = member(body, "delta", "stop_reason")
            if not isinstance(self.stop, str):
                self.reading.deviates(Group.SHAPE, "`stop_reason` is null", f"{place}/delta/stop_reason", None)
            prompt, written = _tokens(body)
            before = self.reading.tokens
            self.reading.tokens = (prompt or before[0], written or before[1])

    def _delta(self, place: str, body: dict[str, Any], index: Any) -> None:
        delta = body.get("delta")
        field = _DELTAS.get(text_at(delta, "type"))
        if index not in self.open:
            text = f"a delta names the index {str(index)[:20]}, whose block is not open"
            self.wrong(text, place, index, *_HELPERS, AI_SDK, _AGAIN)
        if field is not None:
            piece = member(delta, field)
            if not isinstance(piece, str):
                self.wrong(f"`delta.{field}` is not a string", place, str(piece)[:40], *_ALL, CLAUDE)
            else:
                self.parts.setdefault(index, []).append(piece)
                self.pieces += [piece] if field == "text" else []
        elif text_at(delta, "type") == "signature_delta" and index in self.blocks:
            self.blocks[index]["signature"] = member(delta, "signature")

    def _finished(self, place: str) -> list[dict[str, Any]]:
        """The blocks with what their deltas make."""
        made = []
        for index, block in self.blocks.items():
            text = "".join(self.parts.get(index, ()))
            if block.get("type") == "tool_use":
                if text:
                    block["input"] = arguments_of(text)
                    if block["input"] is None:
                        said = "the input_json_delta of a call make no JSON object"
                        self.reading.deviates(Group.TOOLS, said, place, text[:80], CLAUDE, AI_SDK, *_HELPERS)
                elif block.get("input"):
                    said = "the input of a call comes with content_block_start, without input_json_delta"
                    self.wrong(said, place, str(block["input"])[:80], CLAUDE)
            elif block.get("type") in ("text", "thinking"):
                block[block["type"]] = text_at(block, block["type"]) + text
            made.append(block)
        return made
