"""Tools that are refused, ignored or not called, and calls with wrong arguments, ids or finish reasons."""

from __future__ import annotations

import json
from dataclasses import replace

from probe.simulator.call import JSON, Call, Reply
from probe.simulator.fault import Fault, drop_fields, each_call, first_turn, replace_messages, with_arguments
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


class Rejected(Fault):
    """The model or the service does not support tools."""

    name = "tools-rejected"
    summary = "requests with tools are refused (=groq, ollama or openrouter: whose words)"
    yields = ("tools.rejected",)
    value = "groq"
    choices = tuple(_REJECTED)

    def on_chat(self, call: Call) -> Response | None:
        if not call.tools:
            return None
        status, text = _REJECTED[self.given]
        return self.error(status, text.format(model=call.site.model))


class NotEnabled(Fault):
    """The server supports tools but was started without them."""

    name = "tools-not-enabled"
    summary = "requests with tools are refused because a start option is missing (=vllm, llamacpp or lmdeploy)"
    yields = ("tools.not-enabled",)
    value = "vllm"
    choices = tuple(_NOT_ENABLED)

    def on_chat(self, call: Call) -> Response | None:
        choice = call.body.get("tool_choice", "auto")
        if not call.tools or choice == "none":
            return None
        status, text, kind = _NOT_ENABLED[self.given]
        if self.given == "vllm" and choice == "required":
            text = 'tool_choice="required" requires --tool-call-parser to be set'
        elif self.given == "vllm" and isinstance(choice, dict):
            name = json.dumps(choice["function"]["name"])
            text = f"tool_choice=function {name} requires --tool-call-parser to be set"
        return self.error(status, text, kind, code=status)


class ResultRejected(Fault):
    """A server that does not know the role `tool`."""

    name = "tool-result-rejected"
    summary = "requests with tool results are refused"
    yields = ("tools.result-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        place = first_turn(call, "tool")
        if place is None:
            return None
        message = f"messages[{place}]: unknown variant `tool`, expected one of `system`, `user`, `assistant`"
        return self.error(400, message, param="messages")


# Accepted without effect -------------------------------------------------------------------------------


class Ignored(Fault):
    """A gateway that forwards only the fields it knows; the calls of earlier turns are kept."""

    name = "tools-ignored"
    summary = "tools are accepted and never reach the model"
    yields = ("tools.ignored",)

    def on_prompt(self, call: Call) -> None:
        drop_fields(call, "tools", "tool_choice", "parallel_tool_calls")


class NotCalled(Fault):
    """The model sees the tools and answers in prose; it calls one when forced."""

    name = "tools-not-called"
    summary = "the model calls no tool unless it is forced"
    yields = ("tools.not-called",)
    personality = "declines"


class NeverCalled(Fault):
    """The model answers in prose even when a call is forced."""

    name = "tools-never-called"
    summary = "the model calls no tool, not even when forced"
    yields = ("tools.not-called", "tools.choice-ignored")
    personality = "refuses"


class ChoiceIgnored(Fault):
    """`tool_choice` is dropped, so that the model is free to choose."""

    name = "tool-choice-ignored"
    summary = "tool_choice required and named have no effect"
    yields = ("tools.choice-ignored",)

    def on_prompt(self, call: Call) -> None:
        if call.body.get("tool_choice") not in (None, "none", "auto"):
            drop_fields(call, "tool_choice")


class ResultIgnored(Fault):
    """A chat template that prints a tool turn without its content."""

    name = "tool-result-ignored"
    summary = "tool results are accepted and their content never reaches the model"
    yields = ("tools.result-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: {**turn, "content": ""} if turn.get("role") == "tool" else turn)


class NeverParallel(Fault):
    """One call a turn; the others follow in later turns (harmless)."""

    name = "tool-parallel-never"
    summary = "only one tool call a turn (an optional capability: harmless)"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, tool_calls=reply.tool_calls[:1])


# Arguments ---------------------------------------------------------------------------------------------


class NotJson(Fault):
    """Python's notation instead of JSON, or a text without its end."""

    name = "arguments-not-json"
    summary = "arguments are not valid JSON (=python or truncated)"
    yields = ("tools.arguments-not-json",)
    value = "python"
    choices = ("python", "truncated")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if self.given == "truncated":
            return with_arguments(reply, lambda given: json.dumps(given)[:-2])
        return with_arguments(reply, lambda given: repr(given) if given else "{None}")


class NotString(Fault):
    """An object where the API has a JSON text (Ollama's own API, old TGI)."""

    name = "arguments-object"
    summary = "arguments are a JSON object instead of a string"
    yields = ("tools.arguments-not-string",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return with_arguments(reply, lambda given: given)


class OffSchema(Fault):
    """A parser that knows no types, or a model that invents names."""

    name = "arguments-off-schema"
    summary = "arguments do not fit the tool's schema: other types as strings, or a member under another name"
    yields = ("tools.arguments-off-schema", "tools.values-altered")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return with_arguments(reply, lambda given: json.dumps(_off_schema(given), ensure_ascii=False))


def _off_schema(given: JSON) -> JSON:
    """Numbers, booleans and lists as strings; without any of them, the first field under another name."""
    strings = {key: value if isinstance(value, str) else str(value) for key, value in given.items()}
    if strings != given or not strings:
        return strings or {"input": "value"}
    (name, value), *rest = strings.items()
    return {"value_of_" + name: value, **dict(rest)}


# Ids and finish reasons --------------------------------------------------------------------------------


class IdMissing(Fault):
    """No id, or an empty one (Gemini's compatible endpoint)."""

    name = "tool-id-missing"
    summary = "tool calls have no id (=absent or empty)"
    yields = ("tools.id-missing",)
    value = "absent"
    choices = ("absent", "empty")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        none = "" if self.given == "empty" else None
        return each_call(reply, lambda made: replace(made, id=none))


class IdDuplicate(Fault):
    """All calls of a turn have the same id, so that results cannot be assigned."""

    name = "tool-id-duplicate"
    summary = "parallel tool calls share one id"
    yields = ("tools.id-duplicate",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return each_call(reply, lambda made: replace(made, id="call_0"))


class FinishReason(Fault):
    """Clients that act on the finish reason do not notice the call."""

    name = "tool-finish-reason"
    summary = "the finish reason of a tool call is stop"
    yields = ("tools.finish-reason",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, finish_reason="stop") if reply.tool_calls else reply
