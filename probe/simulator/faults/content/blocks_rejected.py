"""Servers that take only plain strings as content, for all roles or for one."""

from __future__ import annotations

from typing import Any, ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script, send_json


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


FAULTS = (BlocksRejected, SystemBlocks, AssistantBlocks, ToolBlocks)
