"""JSON mode that is refused or has no effect."""

from __future__ import annotations

import json
from dataclasses import replace

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, without
from probe.simulator.script import Script


def in_prose(reply: Reply) -> Reply:
    """The answer as a model gives it that nothing holds to JSON: a fenced block with a sentence around it."""
    try:
        json.loads(reply.text)
    except ValueError:
        return reply
    return replace(reply, text=f"Here is what you asked for:\n\n```json\n{reply.text}\n```\n\nI hope this helps!")


class JsonObjectRejected(Fault):
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


class JsonObjectIgnored(Fault):
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


# JSON that is told to the model and not held to. ---------------------------------------------------


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


# Schemas that are refused or have no effect. -------------------------------------------------------


class SchemaRejected(Fault):
    """DeepSeek's refusal."""

    name = "schema-rejected"
    summary = "response_format json_schema is refused"
    yields = ("output.schema-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        if (call.body.get("response_format") or {}).get("type") != "json_schema":
            return None
        return call.site.style.error(call, 400, "This response_format type is unavailable now", "invalid_request_error")


class SchemaIgnored(Fault):
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
