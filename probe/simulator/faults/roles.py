"""System and developer turns that are dropped or refused."""

from __future__ import annotations

from typing import ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault, first_turn, replace_messages
from probe.simulator.response import Response


class _Ignored(Fault):
    """A role that the chat template does not print."""

    role: ClassVar[str]

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: None if turn.get("role") == self.role else turn)


class SystemIgnored(_Ignored):
    """A chat template without a system part."""

    name = "system-ignored"
    summary = "system turns never reach the model"
    yields = ("roles.system-ignored",)
    role = "system"


class DeveloperIgnored(_Ignored):
    """A chat template that is older than the role."""

    name = "developer-ignored"
    summary = "developer turns never reach the model"
    yields = ("roles.developer-ignored",)
    role = "developer"


class SystemRejected(Fault):
    """A model whose chat template has no system role."""

    name = "system-rejected"
    summary = "system turns are refused"
    yields = ("roles.system-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        place = first_turn(call, "system")
        if place is None:
            return None
        where = f"messages[{place}].role"
        message = f"Unsupported value: '{where}' does not support 'system' with this model."
        return self.error(400, message, param=where, code="unsupported_value")


class DeveloperRejected(Fault):
    """A server that is older than the role."""

    name = "developer-rejected"
    summary = "developer turns are refused"
    yields = ("roles.developer-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        place = first_turn(call, "developer")
        if place is None:
            return None
        known = "['system', 'assistant', 'user', 'function', 'tool']"
        return self.error(400, f"'developer' is not one of {known} - 'messages.{place}.role'")
