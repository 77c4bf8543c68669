"""Faults that agents meet: refused schemas, names and orders of messages, cut calls, calls without arguments."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, each_call, on_chat, on_reply
from probe.simulator.model.answering import answer
from probe.simulator.response import Response

# Tools without parameters ------------------------------------------------------------------------------


class EmptyArguments(Fault):
    """A call without arguments has none (QwenLM/qwen-code issue 6249, BerriAI/litellm issue 5063)."""

    name = "agent-empty-arguments"
    summary = "a tool without parameters is called with an empty text as its arguments"
    yields = ("tools.no-arguments",)
    instead: ClassVar[Any] = ""

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return each_call(reply, lambda made: replace(made, arguments=self.instead) if made.arguments == "{}" else made)


NullArguments = EmptyArguments.variant(
    "agent-null-arguments", "a tool without parameters is called with the arguments `null`", instead="null"
)
EmptyArgumentsStreamed = EmptyArguments.variant(
    "agent-empty-arguments-streamed",
    "the streamed call of a tool without parameters has an empty text as its arguments",
    stream=True,
)


@on_chat("a tool without parameters is refused", "tools.no-arguments")
def agent_bare_tool_refused(fault: Fault, call: Call) -> Response | None:
    """A validator requires at least one property."""
    if all(tool["function"].get("parameters", {}).get("properties") for tool in call.tools):
        return None
    return fault.error(400, "Invalid schema: object schemas need at least one property.", param="tools")


# Schemas -----------------------------------------------------------------------------------------------


class RefRefused(Fault):
    """A keyword of JSON Schema is refused (BerriAI/litellm issue 26692)."""

    name = "agent-ref-refused"
    summary = "a tool with `$ref` in its parameters is refused"
    yields = ("tools.schema-rejected",)
    keyword = '"$ref"'
    message = "Unknown name \"$ref\" at 'tools[0].function_declarations[0].parameters': Cannot find field."
    status = 400

    def on_chat(self, call: Call) -> Response | None:
        return self.error(self.status, self.message) if self.keyword in json.dumps(call.tools) else None


DefsRefused = RefRefused.variant(
    "agent-defs-refused",
    "a tool with `$defs` in its parameters is answered 500",
    keyword='"$defs"',
    message="failed to convert the tool parameters to a grammar",
    status=500,
)
AnyOfRefused = RefRefused.variant(
    "agent-anyof-refused",
    "a tool with `anyOf` in its parameters is refused",
    keyword='"anyOf"',
    message="Schema keyword 'anyOf' is not permitted here.",
)
SchemaKeywordRefused = RefRefused.variant(
    "agent-schema-uri-refused",
    "a tool with `$schema` in its parameters is refused without a reason",
    keyword='"$schema"',
    message="Invalid request.",
    status=422,
)
AdditionalRefused = RefRefused.variant(
    "agent-additional-properties-refused",
    "a tool with `additionalProperties` in its parameters is refused",
    keyword='"additionalProperties"',
    message="additional_properties: Extra inputs are not permitted",
)
# The same with a member of the tool that agents send by default (earendil-works/pi issue 1172).
StrictRefused = RefRefused.variant(
    "agent-strict-refused",
    "a tool with `strict: false` is refused",
    keyword='"strict"',
    message='Validation Error: "strict" - Extra inputs are not permitted',
)


# Names -------------------------------------------------------------------------------------------------


class HyphenRefused(Fault):
    """A validator accepts only identifiers."""

    name = "agent-hyphen-refused"
    summary = "a tool with a hyphen in its name is refused"
    yields = ("tools.name-rejected",)
    allowed = r"[a-zA-Z0-9_.]+"
    message = "Invalid function name. Must start with a letter or an underscore."

    def on_chat(self, call: Call) -> Response | None:
        if all(re.fullmatch(self.allowed, tool["function"]["name"]) for tool in call.tools):
            return None
        return self.error(400, self.message, param="tools[0].function.name")


# A validator with a lower limit.
LongNameRefused = HyphenRefused.variant(
    "agent-long-name-refused",
    "a tool with a name of more than 48 characters is refused",
    allowed=r"[a-zA-Z0-9_.-]{1,48}",
    message="tools.0.custom.name: String should have at most 48 characters",
)


class LongNameCut(Fault):
    """A gateway shortens names and does not restore them."""

    name = "agent-long-name-cut"
    summary = "the name of a call is cut to 48 characters"
    yields = ("tools.name-altered",)
    most = 48

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return each_call(reply, lambda made: replace(made, name=made.name[: self.most]))


LongNameCutStreamed = LongNameCut.variant(
    "agent-long-name-cut-streamed", "the name of a streamed call is cut to 60 characters", stream=True, most=60
)


@on_reply("hyphens in the name of a call become underscores", "tools.name-altered")
def agent_hyphen_replaced(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A gateway makes identifiers of the names and does not restore them."""
    return each_call(reply, lambda made: replace(made, name=made.name.replace("-", "_")))


# The order of messages ---------------------------------------------------------------------------------


@on_chat("user and assistant must alternate and system must come first, else 400", "roles.order-rejected")
def strict_role_order(fault: Fault, call: Call) -> Response | None:
    """Chat templates that insist on an order of the roles."""
    roles = [str(turn.get("role")) for turn in call.messages]
    if any(role in ("system", "developer") for role in roles[1:]) and roles[0] != "system":
        return fault.error(400, "System message must be at the beginning.", "BadRequestError")
    spoken = [role for role in roles if role in ("user", "assistant")]
    if any(one == two == "user" for one, two in pairwise(spoken)):
        message = "Conversation roles must alternate user/assistant/user/assistant/..."
        return fault.error(400, message, "BadRequestError")
    return None


