"""Faults that agents meet: refused schemas, names and orders of messages, cut calls, calls without arguments."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, each_call
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


class NullArguments(EmptyArguments):
    """The same with null, written as JSON."""

    name = "agent-null-arguments"
    summary = "a tool without parameters is called with the arguments `null`"
    instead = "null"


class EmptyArgumentsStreamed(EmptyArguments):
    """The same in streams, where no delta has the arguments."""

    name = "agent-empty-arguments-streamed"
    summary = "the streamed call of a tool without parameters has an empty text as its arguments"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return super().on_reply(call, reply) if call.stream else reply


class BareToolRefused(Fault):
    """A validator requires at least one property."""

    name = "agent-bare-tool-refused"
    summary = "a tool without parameters is refused"
    yields = ("tools.no-arguments",)

    def on_chat(self, call: Call) -> Response | None:
        if all(tool["function"].get("parameters", {}).get("properties") for tool in call.tools):
            return None
        return self.error(400, "Invalid schema: object schemas need at least one property.", param="tools")


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


class DefsRefused(RefRefused):
    """The same with the definitions, in other words and as a server error."""

    name = "agent-defs-refused"
    summary = "a tool with `$defs` in its parameters is answered 500"
    keyword = '"$defs"'
    message = "failed to convert the tool parameters to a grammar"
    status = 500


class AnyOfRefused(RefRefused):
    """The same with alternatives."""

    name = "agent-anyof-refused"
    summary = "a tool with `anyOf` in its parameters is refused"
    keyword = '"anyOf"'
    message = "Schema keyword 'anyOf' is not permitted here."


class SchemaKeywordRefused(RefRefused):
    """The same with the dialect of the schema, without a reason."""

    name = "agent-schema-uri-refused"
    summary = "a tool with `$schema` in its parameters is refused without a reason"
    keyword = '"$schema"'
    message = "Invalid request."
    status = 422


class AdditionalRefused(RefRefused):
    """The same with closed objects."""

    name = "agent-additional-properties-refused"
    summary = "a tool with `additionalProperties` in its parameters is refused"
    keyword = '"additionalProperties"'
    message = "additional_properties: Extra inputs are not permitted"


class StrictRefused(RefRefused):
    """The same with a member of the tool that agents send by default (earendil-works/pi issue 1172)."""

    name = "agent-strict-refused"
    summary = "a tool with `strict: false` is refused"
    keyword = '"strict"'
    message = 'Validation Error: "strict" - Extra inputs are not permitted'


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


class LongNameRefused(HyphenRefused):
    """A validator with a lower limit."""

    name = "agent-long-name-refused"
    summary = "a tool with a name of more than 48 characters is refused"
    allowed = r"[a-zA-Z0-9_.-]{1,48}"
    message = "tools.0.custom.name: String should have at most 48 characters"


class LongNameCut(Fault):
    """A gateway shortens names and does not restore them."""

    name = "agent-long-name-cut"
    summary = "the name of a call is cut to 48 characters"
    yields = ("tools.name-altered",)

    def renamed(self, name: str) -> str:
        return name[:48]

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return each_call(reply, lambda made: replace(made, name=self.renamed(made.name)))


class HyphenReplaced(LongNameCut):
    """A gateway makes identifiers of the names and does not restore them."""

    name = "agent-hyphen-replaced"
    summary = "hyphens in the name of a call become underscores"

    def renamed(self, name: str) -> str:
        return name.replace("-", "_")


class LongNameCutStreamed(LongNameCut):
    """The same in streams alone."""

    name = "agent-long-name-cut-streamed"
    summary = "the name of a streamed call is cut to 60 characters"

    def renamed(self, name: str) -> str:
        return name[:60]

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return super().on_reply(call, reply) if call.stream else reply


# The order of messages ---------------------------------------------------------------------------------


class RoleOrder(Fault):
    """Chat templates that insist on an order of the roles."""

    name = "strict-role-order"
    summary = "user and assistant must alternate and system must come first, else 400"
    yields = ("roles.order-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        roles = [str(turn.get("role")) for turn in call.messages]
        if any(role in ("system", "developer") for role in roles[1:]) and roles[0] != "system":
            return self.error(400, "System message must be at the beginning.", "BadRequestError")
        spoken = [role for role in roles if role in ("user", "assistant")]
        if any(one == two == "user" for one, two in pairwise(spoken)):
            message = "Conversation roles must alternate user/assistant/user/assistant/..."
            return self.error(400, message, "BadRequestError")
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


class UserAfterToolTemplate(UserAfterTool):
    """The same from a chat template, as a server error."""

    name = "order-user-after-tool-template"
    summary = "a user message directly after a tool result is answered 500 by the chat template"
    message = "Jinja Exception: After a tool message, an assistant message must follow"
    status = 500


class TwoUsers(UserAfterTool):
    """A server that requires alternating roles."""

    name = "order-two-users"
    summary = "two user messages in a row are refused"
    refused = (("user", "user"),)
    message = 'roles must alternate between "user" and "assistant", but found multiple "user" roles in a row'


class TwoUsersPlainly(TwoUsers):
    """The same without a reason and with another status."""

    name = "order-two-users-422"
    summary = "two user messages in a row are answered 422 without a reason"
    message = "Unprocessable Entity"
    status = 422


class SecondSystem(UserAfterTool):
    """A server that accepts one system message."""

    name = "order-second-system"
    summary = "a second system message at the beginning is refused"
    refused = (("system", "system"),)
    message = "Only one system message is allowed."


class LateSystem(UserAfterTool):
    """A chat template that requires the system message first (Qwen3.5)."""

    name = "order-late-system"
    summary = "a system message after other messages is refused"
    refused = (("assistant", "system"), ("user", "system"), ("tool", "system"))
    message = "System message must be at the beginning."


class LateSystemTemplate(LateSystem):
    """The same as a server error of the template."""

    name = "order-late-system-template"
    summary = "a system message after other messages is answered 500 by the chat template"
    message = "Value is not callable: raise_exception at row 12"
    status = 500


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


class HistoryNeedsToolConfig(HistoryNeedsTools):
    """The same in other words and with another status."""

    name = "history-needs-tool-config"
    summary = "a history with tool turns is answered 422 where `tools` is left out"
    message = "The toolConfig field must be defined when using toolUse and toolResult content blocks."
    status = 422


# Choice and limit --------------------------------------------------------------------------------------


class NoneIgnored(Fault):
    """A server reads `none` as `auto`."""

    name = "tool-choice-none-ignored"
    summary = "a question with `tool_choice: none` is answered with a call"
    yields = ("tools.none-ignored",)

    def on_prompt(self, call: Call) -> None:
        if call.body.get("tool_choice") == "none":
            call.body = {**call.body, "tool_choice": "auto"}


class NoneIgnoredStreamed(NoneIgnored):
    """The same in streams alone."""

    name = "tool-choice-none-ignored-streamed"
    summary = "a streamed question with `tool_choice: none` is answered with a call"
    stream = True

    def on_prompt(self, call: Call) -> None:
        if call.stream is self.stream:
            super().on_prompt(call)


class NoneIgnoredWhole(NoneIgnoredStreamed):
    """The same in whole answers alone."""

    name = "tool-choice-none-ignored-whole"
    summary = "a question with `tool_choice: none` that is not streamed is answered with a call"
    deep = True
    stream = False


class NoneForces(Fault):
    """A gateway reads every written choice as `required`."""

    name = "tool-choice-none-forces"
    summary = "`tool_choice: none` has the effect of `required`"
    yields = ("tools.none-ignored",)

    def on_prompt(self, call: Call) -> None:
        if call.body.get("tool_choice") == "none":
            call.body = {**call.body, "tool_choice": "required"}


class CutCall(Fault):
    """A call that the limit cut off keeps its finish reason (vllm-project/vllm issue 58228)."""

    name = "tool-call-cut"
    summary = 'a call cut by the token limit has half of its JSON and finish_reason "tool_calls"'
    yields = ("tools.call-cut",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if reply.finish_reason != "length" or not call.tools:
            return reply
        whole = answer({name: value for name, value in call.body.items() if not name.startswith("max_")}).tool_calls
        kept = tuple(replace(one, id="call_cut0ff", arguments=self.part(str(one.arguments))) for one in whole[:1])
        return replace(reply, text="", tool_calls=kept, finish_reason="tool_calls") if kept else reply

    def part(self, arguments: str) -> str:
        """The part of the arguments that is sent."""
        return arguments[: len(arguments) // 2]


class CutCallClosed(CutCall):
    """The server closes the JSON of the half call."""

    name = "tool-call-cut-closed"
    summary = 'a call cut by the token limit has its JSON closed and finish_reason "tool_calls"'

    def part(self, arguments: str) -> str:
        return arguments[: len(arguments) // 2] + '"}'


class CutCallStreamed(CutCall):
    """The same in streams alone."""

    name = "tool-call-cut-streamed"
    summary = 'a streamed call cut by the token limit has half of its JSON and finish_reason "tool_calls"'
    deep = True

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return super().on_reply(call, reply) if call.stream else reply
