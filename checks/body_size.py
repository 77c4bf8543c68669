"""How large a request body may be: a larger request at standard, and the limit itself at depth deep.

The body is filled with spaces, which JSON allows between its parts (RFC 8259, section 2): it is as large for every hop
as a long conversation, and costs no tokens.  ``limits.seen`` reports what is refused with 413,
and what is refused in other words, as by firewalls that read 8 kB of a body (AWS WAF documentation).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from checks.shared.client_headers import SDK
from checks.shared.outcome import refused_for_size, size_of
from probe.api import Depth, Exchange, Inconclusive, Obstacle, Result, check, completion

if TYPE_CHECKING:
    from probe.api import Context

#: Bytes of the larger request: agents send as much in their first turns, and many gateways allow 1 MB.
LARGER = 64 * 1024
#: Requests that find the limit to the byte: each halves what is between accepted and refused.
HALVINGS = LARGER.bit_length() + 1


@check(
    "limits.body",
    title="Send a larger request",
    proves="A request with a body of 64 kB is accepted.",
    requires={"chat"},
    after={"tools.call"},
    max_requests=3,
    least_requests=1,
    max_tokens=3_600,
)
async def body(ctx: Context) -> Result:
    if bounds(ctx.exchanges)[1] is not None:
        return Result(note="a smaller request was refused because of its size")
    # With the headers of an SDK: whether they are refused needs no request of its own then (auth.client-headers).
    exchange = await _ask(ctx, LARGER, SDK)
    if _too_large(exchange):
        return Result(note=f"a body of {LARGER} bytes is refused")
    if completion.ok(exchange):
        return Result(note=f"a body of {LARGER} bytes is accepted")
    if _may_be_of_size(exchange) and completion.ok(await _ask(ctx, 0, SDK)):
        await _ask(ctx, LARGER, SDK)
        if refused_for_size(ctx.exchanges):
            return Result(note=f"a body of {LARGER} bytes is refused, and a shorter one answered")
    raise Inconclusive(f"a request of {LARGER} bytes, most of them spaces, was answered with {_ending(exchange)}")


def _may_be_of_size(exchange: Exchange) -> bool:
    """Whether a request was refused, or its connection closed, without a word about load or credit."""
    if exchange.response is None:
        return exchange.error is not None and exchange.error.kind in ("reset", "closed")
    return (exchange.status or 0) >= 400 and not (completion.is_throttled(exchange) or completion.is_quota(exchange))


@check(
    "limits.body-limit",
    title="Measure the limit on the request body",
    proves="Where requests are refused because of their size, the limit is known to the byte.",
    requires={"chat"},
    after={"limits.body", "limits.context"},
    max_requests=HALVINGS,
    least_requests=1,
    max_tokens=HALVINGS * 1_200,
    depth=Depth.DEEP,
)
async def body_limit(ctx: Context) -> Result:
    accepted, refused = bounds(ctx.exchanges)
    if refused is None:
        return Result(note="no request was refused because of its size")
    sent = 0
    while refused - accepted > 1 and sent < HALVINGS:
        size = (accepted + refused) // 2
        exchange = await _ask(ctx, size)
        sent += 1
        if _too_large(exchange):
            refused = size
        elif completion.ok(exchange):
            accepted = size
        else:
            raise Inconclusive(f"a request of {size} bytes was answered with {_ending(exchange)}")
    return Result(facts={"body_limit_bytes": accepted}, note=f"{accepted} bytes are accepted and {refused} refused")


def bounds(exchanges: Sequence[Exchange]) -> tuple[int, int | None]:
    """The size of the largest body accepted below the smallest one refused, and the size of that one, in bytes.

    Without a refusal the second is None, without an accepted body the first is 0.
    """
    asked = [item for item in exchanges if item.request.body is not None]
    refused = min((size_of(item) for item in asked if _too_large(item)), default=None)
    sizes = [size_of(item) for item in asked if completion.ok(item)]
    return max((size for size in sizes if refused is None or size < refused), default=0), refused


def filled(body: Mapping[str, Any], size: int) -> bytes:
    """The body as JSON of exactly ``size`` bytes, or as short as it is where that is longer."""
    text = _text(body).encode("utf-8", "replace")
    return text[:-1] + b" " * (size - len(text)) + text[-1:]


def _text(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


async def _ask(ctx: Context, size: int, headers: Mapping[str, str] | None = None) -> Exchange:
    url = ctx.target.chat_url
    assert url is not None  # the check requires "chat"
    content = filled(ctx.chat_body("Reply with OK.", limit=16), size)
    sent = {"Content-Type": "application/json", **(headers or {})}
    return await ctx.send("POST", url, content=content, headers=sent, tokens=1_100)


def _too_large(exchange: Exchange) -> bool:
    return completion.obstacle(exchange) is Obstacle.SIZE


def _ending(exchange: Exchange) -> str:
    return f"status {exchange.status}" if exchange.status else f"no response ({exchange.error and exchange.error.kind})"
