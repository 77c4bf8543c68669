"""Messages that do not reach the model as they should, or are refused: content blocks, null content, roles."""

from __future__ import annotations

from typing import Any, ClassVar

from probe.simulator.call import JSON, Call
from probe.simulator.fault import Fault, first_turn, on_chat, on_prompt, replace_messages
from probe.simulator.response import Response, send_json

# Blocks that are accepted and do not reach the model as they should -----------------------------------


@on_prompt("content blocks are accepted and never reach the model", "content.blocks-ignored")
def blocks_ignored(fault: Fault, call: Call) -> None:
    """A chat template that prints only strings: with an array the turn is empty."""
    replace_messages(call, lambda turn: {**turn, "content": ""} if isinstance(turn.get("content"), list) else turn)


@on_prompt("only the first text block of a turn reaches the model", "content.blocks-truncated")
def blocks_truncated(fault: Fault, call: Call) -> None:
    """Code that reads `content[0]`."""

    def first(turn: JSON) -> JSON:
        content = turn.get("content")
        if not isinstance(content, list):
            return turn
        others = [part for part in content if part.get("type") != "text"]
        return {**turn, "content": [*_texts(content)[:1], *others]}

    replace_messages(call, first)


@on_prompt("text blocks are shown to the model as a printed Python list (readable, but costs tokens)")
def blocks_stringified(fault: Fault, call: Call) -> None:
    """The list is printed with `repr` into the prompt; the model can still read it (harmless)."""

    def printed(turn: JSON) -> JSON:
        content = turn.get("content")
        if isinstance(content, list) and len(_texts(content)) == len(content):
            return {**turn, "content": repr(content)}
        return turn

    replace_messages(call, printed)


def _texts(content: list[JSON]) -> list[JSON]:
    return [part for part in content if part.get("type") == "text"]


# Servers that accept only strings as content, in all roles or in one -----------------------------------


class BlocksRejected(Fault):
    """An array as content is refused in every role."""

    name = "blocks-rejected"
    summary = "content blocks are refused (=400, 422 or 500)"
    yields = ("content.blocks-rejected",)
    value = "400"
    choices = ("400", "422", "500")
    roles: ClassVar[tuple[str, ...]] = ("user", "system", "developer", "assistant", "tool")

    def on_chat(self, call: Call) -> Response | None:
        for place, turn in enumerate(call.messages):
            if isinstance(turn.get("content"), list) and turn.get("role") in self.roles:
                return self._refusal(place, str(turn["role"]), turn["content"])
        return None

    def _refusal(self, place: int, role: str, content: Any) -> Response:
        if self.given == "422":
            where = ["body", "messages", place, "content"]
            problem = {"type": "string_type", "loc": where, "msg": "Input should be a valid string", "input": content}
            return send_json(422, {"detail": [problem]})
        if self.given == "500":
            return self.error(500, 'can only concatenate str (not "list") to str', "internal_server_error")
        message = (
            f"'messages.{place}' : for 'role:{role}' the following must be satisfied[('messages.{place}.content' : "
            f"value must be a string)]"
        )
        return self.error(400, message)


# System and developer turns must be strings (bedrock-access-gateway).
SystemBlocks = BlocksRejected.variant(
    "blocks-rejected-system", "content blocks are refused in system turns", roles=("system", "developer")
)
# Assistant turns must be strings (Groq's message schema).
AssistantBlocks = BlocksRejected.variant(
    "blocks-rejected-assistant", "content blocks are refused in assistant turns", roles=("assistant",)
)
# Tool results must be strings.
ToolBlocks = BlocksRejected.variant(
    "blocks-rejected-tool", "content blocks are refused in tool results", roles=("tool",)
)


@on_chat("null content in an assistant turn is refused", "content.null-rejected")
def null_rejected(fault: Fault, call: Call) -> Response | None:
    """An assistant turn with tool calls and `content: null` is refused, although the API itself returns it so."""
    for place, turn in enumerate(call.messages):
        if turn.get("role") == "assistant" and turn.get("content") is None:
            return fault.error(400, f"messages[{place}]: missing content", param="messages")
    return None


# System and developer turns --------------------------------------------------------------------------


class _Ignored(Fault):
    """A role that the chat template does not print."""

    role: ClassVar[str]

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: None if turn.get("role") == self.role else turn)


# A chat template without a system part.
SystemIgnored = _Ignored.variant(
    "system-ignored", "system turns never reach the model", yields=("roles.system-ignored",), role="system"
)
# A chat template that is older than the role.
DeveloperIgnored = _Ignored.variant(
    "developer-ignored", "developer turns never reach the model", yields=("roles.developer-ignored",), role="developer"
)


@on_chat("system turns are refused", "roles.system-rejected")
def system_rejected(fault: Fault, call: Call) -> Response | None:
    """A model whose chat template has no system role."""
    place = first_turn(call, "system")
    if place is None:
        return None
    where = f"messages[{place}].role"
    message = f"Unsupported value: '{where}' does not support 'system' with this model."
    return fault.error(400, message, param=where, code="unsupported_value")


@on_chat("developer turns are refused", "roles.developer-rejected")
def developer_rejected(fault: Fault, call: Call) -> Response | None:
    """A server that is older than the role."""
    place = first_turn(call, "developer")
    if place is None:
        return None
    known = "['system', 'assistant', 'user', 'function', 'tool']"
    return fault.error(400, f"'developer' is not one of {known} - 'messages.{place}.role'")
