"""Optional features that good servers have in part."""

from __future__ import annotations

from dataclasses import replace

from probe.simulator.call import Call
from probe.simulator.edit import has_pictures
from probe.simulator.fault import Fault
from probe.simulator.script import Script
from probe.simulator.standin import png
from probe.simulator.standin.prompt import data_uris


class WantsSize(Fault):
    """Providers with a least picture size (xAI, Qwen)."""

    name = "vision-least-size"
    summary = "pictures of less than 100 pixels a side are refused"

    def on_chat(self, call: Call) -> Script | None:
        if not has_pictures(call):
            return None
        pictures = [found for message in call.messages for found in data_uris(message.get("content"))]
        if all(min(png.size(picture)) >= 100 for picture in pictures):
            return None
        return call.site.style.error(
            call, 400, "Invalid image: the height and width must be at least 100 pixels.", "invalid_request_error"
        )


class NotStrict(Fault):
    """Schemas without OpenAI's strict mode (Gemini once)."""

    name = "schema-not-strict"
    summary = "schemas are obeyed, but additionalProperties in them is refused"

    def on_chat(self, call: Call) -> Script | None:
        form = call.body.get("response_format") or {}
        if "additionalProperties" not in str(form):
            return None
        return call.site.style.error(
            call, 400, 'Unknown name "additionalProperties" at response_format', "invalid_request_error"
        )


class NoResponses(Fault):
    """Servers that speak chat completions only."""

    name = "no-responses"
    summary = "there is no /responses"

    def on_request(self, call: Call) -> Script | None:
        return call.site.style.not_found(call) if call.path.endswith("/responses") else None


class ResponsesUnstreamed(Fault):
    """A /responses that answers a streamed request whole."""

    name = "responses-unstreamed"
    summary = "/responses answers, and never streams"

    def on_request(self, call: Call) -> Script | None:
        if call.path.endswith("/responses"):
            call.request = replace(call.request, body=call.request.body.replace(b'"stream":true', b'"stream":false'))
        return None
