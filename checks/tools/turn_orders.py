"""roles.turns: the orders of messages that agents send, in one conversation without ``tools``.

A second system message, a user message after a tool result, two user messages in a row, a late system message, a last
turn of the assistant; ``tools`` left out, as for a summary; a turn with a call and without ``content``.  A refusal is
narrowed down by at most eleven requests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from checks.shared.conversation import turn
from checks.shared.outcome import Answer, outcome, words_of
from checks.tools import requests
from checks.tools.catalogue import HISTORY_REJECTED, NULL_REJECTED, ORDER_REJECTED
from checks.tools.refusal import refusal_of
from checks.tools.replay import Received, city_of, received_call, without_extras
from checks.tools.requests import Message
from probe.api import Exchange, Inconclusive, Result, State, check, wording

if TYPE_CHECKING:
    from probe.api import Context

LIMIT = 60
SYSTEM = "You are a helpful assistant."
MORE_SYSTEM = "Answer in plain words."
LATE_SYSTEM = "Keep the next answer short."
_WORDS = ("role", "system", "user", "message", "template", "alternat", "tool", "jinja")
NO_TOOLS = "tools left out"
AFTER_TOOL, TWO_USERS = "user after tool", "two users in a row"
SECOND_SYSTEM, LATE = "a second system message", "a late system message"
NO_CONTENT, ASSISTANT_LAST = "a turn with a call and without `content`", "a last turn of the assistant"
#: Tried apart from the others, since servers refuse them for reasons of their own.
APART = (ASSISTANT_LAST, NO_CONTENT)

Send = Callable[[Sequence[Message], bool], Awaitable[Exchange]]


@dataclass(frozen=True)
class History:
    """What the endpoint is known to take.

    Attributes:
        tool_turns: a call and its result, empty where a plain conversation with them is not answered.
        system: system messages are accepted.
    """

    tool_turns: tuple[Message, ...] = ()
    system: bool = True

    def orders(self) -> tuple[str, ...]:
        """The orders that can be tried."""
        return (
            *((NO_TOOLS, AFTER_TOOL, NO_CONTENT) if self.tool_turns else ()),
            ASSISTANT_LAST,
            TWO_USERS,
            *((SECOND_SYSTEM, LATE) if self.system else ()),
        )

    def messages(self, orders: Sequence[str]) -> list[Message]:
        """A conversation with these orders; otherwise user and assistant take turns after one system message."""
        made = [turn("system", SYSTEM)] if self.system else []
        if SECOND_SYSTEM in orders:
            made.append(turn("system", MORE_SYSTEM))
        if {NO_TOOLS, AFTER_TOOL, NO_CONTENT} & set(orders):
            made += map(_without_content, self.tool_turns) if NO_CONTENT in orders else self.tool_turns
            if not {AFTER_TOOL, TWO_USERS, LATE, ASSISTANT_LAST} & set(orders):
                return made
            if AFTER_TOOL not in orders:
                made.append(turn("assistant", "It is mild in Paris."))
        else:
            made += [turn("user", "Hello"), turn("assistant", "Hello! How can I help you?")]
        if AFTER_TOOL in orders or TWO_USERS in orders:
            made.append(turn("user", "Thank you. Name a city in France."))
        if TWO_USERS in orders:
            made.append(turn("user", "Name one in Spain too."))
        if LATE in orders:
            if made[-1]["role"] == "user":
                made.append(turn("assistant", "Lyon and Madrid."))
            made.append(turn("system", LATE_SYSTEM))
        if made[-1]["role"] != "user":
            made.append(turn("user", "Name a city in Italy."))
        if ASSISTANT_LAST in orders:
            made.append(turn("assistant", "A city in Italy is"))
        return made


def _without_content(message: Message) -> Message:
    """A turn with calls and no text as clients write it that leave empty fields out; any other turn as it is."""
    bare = message.get("tool_calls") and not message.get("content")
    return {name: value for name, value in message.items() if name != "content"} if bare else message


@dataclass
class Search:
    """The requests that narrow a refusal down, and what they showed."""

    send: Send
    history: History
    refused: dict[str, Exchange] = field(default_factory=dict)
    accepted: bool = False

    async def refuses(self, *orders: str, tools: bool = True) -> Exchange | None:
        """The refusal of a conversation with these orders, or None where it is answered."""
        offered = tools and bool({AFTER_TOOL, NO_CONTENT} & set(orders))
        exchange = await self.send(self.history.messages(orders), offered)
        if is_refused(exchange):
            return exchange
        self.accepted = True
        return None


def is_refused(exchange: Exchange) -> bool:
    """Whether the conversation was refused.

    Raises:
        Inconclusive: it was lost, or the answer is about access or a limit.
    """
    return outcome(exchange, *_WORDS) is not Answer.DONE


@check(
    "roles.turns",
    title="Send messages in the orders of agents",
    proves="User after tool, two users in a row, a second and a late system message, a last assistant message and a "
    "call without content are accepted, without tools too.",
    requires={"chat"},
    after={"tools", "tool_results", "system_role", "content.null"},
    emits=(ORDER_REJECTED, HISTORY_REJECTED, NULL_REJECTED),
    max_requests=12,
    max_tokens=5000,
    least_requests=1,
)
async def order(ctx: Context) -> Result:
    history = known_history(ctx)
    tools = [requests.weather()]

    async def send(messages: Sequence[Message], offered: bool) -> Exchange:
        return await ctx.chat(messages, limit=LIMIT, tools=tools if offered else None)

    known = NULL_REJECTED.code in ctx.codes
    orders = [one for one in history.orders() if one != NO_CONTENT or not known]
    whole = await send(history.messages(orders), False)
    if not is_refused(whole):
        return Result()
    search = Search(send, history)
    usual = [one for one in orders if one not in APART]
    first = await send(history.messages(usual), False)
    result, known = Result(), False
    if not is_refused(first):
        search.accepted = True
    elif NO_TOOLS in usual and await search.refuses(*(one for one in usual if one != NO_TOOLS)) is None:
        known = HISTORY_REJECTED.code in ctx.codes  # the finding about the history was made before
        result = Result() if known else diagnose_history(first)
    else:
        await narrow_down(search)
    for one in APART if search.accepted else ():
        if one in orders and (exchange := await search.refuses(one)) is not None:
            search.refused[one] = exchange
    if (bare := search.refused.pop(NO_CONTENT, None)) is not None:
        result |= diagnose_content(bare)
    if search.refused or not (result.findings or known):
        result |= diagnose_orders(search, whole)
    return result


def known_history(ctx: Context) -> History:
    """The turns that the endpoint is known to take, from the verdicts so far."""
    system = ctx.verdicts.get("system_role")
    results = ctx.verdicts.get("tool_results")
    turns: tuple[Message, ...] = ()
    if results is not None and results.verdict is State.WORKS:
        received = received_call(ctx.exchanges)
        if received is not None and not received.message.get("content"):
            # The empty content that the check of results found to be accepted: null or an empty string.
            received = replace(received, message={**received.message, "content": ctx.target.tool_turn_content})
        if received is not None and HISTORY_REJECTED.code in ctx.codes:
            received = replace(received, message=without_extras(received.message))
        turns = tool_turns(received)
    return History(turns, system is not None and system.verdict in (State.WORKS, State.IGNORED))


def tool_turns(received: Received | None) -> tuple[Message, ...]:
    """A question, a call (the endpoint's own as it came) and its result."""
    if received is None:
        return tuple(requests.conversation("21"))
    texts = [requests.report(city_of(call, "Paris"), "21") for call in received.calls]
    return tuple(received.conversation(texts))


async def narrow_down(search: Search) -> None:
    """Find the orders that are refused: those of users together, each alone, and the systems likewise."""
    orders = [one for one in search.history.orders() if one not in APART]
    users = [one for one in (AFTER_TOOL, TWO_USERS) if one in orders]
    systems = [one for one in (SECOND_SYSTEM, LATE) if one in orders]
    together = await search.refuses(*users) if systems else None
    suspects = users if together is not None or not systems else []
    for one in suspects:
        exchange = together if suspects == [one] and together is not None else await search.refuses(one)
        if exchange is not None:
            search.refused[one] = exchange
    if systems and (not suspects or await search.refuses(*systems) is not None):
        for one in systems:
            if (exchange := await search.refuses(one)) is not None:
                search.refused[one] = exchange


def diagnose_history(refusal: Exchange) -> Result:
    """The finding for a conversation that is answered only with ``tools``."""
    detail = (
        f"A conversation with a tool call and its result was refused where `tools` was left out: "
        f"{words_of(refusal)}. With `tools` the same conversation was answered."
    )
    return Result(
        (
            HISTORY_REJECTED.found(
                detail,
                refusal_of(refusal),
                remedy="Let the server accept tool turns without `tools` (LiteLLM: `modify_params: true`). Until then "
                "offer the tools in every request, with tool_choice `none` where no call is wanted.",
            ),
        )
    )


def diagnose_content(refusal: Exchange) -> Result:
    """The finding for a call's turn that is refused without ``content``, and was accepted with it."""
    detail = f"An assistant turn with tool_calls and without `content` was rejected: {words_of(refusal)}."
    remedy = "Update the server to one that takes an assistant turn with tool_calls and without `content`, which the "
    remedy += 'API allows. Until then let the client send `"content": ""` or null with every call.'
    return Result((NULL_REJECTED.found(detail, refusal_of(refusal), remedy=remedy),))


def diagnose_orders(search: Search, whole: Exchange) -> Result:
    """The finding for the orders that were refused.

    Raises:
        Inconclusive: each of them is accepted alone, or a server error without a reason is all there is.
    """
    if not search.refused:
        raise Inconclusive(f"a conversation was refused ({words_of(whole)}), and each of its orders was accepted alone")
    first = next(iter(search.refused.values()))
    if outcome(first, *_WORDS) is Answer.FAILED and not search.accepted:
        raise Inconclusive(f"status {first.status} without a reason, for every conversation")
    names = wording.listing(list(search.refused))
    detail = f"Refused: {names} ({words_of(first)}). Conversations in which user and assistant take turns are answered."
    return Result((ORDER_REJECTED.found(detail, *map(refusal_of, list(search.refused.values())[:2])),))
