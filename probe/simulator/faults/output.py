"""JSON mode and JSON schemas: refused, without effect, or obeyed loosely."""

from __future__ import annotations

import json
from dataclasses import replace

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, drop_fields, format_type
from probe.simulator.response import Response


def in_prose(reply: Reply) -> Reply:
    """A JSON answer as an unconstrained model gives it: in a code block with a sentence around it."""
    try:
        json.loads(reply.text)
    except ValueError:
        return reply
    return replace(reply, text=f"Here is what you asked for:\n\n```json\n{reply.text}\n```\n\nI hope this helps!")


class _Ignored(Fault):
    """A response_format that is accepted and has no effect."""

    kind: str

    def on_prompt(self, call: Call) -> None:
        if format_type(call) == self.kind:
            drop_fields(call, "response_format")
            call.notes["unconstrained"] = True

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return in_prose(reply) if call.notes.get("unconstrained") else reply


# json_object -------------------------------------------------------------------------------------------


class JsonObjectRejected(Fault):
    """LM Studio's refusal."""

    name = "json-object-rejected"
    summary = "response_format json_object is refused"
    yields = ("output.json-object-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        if format_type(call) != "json_object":
            return None
        return self.error(400, "'response_format.type' must be 'json_schema' or 'text'")


class JsonObjectIgnored(_Ignored):
    """Accepted without effect (TabbyAPI, transformers serve)."""

    name = "json-object-ignored"
    summary = "response_format json_object has no effect"
    yields = ("output.json-object-ignored",)
    kind = "json_object"


class Fenced(Fault):
    """A gateway that asks for JSON in the prompt and does not constrain the model."""

    name = "json-object-fenced"
    summary = "in JSON mode the object comes in a Markdown code block"
    yields = ("output.json-object-ignored",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, text=f"```json\n{reply.text}\n```") if format_type(call) == "json_object" else reply


# json_schema -------------------------------------------------------------------------------------------


class SchemaRejected(Fault):
    """DeepSeek's refusal."""

    name = "schema-rejected"
    summary = "response_format json_schema is refused"
    yields = ("output.schema-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        if format_type(call) != "json_schema":
            return None
        return self.error(400, "This response_format type is unavailable now")


class SchemaIgnored(_Ignored):
    """Accepted without effect: the model answers in its own form."""

    name = "schema-ignored"
    summary = "response_format json_schema has no effect"
    yields = ("output.schema-ignored",)
    kind = "json_schema"


class SchemaInReasoning(Fault):
    """The grammar holds from the first token, inside the thinking (ddalcu/mlx-serve issue 331)."""

    name = "schema-in-reasoning"
    summary = "with a json_schema the object comes in reasoning_content, and the content is empty"
    yields = ("output.schema-ignored",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, text="", reasoning=reply.text) if format_type(call) == "json_schema" else reply


class TemplateTokens(Fault):
    """The prompt lacks the header of the answer, so the model writes it (huggingface/chat-ui issue 1423)."""

    name = "template-tokens"
    summary = "every text begins with tokens of the template (=header), or with the name of the role (=role)"
    yields = ("output.template-tokens",)
    value = "header"
    choices = ("header", "role")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        begin = "assistant\n" if self.given == "role" else "<|start_header_id|>assistant<|end_header_id|>\n\n"
        return replace(reply, text=begin + reply.text) if reply.text else reply


class Loose(Fault):
    """The schema is only shown to the model, which follows most of it."""

    name = "schema-loose"
    summary = "an object that fits the schema but for its last required property"
    yields = ("output.schema-ignored",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if format_type(call) != "json_schema":
            return reply
        value = json.loads(reply.text)
        if isinstance(value, dict) and value:
            value.popitem()
        return replace(reply, text=json.dumps(value))
