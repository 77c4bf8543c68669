"""Evidence that a text reached the model: codes in the answer, and prompt token counts.  Pure.

A code has five digits that cannot be guessed, so an answer that holds it proves that the text with the code
reached the model.  Token counts prove the same whatever the model answers, unless the endpoint returns the same
number for every request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from probe.api import Exchange, completion, member

#: Blocks of one message are joined by a line feed, a space or nothing, so counts may differ by this many tokens.
JOINT_TOKENS = 3


def repeats(exchange: Exchange, code: str, *, reasoning: bool = True, extra: str = "") -> bool:
    """Whether the answer holds a code such as ``ZEBRA-48213``, or its five digits alone.

    Small models drop the word or change its case.  The digits may be grouped (``48,213``, ``48 213``).

    Args:
        reasoning: the model's reasoning counts too: it can only hold a code that the model was shown.
        extra: more text of the answer to search, such as its tool calls.
    """
    text = f"{completion.answer(exchange)}\n{extra}"
    if reasoning:
        text += f"\n{completion.reasoning_of(exchange)[1]}"
    ungrouped = re.sub(r"(?<=\d)[,.'’\s](?=\d{3}(?!\d))", "", text)
    return completion.repeats(text, code) or completion.repeats(ungrouped, code)


def counts_live(exchanges: Iterable[Exchange]) -> bool:
    """Whether the prompt token counts differ between requests of different length.

    Streams are left out, since their counts may come from another part of the server.
    """
    seen: set[int] = set()
    for exchange in exchanges:
        body = exchange.request.body
        if not isinstance(member(body, "messages"), list) or member(body, "stream") or not completion.ok(exchange):
            continue
        tokens = completion.prompt_tokens(exchange)
        if tokens is not None:
            seen.add(tokens)
        if len(seen) > 1 and max(seen) - min(seen) > JOINT_TOKENS:
            return True
    return False


def missing_tokens(whole: Exchange, other: Exchange) -> int | None:
    """How many prompt tokens fewer ``other`` has (negative: more), or None without counts."""
    expected, actual = completion.prompt_tokens(whole), completion.prompt_tokens(other)
    return None if expected is None or actual is None else expected - actual
