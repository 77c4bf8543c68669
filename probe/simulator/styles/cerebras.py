"""Cerebras (documentation; answers recorded by third parties in 2026)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from probe.simulator.script import Headers, Script, plain, send_json
from probe.simulator.style import Style, hexes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.simulator.call import JSON, Call, Reply, Site


class Cerebras(Style):
    """Flat errors, 403 without a key, text only."""

    name = "cerebras"
    summary = "like Cerebras: flat errors, 403 when no key is sent, time_info, text only"
    default_models = ("llama3.1-8b",)
    routes: ClassVar[dict[str, tuple[str, str]]] = {"/chat/completions": ("chat", "POST"), "/models": ("models", "GET")}
    vision = False
    null_usage = False
    usage_place = "finish"
    tool_deltas = "whole"
    reasoning_field = "reasoning"

    def not_found(self, call: Call) -> Script:
        return plain(404, b"", "text/plain")

    def error(
        self, call: Call, status: int, message: str, kind: str, param: str | None = None, code: Any = None
    ) -> Script:
        return send_json(status, {"message": message, "type": kind, "param": param, "code": code})

    def refuse_key(self, call: Call, given: str | None) -> Script:
        if given is None:
            return send_json(403, {"detail": "Not authenticated"})
        return self.error(call, 401, "Wrong API Key", "invalid_request_error", "api_key", "wrong_api_key")

    def unknown_model(self, call: Call, name: str) -> Script | None:
        message = f"Model {name} does not exist or you do not have access to it."
        return self.error(call, 404, message, "not_found_error", "model", "model_not_found")

    def validate(self, call: Call) -> Script | None:
        body = call.body if isinstance(call.body, dict) else {}
        if body.get("tools") and body.get("response_format"):
            message = '"tools" is incompatible with "response_format"'
            return self.error(call, 400, message, "invalid_request_error", None, "wrong_api_format")
        return super().validate(call)

    def tool_call_id(self, call: Call, index: int, name: str) -> str:
        return hexes(9)

    def fingerprint(self) -> str | None:
        return "fp_70185065a4f2c2b1d3e0"

    def model_card(self, site: Site, name: str) -> JSON:
        return {"id": name, "object": "model", "created": 0, "owned_by": "Meta"}

    def _times(self) -> JSON:
        return {"queue_time": 0.0001, "prompt_time": 0.002, "completion_time": 0.02, "total_time": 0.03}

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        made = super().whole(call, replies)
        made.pop("service_tier")
        return {**made, "time_info": {**self._times(), "created": call.created}}

    def role_delta(self) -> JSON:
        return {"role": "assistant"}

    def fixed_headers(self, call: Call, script: Script) -> Headers:
        date = super().fixed_headers(call, script)[:1]
        return [*date, ("inference-id", call.id)] if call.id else date
