"""Assistant turns that carry calls and no text are refused."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class NullRejected(Fault):
    """`content: null` beside `tool_calls` is refused, though it is what the API itself returns."""

    name = "null-rejected"
    summary = "null content in an assistant turn is refused"
    yields = ("content.null-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        for place, turn in enumerate(call.messages):
            if turn.get("role") == "assistant" and turn.get("content") is None:
                message = f"messages[{place}]: missing content"
                return call.site.style.error(call, 400, message, "invalid_request_error", "messages")
        return None
