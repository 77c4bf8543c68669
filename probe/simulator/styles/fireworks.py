"""Fireworks (documentation; answers recorded by third parties in 2026)."""

from __future__ import annotations

from typing import Any

from probe.simulator.call import JSON, Call, Site
from probe.simulator.response import Headers, Response, send_json
from probe.simulator.style import Style, hexes


class Fireworks(Style):
    """The API is under `/inference/v1`; an error body has a `request_id` next to `error`."""

    name = "fireworks"
    summary = "like Fireworks: /inference/v1, upper-case error codes, a request_id next to the error"
    default_models = ("accounts/fireworks/models/llama-v3p1-8b-instruct",)
    prefixes = ("/inference/v1",)
    null_usage = False
    usage_on_finish = True

    def not_found(self, call: Call) -> Response:
        path = call.path.removeprefix("/inference")
        return self.error(404, f"Path not found: {path}", "error", code="NOT_FOUND")

    def wrong_method(self, call: Call, allowed: str) -> Response:
        path = call.path.removeprefix("/inference")
        message = f"Method {call.request.method} not allowed for path {path}"
        return self.error(405, message, "error", code="METHOD_NOT_ALLOWED")

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        body: JSON = {"message": message, "type": "error", "code": code or "INVALID_ARGUMENT"}
        if param is not None:
            body["param"] = param
        return send_json(status, {"error": body, "request_id": hexes(32)})

    def refuse_key(self, given: str | None) -> Response:
        message = "The API key you provided is invalid."
        if given is None:
            documentation = "https://docs.fireworks.ai/api-reference/introduction#authentication"
            message = f"You must provide an API key. See {documentation} for more information."
        return self.error(401, message, "error", code="UNAUTHORIZED")

    def unknown_model(self, call: Call, name: str) -> Response:
        message = "Model not found, inaccessible, and/or not deployed"
        return self.error(404, message, "error", "model", "NOT_FOUND")

    def model_card(self, site: Site, name: str) -> JSON:
        return {
            "id": name, "object": "model", "created": site.started, "owned_by": "fireworks",
            "context_length": site.context_length,
            "supports_chat": True, "supports_image_input": True, "supports_tools": True,
        }  # fmt: skip

    def own_headers(self, call: Call) -> Headers:
        return [("x-request-id", hexes(32))]
