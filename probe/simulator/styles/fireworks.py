"""Fireworks (documentation; answers recorded by third parties in 2026)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.simulator.script import Headers, Script, send_json
from probe.simulator.style import Style, hexes

if TYPE_CHECKING:
    from probe.simulator.call import JSON, Call, Site


class Fireworks(Style):
    """The API lies under `/inference/v1`; errors carry a `request_id` beside them."""

    name = "fireworks"
    summary = "like Fireworks: /inference/v1, upper-case error codes, request_id beside the error"
    default_models = ("accounts/fireworks/models/llama-v3p1-8b-instruct",)
    prefixes = ("/inference/v1",)
    null_usage = False
    usage_place = "finish"

    def not_found(self, call: Call) -> Script:
        path = call.path.removeprefix("/inference")
        return self.error(call, 404, f"Path not found: {path}", "error", code="NOT_FOUND")

    def wrong_method(self, call: Call, allowed: str) -> Script:
        path = call.path.removeprefix("/inference")
        message = f"Method {call.request.method} not allowed for path {path}"
        return self.error(call, 405, message, "error", code="METHOD_NOT_ALLOWED")

    def error(
        self, call: Call, status: int, message: str, kind: str, param: str | None = None, code: Any = None
    ) -> Script:
        body: JSON = {"message": message, "type": "error", "code": code or "INVALID_ARGUMENT"}
        if param is not None:
            body["param"] = param
        return send_json(status, {"error": body, "request_id": hexes(32)})

    def refuse_key(self, call: Call, given: str | None) -> Script:
        message = "The API key you provided is invalid."
        if given is None:
            message = (
                "You must provide an API key. See "
                "https://docs.fireworks.ai/api-reference/introduction#authentication for "
                "more information."
            )
        return self.error(call, 401, message, "error", code="UNAUTHORIZED")

    def unknown_model(self, call: Call, name: str) -> Script | None:
        message = "Model not found, inaccessible, and/or not deployed"
        return self.error(call, 404, message, "error", "model", "NOT_FOUND")

    def model_card(self, site: Site, name: str) -> JSON:
        return {
            "id": name, "object": "model", "created": site.started, "owned_by": "fireworks",
            "context_length": site.context_length,
            "supports_chat": True, "supports_image_input": True, "supports_tools": True,
        }  # fmt: skip

    def fixed_headers(self, call: Call, script: Script) -> Headers:
        return [*super().fixed_headers(call, script)[:1], ("x-request-id", hexes(32))]
