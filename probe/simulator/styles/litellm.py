"""LiteLLM's proxy with a database (BerriAI/litellm; recorded from 1.106.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar

import probe.simulator.completion as completion
from probe.simulator.call import JSON, Call, Reply, Site
from probe.simulator.response import Headers, Response, send_html, send_json
from probe.simulator.style import ALL_DIALECTS, LETTERS, uuid
from probe.simulator.styles.fastapi import FastAPI
from probe.simulator.validation import Problem

_VERSION = "1.106.2"
_PAGE = (
    "<!DOCTYPE html>\n<html>\n<head>\n<title>LiteLLM API - Swagger UI</title>\n</head>\n<body>\n<div "
    'id="swagger-ui"></div>\n</body>\n</html>\n'
)


class LiteLLM(FastAPI):
    """One model behind a master key; error codes are strings."""

    name = "litellm"
    summary = "like LiteLLM's proxy: with and without /v1, string codes, x-litellm headers"
    default_models = ("sim-small",)
    prefixes = ("", "/v1")
    routes = ALL_DIALECTS
    x_api_key = True
    server = None
    null_usage = False
    auth_before_routing = False
    role_delta: ClassVar[JSON] = {"role": "assistant"}
    id_form = ("chatcmpl-", 32, LETTERS)

    def extra(self, call: Call) -> Response | None:
        if call.path == "/" and call.request.method == "GET":
            return send_html(200, _PAGE)
        if call.path == "/health/liveliness" and call.request.method == "GET":
            return send_json(200, "I'm alive!")
        return None

    def refuse_key(self, given: str | None) -> Response:
        if given is None:
            message = "Authentication Error, No api key passed in."
            return send_json(401, {"error": {"message": message, "type": "auth_error", "param": "None", "code": "401"}})
        shown = f"sk-...{given[-4:]}" if given.startswith("sk-") else "****"
        message = (
            f"Authentication Error, Invalid proxy server token passed. Received API Key = {shown}, Key Hash (Token) ="
            f"{hashlib.sha256(given.encode()).hexdigest()}. Unable to find token in cache or "
            f"`LiteLLM_VerificationTokenTable`"
        )
        body = {"message": message, "type": "token_not_found_in_db", "param": "key", "code": "401"}
        return send_json(401, {"error": body})

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        body = {"message": message, "type": kind, "param": param, "code": str(status)}
        return send_json(status, {"error": body})

    def bad_json(self, call: Call) -> Response:
        message = "Invalid JSON payload: unexpected end of data: line 1 column 29 (char 28)"
        return self.error(400, message, "invalid_request_error", "request_body")

    def invalid(self, call: Call, problem: Problem) -> Response | None:
        if problem.param == "messages" and problem.kind == "missing":
            message = "/chat/completions: Missing required parameter: 'messages'."
            return self.error(400, message, "invalid_request_error", "messages")
        text = f"litellm.BadRequestError: OpenAIException - {problem.message}"
        return self.error(400, text, "invalid_request_error", None)

    def _no_model(self, name: str | None) -> Response:
        message = (
            f"/chat/completions: Invalid model name passed in model={name}. Call `/v1/models` to view available models "
            "for your key."
        )
        body = {"message": message, "type": "invalid_request_error", "param": None, "code": "400"}
        return send_json(400, {"error": {**body, "provider_specific_fields": {"error": message}}})

    def unknown_model(self, call: Call, name: str) -> Response:
        return self._no_model(name)

    def missing_model(self) -> Response:
        return self._no_model(None)

    def overflow(self, call: Call, tokens: int) -> Response:
        message = (
            "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: OpenAIException "
            f"- This model's maximum context length is {call.site.context_length} tokens. However, you requested "
            f"{tokens} tokens. Please reduce the length of the messages."
        )
        return self.error(400, message, "invalid_request_error")

    def model_card(self, site: Site, name: str) -> JSON:
        return {"id": name, "object": "model", "created": 1677610602, "owned_by": "openai"}

    def models(self, call: Call) -> Any:
        return {"data": [self.model_card(call.site, name) for name in call.site.models], "object": "list"}

    def usage(self, replies: Sequence[Reply]) -> JSON:
        return completion.usage(replies)

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        listed = []
        for choice in self.choices(call, replies):
            kept = {key: choice[key] for key in ("finish_reason", "index", "message")}
            listed.append({**kept, "logprobs": choice["logprobs"]} if choice["logprobs"] else kept)
        return {
            "id": call.id, "created": call.created, "model": call.model, "object": "chat.completion",
            "system_fingerprint": self.fingerprint, "choices": listed, "usage": self.usage(replies),
        }  # fmt: skip

    def message(self, reply: Reply) -> JSON:
        return {**self.bare_message(reply), "provider_specific_fields": {"refusal": None}}

    def chunk(self, call: Call, choices: list[JSON]) -> JSON:
        return {
            "id": call.id, "created": call.created, "model": call.model, "object": "chat.completion.chunk",
            "system_fingerprint": self.fingerprint, "choices": choices or [{"index": 0, "delta": {}}],
        }  # fmt: skip

    def chunk_choice(self, index: int, delta: JSON, finish: str | None, logprobs: Any) -> JSON:
        made: JSON = {"index": index, "delta": delta}
        if finish is not None:
            made = {"finish_reason": finish, **made}
        return {**made, "logprobs": logprobs} if logprobs else made

    def own_headers(self, call: Call) -> Headers:
        accounting = [
            ("x-litellm-call-id", uuid()),
            ("x-litellm-version", _VERSION),
            ("x-litellm-response-cost", "0"),
            ("x-litellm-key-spend", "0.0"),
        ]
        made = accounting if call.operation == "chat" else []
        return [*made, ("x-frame-options", "DENY"), ("x-content-type-options", "nosniff")]

    def stream_headers(self) -> Headers:
        return [("cache-control", "no-cache"), ("x-accel-buffering", "no"), ("Content-Type", self.stream_type)]
