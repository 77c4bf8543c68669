"""What tools.call found out for the other checks of the family: how a call can be had, and a call to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checks.tools import requests
from checks.tools.markup import judge
from checks.tools.reading import Call, Reading
from probe.api import Inconclusive, State, Verdict, member

if TYPE_CHECKING:
    from probe.api import Context, ToolState


def is_usable(call: Call) -> bool:
    """Whether a call of the weather tool can be answered: it has an id, and arguments that are JSON."""
    return isinstance(call.id, str) and bool(call.id) and call.name == "get_weather" and judge(call.arguments, None).ok


def is_usable_call(call: Any) -> bool:
    """The same of a raw call."""
    read = Call(member(call, "id"), member(call, "function", "name"), member(call, "function", "arguments"), "")
    return isinstance(call, dict) and is_usable(read)


def settled(way: str, outcome: str, reading: Reading | None = None) -> dict[str, Any]:
    """The state, as tools.call settles it.

    ``way`` is how a call can be had: auto, explicit (``tool_choice: auto`` written out), simple, required, named or
    empty; ``outcome`` is called, leaked, ignored, declined, unsure, cut, lost or refused; ``call`` is the model's first
    call, where it can be answered.
    """
    first = reading.calls[0] if reading is not None and reading.calls else None
    call = None
    if first is not None and is_usable(first):
        call = {"id": first.id, "name": first.name, "arguments": first.arguments, "more": dict(first.more)}
    return {"tools": {"way": way, "outcome": outcome, "call": call}}


def state_of(ctx: Context) -> ToolState:
    """The state.

    Raises:
        Inconclusive: tools.call was inconclusive.
    """
    if ctx.target.tools is None:
        raise Inconclusive("the first request with tools was not answered")
    return ctx.target.tools


def refused_verdict(ctx: Context) -> Verdict | None:
    """The verdict on everything that needs tools where the endpoint refuses them, else None."""
    settled = ctx.target.tools
    if settled is not None and settled["outcome"] != "refused":
        return None  # only streamed, or only some tools
    code = next((code for code in ("tools.not-enabled", "tools.rejected") if code in ctx.codes), None)
    return Verdict(State.REJECTED, 1.0, code, note="requests with tools are refused") if code else None


def unusable_verdict(ctx: Context) -> Verdict | None:
    """The same where the endpoint refuses or ignores tools."""
    refused = refused_verdict(ctx)
    explicit = ctx.target.tools is not None and ctx.target.tools["way"] == "explicit"
    if refused is not None or explicit or "tools.ignored" not in ctx.codes:
        return refused
    return Verdict(State.IGNORED, 0.9, "tools.ignored", note="the tools do not reach the model")


def call_parameters(state: ToolState) -> dict[str, Any] | None:
    """The parameters with which a call can be had: the tools, and a forced choice where that is needed."""
    if state["way"] == "auto":
        return {"tools": [requests.weather()]}
    if state["way"] == "simple":
        return {"tools": [requests.simplest()]}
    if state["way"] == "explicit":
        return {"tools": [requests.weather()], "tool_choice": "auto"}
    if state["way"] == "required":
        return {"tools": [requests.weather()], "tool_choice": "required"}
    if state["way"] == "named":
        return {"tools": [requests.weather()], "tool_choice": requests.named("get_weather")}
    return None
