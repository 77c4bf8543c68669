"""Model ids that are misspelt, not checked or answered by another model, and model lists that are of no use."""

from __future__ import annotations

from typing import Any

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response

# Model ids ---------------------------------------------------------------------------------------------


class Unknown(Fault):
    """Unknown ids are refused, and the user misspelt the id."""

    name = "models-id-unknown"
    summary = "the typed model id is misspelt and refused"
    yields = ("models.id-unknown",)

    def typed_model(self, model: str) -> str:
        return model[:-2] + model[-1] if len(model) > 2 else model + "x"

    def on_model(self, call: Call, name: str, refusal: Response | None) -> Response | None:
        if refusal is not None or name in call.site.models:
            return refusal
        return self.error(404, f"model '{name}' not found", "not_found_error")


class NotChecked(Fault):
    """One model answers whatever the id (SGLang, TGI)."""

    name = "models-id-not-checked"
    summary = "an invented model id is answered"
    yields = ("models.id-not-checked",)

    def on_model(self, call: Call, name: str, refusal: Response | None) -> Response | None:
        call.model = name
        return None


class Differs(Fault):
    """A router that falls back to another model and names it in the answer only."""

    name = "models-id-differs"
    summary = "the answer names another model than the request"
    yields = ("models.id-differs",)

    def on_prompt(self, call: Call) -> None:
        call.model = "fallback-mini-4b"


# Model lists -------------------------------------------------------------------------------------------


class NoList(Fault):
    """The server has no model list."""

    name = "models-no-list"
    summary = "GET /models is 404"
    yields = ("models.no-list",)

    def on_request(self, call: Call) -> Response | None:
        return self.style.not_found(call) if call.path.rstrip("/").endswith("/models") else None


class BareArray(Fault):
    """The list is an array without the object around it (Together)."""

    name = "models-bare-array"
    summary = "GET /models answers an array instead of an object with data"
    yields = ("models.no-list",)

    def on_json(self, call: Call, payload: Any) -> Any:
        return payload["data"] if _is_list(call, payload) else payload


class EmptyList(Fault):
    """The list has no entries."""

    name = "models-empty-list"
    summary = "GET /models answers an empty list"
    yields = ("models.no-list",)

    def on_json(self, call: Call, payload: Any) -> Any:
        return {**payload, "data": []} if _is_list(call, payload) else payload


class NotListed(Fault):
    """The model that works is not among the listed ones."""

    name = "models-not-listed"
    summary = "the model works but GET /models names only others"
    yields = ("models.not-listed",)

    def on_json(self, call: Call, payload: Any) -> Any:
        if not _is_list(call, payload):
            return payload
        return {**payload, "data": [self.style.model_card(call.site, name) for name in ("embed-base", "rerank-base")]}


def _is_list(call: Call, payload: Any) -> bool:
    return call.operation == "models" and isinstance(payload, dict) and isinstance(payload.get("data"), list)
