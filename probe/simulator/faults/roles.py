"""System and developer turns that are dropped or refused."""

from __future__ import annotations

from typing import ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault, first_turn, on_chat, replace_messages
from probe.simulator.response import Response


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
