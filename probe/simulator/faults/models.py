"""Model ids that are misspelt, not looked at, or answered for by another model."""

from __future__ import annotations

from typing import Any

from probe.simulator.call import JSON, Call
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


# Model lists that are missing, empty, of another shape or incomplete. ------------------------------


class NoList(Fault):
    """There is no model list."""

    name = "models-no-list"
    summary = "GET /models is 404"
    yields = ("models.no-list",)

    def on_request(self, call: Call) -> Script | None:
        return call.site.style.not_found(call) if call.path.rstrip("/").endswith("/models") else None


class BareArray(Fault):
    """The list is an array without the object around it (Together)."""

    name = "models-bare-array"
    summary = "GET /models answers an array in place of an object with data"
    yields = ("models.no-list",)

    def on_response(self, call: Call, payload: JSON) -> Any:
        return payload.get("data") if call.operation == "models" and isinstance(payload, dict) else payload


class EmptyList(Fault):
    """The list is there and names nothing."""

    name = "models-empty-list"
    summary = "GET /models answers an empty list"
    yields = ("models.no-list",)

    def on_response(self, call: Call, payload: JSON) -> Any:
        return {**payload, "data": []} if call.operation == "models" and "data" in payload else payload


class NotListed(Fault):
    """The model that works is not among the listed ones."""

    name = "models-not-listed"
    summary = "the model works but GET /models names only others"
    yields = ("models.not-listed",)

    def on_response(self, call: Call, payload: JSON) -> Any:
        if call.operation != "models" or not isinstance(payload.get("data"), list):
            return payload
        style, site = call.site.style, call.site
        return {**payload, "data": [style.model_card(site, name) for name in ("embed-base", "rerank-base")]}
