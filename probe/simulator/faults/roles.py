"""System and developer turns that are dropped or refused."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault, replace_messages
from probe.simulator.response import Response


class SystemIgnored(Fault):
    """A chat template without a system part."""

    name = "system-ignored"
    summary = "system turns never reach the model"
    yields = ("roles.system-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: None if turn.get("role") == "system" else turn)


class SystemRejected(Fault):
    """A model whose template has no system role."""

    name = "system-rejected"
    summary = "system turns are refused"
    yields = ("roles.system-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        for place, turn in enumerate(call.messages):
            if turn.get("role") == "system":
                where = f"messages[{place}].role"
                message = f"Unsupported value: '{where}' does not support 'system' with this model."
                return self.error(400, message, param=where, code="unsupported_value")
        return None


class DeveloperIgnored(Fault):
    """A role that the chat template does not print."""

    name = "developer-ignored"
    summary = "developer turns never reach the model"
    yields = ("roles.developer-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: None if turn.get("role") == "developer" else turn)


class DeveloperRejected(Fault):
    """A server that is older than the role."""

    name = "developer-rejected"
    summary = "developer turns are refused"
    yields = ("roles.developer-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        for place, turn in enumerate(call.messages):
            if turn.get("role") == "developer":
                known = "['system', 'assistant', 'user', 'function', 'tool']"
                return self.error(400, f"'developer' is not one of {known} - 'messages.{place}.role'")
        return None
