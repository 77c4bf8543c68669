"""Ids and finish reasons of calls."""

from __future__ import annotations

from dataclasses import replace

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.reply import Reply


class IdMissing(Fault):
    """No id, or an empty one (Gemini's compatible endpoint)."""

    name = "tool-id-missing"
    summary = "tool calls have no id (=absent or empty)"
    yields = ("tools.id-missing",)
    value = "absent"
    choices = ("absent", "empty")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        nothing = "" if self.given == "empty" else None
        return replace(reply, tool_calls=tuple(replace(made, id=nothing) for made in reply.tool_calls))


class IdDuplicate(Fault):
    """All calls of a turn have one id, so results cannot be told apart."""

    name = "tool-id-duplicate"
    summary = "parallel tool calls share one id"
    yields = ("tools.id-duplicate",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, tool_calls=tuple(replace(made, id="call_0") for made in reply.tool_calls))


class FinishReason(Fault):
    """Clients that look at the reason never see that there is a call."""

    name = "tool-finish-reason"
    summary = "the finish reason of a tool call is stop"
    yields = ("tools.finish-reason",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, finish_reason="stop") if reply.tool_calls else reply


FAULTS = (IdMissing, IdDuplicate, FinishReason)
