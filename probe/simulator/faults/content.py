"""Blocks that are accepted and do not reach the model as they should."""

from __future__ import annotations

from typing import Any, ClassVar

from probe.simulator.call import JSON, Call
from probe.simulator.fault import Fault, replace_messages
from probe.simulator.script import Script, send_json


def _text_blocks(content: Any) -> list[JSON]:
    return [part for part in content if part.get("type") == "text"]


class Ignored(Fault):
    """A template that prints only strings: an array leaves the turn empty."""

    name = "blocks-ignored"
    summary = "content given as blocks is accepted and never reaches the model"
    yields = ("content.blocks-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: {**turn, "content": ""} if isinstance(turn.get("content"), list) else turn)


class Truncated(Fault):
    """Code that reads `content[0]`."""

    name = "blocks-truncated"
    summary = "only the first text block of a turn reaches the model"
    yields = ("content.blocks-truncated",)

    def on_prompt(self, call: Call) -> None:
        def first(turn: JSON) -> JSON:
            content = turn.get("content")
            if not isinstance(content, list):
                return turn
            texts = _text_blocks(content)[:1]
            pictures = [part for part in content if part.get("type") != "text"]
            return {**turn, "content": [*texts, *pictures]}

        replace_messages(call, first)


class Stringified(Fault):
    """The list is printed with `repr` into the prompt; the model can still read it."""

    name = "blocks-stringified"
    summary = "text blocks are shown to the model as a printed Python list (readable, but costly)"

    def on_prompt(self, call: Call) -> None:
        def printed(turn: JSON) -> JSON:
            content = turn.get("content")
            if isinstance(content, list) and len(_text_blocks(content)) == len(content):
                return {**turn, "content": repr(content)}
            return turn

        replace_messages(call, printed)


# Servers that take only plain strings as content, for all roles or for one. ------------------------


def _refusal(call: Call, status: str, place: int, role: str, content: Any) -> Script:
    style = call.site.style
    if status == "422":
        detail = {
            "type": "string_type",
            "loc": ["body", "messages", place, "content"],
            "msg": "Input should be a valid string",
            "input": content,
        }
        return send_json(422, {"detail": [detail]})
    if status == "500":
        return style.error(call, 500, 'can only concatenate str (not "list") to str', "internal_server_error")
    message = (
        f"'messages.{place}' : for 'role:{role}' the following must be satisfied[('messages.{place}.content' : "
        f"value must be a string)]"
    )
    return style.error(call, 400, message, "invalid_request_error")


class BlocksRejected(Fault):
    """An array as content is refused on every role."""

    name = "blocks-rejected"
    summary = "content given as blocks is refused (=400, 422 or 500)"
    yields = ("content.blocks-rejected",)
    value = "400"
    roles: ClassVar[tuple[str, ...]] = ("user", "system", "developer", "assistant", "tool")
    choices = ("400", "422", "500")

    def on_chat(self, call: Call) -> Script | None:
        for place, message in enumerate(call.messages):
            if isinstance(message.get("content"), list) and message.get("role") in self.roles:
                return _refusal(call, self.given or "400", place, str(message["role"]), message["content"])
        return None


class SystemBlocks(BlocksRejected):
    """Only system and developer turns must be strings (bedrock-access-gateway)."""

    name = "blocks-rejected-system"
    summary = "content blocks are refused in system turns"
    roles = ("system", "developer")


class AssistantBlocks(BlocksRejected):
    """Only assistant turns must be strings (Groq's message schema)."""

    name = "blocks-rejected-assistant"
    summary = "content blocks are refused in assistant turns"
    roles = ("assistant",)


class ToolBlocks(BlocksRejected):
    """Only tool results must be strings."""

    name = "blocks-rejected-tool"
    summary = "content blocks are refused in tool results"
    roles = ("tool",)


# Assistant turns that carry calls and no text are refused. -----------------------------------------


class NullRejected(Fault):
    """`content: null` beside `tool_calls` is refused, though it is what the API itself returns."""

    name = "null-rejected"
    summary = "null content in an assistant turn is refused"
    yields = ("content.null-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        for place, turn in enumerate(call.messages):
            if turn.get("role") == "assistant" and turn.get("content") is None:
                message = f"messages[{place}]: missing content"
                return call.site.style.error(call, 400, message, "invalid_request_error", "messages")
        return None
