"""Tools that are refused, ignored or not called, and calls with wrong arguments, ids or finish reasons."""

from __future__ import annotations

import json
from dataclasses import replace

from probe.simulator.call import JSON, Call, Reply
from probe.simulator.fault import (
    Fault,
    drop_fields,
    each_call,
    first_turn,
    on_chat,
    on_prompt,
    on_reply,
    replace_messages,
    with_arguments,
)
from probe.simulator.response import Response

# Requests with tools that are refused ------------------------------------------------------------------

_REJECTED = {
    "groq": (400, "`tool calling` is not supported with this model"),
    "ollama": (400, "registry.ollama.ai/library/{model} does not support tools"),
    "openrouter": (404, "No endpoints found that support tool use"),
}
_NOT_ENABLED = {
    "vllm": (
        400,
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        "BadRequestError",
    ),
    "llamacpp": (500, "tools param requires --jinja flag", "server_error"),
    "lmdeploy": (
        400,
        "Please launch the api_server with --tool-call-parser if you want to use tools.",
        "invalid_request_error",
    ),
}


@on_chat(
    "requests with tools are refused (=groq, ollama or openrouter: whose words)",
    "tools.rejected",
    choices=tuple(_REJECTED),
)
def tools_rejected(fault: Fault, call: Call) -> Response | None:
    """The model or the service does not support tools."""
    if not call.tools:
        return None
    status, text = _REJECTED[fault.given]
    return fault.error(status, text.format(model=call.site.model))


@on_chat(
    "requests with tools are refused because a start option is missing (=vllm, llamacpp or lmdeploy)",
    "tools.not-enabled",
    choices=tuple(_NOT_ENABLED),
)
def tools_not_enabled(fault: Fault, call: Call) -> Response | None:
    """The server supports tools but was started without them."""
    choice = call.body.get("tool_choice", "auto")
    if not call.tools or choice == "none":
        return None
    status, text, kind = _NOT_ENABLED[fault.given]
    if fault.given == "vllm" and choice == "required":
        text = 'tool_choice="required" requires --tool-call-parser to be set'
    elif fault.given == "vllm" and isinstance(choice, dict):
        name = json.dumps(choice["function"]["name"])
        text = f"tool_choice=function {name} requires --tool-call-parser to be set"
    return fault.error(status, text, kind, code=status)


@on_chat("requests with tool results are refused", "tools.result-rejected")
def tool_result_rejected(fault: Fault, call: Call) -> Response | None:
    """A server that does not know the role `tool`."""
    place = first_turn(call, "tool")
    if place is None:
        return None
    message = f"messages[{place}]: unknown variant `tool`, expected one of `system`, `user`, `assistant`"
    return fault.error(400, message, param="messages")


# Accepted without effect -------------------------------------------------------------------------------


@on_prompt("tools are accepted and never reach the model", "tools.ignored")
def tools_ignored(fault: Fault, call: Call) -> None:
    """A gateway that forwards only the fields it knows; the calls of earlier turns are kept."""
    drop_fields(call, "tools", "tool_choice", "parallel_tool_calls")


# The model sees the tools and answers in prose; it calls one when forced.
NotCalled = Fault.variant(
    "tools-not-called",
    "the model calls no tool unless it is forced",
    yields=("tools.not-called",),
    personality="declines",
)
# The model answers in prose even when a call is forced.
NeverCalled = Fault.variant(
    "tools-never-called",
    "the model calls no tool, not even when forced",
    yields=("tools.not-called", "tools.choice-ignored"),
    personality="refuses",
)


@on_prompt("tool_choice required and named have no effect", "tools.choice-ignored")
def tool_choice_ignored(fault: Fault, call: Call) -> None:
    """`tool_choice` is dropped, so that the model is free to choose."""
    if call.body.get("tool_choice") not in (None, "none", "auto"):
        drop_fields(call, "tool_choice")


@on_prompt("tool results are accepted and their content never reaches the model", "tools.result-ignored")
def tool_result_ignored(fault: Fault, call: Call) -> None:
    """A chat template that prints a tool turn without its content."""
    replace_messages(call, lambda turn: {**turn, "content": ""} if turn.get("role") == "tool" else turn)


@on_reply("only one tool call a turn (an optional capability: harmless)")
def tool_parallel_never(fault: Fault, call: Call, reply: Reply) -> Reply:
    """One call a turn; the others follow in later turns (harmless)."""
    return replace(reply, tool_calls=reply.tool_calls[:1])


# Arguments ---------------------------------------------------------------------------------------------


@on_reply(
    "arguments are not valid JSON (=python or truncated)", "tools.arguments-not-json", choices=("python", "truncated")
)
def arguments_not_json(fault: Fault, call: Call, reply: Reply) -> Reply:
    """Python's notation instead of JSON, or a text without its end."""
    if fault.given == "truncated":
        return with_arguments(reply, lambda given: json.dumps(given)[:-2])
    return with_arguments(reply, lambda given: repr(given) if given else "{None}")


@on_reply("arguments are a JSON object instead of a string", "tools.arguments-not-string")
def arguments_object(fault: Fault, call: Call, reply: Reply) -> Reply:
    """An object where the API has a JSON text (Ollama's own API, old TGI)."""
    return with_arguments(reply, lambda given: given)


@on_reply(
    "arguments do not fit the tool's schema: other types as strings, or a member under another name",
    "tools.arguments-off-schema",
    "tools.values-altered",
)
def arguments_off_schema(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A parser that knows no types, or a model that invents names."""
    return with_arguments(reply, lambda given: json.dumps(_off_schema(given), ensure_ascii=False))


def _off_schema(given: JSON) -> JSON:
    """Numbers, booleans and lists as strings; without any of them, the first field under another name."""
    strings = {key: value if isinstance(value, str) else str(value) for key, value in given.items()}
    if strings != given or not strings:
        return strings or {"input": "value"}
    (name, value), *rest = strings.items()
    return {"value_of_" + name: value, **dict(rest)}


# Ids and finish reasons --------------------------------------------------------------------------------


@on_reply("tool calls have no id (=absent or empty)", "tools.id-missing", choices=("absent", "empty"))
def tool_id_missing(fault: Fault, call: Call, reply: Reply) -> Reply:
    """No id, or an empty one (Gemini's compatible endpoint)."""
    none = "" if fault.given == "empty" else None
    return each_call(reply, lambda made: replace(made, id=none))


@on_reply("parallel tool calls share one id", "tools.id-duplicate")
def tool_id_duplicate(fault: Fault, call: Call, reply: Reply) -> Reply:
    """All calls of a turn have the same id, so that results cannot be assigned."""
    return each_call(reply, lambda made: replace(made, id="call_0"))


@on_reply("the finish reason of a tool call is stop", "tools.finish-reason")
def tool_finish_reason(fault: Fault, call: Call, reply: Reply) -> Reply:
    """Clients that act on the finish reason do not notice the call."""
    return replace(reply, finish_reason="stop") if reply.tool_calls else reply
