"""Faults of what is sent back: fields that have to be returned, ids and answers that are refused in the history."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from typing import Any, ClassVar

from probe.simulator.call import JSON, Call, Chunk, Reply, ToolCall
from probe.simulator.fault import Fault
from probe.simulator.script import Script


def _assistant_turns(call: Call) -> list[JSON]:
    """The assistant turns of the history that hold calls."""
    return [turn for turn in call.messages if turn.get("role") == "assistant" and turn.get("tool_calls")]


def _refused(call: Call, message: str) -> Script:
    return call.site.style.error(call, 400, message, "invalid_request_error", "messages")


def _messages(payload: JSON) -> list[JSON]:
    """The messages of an answer, copied so that they may be changed."""
    found = payload.get("choices")
    if not isinstance(found, list):
        return []
    return [choice["message"] for choice in found if isinstance(choice.get("message"), dict)]


def _each_delta(chunks: list[Chunk], change: Any) -> list[Chunk]:
    made = []
    for chunk in chunks:
        data = copy.deepcopy(chunk.data)
        if isinstance(data, dict):
            for choice in data.get("choices") or ():
                if isinstance(choice.get("delta"), dict):
                    change(choice["delta"])
        made.append(replace(chunk, data=data))
    return made


class EchoSignature(Fault):
    """Gemini's compatible API: each call carries a signature that has to come back (langchain issue 37347)."""

    name = "echo-signature"
    summary = "calls carry extra_content.google.thought_signature; a history without it is refused"
    yields = ("tools.echo-required",)
    signature: ClassVar[JSON] = {"google": {"thought_signature": "CsYBAXLI2nwF0Qk5m8s="}}

    def on_chat(self, call: Call) -> Script | None:
        for turn in _assistant_turns(call):
            for made in turn["tool_calls"]:
                if made.get("extra_content") != self.signature:
                    said = "Function call is missing a thought_signature in functionCall parts. This is required for "
                    return _refused(call, f"{said}tools to work correctly.")
        return None

    def on_response(self, call: Call, payload: JSON) -> Any:
        changed = copy.deepcopy(payload)
        for message in _messages(changed):
            for made in message.get("tool_calls") or ():
                made["extra_content"] = self.signature
        return changed

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        def change(delta: JSON) -> None:
            for made in delta.get("tool_calls") or ():
                if made.get("id"):
                    made["extra_content"] = self.signature

        return _each_delta(chunks, change)


class EchoReasoning(Fault):
    """A thinking model's API that wants its thoughts back (anomalyco/opencode issue 24497)."""

    name = "echo-reasoning"
    summary = "an assistant turn with calls and without its reasoning_content is refused"
    yields = ("tools.echo-required",)
    field = "reasoning_content"

    def on_chat(self, call: Call) -> Script | None:
        for turn in _assistant_turns(call):
            if not turn.get(self.field):
                return _refused(call, f"The `{self.field}` in the thinking mode must be passed back to the API.")
        return None

    def on_response(self, call: Call, payload: JSON) -> Any:
        changed = copy.deepcopy(payload)
        for message in _messages(changed):
            message[self.field] = "The user asks; I answer."
        return changed

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        first = True

        def change(delta: JSON) -> None:
            nonlocal first
            if first:
                delta[self.field] = "The user asks; I answer."
                first = False

        return _each_delta(chunks, change)


class EchoDetails(EchoReasoning):
    """The same with a field of the gateway's own (OpenRouter's documentation, preserving reasoning blocks)."""

    name = "echo-reasoning-details"
    summary = "an assistant turn with calls and without its reasoning_details is refused"
    field = "reasoning_details"


