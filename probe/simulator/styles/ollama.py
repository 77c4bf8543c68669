"""Ollama's OpenAI-compatible routes (ollama/ollama, server/routes.go, openai/openai.go, middleware/openai.go).

Ollama itself silently ignores `tool_choice`, `parallel_tool_calls`, `n` and `max_completion_tokens`. A style is
healthy, so here they work; `--fault tool-choice-ignored` shows the real behaviour of the first.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

import probe.simulator.completion as completion
from probe.simulator.call import JSON, Call, Chunk, Reply, Site
from probe.simulator.response import Headers, Response, redirect, send_json, send_text
from probe.simulator.style import DIALECTS, LOWER, Style
from probe.simulator.validation import Problem


class Ollama(Style):
    """No key; model names with tags; tool calls are streamed whole."""

    name = "ollama"
    summary = "like Ollama's /v1: no key, text/plain 404 and 405, whole tool calls, /api/version"
    default_key = None
    routes = DIALECTS
    stores = False
    default_models = ("llama3.1:8b",)
    reasoning_field = "reasoning"
    whole_calls = True
    null_usage = False
    stream_type = "text/event-stream"
    fingerprint = "fp_ollama"
    role_delta: ClassVar[JSON] = {"role": "assistant", "content": ""}
    call_id_form = ("call_", 8, LOWER)

    def extra(self, call: Call) -> Response | None:
        get = call.request.method in ("GET", "HEAD")
        if call.path == "/":
            return send_text(200, "Ollama is running") if get else send_text(405, "405 method not allowed")
        if call.path == "/api/version" and get:
            return send_json(200, {"version": "0.12.6"})
        if call.path == "/api/tags" and get:
            return send_json(200, {"models": [{"name": name, "model": name} for name in call.site.models]})
        if call.path.endswith("/") and any(
            call.path[:-1] == prefix + path for prefix in call.site.prefixes for path in self.routes
        ):
            return redirect(307, call.path[:-1])
        return None

    def not_found(self, call: Call) -> Response:
        return send_text(404, "404 page not found")

    def wrong_method(self, call: Call, allowed: str) -> Response:
        return send_text(405, "405 method not allowed", [("Allow", allowed)])

    def refuse_key(self, given: str | None) -> Response:
        return send_json(401, {"error": "unauthorized"})

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        kinds = {400: "invalid_request_error", 404: "not_found_error"}
        body = {"message": message, "type": kinds.get(status, "api_error"), "param": None, "code": None}
        return send_json(status, {"error": body})

    def bad_json(self, call: Call) -> Response:
        return self.error(400, "unexpected EOF", "invalid_request_error")

    def invalid(self, call: Call, problem: Problem) -> Response | None:
        if problem.param == "messages" and problem.kind in ("missing", "value"):
            return self.error(400, "[] is too short - 'messages'", "invalid_request_error")
        if problem.param.endswith(".content") and problem.value is None:
            return self.error(400, "invalid message content type: <nil>", "invalid_request_error")
        if ".content[" in problem.param:
            return self.error(400, "invalid message format", "invalid_request_error")
        if problem.kind == "type":
            field = problem.param.partition("[")[0]
            names = {str: "string", list: "array", dict: "object", bool: "bool", int: "number", float: "number"}
            text = (
                f"json: cannot unmarshal {names.get(type(problem.value), 'null')} into Go struct field "
                f"ChatCompletionRequest.{field} of type {'float64' if field in ('temperature', 'top_p') else 'int'}"
            )
            return self.error(400, text, "invalid_request_error")
        return None  # the rest is accepted

    def unknown_model(self, call: Call, name: str) -> Response:
        return self.error(404, f"model '{name}' not found", "not_found_error")

    def missing_model(self) -> Response:
        return self.error(400, "model is required", "invalid_request_error")

    def overflow(self, call: Call, tokens: int) -> Response:
        message = (
            "the prompt is longer than the context length currently available to the model; reduce the prompt or raise "
            "the context length"
        )
        return self.error(400, message, "invalid_request_error")

    def new_id(self) -> str:
        return f"chatcmpl-{random.randrange(999)}"

    def model_card(self, site: Site, name: str) -> JSON:
        return {"id": name, "object": "model", "created": site.started, "owned_by": "library"}

    def message(self, reply: Reply) -> JSON:
        made = {**self.bare_message(reply), "content": reply.text}
        if reply.tool_calls:
            made["tool_calls"] = [{**part, "index": place} for place, part in enumerate(made["tool_calls"])]
        return made

    def usage(self, replies: Sequence[Reply]) -> JSON:
        return completion.usage(replies)

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        listed = []
        for choice in self.choices(call, replies):
            if choice["logprobs"] is None:
                del choice["logprobs"]
            listed.append(choice)
        return {
            **self.envelope(call, "chat.completion"), "system_fingerprint": self.fingerprint, "choices": listed,
            "usage": self.usage(replies),
        }  # fmt: skip

    def chunk(self, call: Call, choices: list[JSON]) -> JSON:
        made = self.envelope(call, "chat.completion.chunk")
        return {**made, "system_fingerprint": self.fingerprint, "choices": choices}

    def chunk_choice(self, index: int, delta: JSON, finish: str | None, logprobs: Any) -> JSON:
        made: JSON = {"index": index, "delta": {"role": "assistant", "content": "", **delta}, "finish_reason": finish}
        return {**made, "logprobs": logprobs} if logprobs else made

    def chunks(self, call: Call, replies: Sequence[Reply]) -> list[Chunk]:
        made = super().chunks(call, replies)
        return [
            chunk
            for place, chunk in enumerate(made)
            if place > 0 or len(made) <= 2  # the role is in every chunk, so none is sent for it alone
        ]

    def own_headers(self, call: Call) -> Headers:
        return []
