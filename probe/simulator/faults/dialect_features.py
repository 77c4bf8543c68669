"""Further faults of the Responses and Messages APIs of endpoints whose chat completions are right.

Pictures, schemas, parallel calls and their results, reasoning that comes back, stored responses, token counts, what
agents send with every request, server errors and heartbeats.  The rows are as in ``dialects``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from probe.simulator.call import JSON, Call, Reply
from probe.simulator.fault import Fault, drop_fields, on_json, on_prompt, replace_messages
from probe.simulator.faults.dialects import each, lacking, row
from probe.simulator.faults.harmless import Heartbeats
from probe.simulator.response import Response

BOTH = ("responses", "messages")


def _pair(name: str, summary: str, code: str, **changes: Any) -> tuple[type[Fault], ...]:
    """The same fault of both APIs."""
    return tuple(row(f"{api}-{name}", f"/{api}: {summary}", f"{api}.{code}", **changes) for api in BOTH)


# Pictures and schemas -----------------------------------------------------------------------------------


def _pictures(change: Callable[[JSON], JSON | None]) -> Callable[[Call], None]:
    """Change the pictures in the prompt; None drops them."""

    def changed(message: JSON) -> JSON:
        content = message.get("content")
        if not isinstance(content, list):
            return message
        parts = [change(part) if part.get("type") == "image_url" else part for part in content]
        return {**message, "content": [part for part in parts if part is not None]}

    return lambda call: replace_messages(call, changed)


def _has_picture(sent: JSON) -> str | None:
    given = str(sent.get("input") or sent.get("messages"))
    return "content type not supported: image" if "'input_image'" in given or "'type': 'image'" in given else None


def _asks_for_schema(sent: JSON) -> str | None:
    forms = (sent.get("text") or {}, sent.get("output_config") or {})
    return "format: Extra inputs are not permitted" if any("format" in form for form in forms) else None


def _json_mode(call: Call) -> None:
    """Any object in place of the schema's."""
    if "response_format" in call.body:
        call.body = {**call.body, "response_format": {"type": "json_object"}}


_FORMS = (
    *_pair("pictures-dropped", "pictures do not reach the model", "picture", prompt=_pictures(lambda _: None)),
    *_pair("pictures-as-text", "pictures become a word", "picture",
           prompt=_pictures(lambda _: {"type": "text", "text": "[image]"})),
    *_pair("pictures-rejected", "pictures are refused", "picture", refuse=_has_picture),
    *_pair("schema-dropped", "a JSON schema has no effect", "schema",
           prompt=lambda call: drop_fields(call, "response_format")),
    *_pair("schema-as-json-mode", "a JSON schema makes any object", "schema", prompt=_json_mode),
    *_pair("schema-rejected", "a JSON schema is refused", "schema", refuse=_asks_for_schema),
)  # fmt: skip


# Parallel calls and their results -----------------------------------------------------------------------


def _first_call(_: Call, reply: Reply) -> Reply:
    return replace(reply, tool_calls=reply.tool_calls[:1])


def _arguments_of_first(_: Call, reply: Reply) -> Reply:
    emptied = tuple(replace(made, arguments="{}") for made in reply.tool_calls[1:])
    return replace(reply, tool_calls=(*reply.tool_calls[:1], *emptied))


def _same_ids(_: Call, reply: Reply) -> Reply:
    return replace(reply, tool_calls=tuple(replace(made, id="call_0") for made in reply.tool_calls))


def _first_result(call: Call) -> None:
    """Of several results in a row the first alone is kept."""
    kept: list[JSON] = []
    for message in call.messages:
        if not (message.get("role") == "tool" and kept and kept[-1].get("role") == "tool"):
            kept.append(message)
    call.body = {**call.body, "messages": kept}


_CALLS = (
    *_pair("second-call-lost", "the second of two calls is lost in streams", "tools", stream=True, reply=_first_call),
    *_pair("second-call-never", "one call is made at a time", "tools", reply=_first_call),
    *_pair("second-call-same-id", "two calls have the same id", "tools", reply=_same_ids),
    *_pair("second-call-emptied", "the second of two calls has no arguments in streams", "tools",
           stream=True, reply=_arguments_of_first),
    *_pair("second-result-dropped", "of two results the first reaches the model", "history", prompt=_first_result),
)  # fmt: skip


