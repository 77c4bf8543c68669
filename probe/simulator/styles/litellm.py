"""LiteLLM's proxy (BerriAI/litellm; recorded from 1.106.2; the refusal of a wrong key as with a database)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from probe.simulator import completion
from probe.simulator.script import Headers, Script, send_html, send_json
from probe.simulator.style import hexes, token
from probe.simulator.styles.fastapi import FastAPI

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.simulator.call import JSON, Call, Reply, Site
    from probe.simulator.validation import Problem

_VERSION = "1.106.2"
_PAGE = (
    "<!DOCTYPE html>\n<html>\n<head>\n<title>LiteLLM API - Swagger UI</title>\n</head>\n<body>\n<div "
    'id="swagger-ui"></div>\n</body>\n</html>\n'
)


class LiteLLM(FastAPI):
    """A master key, a database, one model; error codes are strings."""

    name = "litellm"
    summary = "like LiteLLM's proxy: with and without /v1, string codes, x-litellm headers"
    default_models = ("sim-small",)
    prefixes = ("", "/v1")
    server = None
    null_usage = False
    auth_before_routing = False

    def extra(self, call: Call) -> Script | None:
        if call.path == "/" and call.request.method == "GET":
            return send_html(200, _PAGE)
        if call.path == "/health/liveliness" and call.request.method == "GET":
            return send_json(200, "I'm alive!")
        return None

    def refuse_key(self, call: Call, given: str | None) -> Script:
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

    def error(
        self, call: Call, status: int, message: str, kind: str, param: str | None = None, code: Any = None
    ) -> Script:
        body = {"message": message, "type": kind, "param": param, "code": str(status)}
        return send_json(status, {"error": body})

    def bad_json(self, call: Call, wrong: ValueError) -> Script:
        message = "Invalid JSON payload: unexpected end of data: line 1 column 29 (char 28)"
        return self.error(call, 400, message, "invalid_request_error", "request_body")

    def invalid(self, call: Call, problem: Problem) -> Script | None:
        if problem.param == "messages" and problem.kind == "missing":
            message = "/chat/completions: Missing required parameter: 'messages'."
            return self.error(call, 400, message, "invalid_request_error", "messages")
        text = f"litellm.BadRequestError: OpenAIException - {problem.message}"
        return self.error(call, 400, text, "invalid_request_error", None)

    def _no_model(self, call: Call, name: str | None) -> Script:
        message = (
            f"/chat/completions: Invalid model name passed in model={name}. Call `/v1/models` to view available models "
            "for your key."
        )
        body = {"message": message, "type": "invalid_request_error", "param": None, "code": "400"}
        return send_json(400, {"error": {**body, "provider_specific_fields": {"error": message}}})

    def unknown_model(self, call: Call, name: str) -> Script | None:
        return self._no_model(call, name)

    def missing_model(self, call: Call) -> Script | None:
        return self._no_model(call, None)

    def overflow(self, call: Call, tokens: int) -> Script:
        message = (
            "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: "
            "OpenAIException - "
            f"This model's maximum context length is {call.site.context_length} tokens. However, you "
            f"requested {tokens} "
            "tokens. Please reduce the length of the messages."
        )
        return self.error(call, 400, message, "invalid_request_error")

    def new_id(self) -> str:
        return "chatcmpl-" + token(32)

    def model_card(self, site: Site, name: str) -> JSON:
        return {"id": name, "object": "model", "created": 1677610602, "owned_by": "openai"}

    def models(self, call: Call) -> Any:
        return {"data": [self.model_card(call.site, name) for name in call.site.models], "object": "list"}

    def usage(self, call: Call, replies: Sequence[Reply]) -> JSON:
        return completion.usage(replies)

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        listed = []
        for choice in completion.choices(self, call, replies):
            kept = {key: choice[key] for key in ("finish_reason", "index", "message")}
            listed.append({**kept, "logprobs": choice["logprobs"]} if choice["logprobs"] else kept)
        return {
            "id": call.id, "created": call.created, "model": call.notes["model"], "object": "chat.completion",
            "system_fingerprint": self.fingerprint(), "choices": listed, "usage": self.usage(call, replies),
        }  # fmt: skip

    def message(self, call: Call, reply: Reply) -> JSON:
        return {**completion.message(self, reply), "provider_specific_fields": {"refusal": None}}

    def chunk(self, call: Call, choices: list[JSON]) -> JSON:
        return {
            "id": call.id, "created": call.created, "model": call.notes["model"], "object": "chat.completion.chunk",
            "system_fingerprint": self.fingerprint(), "choices": choices or [{"index": 0, "delta": {}}],
        }  # fmt: skip

    def role_delta(self) -> JSON:
        return {"role": "assistant"}

    def chunk_choice(self, index: int, delta: JSON, finish: str | None, logprobs: Any) -> JSON:
        made: JSON = {"index": index, "delta": delta}
        if finish is not None:
            made = {"finish_reason": finish, **made}
        return {**made, "logprobs": logprobs} if logprobs else made

    def fixed_headers(self, call: Call, script: Script) -> Headers:
        made = super().fixed_headers(call, script)
        if call.operation == "chat":
            mark = hexes(32)
            made += [
                ("x-litellm-call-id", f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-a{mark[17:20]}-{mark[20:]}"),
                ("x-litellm-version", _VERSION),
                ("x-litellm-response-cost", "0"),
                ("x-litellm-key-spend", "0.0"),
            ]
        return [*made, ("x-frame-options", "DENY"), ("x-content-type-options", "nosniff")]

    def stream_headers(self) -> Headers:
        return [("cache-control", "no-cache"), ("x-accel-buffering", "no"), ("Content-Type", self.stream_type)]
