"""System turns that are dropped or refused."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.edit import replace_messages
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class Ignored(Fault):
    """A template without a system part."""

    name = "system-ignored"
    summary = "system turns never reach the model"
    yields = ("roles.system-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: None if turn.get("role") == "system" else turn)


class Rejected(Fault):
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


FAULTS = (Ignored, Rejected)
