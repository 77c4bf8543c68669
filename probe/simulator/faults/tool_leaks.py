"""Tool calls that are left in the text: in the markup of a model, as JSON, in the reasoning, or half parsed."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, as_text, named_calls
from probe.simulator.markup import FORMATS, Calls, bare, bare_json5


class _Leak(Fault):
    """The calls are text in a certain notation, which no parser reads."""

    def write(self, calls: Calls) -> str:
        """The calls as the model writes them."""
        raise NotImplementedError

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return as_text(reply, self.write(named_calls(reply))) if reply.tool_calls else reply


class _Markup(_Leak):
    """The server has no parser for the markup that the model writes."""

    yields = ("tools.parser-missing",)
    marker: ClassVar[str]

    def write(self, calls: Calls) -> str:
        return FORMATS[self.marker].write(calls)


#: One fault a format.
FAULTS = tuple(
    _Markup.variant(f"tools-as-{marker}", f"tool calls stay in the text in {marker} markup", marker=marker)
    for marker in FORMATS
)


class AsText(_Leak):
    """JSON without markup that names an offered tool."""

    name = "tools-as-text"
    summary = "tool calls stay in the text as bare JSON"
    yields = ("tools.text-call",)

    def write(self, calls: Calls) -> str:
        return bare(calls)


class AsFenced(_Leak):
    """The same in code blocks after a sentence."""

    name = "tools-as-fenced-json"
    summary = "tool calls stay in the text as JSON in a code block"
    yields = ("tools.text-call",)

    def write(self, calls: Calls) -> str:
        blocks = "\n".join(f"```json\n{bare([call])}\n```" for call in calls)
        return f"I will use the available function for this.\n\n{blocks}"


class AsJson5(_Leak):
    """The same as JSON5."""

    name = "tools-as-json5"
    summary = "tool calls stay in the text as JSON5: keys without quotes, single quotes, a trailing comma"
    yields = ("tools.text-call",)

    def write(self, calls: Calls) -> str:
        return bare_json5(calls)


class InReasoning(_Markup):
    """The reasoning parser takes the call before the tool parser sees it."""

    name = "tools-in-reasoning"
    summary = "tool calls end up inside the reasoning text"
    marker = "hermes"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not reply.tool_calls:
            return reply
        thought = f"The user wants something that a function can answer.\n{self.write(named_calls(reply))}"
        return replace(as_text(reply, ""), reasoning=reply.reasoning + thought)


class PartialLeak(_Markup):
    """A parser that reads the call and does not remove its markup."""

    name = "tools-partial-leak"
    summary = "a structured call comes, and its markup is in the text as well"
    marker = "hermes"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, text=self.write(named_calls(reply))) if reply.tool_calls else reply
