"""text-generation-webui (oobabooga/text-generation-webui, modules/api, v4.7)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from probe.simulator.script import Headers, Script, send_json
from probe.simulator.style import token
from probe.simulator.styles.fastapi import FastAPI

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.simulator.call import JSON, Call, Chunk, Reply, Site
    from probe.simulator.validation import Problem


class TextgenWebUI(FastAPI):
    """Started with `--api --api-key`; the model name is not looked at."""

    name = "textgen-webui"
    summary = "like text-generation-webui: FastAPI, model id not checked, CR LF events"
    yields = ("models.id-not-checked",)
    default_models = ("Llama-3.1-8B-Instruct-Q5_K_M.gguf",)
    routes: ClassVar[dict[str, tuple[str, str]]] = {"/chat/completions": ("chat", "POST"), "/models": ("models", "GET")}
    checks_model = False
    tool_deltas = "whole"

    def extra(self, call: Call) -> Script | None:
        if call.path == "/v1/internal/model/info" and call.request.method == "GET":
            return self.authenticate(call) or send_json(200, {"model_name": call.site.model, "lora_names": []})
        return None

    def refuse_key(self, call: Call, given: str | None) -> Script:
        return send_json(401, {"detail": "Unauthorized"})

    def error(
        self, call: Call, status: int, message: str, kind: str, param: str | None = None, code: Any = None
    ) -> Script:
        body = {"message": message, "type": kind, "param": param or "messages", "code": None}
        return send_json(status, {"error": body})

    def bad_json(self, call: Call, wrong: ValueError) -> Script:
        context = {"error": "Expecting value"}
        detail = {"type": "json_invalid", "loc": ["body", 1], "msg": "JSON decode error", "input": {}, "ctx": context}
        return send_json(422, {"detail": [detail]})

    def invalid(self, call: Call, problem: Problem) -> Script | None:
        if problem.kind in ("missing", "type") and "[" not in problem.param:
            kind = "missing" if problem.kind == "missing" else "value_error"
            text = "Field required" if problem.kind == "missing" else f"Input should be {problem.wanted}"
            detail = {"type": kind, "loc": ["body", problem.param], "msg": text, "input": problem.value}
            return send_json(422, {"detail": [detail]})
        if problem.param.endswith(".content") and problem.value is None:
            return self.error(call, 400, "messages: missing content", "invalid_request_error")
        if ".content[" in problem.param:
            return self.error(call, 400, "messages: unsupported content type", "invalid_request_error")
        if problem.param == "messages":
            return self.error(call, 400, "messages is required", "invalid_request_error")
        return None

    def unknown_model(self, call: Call, name: str) -> Script | None:
        return None

    def missing_model(self, call: Call) -> Script | None:
        return None

    def new_id(self) -> str:
        return f"chatcmpl-{time.time_ns()}"

    def tool_call_id(self, call: Call, index: int, name: str) -> str:
        return "call_" + token(8)

    def model_card(self, site: Site, name: str) -> JSON:
        return {"id": name, "object": "model", "created": 0, "owned_by": "user"}

    def fingerprint(self) -> str | None:
        return None

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
