"""LM Studio's server (lmstudio-ai/docs; the source is closed, so details are from lmstudio-bug-tracker)."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from probe.simulator.call import JSON, Call, Site
from probe.simulator.response import Headers, Response, send_json
from probe.simulator.style import DIALECTS, LOWER, Style
from probe.simulator.validation import Problem


class LMStudio(Style):
    """One loaded model, with "Require Authentication" switched on."""

    name = "lmstudio"
    summary = "like LM Studio: unknown paths answer 200 with an error object, string tool_choice, no json_object"
    default_models = ("qwen2.5-7b-instruct",)
    routes = DIALECTS
    x_api_key = True
    needs_model = False
    null_usage = False
    json_type = "application/json; charset=utf-8"
    stream_type = "text/event-stream"
    role_delta: ClassVar[JSON] = {"role": "assistant", "content": ""}
    id_form = ("chatcmpl-", 22, LOWER)
    call_id_form = ("", 9, "0123456789")

    def extra(self, call: Call) -> Response | None:
        if call.path == "/api/v0/models" and call.request.method == "GET":
            listed = [
                {
                    "id": name, "object": "model", "type": "vlm", "publisher": "qwen", "arch": "qwen2",
                    "compatibility_type": "gguf",
                    "quantization": "Q4_K_M", "state": "loaded", "max_context_length": 32768,
                    "loaded_context_length": call.site.context_length,
                }
                for name in call.site.models
            ]  # fmt: skip
            return send_json(200, {"data": listed, "object": "list"})
        return None

    def not_found(self, call: Call) -> Response:
        return send_json(200, {"error": f"Unexpected endpoint or method. ({call.request.method} {call.path})"})

    def wrong_method(self, call: Call, allowed: str) -> Response:
        return self.not_found(call)

    def refuse_key(self, given: str | None) -> Response:
        if given is None:
            message = (
                "An LM Studio API token is required to make requests to this server, but none was provided using the "
                "Authorization header using the 'Bearer' scheme."
            )
        else:
            message = "Malformed or unknown LM Studio API token provided."
        body = {"type": "invalid_request", "code": "invalid_api_key", "message": message}
        return send_json(401, {"error": body})

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        return send_json(status, {"error": message})

    def bad_json(self, call: Call) -> Response:
        return self.error(400, "Unexpected end of JSON input", "invalid_request_error")

    def invalid(self, call: Call, problem: Problem) -> Response | None:
        if re.fullmatch(r"messages\[\d+\]\.content", problem.param) and problem.value is None:
            return None
        if problem.param in ("temperature", "stop", "stream_options") and problem.kind != "type":
            return None
        if problem.kind == "missing" and problem.param == "messages":
            return self.error(400, "'messages' field is required", "invalid_request_error")
        return self.error(400, problem.message, "invalid_request_error")

    def validate(self, call: Call) -> Response | None:
        body = call.body if isinstance(call.body, dict) else {}
        if isinstance(body.get("tool_choice"), dict):
            text = "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"
            return self.error(400, text, "invalid_request_error")
        if (body.get("response_format") or {}).get("type") == "json_object":
            text = "'response_format.type' must be 'json_schema' or 'text'"
            return self.error(400, text, "invalid_request_error")
        return super().validate(call)

    def unknown_model(self, call: Call, name: str) -> Response:
        example = call.site.model
        message = f'Invalid model identifier "{name}". Please specify a valid downloaded model (e.g., {example}).'
        body = {"message": message, "type": "invalid_request_error", "param": "model", "code": "model_not_found"}
        return send_json(400, {"error": body})

    def overflow(self, call: Call, tokens: int) -> Response:
        message = (
            "The number of tokens to keep from the initial prompt is greater than the context length "
            f"(n_keep: {tokens} >= n_ctx: {call.site.context_length}). Try to load the model with a larger context "
            "length."
        )
        return self.error(400, message, "invalid_request_error")

    def model_card(self, site: Site, name: str) -> JSON:
        return {"id": name, "object": "model", "owned_by": "organization_owner"}

    def envelope(self, call: Call, kind: str) -> JSON:
        return {**super().envelope(call, kind), "system_fingerprint": call.model}

    def whole(self, call: Call, replies: Any) -> JSON:
        made = super().whole(call, replies)
        made.pop("service_tier")
        return {**made, "stats": {}, "system_fingerprint": call.model}

    def chunk(self, call: Call, choices: list[JSON]) -> JSON:
        return {**self.envelope(call, "chat.completion.chunk"), "choices": choices}

    def fixed_headers(self, call: Call, response: Response) -> Headers:
        return [("X-Powered-By", "Express"), *super().fixed_headers(call, response)]

    def own_headers(self, call: Call) -> Headers:
        return [("Keep-Alive", "timeout=5")]
