"""Calls left in the text in the model's own markup: one fault a format, made from the table of formats."""

from __future__ import annotations

from typing import ClassVar

from probe.simulator.call import Call
from probe.simulator.edit import named_calls
from probe.simulator.fault import Fault
from probe.simulator.markup import FORMATS
from probe.simulator.reply import Reply


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
