"""What an answer proves about the prompt: codes that come back, and token counts that move.

Pure.  A code has five digits that cannot be guessed, so it proves that the text with it
reached the model; thinking counts, since only a model that was shown a code can think of it.
Token counts prove the same without the model's help, where they are counts at all: some
endpoints answer the same number to everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from probe.api import Exchange, State, completion, member, wilson

#: Blocks of one turn are joined by a line feed, a space, or nothing, so counts may differ a little.
JOINT_TOKENS = 3


#: Where nothing but the model's word tells, so many tries of as many have to say the same: a small model
#: repeats a code now and then.
ROUNDS = 3


def repeats(exchange: Exchange, code: str) -> bool:
    """Whether the model named a code such as ``ZEBRA-48213``, in its answer or its thinking.

    The digits suffice, also written as ``48,213``: small models change the word's case or
    leave it out.
    """
    said = completion.answer(exchange) + "\n" + completion.reasoning_of(exchange)[1]
    plain = re.sub(r"(?<=\d)[,. ](?=\d{3}(?!\d))", "", said)
    return completion.repeats(said, code) or completion.repeats(plain, code)


def counts_live(exchanges: Iterable[Exchange]) -> bool:
    """Whether prompt tokens follow what is sent: different conversations, different counts.

    One number for everything, however long, is no count; some endpoints answer so.  Streams
    are left out, since their counts may come from elsewhere.
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
    """How many prompt tokens the other has less (negative: more), or None where they are not counted."""
    ours, theirs = completion.prompt_tokens(whole), completion.prompt_tokens(other)
    return None if ours is None or theirs is None else ours - theirs


# How often, and how sure that makes us. ------------------------------------------------------------
#
# An answer that comes out the same every time is settled at once.  Only where answers
# differ is it worth asking on, and then the Wilson interval says what the numbers bear.

#: How often an endpoint that answers now so, now so is asked in all.
FLAKY_TRIALS = 5
#: A client can live with as many failed calls in all calls; with more it cannot work.
TOLERATED = 0.1


@dataclass(frozen=True)
class Count:
    """How many of so many calls went wrong."""

    bad: int
    of: int

    @property
    def mixed(self) -> bool:
        """Whether some went wrong and some did not."""
        return 0 < self.bad < self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the share that goes wrong."""
        return wilson(self.bad, self.of)

    @property
    def confidence(self) -> float:
        """How sure it is that calls go wrong to more than the tolerated share."""
        if not self.mixed:
            return 1.0 if self.bad else 0.0
        return round(max(0.5, min(1.0, 0.5 + self.interval[0])), 2)

    def turns(self) -> bool:
        """Whether this makes the capability unusable: always, or surely more often than tolerated."""
        return self.bad > 0 and (not self.mixed or self.interval[0] > TOLERATED)

    def sentence(self) -> str:
        """`2 of 5 calls went wrong (95 % interval 12 to 77 %)`; empty where all or none did."""
        if not self.mixed:
            return ""
        low, high = self.interval
        return f"It happened in {self.bad} of {self.of} calls (95 % interval {low:.0%} to {high:.0%})."


def state(counts: Sequence[Count]) -> State:
    """``broken`` where any count turns the verdict, else ``works``."""
    return State.BROKEN if any(count.turns() for count in counts) else State.WORKS
