"""Arguments that are no JSON text, no valid JSON, or not what the schema asks for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call
from probe.simulator.edit import named_calls
from probe.simulator.fault import Fault
from probe.simulator.reply import Reply


def _with_arguments(reply: Reply, change: Any) -> Reply:
    made = []
    for call, (_, given) in zip(reply.tool_calls, named_calls(reply), strict=True):
        made.append(replace(call, arguments=change(given)))
    return replace(reply, tool_calls=tuple(made))


class NotJson(Fault):
    """Python's notation in place of JSON, or a text that stops too early."""

    name = "arguments-not-json"
    summary = "arguments are no valid JSON (=python or truncated)"
    yields = ("tools.arguments-not-json",)
    value = "python"
    choices = ("python", "truncated")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if self.given == "truncated":
            return _with_arguments(reply, lambda given: json.dumps(given)[:-2])
        return _with_arguments(reply, lambda given: repr(given) if given else "{None}")


class NotString(Fault):
    """An object where the API has a JSON text (Ollama's own API, old TGI)."""

    name = "arguments-object"
    summary = "arguments are a JSON object in place of a string"
    yields = ("tools.arguments-not-string",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return _with_arguments(reply, lambda given: given)


def _off_schema(given: JSON) -> JSON:
    """Numbers, booleans and lists as strings; where there are none, the first field under another name."""
    made = {key: value if isinstance(value, str) else str(value) for key, value in given.items()}
    if made != given or not made:
        return made or {"input": "value"}
    first, *rest = made.items()
    return {"value_of_" + first[0]: first[1], **dict(rest)}


class OffSchema(Fault):
    """A parser that knows no types, or a model that makes up names."""

    name = "arguments-off-schema"
    summary = "arguments do not fit the tool's schema"
    yields = ("tools.arguments-off-schema",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return _with_arguments(reply, lambda given: json.dumps(_off_schema(given), ensure_ascii=False))


FAULTS = (NotJson, NotString, OffSchema)
