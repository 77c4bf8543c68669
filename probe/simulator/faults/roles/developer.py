"""Developer turns that are dropped or refused."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.edit import replace_messages
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class Ignored(Fault):
    """A role that the template does not print."""

    name = "developer-ignored"
    summary = "developer turns never reach the model"
    yields = ("roles.developer-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: None if turn.get("role") == "developer" else turn)


class Rejected(Fault):
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


FAULTS = (Ignored, Rejected)
