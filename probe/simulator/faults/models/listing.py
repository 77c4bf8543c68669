"""Model lists that are missing, empty, of another shape or incomplete."""

from __future__ import annotations

from typing import Any

from probe.simulator.call import JSON, Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script


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


FAULTS = (NoList, BareArray, EmptyList, NotListed)
