"""Streams that are refused or not delivered as streams."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.edit import is_events, without
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class Rejected(Fault):
    """Kong's refusal."""

    name = "stream-rejected"
    summary = "stream: true is refused"
    yields = ("stream.rejected",)

    def on_chat(self, call: Call) -> Script | None:
        if not call.stream:
            return None
        return call.site.style.error(
            call, 400, "response streaming is not enabled for this LLM", "invalid_request_error", "stream"
        )


class NotSse(Fault):
    """A gateway that waits for the whole answer and forwards it as it is."""

    name = "stream-not-sse"
    summary = "stream: true is answered with one JSON object"
    yields = ("stream.not-sse",)

    def on_prompt(self, call: Call) -> None:
        without(call, "stream", "stream_options")


class ContentType(Fault):
    """Events under another media type; strict readers refuse them (WHATWG HTML section 9.2)."""

    name = "stream-content-type"
    summary = "the stream is sent as another media type (=text/plain, application/json …)"
    yields = ("stream.content-type",)
    value = "text/plain"

    def on_script(self, call: Call, script: Script) -> Script:
        return script.with_header("Content-Type", self.given) if is_events(script) else script


FAULTS = (Rejected, NotSse, ContentType)
