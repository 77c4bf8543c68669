"""Calls left in the text in the model's own markup: one fault a format, made from the table of formats."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, named_calls
from probe.simulator.markup import FORMATS, bare, bare_json5, hermes


class _Leak(Fault):
    """The server has no parser for what the model writes."""

    yields = ("tools.parser-missing",)
    marker: ClassVar[str] = ""

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not reply.tool_calls:
            return reply
        return reply.leaked(FORMATS[self.marker](named_calls(reply)))


FAULTS = tuple(
    type(
        f"Leak_{marker.replace('-', '_')}",
        (_Leak,),
        {"name": f"tools-as-{marker}", "summary": f"tool calls stay in the text in {marker} markup", "marker": marker},
    )
    for marker in FORMATS
)


# Calls written as plain JSON, hidden in the reasoning, or half parsed. -----------------------------


class AsText(Fault):
    """Bare JSON that names an offered tool."""

    name = "tools-as-text"
    summary = "tool calls stay in the text as bare JSON"
    yields = ("tools.text-call",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return reply.leaked(bare(named_calls(reply))) if reply.tool_calls else reply


class AsFenced(Fault):
    """The same in a code block, with a sentence before it."""

    name = "tools-as-fenced-json"
    summary = "tool calls stay in the text as JSON in a code block"
    yields = ("tools.text-call",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not reply.tool_calls:
            return reply
        blocks = "\n".join(f"```json\n{bare([one])}\n```" for one in named_calls(reply))
        return reply.leaked(f"I will use the available function for this.\n\n{blocks}")


class AsJson5(Fault):
    """The same in JSON5."""

    name = "tools-as-json5"
    summary = "tool calls stay in the text as JSON5: keys without quotes, single quotes, a comma at the end"
    yields = ("tools.text-call",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return reply.leaked(bare_json5(named_calls(reply))) if reply.tool_calls else reply


class InReasoning(Fault):
    """The reasoning parser swallows the call before the tool parser sees it."""

    name = "tools-in-reasoning"
    summary = "tool calls end up inside the reasoning text"
    yields = ("tools.parser-missing",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not reply.tool_calls:
            return reply
        thought = f"The user wants something that a function can answer.\n{hermes(named_calls(reply))}"
        return replace(reply, tool_calls=(), text="", reasoning=reply.reasoning + thought, finish_reason="stop")


class PartialLeak(Fault):
    """A parser that takes the call and leaves the markup."""

    name = "tools-partial-leak"
    summary = "a structured call comes, and its markup stands in the text as well"
    yields = ("tools.parser-missing",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, text=hermes(named_calls(reply))) if reply.tool_calls else reply