class IdsOfNine(Fault):
    """A template of Mistral that checks ids, behind a server that makes others (vllm-project/vllm issue 9019)."""

    name = "tool-ids-of-nine"
    summary = "calls get ids of 24 characters, and ids that are not nine of a-z, A-Z, 0-9 are refused"
    yields = ("tools.result-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        for turn in _assistant_turns(call):
            for made in turn["tool_calls"]:
                if not re.fullmatch(r"[a-zA-Z0-9]{9}", str(made.get("id"))):
                    said = f"Tool call id was {made.get('id')} but must be a-z, A-Z, 0-9, with a length of 9."
                    return _refused(call, said)
        return None

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        kept = tuple(replace(made, id=f"{number:024x}") for number, made in enumerate(reply.tool_calls, 0xA1B2C3))
        return replace(reply, tool_calls=kept[:1])


class EmptyCallsRefused(Fault):
    """The server refuses the empty list of calls that it writes itself (lmstudio-bug-tracker issue 1318)."""

    name = "empty-calls-refused"
    summary = "plain answers hold `tool_calls: []`, and a history with it is refused"
    yields = ("tools.history-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        if any(turn.get("tool_calls") == [] for turn in call.messages):
            return _refused(call, "Invalid 'messages': 'tool_calls' must contain at least 1 element")
        return None

    def on_response(self, call: Call, payload: JSON) -> Any:
        changed = copy.deepcopy(payload)
        for message in _messages(changed):
            message.setdefault("tool_calls", [])
        return changed


class ResultFails(Fault):
    """The provider fails behind the gateway once there is a result (openrouter-examples issue 67)."""

    name = "tool-result-finish-error"
    summary = 'after a tool result the answer is 200 with finish_reason "error" and no content'
    yields = ("tools.result-rejected",)

    def on_response(self, call: Call, payload: JSON) -> Any:
        if "choices" not in payload or not any(turn.get("role") == "tool" for turn in call.messages):
            return payload
        changed = copy.deepcopy(payload)
        for choice in changed["choices"]:
            choice["finish_reason"] = "error"
            choice["native_finish_reason"] = "MALFORMED_FUNCTION_CALL"
            choice["message"] = {"role": "assistant", "content": None}
        return changed


class SecondLost(Fault):
    """A streaming parser keeps one call (sgl-project/sglang issue 35564)."""

    name = "tool-stream-second-lost"
    summary = "of two calls in one answer only the first is streamed"
    yields = ("tools.stream-fragments",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, tool_calls=reply.tool_calls[:1]) if call.stream else reply


class StreamedTwice(Fault):
    """The streamed call is structured and in the text as well (oobabooga/textgen issue 7427)."""

    name = "tool-stream-call-and-text"
    summary = "streamed calls come structured, and again as text in tool_call tags; whole answers are clean"
    yields = ("tools.stream-leak",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not (call.stream and reply.tool_calls):
            return reply
        written = "".join(
            f'<tool_call>\n{{"name": "{made.name}", "arguments": {made.arguments}}}\n</tool_call>'
            for made in reply.tool_calls
        )
        return replace(reply, text=reply.text + written)


class NameWithTokens(Fault):
    """A parser leaves the format's special tokens in the name (vllm-project/vllm issue 32587)."""

    name = "tool-name-with-tokens"
    summary = "the name of a call is followed by special tokens"
    yields = ("tools.name-altered",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, tool_calls=tuple(self._renamed(made) for made in reply.tool_calls))

    def _renamed(self, made: ToolCall) -> ToolCall:
        return replace(made, name=f"{made.name}<|channel|>commentary")


class EncodedTwice(Fault):
    """Arguments are serialised by the parser and again by the API (vllm-project/vllm pull request 54964)."""

    name = "tool-arguments-encoded-twice"
    summary = "the arguments are a JSON string that holds JSON"
    yields = ("tools.values-altered",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        kept = tuple(replace(made, arguments=json.dumps(made.arguments)) for made in reply.tool_calls)
        return replace(reply, tool_calls=kept)


class IndexFromOne(Fault):
    """Deltas count their calls from 1 (router-for-me/CLIProxyAPI issue 5229)."""

    name = "tool-stream-index-from-one"
    summary = "streamed calls have the indexes 1, 2 …"
    yields = ("tools.stream-index",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        def change(delta: JSON) -> None:
            for made in delta.get("tool_calls") or ():
                if isinstance(made.get("index"), int):
                    made["index"] += 1

        return _each_delta(chunks, change)
