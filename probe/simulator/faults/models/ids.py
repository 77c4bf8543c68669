"""Model ids that are misspelt, not looked at, or answered for by another model."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class Unknown(Fault):
    """The id is strict and the user misspelt it."""

    name = "models-id-unknown"
    summary = "the typed model id is misspelt and refused"
    yields = ("models.id-unknown",)

    def typed_model(self, model: str) -> str:
        return model[:-2] + model[-1] if len(model) > 2 else model + "x"

    def on_model(self, call: Call, name: str, refusal: Script | None) -> Script | None:
        if refusal is not None or name in call.site.models:
            return refusal
        style = call.site.style
        return style.unknown_model(call, name) or style.error(call, 404, f"model '{name}' not found", "not_found_error")


class NotChecked(Fault):
    """Whatever id is sent, the one model answers under it (SGLang, TGI)."""

    name = "models-id-not-checked"
    summary = "an invented model id is answered"
    yields = ("models.id-not-checked",)

    def on_model(self, call: Call, name: str, refusal: Script | None) -> Script | None:
        call.notes["model"] = name
        return None


class Differs(Fault):
    """A router that serves another model than the one asked for, and says so only in the answer."""

    name = "models-id-differs"
    summary = "the answer names another model than the request"
    yields = ("models.id-differs",)

    def on_prompt(self, call: Call) -> None:
        call.notes["model"] = "fallback-mini-4b"


FAULTS = (Unknown, NotChecked, Differs)
