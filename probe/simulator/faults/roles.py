"""Developer turns that are dropped or refused."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault, replace_messages
from probe.simulator.script import Script


class DeveloperIgnored(Fault):
    """A role that the template does not print."""

    name = "developer-ignored"
    summary = "developer turns never reach the model"
    yields = ("roles.developer-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: None if turn.get("role") == "developer" else turn)


class DeveloperRejected(Fault):
    """A server from before the role existed."""

    name = "developer-rejected"
    summary = "developer turns are refused"
    yields = ("roles.developer-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        for place, turn in enumerate(call.messages):
            if turn.get("role") == "developer":
                message = (
                    "'developer' is not one of ['system', 'assistant', 'user', 'function', 'tool'] - "
                    f"'messages.{place}.role'"
                )
                return call.site.style.error(call, 400, message, "invalid_request_error")
        return None


# System turns that are dropped or refused. ---------------------------------------------------------


class SystemIgnored(Fault):
    """A template without a system part."""

    name = "system-ignored"
    summary = "system turns never reach the model"
    yields = ("roles.system-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: None if turn.get("role") == "system" else turn)


class SystemRejected(Fault):
    """Models whose template knows no system role."""

    name = "system-rejected"
    summary = "system turns are refused"
    yields = ("roles.system-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        for place, turn in enumerate(call.messages):
            if turn.get("role") == "system":
                message = f"Unsupported value: 'messages[{place}].role' does not support 'system' with this model."
                return call.site.style.error(
                    call, 400, message, "invalid_request_error", f"messages[{place}].role", "unsupported_value"
                )
        return None