class UserAfterTool(Fault):
    """A server does not accept a user message after a tool result (zed-industries/zed issue 37021)."""

    name = "order-user-after-tool"
    summary = "a user message directly after a tool result is refused"
    yields = ("roles.order-rejected",)
    refused: ClassVar[tuple[tuple[str, str], ...]] = (("tool", "user"),)
    message = "Unexpected role 'user' after role 'tool'"
    status = 400

    def on_chat(self, call: Call) -> Response | None:
        roles = [str(turn.get("role")) for turn in call.messages]
        if any(pair in self.refused for pair in pairwise(roles)):
            return self.error(self.status, self.message, "invalid_request_error")
        return None


UserAfterToolTemplate = UserAfterTool.variant(
    "order-user-after-tool-template",
    "a user message directly after a tool result is answered 500 by the chat template",
    message="Jinja Exception: After a tool message, an assistant message must follow",
    status=500,
)
# A server that requires alternating roles.
TwoUsers = UserAfterTool.variant(
    "order-two-users",
    "two user messages in a row are refused",
    refused=(("user", "user"),),
    message='roles must alternate between "user" and "assistant", but found multiple "user" roles in a row',
)
TwoUsersPlainly = TwoUsers.variant(
    "order-two-users-422",
    "two user messages in a row are answered 422 without a reason",
    message="Unprocessable Entity",
    status=422,
)
# A server that accepts one system message.
SecondSystem = UserAfterTool.variant(
    "order-second-system",
    "a second system message at the beginning is refused",
    refused=(("system", "system"),),
    message="Only one system message is allowed.",
)
# A chat template that requires the system message first (Qwen3.5).
LateSystem = UserAfterTool.variant(
    "order-late-system",
    "a system message after other messages is refused",
    refused=(("assistant", "system"), ("user", "system"), ("tool", "system")),
    message="System message must be at the beginning.",
)
LateSystemTemplate = LateSystem.variant(
    "order-late-system-template",
    "a system message after other messages is answered 500 by the chat template",
    message="Value is not callable: raise_exception at row 12",
    status=500,
)


class HistoryNeedsTools(Fault):
    """The API behind the gateway requires the tools of a history (LiteLLM for Anthropic and Bedrock)."""

    name = "history-needs-tools"
    summary = "a history with tool turns is refused where `tools` is left out"
    yields = ("tools.history-rejected",)
    message = "Requires `tools=` param. Anthropic expects the `tools=` param to be passed in."
    status = 400
    roles: ClassVar[tuple[str, ...]] = ("tool",)

    def on_chat(self, call: Call) -> Response | None:
        if call.tools or not any(turn.get("role") in self.roles for turn in call.messages):
            return None
        return self.error(self.status, self.message)


HistoryNeedsToolConfig = HistoryNeedsTools.variant(
    "history-needs-tool-config",
    "a history with tool turns is answered 422 where `tools` is left out",
    message="The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    status=422,
)


# Choice and limit --------------------------------------------------------------------------------------


class NoneIgnored(Fault):
    """A server reads `none` as `auto`."""

    name = "tool-choice-none-ignored"
    summary = "a question with `tool_choice: none` is answered with a call"
    yields = ("tools.none-ignored",)
    read_as = "auto"

    def on_prompt(self, call: Call) -> None:
        if call.body.get("tool_choice") == "none":
            call.body = {**call.body, "tool_choice": self.read_as}


NoneIgnoredStreamed = NoneIgnored.variant(
    "tool-choice-none-ignored-streamed",
    "a streamed question with `tool_choice: none` is answered with a call",
    stream=True,
)
NoneIgnoredWhole = NoneIgnored.variant(
    "tool-choice-none-ignored-whole",
    "a question with `tool_choice: none` that is not streamed is answered with a call",
    deep=True,
    stream=False,
)
# A gateway reads every written choice as `required`.
NoneForces = NoneIgnored.variant(
    "tool-choice-none-forces", "`tool_choice: none` has the effect of `required`", read_as="required"
)


class CutCall(Fault):
    """A call that the limit cut off keeps its finish reason (vllm-project/vllm issue 58228)."""

    name = "tool-call-cut"
    summary = 'a call cut by the token limit has half of its JSON and finish_reason "tool_calls"'
    yields = ("tools.call-cut",)
    closing = ""

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if reply.finish_reason != "length" or not call.tools:
            return reply
        whole = answer({name: value for name, value in call.body.items() if not name.startswith("max_")}).tool_calls
        if not whole:
            return reply
        text = str(whole[0].arguments)
        cut = replace(whole[0], id="call_cut0ff", arguments=text[: len(text) // 2] + self.closing)
        return replace(reply, text="", tool_calls=(cut,), finish_reason="tool_calls")


CutCallClosed = CutCall.variant(
    "tool-call-cut-closed",
    'a call cut by the token limit has its JSON closed and finish_reason "tool_calls"',
    closing='"}',
)
CutCallStreamed = CutCall.variant(
    "tool-call-cut-streamed",
    'a streamed call cut by the token limit has half of its JSON and finish_reason "tool_calls"',
    deep=True,
    stream=True,
)
