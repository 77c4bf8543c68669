"""JSON that is told to the model and not held to."""

from __future__ import annotations

import json
from dataclasses import replace

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.reply import Reply


def _wants(call: Call, kind: str) -> bool:
    return (call.body.get("response_format") or {}).get("type") == kind


class Fenced(Fault):
    """A gateway that puts the wish for JSON into the prompt and trusts the model."""

    name = "json-object-fenced"
    summary = "in JSON mode the object comes in a Markdown code fence"
    yields = ("output.json-object-ignored",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, text=f"```json\n{reply.text}\n```") if _wants(call, "json_object") else reply


class Loose(Fault):
    """A schema that the model follows except where it does not."""

    name = "schema-loose"
    summary = "an object that fits the schema but for its last required property"
    yields = ("output.schema-ignored",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not _wants(call, "json_schema"):
            return reply
        value = json.loads(reply.text)
        if isinstance(value, dict) and value:
            value.popitem()
        return replace(reply, text=json.dumps(value))
