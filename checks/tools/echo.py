"""tools.echo: which fields of the endpoint's own answer have to come back with a tool's result.

The conversation with the answer as it came is the control; a client with typed messages sends the fields of the API
alone.  Nothing is sent where such a conversation was answered before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.shared.outcome import words_of
from checks.tools import requests
from checks.tools.catalogue import ECHO_REQUIRED
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal import refusal_of
from checks.tools.replay import (
    Received,
    city_of,
    extras,
    meant,
    received_call,
    send,
    shown_path,
    without_extras,
)
from probe.api import Exchange, Result, check, completion, member, wording

if TYPE_CHECKING:
    from probe.api import Context


@check(
    "tools.echo",
    title="Hand back a call without further fields",
    proves="The result of a call is accepted from clients that send the fields of the API alone.",
    requires={"chat"},
    after={"tool_results", "parallel_tools"},
    emits=(ECHO_REQUIRED,),
    max_requests=3,
    max_tokens=2000,
    least_requests=0,
)
async def echo(ctx: Context) -> Result:
    received = received_call(ctx.exchanges)
    fields = extras(received.message) if received is not None else ()
    if received is None or not fields or ECHO_REQUIRED.code in ctx.codes:
        return Result(note="no call has a field of its own")
    sent = [one for exchange in ctx.exchanges if (one := handed_back(exchange)) is not None]
    whole = next((one.reading for one in sent if not one.bare and one.reading.answered), None)
    if whole is None or any(one.bare and one.reading.answered for one in sent):
        return Result()
    texts = [requests.report(city_of(call, "Paris"), requests.number_of(ctx, "echo")) for call in received.calls]
    message = without_extras(received.message)
    bare = read(await send(ctx, received, texts, message))
    if bare.kind is Kind.FAILED or (bare.kind is Kind.EMPTY and whole.kind is Kind.PROSE):
        # A server error or an empty answer has to come twice.
        if read(await send(ctx, received, texts, message)).kind is not bare.kind:
            return Result()
    elif bare.kind is not Kind.REFUSED:
        return Result()
    return echo_required(meant(completion.error_text(bare.exchange), received.message, fields), received, whole, bare)


@dataclass(frozen=True)
class HandedBack:
    """A conversation that hands results back under the endpoint's own call; ``bare`` without fields of its own."""

    reading: Reading
    bare: bool


def handed_back(exchange: Exchange) -> HandedBack | None:
    """The exchange read as such a conversation; None where it is none."""
    turns = member(exchange.request.body, "messages")
    if not isinstance(turns, list) or not turns or member(turns[-1], "role") != "tool":
        return None
    calling = [turn for turn in turns if isinstance(turn, dict) and turn.get("tool_calls")]
    ids = {call.get("id") for turn in calling for call in turn["tool_calls"] if isinstance(call, dict)}
    if not calling or ids & set(requests.OWN_IDS):
        return None
    return HandedBack(read(exchange), not extras(calling[-1]))


def echo_required(fields: Sequence[str], received: Received, whole: Reading, bare: Reading) -> Result:
    """The finding for fields without which the conversation fails.

    Args:
        whole: the answer to the conversation with all fields.
        bare: the answer without them.
    """
    names = wording.listing([f"`{shown_path(field, received.message)}`" for field in fields[:4]])
    finding = ECHO_REQUIRED.found(
        f"Without {names} in the assistant message the conversation was refused: {words_of(bare.exchange)}. "
        "Sent back as it came, it was answered.",
        refusal_of(bare.exchange),
        whole.exchange.shows("/response/status", expected=200, actual=whole.exchange.status),
    )
    return Result((finding,), facts={"echo_fields": [field.rpartition(".")[2] for field in fields]})
