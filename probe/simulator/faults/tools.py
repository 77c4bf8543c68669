"""Arguments that are no JSON text, no valid JSON, or not what the schema asks for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call, Reply
from probe.simulator.fault import Fault, named_calls, replace_messages, without
from probe.simulator.script import Script


def _with_arguments(reply: Reply, change: Any) -> Reply:
    made = []
    for call, (_, given) in zip(reply.tool_calls, named_calls(reply), strict=True):
        made.append(replace(call, arguments=change(given)))
    return replace(reply, tool_calls=tuple(made))


class NotJson(Fault):
    """Python's notation in place of JSON, or a text that stops too early."""

    name = "arguments-not-json"
    summary = "arguments are no valid JSON (=python or truncated)"
    yields = ("tools.arguments-not-json",)
    value = "python"
    choices = ("python", "truncated")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if self.given == "truncated":
            return _with_arguments(reply, lambda given: json.dumps(given)[:-2])
        return _with_arguments(reply, lambda given: repr(given) if given else "{None}")


class NotString(Fault):
    """An object where the API has a JSON text (Ollama's own API, old TGI)."""

    name = "arguments-object"
    summary = "arguments are a JSON object in place of a string"
    yields = ("tools.arguments-not-string",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return _with_arguments(reply, lambda given: given)


def _off_schema(given: JSON) -> JSON:
    """Numbers, booleans and lists as strings; where there are none, the first field under another name."""
    made = {key: value if isinstance(value, str) else str(value) for key, value in given.items()}
    if made != given or not made:
        return made or {"input": "value"}
    first, *rest = made.items()
    return {"value_of_" + first[0]: first[1], **dict(rest)}


class OffSchema(Fault):
    """A parser that knows no types, or a model that makes up names."""

    name = "arguments-off-schema"
    summary = "arguments do not fit the tool's schema"
    yields = ("tools.arguments-off-schema",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return _with_arguments(reply, lambda given: json.dumps(_off_schema(given), ensure_ascii=False))


# Ids and finish reasons of calls. ------------------------------------------------------------------


class IdMissing(Fault):
    """No id, or an empty one (Gemini's compatible endpoint)."""

    name = "tool-id-missing"
    summary = "tool calls have no id (=absent or empty)"
    yields = ("tools.id-missing",)
    value = "absent"
    choices = ("absent", "empty")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        nothing = "" if self.given == "empty" else None
        return replace(reply, tool_calls=tuple(replace(made, id=nothing) for made in reply.tool_calls))


class IdDuplicate(Fault):
    """All calls of a turn have one id, so results cannot be told apart."""

    name = "tool-id-duplicate"
    summary = "parallel tool calls share one id"
    yields = ("tools.id-duplicate",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, tool_calls=tuple(replace(made, id="call_0") for made in reply.tool_calls))


class FinishReason(Fault):
    """Clients that look at the reason never see that there is a call."""

    name = "tool-finish-reason"
    summary = "the finish reason of a tool call is stop"
    yields = ("tools.finish-reason",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, finish_reason="stop") if reply.tool_calls else reply


# Requests with tools that are refused. -------------------------------------------------------------

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
    """The model or the service knows no tools."""

    name = "tools-rejected"
    summary = "requests with tools are refused (=groq, ollama or openrouter: whose words)"
    yields = ("tools.rejected",)
    value = "groq"
    choices = tuple(_REJECTED)

    def on_chat(self, call: Call) -> Script | None:
        if not call.tools:
            return None
        status, text = _REJECTED[self.given or "groq"]
        return call.site.style.error(call, status, text.format(model=call.site.model), "invalid_request_error")


class NotEnabled(Fault):
    """The server could, and was not started for it."""

    name = "tools-not-enabled"
    summary = "requests with tools are refused for want of a start option (=vllm, llamacpp or lmdeploy)"
    yields = ("tools.not-enabled",)
    value = "vllm"
    choices = tuple(_NOT_ENABLED)

    def on_chat(self, call: Call) -> Script | None:
        choice = call.body.get("tool_choice", "auto")
        if not call.tools or choice == "none":
            return None
        status, text, kind = _NOT_ENABLED[self.given or "vllm"]
        if self.given == "vllm" and choice == "required":
            text = 'tool_choice="required" requires --tool-call-parser to be set'
        elif self.given == "vllm" and isinstance(choice, dict):
            text = (
                f"tool_choice=function {json.dumps(choice['function']['name'])} requires --tool-call-parser to be set"
            )
        return call.site.style.error(call, status, text, kind, code=status)


# Tools, choices and results that are accepted and have no effect. ----------------------------------


class Ignored(Fault):
    """A gateway that passes on only the fields it knows; the calls of earlier turns stay."""

    name = "tools-ignored"
    summary = "tools are accepted and never reach the model"
    yields = ("tools.ignored",)

    def on_prompt(self, call: Call) -> None:
        without(call, "tools", "tool_choice", "parallel_tool_calls")


class NotCalled(Fault):
    """The model sees the tools and answers in prose; forced, it calls."""

    name = "tools-not-called"
    summary = "the model calls no tool of its own will"
    yields = ("tools.not-called",)
    personality = "declines"


class NeverCalled(Fault):
    """The model answers in prose even when a call is demanded."""

    name = "tools-never-called"
    summary = "the model calls no tool, not even when forced"
    yields = ("tools.not-called", "tools.choice-ignored")
    personality = "refuses"


class ChoiceIgnored(Fault):
    """`tool_choice` is dropped: the model is left to its own will."""

    name = "tool-choice-ignored"
    summary = "tool_choice required and named have no effect"
    yields = ("tools.choice-ignored",)

    def on_prompt(self, call: Call) -> None:
        if call.body.get("tool_choice") not in (None, "none", "auto"):
            without(call, "tool_choice")


class ResultRejected(Fault):
    """Tool turns are refused."""

    name = "tool-result-rejected"
    summary = "requests with tool results are refused"
    yields = ("tools.result-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        for place, turn in enumerate(call.messages):
            if turn.get("role") == "tool":
                message = f"messages[{place}]: unknown variant `tool`, expected one of `system`, `user`, `assistant`"
                return call.site.style.error(call, 400, message, "invalid_request_error", "messages")
        return None


class ResultIgnored(Fault):
    """A template that prints a tool turn without its content."""

    name = "tool-result-ignored"
    summary = "tool results are accepted and their content never reaches the model"
    yields = ("tools.result-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: {**turn, "content": ""} if turn.get("role") == "tool" else turn)


class NeverParallel(Fault):
    """One call at a time; the rest would come in later turns (nothing wrong)."""

    name = "tool-parallel-never"
    summary = "only one tool call a turn (an optional capability: nothing wrong)"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, tool_calls=reply.tool_calls[:1])
