"""Tools, choices and results that are accepted and have no effect."""

from __future__ import annotations

from dataclasses import replace

from probe.simulator.call import Call
from probe.simulator.edit import replace_messages, without
from probe.simulator.fault import Fault
from probe.simulator.reply import Reply
from probe.simulator.script import Script


class Ignored(Fault):
    """A gateway that passes on only the fields it knows; the calls of earlier turns stay."""

    name = "tools-ignored"
    summary = "tools are accepted and never reach the model"
    yields = ("tools.ignored",)

    def on_prompt(self, call: Call) -> None:
        without(call, "tools", "tool_choice", "parallel_tool_calls")


class NotCalled(Fault):
    """The model sees the tools and answers in prose; forced, it calls."""

    name = "tools-not-called"
    summary = "the model calls no tool of its own will"
    yields = ("tools.not-called",)
    personality = "declines"


class NeverCalled(Fault):
    """The model answers in prose even when a call is demanded."""

    name = "tools-never-called"
    summary = "the model calls no tool, not even when forced"
    yields = ("tools.not-called", "tools.choice-ignored")
    personality = "refuses"


class ChoiceIgnored(Fault):
    """`tool_choice` is dropped: the model is left to its own will."""

    name = "tool-choice-ignored"
    summary = "tool_choice required and named have no effect"
    yields = ("tools.choice-ignored",)

    def on_prompt(self, call: Call) -> None:
        if call.body.get("tool_choice") not in (None, "none", "auto"):
            without(call, "tool_choice")


class ResultRejected(Fault):
    """Tool turns are refused."""

    name = "tool-result-rejected"
    summary = "requests with tool results are refused"
    yields = ("tools.result-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        for place, turn in enumerate(call.messages):
            if turn.get("role") == "tool":
                message = f"messages[{place}]: unknown variant `tool`, expected one of `system`, `user`, `assistant`"
                return call.site.style.error(call, 400, message, "invalid_request_error", "messages")
        return None


class ResultIgnored(Fault):
    """A template that prints a tool turn without its content."""

    name = "tool-result-ignored"
    summary = "tool results are accepted and their content never reaches the model"
    yields = ("tools.result-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: {**turn, "content": ""} if turn.get("role") == "tool" else turn)


class NeverParallel(Fault):
    """One call at a time; the rest would come in later turns (nothing wrong)."""

    name = "tool-parallel-never"
    summary = "only one tool call a turn (an optional capability: nothing wrong)"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, tool_calls=reply.tool_calls[:1])


FAULTS = (Ignored, NotCalled, NeverCalled, ChoiceIgnored, ResultRejected, ResultIgnored, NeverParallel)
