"""Tool calls that are left in the text: in the markup of a model, as JSON, in the reasoning, or half parsed."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, as_text, named_calls
from probe.simulator.markup import FORMATS, bare, bare_json5, write


class _Leak(Fault):
    """The server has no parser for the markup that the model writes."""

    yields = ("tools.parser-missing",)
    marker: ClassVar[str]

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return as_text(reply, write(self.marker, named_calls(reply))) if reply.tool_calls else reply


#: One fault a format.
FAULTS = tuple(
    type(
        f"Leak_{marker.replace('-', '_')}",
        (_Leak,),
        {"name": f"tools-as-{marker}", "summary": f"tool calls stay in the text in {marker} markup", "marker": marker},
    )
    for marker in FORMATS
)


class AsText(Fault):
    """JSON without markup that names an offered tool."""

    name = "tools-as-text"
    summary = "tool calls stay in the text as bare JSON"
    yields = ("tools.text-call",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return as_text(reply, bare(named_calls(reply))) if reply.tool_calls else reply


class AsFenced(Fault):
    """The same in a code block after a sentence."""

    name = "tools-as-fenced-json"
    summary = "tool calls stay in the text as JSON in a code block"
    yields = ("tools.text-call",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not reply.tool_calls:
            return reply
        blocks = "\n".join(f"```json\n{bare([one])}\n```" for one in named_calls(reply))
        return as_text(reply, f"I will use the available function for this.\n\n{blocks}")


class AsJson5(Fault):
    """The same as JSON5."""

    name = "tools-as-json5"
    summary = "tool calls stay in the text as JSON5: keys without quotes, single quotes, a trailing comma"
    yields = ("tools.text-call",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return as_text(reply, bare_json5(named_calls(reply))) if reply.tool_calls else reply


class InReasoning(Fault):
    """The reasoning parser takes the call before the tool parser sees it."""

    name = "tools-in-reasoning"
    summary = "tool calls end up inside the reasoning text"
    yields = ("tools.parser-missing",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not reply.tool_calls:
            return reply
        thought = f"The user wants something that a function can answer.\n{write('hermes', named_calls(reply))}"
        return replace(as_text(reply, ""), reasoning=reply.reasoning + thought)


class PartialLeak(Fault):
    """A parser that reads the call and does not remove its markup."""

    name = "tools-partial-leak"
    summary = "a structured call comes, and its markup is in the text as well"
    yields = ("tools.parser-missing",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, text=write("hermes", named_calls(reply))) if reply.tool_calls else reply
