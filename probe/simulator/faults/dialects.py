"""Faults of the Responses and Messages APIs of endpoints whose chat completions are right.

Each is a row of the tables below: what is changed in the request, in the model's reply, in the whole answer or in the
events of the stream.  The comment names a place where it was reported.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.fault import (
    Fault,
    as_text,
    drop_fields,
    each_object,
    named_calls,
    on_json,
    on_prompt,
    on_request,
    replace_messages,
)
from probe.simulator.response import Response

Events = Callable[[list[Chunk]], list[Chunk]]


class DialectFault(Fault):
    """A change to one dialect.

    `changes` holds functions by what they change: `refuse` (the request's body to the text of a refusal, or None),
    `prompt` (what the model is shown), `reply`, `body` (the whole answer), `events` (of the stream).
    """

    changes: ClassVar[Mapping[str, Callable[..., Any]]] = {}

    def on_chat(self, call: Call) -> Response | None:
        text = self.changes["refuse"](call.sent) if "refuse" in self.changes else None
        return self.error(400, text) if text else None

    def on_prompt(self, call: Call) -> None:
        if change := self.changes.get("prompt"):
            change(call)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        change = self.changes.get("reply")
        return change(call, reply) if change else reply

    def on_json(self, call: Call, payload: Any) -> Any:
        change = self.changes.get("body")
        return change(payload) if change and isinstance(payload, dict) and not payload.get("error") else payload

    def on_events(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        change = self.changes.get("events")
        return change(chunks) if change else chunks


def row(
    name: str,
    summary: str,
    *yields: str,
    personality: str | None = None,
    stream: bool | None = None,
    **changes: Callable[..., Any],
) -> type[Fault]:
    """A change to the dialect with which the name begins."""
    members = {"yields": yields, "personality": personality, "stream": stream, "changes": changes}
    api = name.partition("-")[0]
    home = "litellm" if api == "messages" else "openai"
    return DialectFault.variant(name, summary, operation=api, home=home, **members)


# Changes that several faults share ----------------------------------------------------------------------


def without(*kinds: str) -> Events:
    return lambda chunks: [chunk for chunk in chunks if _kind(chunk) not in kinds]


def _kind(chunk: Chunk) -> str:
    return str(chunk.data["type"]) if isinstance(chunk.data, dict) else ""


def each(kind: str, change: Callable[[JSON], JSON | None]) -> Events:
    """Change the events whose type ends like this."""
    return lambda chunks: each_object(chunks, lambda data: change(data) if data["type"].endswith(kind) else data)


def _item(change: Callable[[JSON], JSON]) -> Callable[[JSON], JSON]:
    """Change each output item or content block of a whole answer."""

    def changed(body: JSON) -> JSON:
        field = "output" if "output" in body else "content"
        return {**body, field: [change(one) for one in body[field]]} if field in body else body

    return changed


def lacking(name: str, data: JSON) -> JSON:
    return {key: value for key, value in data.items() if key != name}


def _leaked(_: Call, reply: Reply) -> Reply:
    """The calls as the text of a template whose parser is not used here (Hermes)."""
    if not reply.tool_calls:
        return reply
    made = [json.dumps({"name": name, "arguments": given}) for name, given in named_calls(reply)]
    return as_text(reply, "\n".join(f"<tool_call>\n{text}\n</tool_call>" for text in made))


def _has_result(sent: JSON) -> bool:
    """Whether a request holds the result of a tool."""
    return "function_call_output" in str(sent.get("input")) or "tool_result" in str(sent.get("messages"))


def _forgets_results(call: Call) -> None:
    replace_messages(
        call, lambda message: None if message.get("role") == "tool" or message.get("tool_calls") else message
    )


def _forgets_system(call: Call) -> None:
    replace_messages(call, lambda message: None if message.get("role") == "system" else message)


# Responses ----------------------------------------------------------------------------------------------


def _arguments_only_when_done(chunks: list[Chunk]) -> list[Chunk]:
    return without("response.function_call_arguments.delta")(chunks)


def _item_ids_change(chunks: list[Chunk]) -> list[Chunk]:
    return each_object(chunks, lambda data: {**data, "item_id": f"{data['item_id']}_0"} if "item_id" in data else data)


def _deltas_before_their_item(chunks: list[Chunk]) -> list[Chunk]:
    """The first delta changes places with what announces its item."""
    first = next((n for n, chunk in enumerate(chunks) if _kind(chunk).endswith(".delta")), None)
    if first is None:
        return chunks
    opened = next(n for n, chunk in enumerate(chunks) if _kind(chunk) == "response.output_item.added")
    return [*chunks[:opened], chunks[first], *chunks[opened:first], *chunks[first + 1 :]]


def _ends_in_failure(chunks: list[Chunk]) -> list[Chunk]:
    body = copy.deepcopy(chunks[0].data)
    if isinstance(body, dict):
        error = {"code": "server_error", "message": "The engine stopped unexpectedly."}
        body |= {"type": "response.failed"}
        body["response"] |= {"status": "failed", "error": error}
    return [*chunks[: len(chunks) // 2], replace(chunks[-1], data=body, event="response.failed")]


def _shifted(data: JSON) -> JSON:
    return {**data, "output_index": data["output_index"] + 1}


def _finished(**changes: Any) -> Events:
    return each("response.completed", lambda data: {**data, "response": {**data["response"], **changes}})


_ARGUMENTS_OBJECT = _item(
    lambda item: {**item, "arguments": json.loads(item["arguments"])} if "arguments" in item else item
)
_CODEX_FIELDS = ("include", "prompt_cache_key", "client_metadata", "store", "reasoning")

_RESPONSES = (
    row("responses-no-completed", "streams of /responses end without response.completed (vLLM #25719)",
           "responses.stream", events=without("response.completed")),
    row("responses-no-created", "streams of /responses begin without response.created", "responses.stream",
           events=without("response.created", "response.in_progress")),
    row("responses-no-item-added", "no output item is announced before its deltas (llm-rosetta #56)",
           "responses.stream", events=without("response.output_item.added", "response.content_part.added")),
    row("responses-out-of-order", "the first delta comes before its item", "responses.stream",
           events=_deltas_before_their_item),
    row("responses-no-item-done", "output_item.done is missing (llm-rosetta #56)", "responses.stream",
           events=without("response.output_item.done")),
    row("responses-arguments-when-done", "arguments come only in the done events (LiteLLM #27144)",
           "responses.stream", events=_arguments_only_when_done),
    row("responses-item-id-changes", "item_id of deltas is not the id of their item", "responses.stream",
           events=_item_ids_change),
    row("responses-wrong-output-index", "deltas name the index of another item", "responses.stream",
           events=each(".delta", _shifted)),
    row("responses-no-output-index", "events without output_index and sequence_number (llama.cpp)",
           "responses.stream", events=lambda chunks: each_object(
               chunks, lambda data: lacking("output_index", lacking("sequence_number", data)))),
    row("responses-completed-empty", "response.completed has no output (llm-rosetta #56)", "responses.stream",
           events=_finished(output=[])),
    row("responses-completed-without-id", "response.completed has no id (llm-rosetta #56)", "responses.shape",
           events=each("response.completed", lambda data: {**data, "response": lacking("id", data["response"])})),
    row("responses-no-usage", "response.completed has no token counts", "responses.shape",
           events=_finished(usage=None)),
    row("responses-text-doubled", "the last delta repeats the whole text", "responses.stream",
           events=lambda chunks: [
               replace(chunk, data={**chunk.data, "delta": chunk.data["delta"] * 2})
               if isinstance(chunk.data, dict) and _kind(chunk) == "response.output_text.delta" else chunk
               for chunk in chunks]),
    row("responses-failed", "streams of /responses break off with response.failed", "responses.stream",
           events=_ends_in_failure),
    row("responses-arguments-object", "arguments are an object and not a JSON text", "responses.tools",
           body=_ARGUMENTS_OBJECT),
    row("responses-call-id-missing", "calls have no call_id", "responses.tools",
           body=_item(lambda item: lacking("call_id", item)),
           events=lambda chunks: each_object(
               chunks, lambda data: {**data, "item": lacking("call_id", data["item"])} if "item" in data else data)),
    row("responses-content-text", "content parts have the type `text`", "responses.shape", body=_item(
        lambda item: {**item, "content": [{**part, "type": "text"} for part in item["content"]]}
        if item["type"] == "message" else item)),
    row("responses-output-null", "whole answers have `output: null` and the text in output_text", "responses.shape",
           body=lambda body: {**body, "output": None, "output_text": str(body["output"])}),
    row("responses-tools-as-text", "calls are left in the text of /responses alone (vLLM #36435)",
           "responses.tools", reply=_leaked),
    row("responses-stream-leak", "calls are left in the text of streams of /responses alone (vLLM #29725)",
           "responses.tools", stream=True, reply=_leaked),
    row("responses-tools-dropped", "tools of /responses do not reach the model", "responses.tools",
           prompt=lambda call: drop_fields(call, "tools", "tool_choice")),
    row("responses-tools-rejected", "tools are refused by /responses alone", "responses.tools",
           refuse=lambda sent: "Tools are not supported by this endpoint." if sent.get("tools") else None),
    row("responses-fields-rejected", "fields that Codex always sends are refused", "responses.fields-rejected",
           refuse=lambda sent: next(
               (f"Unsupported parameter: '{name}'." for name in _CODEX_FIELDS if name in sent), None)),
    row("responses-result-rejected", "a function_call_output is refused", "responses.history",
           refuse=lambda sent: "Invalid value: 'function_call_output'." if _has_result(sent) else None),
    row("responses-result-dropped", "a function_call_output does not reach the model", "responses.history",
           prompt=_forgets_results),
    row("responses-no-storage", "previous_response_id is refused", "responses.history",
           refuse=lambda sent: "Response not found." if sent.get("previous_response_id") else None),
    row("responses-instructions-dropped", "instructions do not reach the model", "responses.history",
           prompt=_forgets_system),
)  # fmt: skip


@on_request("previous_response_id is accepted, and the conversation is not continued", "responses.history")
def responses_previous_ignored(fault: Fault, call: Call) -> Response | None:
    """`previous_response_id` is taken and has no effect."""
    if isinstance(call.sent, dict) and call.path.endswith("/responses"):
        call.sent = call.body = lacking("previous_response_id", call.sent)
    return None


@on_prompt("/responses answers, and never streams", "responses.stream")
def responses_unstreamed(fault: Fault, call: Call) -> None:
    """A /responses that answers a streamed request whole."""
    if call.operation == "responses":
        call.body = {**call.body, "stream": False}


@on_prompt(
    "/responses streams unless `stream: false` is sent (transformers serve)", "stream.not-asked", operation="responses"
)
def responses_unasked_stream(fault: Fault, call: Call) -> None:
    """As transformers serve does."""
    if "stream" not in call.sent:
        call.body = {**call.body, "stream": True}


# Messages -----------------------------------------------------------------------------------------------


MessagesUnasked = responses_unasked_stream.variant(
    "messages-unasked-stream", "/messages streams unless `stream: false` is sent", home="litellm", operation="messages"
)


@on_json("/messages/count_tokens answers without input_tokens", "messages.shape", home="litellm")
def messages_count_wrong(fault: Fault, call: Call, payload: Any) -> Any:
    """A token count under another name."""
    return {"token_count": payload.get("input_tokens")} if call.operation == "count_tokens" else payload


def _input_in_start(chunks: list[Chunk]) -> list[Chunk]:
    """The whole input with the start of its block, and no deltas."""
    parts: dict[int, str] = {}
    for chunk in chunks:
        if isinstance(chunk.data, dict) and (chunk.data.get("delta") or {}).get("type") == "input_json_delta":
            parts[chunk.data["index"]] = parts.get(chunk.data["index"], "") + chunk.data["delta"]["partial_json"]

    def change(data: JSON) -> JSON | None:
        if (data.get("delta") or {}).get("type") == "input_json_delta":
            return None
        if data["type"] == "content_block_start" and data["index"] in parts:
            return {**data, "content_block": {**data["content_block"], "input": json.loads(parts[data["index"]])}}
        return data

    return each_object(chunks, change)


def _broken_json(data: JSON) -> JSON:
    delta = data["delta"]
    if delta["type"] != "input_json_delta":
        return data
    return {**data, "delta": {**delta, "partial_json": delta["partial_json"].replace('"', "'")}}


def _breaks_off(chunks: list[Chunk]) -> list[Chunk]:
    error = {"type": "error", "error": {"type": "api_error", "message": "The engine stopped unexpectedly."}}
    return [*chunks[: len(chunks) // 2], replace(chunks[-1], data=error, event="error")]


def _start(change: Callable[[JSON], JSON]) -> Events:
    return each("message_start", lambda data: {**data, "message": change(data["message"])})


def _delta(**changes: Any) -> Events:
    return each("message_delta", lambda data: {**data, "delta": {**data["delta"], **changes}})


def _as_chat(body: JSON) -> JSON:
    text = "".join(block.get("text", "") for block in body.get("content") or [])
    message = {"role": "assistant", "content": text}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"index": 0, "message": message}]}


_CLAUDE_FIELDS = ("metadata", "thinking", "context_management", "output_config")

_MESSAGES = (
    row("messages-no-stop", "streams of /messages end without message_stop", "messages.stream",
           events=without("message_stop")),
    row("messages-no-start", "streams of /messages begin without message_start", "messages.stream",
           events=without("message_start")),
    row("messages-no-block-stop", "content_block_stop is missing", "messages.stream",
           events=without("content_block_stop")),
    row("messages-no-block-start", "content_block_start is missing", "messages.stream",
           events=without("content_block_start")),
    row("messages-no-event-names", "events have no `event:` line", "messages.stream",
           events=lambda chunks: [replace(chunk, event="") for chunk in chunks]),
    row("messages-index-shifted", "deltas name the index of another block", "messages.stream",
           events=each("content_block_delta", lambda data: {**data, "index": data["index"] + 1})),
    row("messages-second-index-zero", "every block has the index 0", "messages.stream",
           events=lambda chunks: each_object(
               chunks, lambda data: {**data, "index": 0} if "index" in data else data)),
    row("messages-broken-json", "input_json_delta make no JSON", "messages.tools",
           events=each("content_block_delta", _broken_json)),
    row("messages-input-in-start", "the input comes with the start of its block, without deltas",
           "messages.stream", events=_input_in_start),
    row("messages-stop-reason-null", "stop_reason is null in whole answers and streams", "messages.shape",
           body=lambda body: {**body, "stop_reason": None},
           events=_delta(stop_reason=None)),
    row("messages-stop-reason-end-turn", "a message with a call ends with end_turn", "messages.tools",
           body=lambda body: {**body, "stop_reason": "end_turn"},
           events=_delta(stop_reason="end_turn")),
    row("messages-no-usage", "there are no token counts", "messages.shape",
           body=lambda body: lacking("usage", body),
           events=lambda chunks: _start(lambda body: lacking("usage", body))(
               each("message_delta", lambda data: lacking("usage", data))(chunks))),
    row("messages-error-event", "streams of /messages break off with an error event", "messages.stream",
           events=_breaks_off),
    row("messages-as-chat", "/messages answers with a chat completion", "messages.shape", body=_as_chat),
    row("messages-content-text", "content is a text and not a list", "messages.shape",
           body=lambda body: {**body, "content": body["content"][0].get("text", "")}),
    row("messages-input-text", "the input of a call is a JSON text", "messages.tools", body=_item(
        lambda block: {**block, "input": json.dumps(block["input"])} if "input" in block else block)),
    row("messages-call-id-missing", "calls have no id", "messages.tools",
           body=_item(lambda block: lacking("id", block)), events=each(
               "content_block_start", lambda data: {**data, "content_block": lacking("id", data["content_block"])})),
    row("messages-tools-as-text", "calls are left in the text of /messages alone", "messages.tools", reply=_leaked),
    row("messages-stream-leak", "calls are left in the text of streams of /messages alone", "messages.tools",
           stream=True, reply=_leaked),
    row("messages-tools-dropped", "tools of /messages do not reach the model", "messages.tools",
           prompt=lambda call: drop_fields(call, "tools", "tool_choice")),
    row("messages-tools-rejected", "tools are refused by /messages alone", "messages.tools",
           refuse=lambda sent: "tools: Extra inputs are not permitted" if sent.get("tools") else None),
    row("messages-fields-rejected", "fields that Claude Code always sends are refused", "messages.fields-rejected",
           refuse=lambda sent: next(
               (f"{name}: Extra inputs are not permitted" for name in _CLAUDE_FIELDS if name in sent), None)),
    row("messages-system-blocks-rejected", "`system` as a list of blocks is refused", "messages.fields-rejected",
           refuse=lambda sent: "system: Input should be a string" if isinstance(sent.get("system"), list) else None),
    row("messages-result-rejected", "a tool_result is refused", "messages.history",
           refuse=lambda sent: "messages.2.content.0: unknown tag 'tool_result'" if _has_result(sent) else None),
    row("messages-result-dropped", "a tool_result does not reach the model", "messages.history",
           prompt=_forgets_results),
    row("messages-signature-refused", "a thinking block is refused when it comes back", "messages.history",
           personality="reasoning", refuse=lambda sent: "messages.1.content.0: Invalid `signature` in `thinking` block"
           if "'signature'" in str(sent.get("messages")) else None),
    row("messages-system-dropped", "the system prompt does not reach the model", "messages.history",
           prompt=_forgets_system),
)  # fmt: skip

FAULTS = (*_RESPONSES, *_MESSAGES)
