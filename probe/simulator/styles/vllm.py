"""vLLM's API server (vllm-project/vllm, vllm/entrypoints; recorded from 0.32.0 on CPU)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import probe.simulator.completion as completion
from probe.simulator.call import JSON, Call, Chunk, Reply, Site
from probe.simulator.response import Headers, Response, send_empty, send_json, send_text
from probe.simulator.style import ALL_DIALECTS, HEX, hexes
from probe.simulator.styles.fastapi import FastAPI
from probe.simulator.validation import Problem

_VERSION = "0.32.0"


class VLLM(FastAPI):
    """Started with a key, a tool parser and automatic tool choice."""

    name = "vllm"
    summary = "like vLLM 0.32: /v1 only, uvicorn, BadRequestError bodies, reasoning field, max_model_len"
    default_models = ("Qwen/Qwen2.5-7B-Instruct",)
    routes = ALL_DIALECTS
    stores = False
    auth_before_routing = True
    needs_model = False
    reasoning_field = "reasoning"
    null_usage = False
    fingerprint = f"vllm-{_VERSION}-99e193bf"
    role_delta: ClassVar[JSON] = {"role": "assistant", "content": ""}
    id_form = ("chatcmpl-", 16, HEX)
    call_id_form = ("chatcmpl-tool-", 16, HEX)

    def extra(self, call: Call) -> Response | None:
        if call.request.method not in ("GET", "HEAD"):
            return None
        if call.path in ("/health", "/ping"):
            return send_empty(200)
        if call.path == "/version":
            return send_json(200, {"version": _VERSION})
        if call.path == "/metrics":
            return send_text(200, "# HELP vllm:num_requests_running Number of requests running.\n")
        return None

    def guarded(self, call: Call) -> bool:
        return any(call.path.startswith(prefix) for prefix in (*call.site.prefixes, "/v1", "/v2"))

    def refuse_key(self, given: str | None) -> Response:
        return send_json(401, {"error": "Unauthorized"})

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        kinds = {400: "BadRequestError", 404: "NotFoundError", 401: "UnauthorizedError", 500: "InternalServerError"}
        body = {"message": message, "type": kinds.get(status, kind), "param": param, "code": status}
        return send_json(status, {"error": body})

    def _pydantic(self, kind: str, where: str, text: str, shown: str) -> Response:
        message = f"1 validation error:\n  {{'type': '{kind}', 'loc': '{where}', 'msg': '{text}', 'input': {shown}}}"
        return send_json(400, {"error": {"message": message, "type": "Bad Request", "param": where, "code": 400}})

    def bad_json(self, call: Call) -> Response:
        message = (
            "1 validation error:\n  {'type': 'json_invalid', 'loc': 'body.0', 'msg': 'JSON decode error', "
            "'input': '<dict of 0 items>', 'ctx': {'error': 'Expecting value'}}"
        )
        body = {"message": message, "type": "Bad Request", "param": "body.0", "code": 400}
        return send_json(400, {"error": body})

    def invalid(self, call: Call, problem: Problem) -> Response | None:
        where = "body." + problem.param.replace("[", ".").replace("]", "")
        if problem.code == "empty_array":
            message = "Cannot apply chat template to an empty conversation. Provide at least one message."
            return self.error(400, message, "BadRequestError")
        if problem.param.endswith(".role") and problem.kind == "value":
            return None  # unknown roles go to the chat template as they are
        if problem.param == "stream_options":
            message = "Stream options can only be defined when `stream=True`. (parameter=stream_options)"
            return self.error(400, message, "BadRequestError", "stream_options")
        if problem.param == "tool_choice" and problem.kind == "conflict":
            message = "When using `tool_choice`, `tools` must be set."
            return self.error(400, message, "BadRequestError", "tool_choice")
        if problem.param == "response_format.type":
            return self._pydantic("literal_error", where, "Input should be a valid response format", "'<str>'")
        if problem.kind == "missing":
            return self._pydantic("missing", where, "Field required", f"'<dict of {len(call.body)} items>'")
        if problem.kind == "type":
            return self._pydantic("value_error", where, f"Input should be {problem.wanted}", repr(problem.value)[:80])
        message = f"{problem.param} must be {problem.wanted or 'valid'}, got {str(problem.value)[:80]}."
        detail = f" (parameter={problem.param}, value={str(problem.value)[:80]})"
        return self.error(400, message + detail, "BadRequestError", problem.param)

    def validate(self, call: Call) -> Response | None:
        kind = (call.request.header("content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            message = "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed"
            return send_json(400, {"error": {"message": message, "type": "Bad Request", "param": None, "code": 400}})
        refusal = super().validate(call)
        if refusal is None and call.body.get("tools") == []:
            message = "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely."
            return self.error(400, message + " (parameter=tools)", "BadRequestError", "tools")
        limit = call.site.context_length
        asked = call.body.get("max_tokens") or call.body.get("max_completion_tokens") if refusal is None else None
        if isinstance(asked, int) and asked > limit:
            message = (
                f"max_tokens={asked} cannot be greater than max_model_len={limit}. Please request fewer output tokens. "
                f"(parameter=max_tokens, value={asked})"
            )
            return self.error(400, message, "BadRequestError", "max_tokens")
        return refusal

    def unknown_model(self, call: Call, name: str) -> Response:
        return self.error(404, f"The model `{name}` does not exist.", "NotFoundError", "model")

    def overflow(self, call: Call, tokens: int) -> Response:
        message = (
            f"This model's maximum context length is {call.site.context_length} tokens. However, your prompt contains "
            f"{tokens} input tokens, which exceeds this limit even without any output tokens. Please reduce the length "
            f"of the input prompt. (parameter=input_tokens, value={tokens})"
        )
        return self.error(400, message, "BadRequestError", "input_tokens")

    def model_card(self, site: Site, name: str) -> JSON:
        permission = {
            "id": "modelperm-" + hexes(16), "object": "model_permission", "created": site.started,
            "allow_create_engine": False, "allow_sampling": True, "allow_logprobs": True, "allow_search_indices": False,
            "allow_view": True, "allow_fine_tuning": False, "organization": "*", "group": None, "is_blocking": False,
        }  # fmt: skip
        return {
            "id": name, "object": "model", "created": site.started, "owned_by": "vllm", "root": name, "parent": None,
            "max_model_len": site.context_length, "permission": [permission],
        }  # fmt: skip

    def message(self, reply: Reply) -> JSON:
        made = self.bare_message(reply)
        return {
            "role": "assistant", "content": made["content"], "refusal": None, "annotations": None, "audio": None,
            "function_call": None, **({"tool_calls": made["tool_calls"]} if reply.tool_calls else {}),
            "reasoning": reply.reasoning or None, **{key: made[key] for key in made if key == "reasoning_content"},
        }  # fmt: skip

    def choice_extras(self) -> JSON:
        return {"stop_reason": None, "token_ids": None}

    def usage(self, replies: Sequence[Reply]) -> JSON:
        return {**completion.usage(replies), "prompt_tokens_details": None, "completion_tokens_details": None}

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        made = super().whole(call, replies)
        order = ("id", "object", "created", "model", "choices")
        return {
            **{key: made[key] for key in order}, "service_tier": None, "system_fingerprint": self.fingerprint,
            "usage": made["usage"], "prompt_logprobs": None, "prompt_token_ids": None, "kv_transfer_params": None,
        }  # fmt: skip

    def chunk(self, call: Call, choices: list[JSON]) -> JSON:
        made = {**self.envelope(call, "chat.completion.chunk"), "choices": choices}
        first = bool(choices) and choices[0]["delta"].get("role")
        last = not choices or choices[0]["finish_reason"] is not None
        if first:
            made.update({"prompt_token_ids": None, "prompt_text": None})
        return {**made, "system_fingerprint": self.fingerprint} if last else made

    def chunk_choice(self, index: int, delta: JSON, finish: str | None, logprobs: Any) -> JSON:
        made = super().chunk_choice(index, delta, finish, logprobs)
        return made if delta.get("role") else {**made, "token_ids": None}

    def chunks(self, call: Call, replies: Sequence[Reply]) -> list[Chunk]:
        made = super().chunks(call, replies)
        for chunk in made:
            for choice in chunk.data["choices"] if isinstance(chunk.data, dict) else []:
                for part in choice["delta"].get("tool_calls") or []:
                    choice["delta"].setdefault("content", None)
                    if "id" in part and part["function"].get("arguments") == "":
                        del part["function"]["arguments"]
        return made

    def stream_headers(self) -> Headers:
        return [("Content-Type", self.stream_type)]
