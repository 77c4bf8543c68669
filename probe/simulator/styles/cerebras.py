"""Cerebras (documentation; answers recorded by third parties in 2026)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from probe.simulator.call import JSON, Call, Reply, Site
from probe.simulator.response import Headers, Response, plain, send_json
from probe.simulator.style import CHAT_ONLY, HEX, Style


class Cerebras(Style):
    """The public API: flat errors, 403 without a key, text only."""

    name = "cerebras"
    summary = "like Cerebras: flat errors, 403 when no key is sent, time_info, text only"
    default_models = ("llama3.1-8b",)
    routes = CHAT_ONLY
    vision = False
    null_usage = False
    usage_on_finish = True
    whole_calls = True
    reasoning_field = "reasoning"
    fingerprint = "fp_70185065a4f2c2b1d3e0"
    role_delta: ClassVar[JSON] = {"role": "assistant"}
    call_id_form = ("", 9, HEX)

    def not_found(self, call: Call) -> Response:
        return plain(404, b"", "text/plain")

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        return send_json(status, {"message": message, "type": kind, "param": param, "code": code})

    def refuse_key(self, given: str | None) -> Response:
        if given is None:
            return send_json(403, {"detail": "Not authenticated"})
        return self.error(401, "Wrong API Key", "invalid_request_error", "api_key", "wrong_api_key")

    def unknown_model(self, call: Call, name: str) -> Response:
        message = f"Model {name} does not exist or you do not have access to it."
        return self.error(404, message, "not_found_error", "model", "model_not_found")

    def validate(self, call: Call) -> Response | None:
        body = call.body if isinstance(call.body, dict) else {}
        if body.get("tools") and body.get("response_format"):
            message = '"tools" is incompatible with "response_format"'
            return self.error(400, message, "invalid_request_error", None, "wrong_api_format")
        return super().validate(call)

    def model_card(self, site: Site, name: str) -> JSON:
        return {"id": name, "object": "model", "created": 0, "owned_by": "Meta"}

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        made = super().whole(call, replies)
        made.pop("service_tier")
        times = {"queue_time": 0.0001, "prompt_time": 0.002, "completion_time": 0.02, "total_time": 0.03}
        return {**made, "time_info": {**times, "created": call.created}}

    def own_headers(self, call: Call) -> Headers:
        return [("inference-id", call.id)] if call.id else []
