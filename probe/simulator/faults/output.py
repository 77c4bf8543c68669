"""JSON mode and JSON schemas: refused, without effect, or obeyed loosely."""

from __future__ import annotations

import json
from dataclasses import replace

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, drop_fields, format_type, on_chat, on_reply
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


@on_chat("response_format json_object is refused", "output.json-object-rejected")
def json_object_rejected(fault: Fault, call: Call) -> Response | None:
    """LM Studio's refusal."""
    if format_type(call) != "json_object":
        return None
    return fault.error(400, "'response_format.type' must be 'json_schema' or 'text'")


# Accepted without effect (TabbyAPI, transformers serve).
JsonObjectIgnored = _Ignored.variant(
    "json-object-ignored",
    "response_format json_object has no effect",
    yields=("output.json-object-ignored",),
    kind="json_object",
)


@on_reply("in JSON mode the object comes in a Markdown code block", "output.json-object-ignored")
def json_object_fenced(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A gateway that asks for JSON in the prompt and does not constrain the model."""
    return replace(reply, text=f"```json\n{reply.text}\n```") if format_type(call) == "json_object" else reply


# json_schema -------------------------------------------------------------------------------------------


@on_chat("response_format json_schema is refused", "output.schema-rejected")
def schema_rejected(fault: Fault, call: Call) -> Response | None:
    """DeepSeek's refusal."""
    if format_type(call) != "json_schema":
        return None
    return fault.error(400, "This response_format type is unavailable now")


# Accepted without effect: the model answers in its own form.
SchemaIgnored = _Ignored.variant(
    "schema-ignored", "response_format json_schema has no effect", yields=("output.schema-ignored",), kind="json_schema"
)


@on_reply("with a json_schema the object comes in reasoning_content, and the content is empty", "output.schema-ignored")
def schema_in_reasoning(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The grammar holds from the first token, inside the thinking (ddalcu/mlx-serve issue 331)."""
    return replace(reply, text="", reasoning=reply.text) if format_type(call) == "json_schema" else reply


@on_reply(
    "every text begins with tokens of the template (=header), or with the name of the role (=role)",
    "output.template-tokens",
    choices=("header", "role"),
)
def template_tokens(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The prompt lacks the header of the answer, so the model writes it (huggingface/chat-ui issue 1423)."""
    begin = "assistant\n" if fault.given == "role" else "<|start_header_id|>assistant<|end_header_id|>\n\n"
    return replace(reply, text=begin + reply.text) if reply.text else reply


@on_reply("an object that fits the schema but for its last required property", "output.schema-ignored")
def schema_loose(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The schema is only shown to the model, which follows most of it."""
    if format_type(call) != "json_schema":
        return reply
    value = json.loads(reply.text)
    if isinstance(value, dict) and value:
        value.popitem()
    return replace(reply, text=json.dumps(value))
