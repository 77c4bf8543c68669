"""llama.cpp's llama-server (ggml-org/llama.cpp, tools/server; recorded from build 11434)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import probe.simulator.completion as completion
from probe.simulator.call import JSON, Call, Chunk, Reply, Site
from probe.simulator.response import Headers, Response, send_empty, send_json
from probe.simulator.style import ALL_DIALECTS, LETTERS, Style
from probe.simulator.validation import Problem

_BUILD = "b6527-7f766929"


class LlamaCpp(Style):
    """One model, a key, a chat template with tools (`--jinja`)."""

    name = "llamacpp"
    summary = "like llama.cpp's llama-server: with and without /v1, model id not checked, timings, /props"
    yields = ("models.id-not-checked",)
    default_models = ("qwen2.5-7b-instruct-q4_k_m.gguf",)
    prefixes = ("", "/v1")
    routes = ALL_DIALECTS
    stores = False
    messages_errors = False
    auth_before_routing = True
    checks_model = False
    needs_model = False
    null_usage = False
    json_type = "application/json; charset=utf-8"
    stream_type = "text/event-stream"
    fingerprint = _BUILD
    role_delta: ClassVar[JSON] = {"role": "assistant", "content": None}
    id_form = ("chatcmpl-", 32, LETTERS)
    call_id_form = ("", 32, LETTERS)

    def extra(self, call: Call) -> Response | None:
        if call.request.method == "OPTIONS":
            allow = [
                ("Access-Control-Allow-Credentials", "true"),
                ("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"),
                ("Access-Control-Allow-Headers", "*"),
            ]
            return send_empty(200, [*allow, ("Content-Type", "text/html")])
        if call.path in ("/health", "/v1/health"):
            return send_json(200, {"status": "ok"})
        if call.path == "/props" and call.request.method == "GET":
            return send_json(200, self._props(call.site))
        if call.path.startswith(("/models/", "/v1/models/")):
            return self.not_found(call)
        return None

    def _props(self, site: Site) -> JSON:
        return {
            "default_generation_settings": {"n_ctx": site.context_length}, "total_slots": 1,
            "model_alias": site.model, "model_path": f"models/{site.model}",
            "modalities": {"vision": self.vision, "audio": False},
            "chat_template": "{% for message in messages %}{{ message.role }}: {{ message.content }}{% endfor %}",
            "chat_template_caps": {"supports_tools": True, "supports_tool_calls": True, "supports_system_role": True},
            "build_info": _BUILD,
        }  # fmt: skip

    def not_found(self, call: Call) -> Response:
        return send_json(404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}})

    def wrong_method(self, call: Call, allowed: str) -> Response:
        return self.not_found(call)

    def guarded(self, call: Call) -> bool:
        return call.path not in ("/health", "/v1/health") and call.request.method != "OPTIONS"

    def presented_key(self, call: Call) -> str | None:
        value = call.request.header("authorization")
        if value is not None:
            return value.removeprefix("Bearer ")
        return call.request.header("x-api-key")

    def refuse_key(self, given: str | None) -> Response:
        return send_json(401, {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}})

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        return send_json(status, {"error": {"code": status, "message": message, "type": kind}})

    def bad_json(self, call: Call) -> Response:
        body = call.request.body.decode("utf-8", "replace")
        message = (
            f"[json.exception.parse_error.101] parse error at line 1, column {len(body) + 1}: syntax error while "
            "parsing value - unexpected end of input; expected '[', '{', or a literal"
        )
        return self.error(400, message, "invalid_request_error")

    def invalid(self, call: Call, problem: Problem) -> Response | None:
        if self._accepts(problem):
            return None
        param, text = problem.param, problem.message
        if re.fullmatch(r"messages\[\d+\]\.role", param):
            return self.error(500, "Failed to parse messages: Missing 'role' in message", "server_error")
        if param == "messages":
            text = "'messages' is required" if problem.kind == "missing" else "Expected 'messages' to be an array"
        elif param.endswith(".content"):
            text = "Expected 'content' to be a string or an array"
        elif param.endswith(".type") and ".content" in param:
            text = "unsupported content[].type"
        elif param == "tool_choice" and problem.kind == "value":
            text = f"Invalid tool_choice: {problem.value}"
        elif param == "response_format.type":
            text = f'response_format type must be one of "text" or "json_object", but got: {problem.value}'
        elif param in ("max_tokens", "n") and problem.kind == "value":
            span = f"{-1 if param == 'max_tokens' else 1} <= value <= 2147483647"
            text = f"Field '{param}': Value must be between {span}, but got {problem.value}"
        elif problem.kind == "type":
            names = {str: "string", list: "array", dict: "object", bool: "boolean"}
            found = names.get(type(problem.value), "null")
            text = f"Field '{param}': [json.exception.type_error.302] type must be number, but is {found}"
        return self.error(400, text, "invalid_request_error")

    def _accepts(self, problem: Problem) -> bool:
        """Whether llama-server overlooks the problem: an empty list, an unknown role, null content and others."""
        if problem.kind == "value" and (problem.param == "messages" or problem.param.endswith("].role")):
            return True
        if problem.param.endswith(".content") and problem.value is None:
            return True
        if problem.param in ("max_tokens", "n") and problem.kind == "value":
            return bool(problem.value == -1)
        if problem.param == "tool_choice":
            return problem.kind == "conflict"
        return problem.param in ("temperature", "stop", "stream_options") and problem.kind != "type"

    def validate(self, call: Call) -> Response | None:
        refusal = super().validate(call)
        wanted = call.body.get("n") if refusal is None else None
        if isinstance(wanted, int) and wanted > 1:
            text = f"Field 'n': Value must be between 1 <= value <= 1, but got {wanted}"
            return self.error(400, text, "invalid_request_error")
        return refusal

    def overflow(self, call: Call, tokens: int) -> Response:
        limit = call.site.context_length
        message = f"request ({tokens} tokens) exceeds the available context size ({limit} tokens), try increasing it"
        body = {"code": 400, "message": message, "type": "exceed_context_size_error", "n_prompt_tokens": tokens}
        return send_json(400, {"error": {**body, "n_ctx": limit}})

    def model_card(self, site: Site, name: str) -> JSON:
        return {
            "id": name, "aliases": [name], "tags": [], "object": "model", "created": site.started,
            "owned_by": "llamacpp",
            "meta": {
                "vocab_type": 2, "n_vocab": 152064, "n_ctx": site.context_length, "n_ctx_train": 32768, "n_embd": 3584,
                "n_params": 7615616512, "size": 4677120000, "ftype": "Q4_K - Medium",
            },
        }  # fmt: skip

    def models(self, call: Call) -> Any:
        names = call.site.models
        capabilities = ["completion", *(["multimodal"] if self.vision else [])]
        listed = [
            {"name": name, "model": name, "type": "model", "capabilities": capabilities, "details": {"format": "gguf"}}
            for name in names
        ]
        return {"models": listed, "object": "list", "data": [self.model_card(call.site, name) for name in names]}

    def message(self, reply: Reply) -> JSON:
        made = self.bare_message(reply)
        return {**made, "content": reply.text}

    def usage(self, replies: Sequence[Reply]) -> JSON:
        counts = completion.usage(replies)
        order = ("completion_tokens", "prompt_tokens", "total_tokens")
        return {**{key: counts[key] for key in order}, "prompt_tokens_details": {"cached_tokens": 0}}

    def _timings(self, call: Call, replies: Sequence[Reply]) -> JSON:
        shown, written = replies[0].prompt_tokens, sum(reply.completion_tokens for reply in replies)
        before, during = call.site.first_token_s * 1000, written * completion.pace(call.site) * 1000
        return {
            "cache_n": 0, "prompt_n": shown, "prompt_ms": before, "prompt_per_token_ms": before / max(shown, 1),
            "prompt_per_second": shown / max(before / 1000, 1e-3), "predicted_n": written, "predicted_ms": during,
            "predicted_per_token_ms": during / max(written, 1),
            "predicted_per_second": written / max(during / 1000, 1e-3),
        }  # fmt: skip

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        listed = []
        for choice in self.choices(call, replies):
            chances = choice.pop("logprobs")
            made = {"finish_reason": choice["finish_reason"], "index": choice["index"], "message": choice["message"]}
            listed.append({**made, "logprobs": {"content": chances["content"]}} if chances else made)
        return {
            "choices": listed, "created": call.created, "model": call.model,
            "system_fingerprint": self.fingerprint, "object": "chat.completion", "usage": self.usage(replies),
            "id": call.id, "timings": self._timings(call, replies),
        }  # fmt: skip

    def chunk(self, call: Call, choices: list[JSON]) -> JSON:
        return {
            "choices": choices, "created": call.created, "id": call.id, "model": call.model,
            "system_fingerprint": self.fingerprint, "object": "chat.completion.chunk",
        }  # fmt: skip

    def chunk_choice(self, index: int, delta: JSON, finish: str | None, logprobs: Any) -> JSON:
        made: JSON = {"finish_reason": finish, "index": index, "delta": delta}
        return {**made, "logprobs": {"content": logprobs["content"]}} if logprobs else made

    def chunks(self, call: Call, replies: Sequence[Reply]) -> list[Chunk]:
        made = super().chunks(call, replies)
        last = next(chunk.data for chunk in reversed(made) if isinstance(chunk.data, dict))
        last["timings"] = self._timings(call, replies)
        return made

    def fixed_headers(self, call: Call, response: Response) -> Headers:
        ending = ("Connection", "close") if response.status >= 400 else ("Keep-Alive", "timeout=5, max=100")
        return [("Server", "llama.cpp"), ("Access-Control-Allow-Origin", ""), ending]

    def stream_headers(self) -> Headers:
        return [("X-Accel-Buffering", "no"), ("Content-Type", self.stream_type)]
