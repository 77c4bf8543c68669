"""Model ids that are misspelt, not checked or answered by another model, and model lists that are of no use."""

from __future__ import annotations

from typing import Any

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_json, on_prompt, on_request
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


@on_prompt("the answer names another model than the request", "models.id-differs")
def models_id_differs(fault: Fault, call: Call) -> None:
    """A router that falls back to another model and names it in the answer only."""
    call.model = "fallback-mini-4b"


# Model lists -------------------------------------------------------------------------------------------


@on_request("GET /models is 404", "models.no-list")
def models_no_list(fault: Fault, call: Call) -> Response | None:
    """The server has no model list."""
    return fault.style.not_found(call) if call.path.rstrip("/").endswith("/models") else None


@on_json("GET /models answers an array instead of an object with data", "models.no-list")
def models_bare_array(fault: Fault, call: Call, payload: Any) -> Any:
    """The list is an array without the object around it (Together)."""
    return payload["data"] if _is_list(call, payload) else payload


@on_json("GET /models answers an empty list", "models.no-list")
def models_empty_list(fault: Fault, call: Call, payload: Any) -> Any:
    """The list has no entries."""
    return {**payload, "data": []} if _is_list(call, payload) else payload


@on_json("the model works but GET /models names only others", "models.not-listed")
def models_not_listed(fault: Fault, call: Call, payload: Any) -> Any:
    """The model that works is not among the listed ones."""
    if not _is_list(call, payload):
        return payload
    return {**payload, "data": [fault.style.model_card(call.site, name) for name in ("embed-base", "rerank-base")]}


def _is_list(call: Call, payload: Any) -> bool:
    return call.operation == "models" and isinstance(payload, dict) and isinstance(payload.get("data"), list)
