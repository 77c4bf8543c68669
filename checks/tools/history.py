"""A conversation in which a tool was called and answered, as agents send it back.

The assistant's turn holds a call and ``content: null``, which is what the API itself returns
for a call (OpenAI API reference, the chat completion message object).  It is the exchange by
which the tools family judges results, so whoever comes first sends it for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from checks.tools import requests

if TYPE_CHECKING:
    from probe.api import Context, Exchange

Message = dict[str, Any]

SHARE = "tools.result"
#: Room for a sentence (tokens).
LIMIT = 300


def conversation(number: str) -> list[Message]:
    """Question, call with null content, and a result that holds five digits."""
    call = requests.spare_call()
    return [
        {"role": "user", "content": requests.QUESTION},
        requests.call_message([call]),
        requests.result_message(call["id"], requests.reading("Paris", number)),
    ]


def with_content(messages: Sequence[Message], content: str | None) -> list[Message]:
    """The same conversation with this content in the turn that made the call."""
    return [{**turn, "content": content} if turn.get("tool_calls") else dict(turn) for turn in messages]


def with_blocks(messages: Sequence[Message]) -> list[Message]:
    """The same conversation with the tool's result as a list of one text block."""
    return [
        {**turn, "content": [{"type": "text", "text": turn["content"]}]}
        if turn.get("role") == "tool" and isinstance(turn.get("content"), str)
        else dict(turn)
        for turn in messages
    ]


def number_of(ctx: Context) -> str:
    """The five digits that only the tool's result holds."""
    return requests.number_of(ctx, "tool-result")


async def history(ctx: Context) -> Exchange:
    """The exchange, with the tool on offer as agents have it, sent once for the whole run."""
    return await again(ctx, conversation(number_of(ctx)), share=SHARE)


async def again(ctx: Context, messages: Sequence[Message], *, tools: bool = True, share: str | None = None) -> Exchange:
    """The conversation in another form, with or without the tool on offer."""
    offered = [requests.weather()] if tools else None
    return await ctx.chat(messages, limit=LIMIT, share=share, tools=offered)
