"""Groq (console.groq.com documentation; answers recorded by third parties in 2026)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from probe.simulator.call import JSON, Call, Reply, Site
from probe.simulator.response import Headers, Response, send_json
from probe.simulator.style import LOWER, Style, token, uuid


class Groq(Style):
    """The API is under `/openai/v1`; tool calls are streamed whole; logprobs and n above 1 are refused."""

    name = "groq"
    summary = "like Groq: /openai/v1, unknown_url 404, x_groq usage, whole tool calls, no logprobs"
    default_models = ("llama-3.3-70b-versatile",)
    prefixes = ("/openai/v1",)
    null_usage = False
    whole_calls = True
    reasoning_field = "reasoning"
    json_type = "application/json; charset=utf-8"
    stream_type = "text/event-stream"
    call_id_form = ("", 9, LOWER)

    def not_found(self, call: Call) -> Response:
        message = (
            f"Unknown request URL: {call.request.method} {call.path}. Please check the URL for typos, "
            "or see the docs at https://console.groq.com/docs/"
        )
        return self.error(404, message, "invalid_request_error", code="unknown_url")

    def wrong_method(self, call: Call, allowed: str) -> Response:
        return self.not_found(call)

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        optional = {"param": param, "code": code}
        given = {name: value for name, value in optional.items() if value is not None}
        return send_json(status, {"error": {"message": message, "type": kind, **given}})

    def refuse_key(self, given: str | None) -> Response:
        return self.error(401, "Invalid API Key", "invalid_request_error", code="invalid_api_key")

    def validate(self, call: Call) -> Response | None:
        body = call.body if isinstance(call.body, dict) else {}
        if body.get("logprobs") or body.get("top_logprobs"):
            message = "`logprobs` is not supported with this model"
            return self.error(400, message, "invalid_request_error", "logprobs")
        if isinstance(body.get("n"), int) and body["n"] > 1:
            return self.error(400, "'n' : number must be at most 1", "invalid_request_error", "n")
        return super().validate(call)

    def new_id(self) -> str:
        return "chatcmpl-" + uuid("9")

    def model_card(self, site: Site, name: str) -> JSON:
        return {
            "id": name, "object": "model", "created": site.started, "owned_by": "Meta", "active": True,
            "context_window": site.context_length, "public_apps": None, "max_completion_tokens": site.context_length,
        }  # fmt: skip

    def usage(self, replies: Sequence[Reply]) -> JSON:
        counts = super().usage(replies)
        times = {"queue_time": 0.018, "prompt_time": 0.004, "completion_time": 0.05, "total_time": 0.054}
        return {**times, **{key: counts[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")}}

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        mark = {"id": "req_01" + token(24).lower()}
        return {**super().whole(call, replies), "x_groq": mark, "service_tier": "on_demand"}

    def own_headers(self, call: Call) -> Headers:
        return [("x-groq-region", "dls"), ("x-request-id", "req_01" + token(24).lower())]
