"""SGLang (sgl-project/sglang, python/sglang/srt/entrypoints, 0.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import probe.simulator.completion as completion
from probe.simulator.call import JSON, Call, Reply, Site
from probe.simulator.response import Headers, Response, send_empty, send_json
from probe.simulator.style import ALL_DIALECTS, HEX
from probe.simulator.styles.fastapi import FastAPI
from probe.simulator.validation import Problem


class SGLang(FastAPI):
    """Flat errors; any model id is answered."""

    name = "sglang"
    summary = "like SGLang: flat errors, any model id answered, matched_stop, reasoning_content in every delta"
    yields = ("models.id-not-checked",)
    default_models = ("Qwen/Qwen2.5-7B-Instruct",)
    routes = ALL_DIALECTS
    stores = False
    x_api_key = True
    auth_before_routing = True
    checks_model = False
    needs_model = False
    null_usage = False
    role_delta: ClassVar[JSON] = {"role": "assistant", "content": ""}
    id_form = ("", 32, HEX)
    call_id_form = ("call_", 24, HEX)

    def extra(self, call: Call) -> Response | None:
        if call.request.method != "GET":
            return None
        if call.path in ("/health", "/ready"):
            return send_empty(200)
        if call.path in ("/model_info", "/get_model_info"):
            return send_json(200, {"model_path": call.site.model, "is_generation": True})
        if call.path == "/":
            return send_json(200, "SGLang is running")
        return None

    def guarded(self, call: Call) -> bool:
        return not call.path.startswith(("/health", "/ready", "/metrics"))

    def refuse_key(self, given: str | None) -> Response:
        return send_json(401, {"error": "Unauthorized"})

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        body = {"object": "error", "message": message, "type": "BadRequest", "param": param, "code": status}
        return send_json(status, body)

    def bad_json(self, call: Call) -> Response:
        return self.error(400, "[{'type': 'json_invalid', 'loc': ('body', 1), 'msg': 'JSON decode error'}]", "")

    def invalid(self, call: Call, problem: Problem) -> Response | None:
        if problem.code == "empty_array":
            return self.error(400, "Messages cannot be empty.", "")
        return self.error(400, problem.message, "", problem.param)

    def overflow(self, call: Call, tokens: int) -> Response:
        message = (
            f"The input ({tokens} tokens) is longer than the model's context length "
            f"({call.site.context_length} tokens)."
        )
        return self.error(400, message, "")

    def model_card(self, site: Site, name: str) -> JSON:
        return {
            "id": name, "object": "model", "created": site.started, "owned_by": "sglang", "root": name, "parent": None,
            "max_model_len": site.context_length,
        }  # fmt: skip

    def choice_extras(self) -> JSON:
        return {"matched_stop": None}

    def message(self, reply: Reply) -> JSON:
        return {"reasoning_content": None, "tool_calls": None, **self.bare_message(reply)}

    def usage(self, replies: Sequence[Reply]) -> JSON:
        return {**completion.usage(replies), "prompt_tokens_details": None, "reasoning_tokens": 0}

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        return {
            **self.envelope(call, "chat.completion"), "choices": self.choices(call, replies),
            "usage": self.usage(replies), "metadata": {"weight_version": "default"},
        }  # fmt: skip

    def chunk(self, call: Call, choices: list[JSON]) -> JSON:
        return {**self.envelope(call, "chat.completion.chunk"), "choices": choices}

    def chunk_choice(self, index: int, delta: JSON, finish: str | None, logprobs: Any) -> JSON:
        full = {"role": None, "content": None, "reasoning_content": None, "tool_calls": None, **delta}
        return {**super().chunk_choice(index, full, finish, logprobs), "matched_stop": None}

    def stream_headers(self) -> Headers:
        return [("Content-Type", self.stream_type)]