# Reasoning that comes back, and stored responses --------------------------------------------------------


def _reasoning(sent: JSON) -> list[JSON]:
    given = sent.get("input")
    return [item for item in given if item.get("type") == "reasoning"] if isinstance(given, list) else []


def _not_persisted(sent: JSON) -> str | None:
    if sent.get("store") is not False or all("encrypted_content" in item for item in _reasoning(sent)):
        return None
    return "Item with id 'rs_0' not found. Items are not persisted when `store` is set to false."


def _unsigned(sent: JSON) -> str | None:
    text = str(sent.get("messages"))
    return "messages.1.content.0.thinking.signature: Field required" if "'signature': ''" in text else None


def _no_reasoning_before_calls(sent: JSON) -> str | None:
    calls = "'type': 'function_call'" in str(sent.get("input"))
    return None if _reasoning(sent) or not calls else "function_call was provided without its required 'reasoning' item"


def _no_thinking_before_calls(sent: JSON) -> str | None:
    text = str(sent.get("messages"))
    lacks = "'type': 'tool_use'" in text and "'type': 'thinking'" not in text
    return "messages.1.content.0.type: Expected `thinking`, but found `tool_use`" if lacks else None


def _no_signatures(data: JSON) -> JSON | None:
    return None if data["delta"]["type"] == "signature_delta" else data


_THINKS: dict[str, Any] = {"personality": "reasoning"}
_TURNS = (
    row("responses-reasoning-refused", "encrypted reasoning is refused when it comes back",
                  "responses.history", **_THINKS, refuse=lambda sent: "encrypted_content could not be decrypted"
                  if any("encrypted_content" in item for item in _reasoning(sent)) else None),
    row("responses-reasoning-not-encrypted", "reasoning has no encrypted form, and is not stored either",
                  "responses.history", **_THINKS, refuse=_not_persisted,
                  events=each("output_item.done", lambda data: {
                      **data, "item": lacking("encrypted_content", data["item"])})),
    row("responses-reasoning-required", "calls are refused without the reasoning before them",
                  "responses.history", **_THINKS, refuse=_no_reasoning_before_calls),
    row("messages-signature-lost", "streams have no signature of the thinking, and it is required",
                  "messages.history", **_THINKS, refuse=_unsigned,
                  events=each("content_block_delta", _no_signatures)),
    row("messages-thinking-required", "calls are refused without the thinking before them",
                  "messages.history", **_THINKS, refuse=_no_thinking_before_calls),
    row("responses-stored-calls-lost", "the result of a stored call is refused", "responses.history",
                  refuse=lambda sent: "No tool call found for function call output."
                  if sent.get("previous_response_id") and "function_call_output" in str(sent.get("input")) else None),
)  # fmt: skip


# What agents send with every request --------------------------------------------------------------------


def _roles(sent: JSON) -> set[Any]:
    given = sent.get("input") or sent.get("messages")
    return {turn.get("role") for turn in given if isinstance(turn, dict)} if isinstance(given, list) else set()


def _tool_types(sent: JSON) -> str | None:
    found = [tool.get("type") for tool in sent.get("tools") or [] if tool.get("type") != "function"]
    return f"'type' of tool must be 'function', not {found[0]!r}" if found else None


def _own_ids(sent: JSON) -> str | None:
    given = sent.get("input")
    named = isinstance(given, list) and any(item.get("role") and "id" in item for item in given)
    return "input.0.id: Extra inputs are not permitted" if named else None


def _forgets_developer(call: Call) -> None:
    replace_messages(call, lambda message: None if message.get("role") == "developer" else message)


def _forgets_note(call: Call) -> None:
    """System messages after the first turn are dropped."""
    kept = [one for place, one in enumerate(call.messages) if place == 0 or one.get("role") != "system"]
    call.body = {**call.body, "messages": kept}


def _first_block(call: Call) -> None:
    def first(message: JSON) -> JSON:
        text = message.get("content")
        begins = message.get("role") == "system" and isinstance(text, str)
        return {**message, "content": text.partition("\n")[0]} if begins and isinstance(text, str) else message

    replace_messages(call, first)


