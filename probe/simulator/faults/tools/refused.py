"""Requests with tools that are refused."""

from __future__ import annotations

import json

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script

_REJECTED = {
    "groq": (400, "`tool calling` is not supported with this model"),
    "ollama": (400, "registry.ollama.ai/library/{model} does not support tools"),
    "openrouter": (404, "No endpoints found that support tool use"),
}
_NOT_ENABLED = {
    "vllm": (
        400,
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        "BadRequestError",
    ),
    "llamacpp": (500, "tools param requires --jinja flag", "server_error"),
    "lmdeploy": (
        400,
        "Please launch the api_server with --tool-call-parser if you want to use tools.",
        "invalid_request_error",
    ),
}


class Rejected(Fault):
    """The model or the service knows no tools."""

    name = "tools-rejected"
    summary = "requests with tools are refused (=groq, ollama or openrouter: whose words)"
    yields = ("tools.rejected",)
    value = "groq"
    choices = tuple(_REJECTED)

    def on_chat(self, call: Call) -> Script | None:
        if not call.tools:
            return None
        status, text = _REJECTED[self.given or "groq"]
        return call.site.style.error(call, status, text.format(model=call.site.model), "invalid_request_error")


class NotEnabled(Fault):
    """The server could, and was not started for it."""

    name = "tools-not-enabled"
    summary = "requests with tools are refused for want of a start option (=vllm, llamacpp or lmdeploy)"
    yields = ("tools.not-enabled",)
    value = "vllm"
    choices = tuple(_NOT_ENABLED)

    def on_chat(self, call: Call) -> Script | None:
        choice = call.body.get("tool_choice", "auto")
        if not call.tools or choice == "none":
            return None
        status, text, kind = _NOT_ENABLED[self.given or "vllm"]
        if self.given == "vllm" and choice == "required":
            text = 'tool_choice="required" requires --tool-call-parser to be set'
        elif self.given == "vllm" and isinstance(choice, dict):
            text = (
                f"tool_choice=function {json.dumps(choice['function']['name'])} requires --tool-call-parser to be set"
            )
        return call.site.style.error(call, status, text, kind, code=status)


FAULTS = (Rejected, NotEnabled)
