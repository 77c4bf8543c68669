"""Schemas that are refused or have no effect."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.edit import without
from probe.simulator.fault import Fault
from probe.simulator.faults.output.json_object import in_prose
from probe.simulator.reply import Reply
from probe.simulator.script import Script


class Rejected(Fault):
    """DeepSeek's refusal."""

    name = "schema-rejected"
    summary = "response_format json_schema is refused"
    yields = ("output.schema-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        if (call.body.get("response_format") or {}).get("type") != "json_schema":
            return None
        return call.site.style.error(call, 400, "This response_format type is unavailable now", "invalid_request_error")


class Ignored(Fault):
    """Accepted and forgotten: the model answers in its own form."""

    name = "schema-ignored"
    summary = "response_format json_schema has no effect"
    yields = ("output.schema-ignored",)

    def on_prompt(self, call: Call) -> None:
        if (call.body.get("response_format") or {}).get("type") == "json_schema":
            without(call, "response_format")
            call.notes["loose"] = True

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return in_prose(reply) if call.notes.get("loose") else reply


FAULTS = (Rejected, Ignored)
