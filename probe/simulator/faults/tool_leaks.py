"""Tool calls that are left in the text: in the markup of a model, as JSON, in the reasoning, or half parsed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, as_text, named_calls, on_reply
from probe.simulator.markup import FORMATS, Calls, bare, bare_json5


def _leak(name: str, summary: str, code: str, write: Callable[[Calls], str]) -> type[Fault]:
    """The calls are text in a certain notation, which no parser reads; `write` makes it."""

    def left(fault: Fault, call: Call, reply: Reply) -> Reply:
        return as_text(reply, write(named_calls(reply))) if reply.tool_calls else reply

    return Fault.variant(name, summary, yields=(code,), on_reply=left)


def _fenced(calls: Calls) -> str:
    """Code blocks after a sentence."""
    blocks = "\n".join(f"```json\n{bare([call])}\n```" for call in calls)
    return f"I will use the available function for this.\n\n{blocks}"


_JSON5 = "tool calls stay in the text as JSON5: keys without quotes, single quotes, a trailing comma"
#: One fault a format, which the server has no parser for; and JSON without markup that names an offered tool.
FAULTS = (
    *(
        _leak(
            f"tools-as-{marker}", f"tool calls stay in the text in {marker} markup", "tools.parser-missing", one.write
        )
        for marker, one in FORMATS.items()
    ),
    _leak("tools-as-text", "tool calls stay in the text as bare JSON", "tools.text-call", bare),
    _leak("tools-as-fenced-json", "tool calls stay in the text as JSON in a code block", "tools.text-call", _fenced),
    _leak("tools-as-json5", _JSON5, "tools.text-call", bare_json5),
)


@on_reply("tool calls end up inside the reasoning text", "tools.parser-missing")
def tools_in_reasoning(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The reasoning parser takes the call before the tool parser sees it."""
    if not reply.tool_calls:
        return reply
    written = FORMATS["hermes"].write(named_calls(reply))
    thought = f"The user wants something that a function can answer.\n{written}"
    return replace(as_text(reply, ""), reasoning=reply.reasoning + thought)


@on_reply("a structured call comes, and its markup is in the text as well", "tools.parser-missing")
def tools_partial_leak(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A parser that reads the call and does not remove its markup."""
    return replace(reply, text=FORMATS["hermes"].write(named_calls(reply))) if reply.tool_calls else reply
