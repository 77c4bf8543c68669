"""A parameter that is refused by a server that does not say which."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class UnnamedRejected(Fault):
    """A gateway that hides its backend's words."""

    name = "param-rejected-unnamed"
    summary = "requests with a certain parameter are refused without naming it (=seed, user, top_p …)"
    yields = ("params.unknown-rejected",)
    value = "seed"

    def on_chat(self, call: Call) -> Script | None:
        if self.given not in call.body:
            return None
        return call.site.style.error(call, 400, "The request could not be processed.", "invalid_request_error")
