"""JSON mode that is refused or has no effect."""

from __future__ import annotations

import json
from dataclasses import replace

from probe.simulator.call import Call
from probe.simulator.edit import without
from probe.simulator.fault import Fault
from probe.simulator.reply import Reply
from probe.simulator.script import Script


def in_prose(reply: Reply) -> Reply:
    """The answer as a model gives it that nothing holds to JSON: a fenced block with a sentence around it."""
    try:
        json.loads(reply.text)
    except ValueError:
        return reply
    return replace(reply, text=f"Here is what you asked for:\n\n```json\n{reply.text}\n```\n\nI hope this helps!")


class Rejected(Fault):
    """LM Studio's refusal."""

    name = "json-object-rejected"
    summary = "response_format json_object is refused"
    yields = ("output.json-object-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        if (call.body.get("response_format") or {}).get("type") != "json_object":
            return None
        return call.site.style.error(
            call, 400, "'response_format.type' must be 'json_schema' or 'text'", "invalid_request_error"
        )


class Ignored(Fault):
    """Accepted and forgotten (TabbyAPI, transformers serve)."""

    name = "json-object-ignored"
    summary = "response_format json_object has no effect"
    yields = ("output.json-object-ignored",)

    def on_prompt(self, call: Call) -> None:
        if (call.body.get("response_format") or {}).get("type") == "json_object":
            without(call, "response_format")
            call.notes["loose"] = True

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return in_prose(reply) if call.notes.get("loose") else reply


FAULTS = (Rejected, Ignored)
