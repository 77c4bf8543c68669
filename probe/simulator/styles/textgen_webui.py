"""text-generation-webui (oobabooga/text-generation-webui, modules/api, v4.7)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from probe.simulator.call import JSON, Call, Chunk, Reply, Site
from probe.simulator.response import Headers, Response, send_json
from probe.simulator.style import CHAT_ONLY, LETTERS
from probe.simulator.styles.fastapi import FastAPI
from probe.simulator.validation import Problem


class TextgenWebUI(FastAPI):
    """Started with `--api --api-key`; the model name is not checked."""

    name = "textgen-webui"
    summary = "like text-generation-webui: FastAPI, model id not checked, CR LF events"
    yields = ("models.id-not-checked",)
    default_models = ("Llama-3.1-8B-Instruct-Q5_K_M.gguf",)
    routes = CHAT_ONLY
    checks_model = False
    needs_model = False
    whole_calls = True
    fingerprint = None
    call_id_form = ("call_", 8, LETTERS)

    def extra(self, call: Call) -> Response | None:
        if call.path == "/v1/internal/model/info" and call.request.method == "GET":
            return self.authenticate(call) or send_json(200, {"model_name": call.site.model, "lora_names": []})
        return None

    def refuse_key(self, given: str | None) -> Response:
        return send_json(401, {"detail": "Unauthorized"})

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        body = {"message": message, "type": kind, "param": param or "messages", "code": None}
        return send_json(status, {"error": body})

    def bad_json(self, call: Call) -> Response:
        context = {"error": "Expecting value"}
        detail = {"type": "json_invalid", "loc": ["body", 1], "msg": "JSON decode error", "input": {}, "ctx": context}
        return send_json(422, {"detail": [detail]})

    def invalid(self, call: Call, problem: Problem) -> Response | None:
        if problem.kind in ("missing", "type") and "[" not in problem.param:
            kind = "missing" if problem.kind == "missing" else "value_error"
            text = "Field required" if problem.kind == "missing" else f"Input should be {problem.wanted}"
            detail = {"type": kind, "loc": ["body", problem.param], "msg": text, "input": problem.value}
            return send_json(422, {"detail": [detail]})
        if problem.param.endswith(".content") and problem.value is None:
            return self.error(400, "messages: missing content", "invalid_request_error")
        if ".content[" in problem.param:
            return self.error(400, "messages: unsupported content type", "invalid_request_error")
        if problem.param == "messages":
            return self.error(400, "messages is required", "invalid_request_error")
        return None

    def new_id(self) -> str:
        return f"chatcmpl-{time.time_ns()}"

    def model_card(self, site: Site, name: str) -> JSON:
        return {"id": name, "object": "model", "created": 0, "owned_by": "user"}

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        made = super().whole(call, replies)
        made.pop("service_tier")
        return made

    def chunk(self, call: Call, choices: list[JSON]) -> JSON:
        made = super().chunk(call, choices)
        made.pop("service_tier")
        return made

    def frame(self, chunk: Chunk) -> bytes:
        return super().frame(chunk).replace(b"\n", b"\r\n")

    def stream_headers(self) -> Headers:
        return [("Content-Type", self.stream_type), ("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")]
