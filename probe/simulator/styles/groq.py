"""Groq (console.groq.com documentation; answers recorded by third parties in 2026)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.simulator.script import Headers, Script, send_json
from probe.simulator.style import Style, hexes, token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.simulator.call import JSON, Call, Reply, Site


def _uuid() -> str:
    mark = hexes(32)
    return f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-9{mark[17:20]}-{mark[20:]}"


class Groq(Style):
    """The API lies under `/openai/v1`; calls come whole; logprobs and n above 1 are refused."""

    name = "groq"
    summary = "like Groq: /openai/v1, unknown_url 404, x_groq usage, whole tool calls, no logprobs"
    default_models = ("llama-3.3-70b-versatile",)
    prefixes = ("/openai/v1",)
    null_usage = False
    tool_deltas = "whole"
    reasoning_field = "reasoning"
    json_type = "application/json; charset=utf-8"
    stream_type = "text/event-stream"

    def not_found(self, call: Call) -> Script:
        message = (
            f"Unknown request URL: {call.request.method} {call.path}. Please check the URL for typos, or see "
            f"the docs at "
            "https://console.groq.com/docs/"
        )
        return self.error(call, 404, message, "invalid_request_error", code="unknown_url")

    def wrong_method(self, call: Call, allowed: str) -> Script:
        return self.not_found(call)

    def error(
        self, call: Call, status: int, message: str, kind: str, param: str | None = None, code: Any = None
    ) -> Script:
        body: JSON = {"message": message, "type": kind}
        if param is not None:
            body["param"] = param
        if code is not None:
            body["code"] = code
        return send_json(status, {"error": body})

    def refuse_key(self, call: Call, given: str | None) -> Script:
        return self.error(call, 401, "Invalid API Key", "invalid_request_error", code="invalid_api_key")

    def validate(self, call: Call) -> Script | None:
        body = call.body if isinstance(call.body, dict) else {}
        if body.get("logprobs") or body.get("top_logprobs"):
            message = "`logprobs` is not supported with this model"
            return self.error(call, 400, message, "invalid_request_error", "logprobs")
        if isinstance(body.get("n"), int) and body["n"] > 1:
            return self.error(call, 400, "'n' : number must be at most 1", "invalid_request_error", "n")
        return super().validate(call)

    def new_id(self) -> str:
        return "chatcmpl-" + _uuid()

    def tool_call_id(self, call: Call, index: int, name: str) -> str:
        return token(9, "abcdefghijklmnopqrstuvwxyz0123456789")

    def model_card(self, site: Site, name: str) -> JSON:
        return {
            "id": name, "object": "model", "created": site.started, "owned_by": "Meta", "active": True,
            "context_window": site.context_length, "public_apps": None, "max_completion_tokens": site.context_length,
        }  # fmt: skip

    def usage(self, call: Call, replies: Sequence[Reply]) -> JSON:
        counts = super().usage(call, replies)
        times = {"queue_time": 0.018, "prompt_time": 0.004, "completion_time": 0.05, "total_time": 0.054}
        return {**times, **{key: counts[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")}}

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        return {
            **super().whole(call, replies),
            "x_groq": {"id": "req_01" + token(24).lower()},
            "service_tier": "on_demand",
        }

    def fixed_headers(self, call: Call, script: Script) -> Headers:
        date = super().fixed_headers(call, script)[:1]
        return [*date, ("x-groq-region", "dls"), ("x-request-id", "req_01" + token(24).lower())]
