"""Keys that are not looked at, everywhere or on one path."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class NotChecked(Fault):
    """Any key opens the endpoint, and none does too."""

    name = "auth-not-checked"
    summary = "any key is accepted, a wrong one too"
    yields = ("auth.not-checked",)

    def on_auth(self, call: Call, refusal: Script | None) -> Script | None:
        return None


class ModelsExempt(Fault):
    """The model list is open while chat is closed, so a key seems good that is not."""

    name = "auth-models-exempt"
    summary = "/models answers without a key, chat does not"
    yields = ("auth.models-exempt",)

    def on_auth(self, call: Call, refusal: Script | None) -> Script | None:
        return None if call.path.endswith("/models") else refusal


FAULTS = (NotChecked, ModelsExempt)