_AGENTS = (
    row("responses-tool-types-rejected", "tools that are not functions are refused",
                  "responses.fields-rejected", refuse=_tool_types),
    row("responses-developer-rejected", "messages of the role developer are refused",
                  "responses.fields-rejected", refuse=lambda sent: "Unexpected role 'developer'"
                  if "developer" in _roles(sent) else None),
    row("responses-item-ids-rejected", "items with an id of the client are refused",
                  "responses.fields-rejected", refuse=_own_ids),
    row("responses-developer-dropped", "messages of the role developer do not reach the model",
                  "responses.history", prompt=_forgets_developer),
    row("messages-system-turns-rejected", "messages of the role system are refused",
                  "messages.fields-rejected", refuse=lambda sent: "messages[1]: no such role"
                  if "system" in _roles(sent) else None),
    row("messages-system-turns-known", "messages of the role system are refused, in words that Claude Code understands",
                  refuse=lambda sent: "messages.1.role: Input should be 'user' or 'assistant'"
                  if "system" in _roles(sent) else None),
    row("messages-cache-control-rejected", "cache_control is refused", "messages.fields-rejected",
                  refuse=lambda sent: "cache_control: Extra inputs are not permitted"
                  if "'cache_control'" in str(sent) else None),
    row("messages-system-turns-dropped", "messages of the role system do not reach the model",
                  "messages.history", prompt=_forgets_note),
    row("messages-system-first-block", "of the blocks of `system` the first reaches the model",
                  "messages.history", prompt=_first_block),
)  # fmt: skip


@on_prompt("/messages/count_tokens leaves the tools out", "messages.count-differs", home="litellm")
def messages_count_without_tools(fault: Fault, call: Call) -> None:
    """As a gateway that counts the messages by a tokenizer of its own."""
    if call.operation == "count_tokens":
        drop_fields(call, "tools")


@on_json("/messages/count_tokens always counts one token", "messages.count-differs", home="litellm")
def messages_count_constant(fault: Fault, call: Call, payload: Any) -> Any:
    """A count that says the same of every request."""
    return {"input_tokens": 1} if call.operation == "count_tokens" and "input_tokens" in payload else payload


# Server errors and silences -----------------------------------------------------------------------------


class ResponsesServerError(Fault):
    """A path that exists, and a handler that always fails."""

    name = "responses-server-error"
    summary = "every request of /responses gets status 500"
    yields: ClassVar[tuple[str, ...]] = ("responses.server-error",)
    operation = "responses"

    def on_chat(self, call: Call) -> Response | None:
        return self.error(500, "Internal server error", "server_error")


MessagesServerError = ResponsesServerError.variant(
    "messages-server-error",
    "every request of /messages gets status 500",
    yields=("messages.server-error",),
    home="litellm",
    operation="messages",
)


class ServerErrorOnce(ResponsesServerError):
    """One failure that the next request does not see: nothing is wrong with the API."""

    name = "responses-server-error-once"
    summary = "the first request of /responses gets status 500"
    yields = ()

    def on_chat(self, call: Call) -> Response | None:
        self.count += 1
        return super().on_chat(call) if self.count == 1 else None


class ResponsesNoHeartbeat(Heartbeats):
    """A hop or server that knows chat completions alone, with a slow first token."""

    name = "responses-no-heartbeat"
    summary = "chat completions send heartbeats before a first token after N s, /responses sends none (=N)"
    yields = ("responses.silence",)
    value = "1.2"
    silent: ClassVar[str] = "responses"

    def on_stream(self, call: Call, response: Response) -> Response:
        later = response.delayed(self.number)
        if call.operation == self.silent:
            return later
        self.given = "0.3"
        beating = super().on_stream(call, later)
        self.given = self.value or ""
        return beating


MessagesNoHeartbeat = ResponsesNoHeartbeat.variant(
    "messages-no-heartbeat",
    "chat completions send heartbeats before a first token after N s, /messages sends none (=N)",
    yields=("messages.silence",),
    home="litellm",
    silent="messages",
)


FAULTS = (*_FORMS, *_CALLS, *_TURNS, *_AGENTS)
