"""A short conversation with two codes, sent once per run and read by several checks.

The system message holds one code and the last user message the other, so the answer shows whether both reached the
model; the same conversation with content as blocks shows it for blocks.  Very small models can answer these questions
(SmolLM2-135M names both codes).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probe.api import Context, Exchange

Message = dict[str, Any]

ROLES = ("system", "user", "assistant")
QUESTION = "What is the secret code?"
HELLO = "Hello! How can I help you today?"
#: Output limit for a sentence or two (tokens).
LIMIT = 80


def secret(code: str) -> str:
    """The sentence that states a code."""
    return f"The secret code is {code}."


def turn(role: str, *texts: str, blocks: bool = False) -> Message:
    """A message with these texts, joined by line feeds in one string, or as text blocks."""
    if blocks:
        return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}
    return {"role": role, "content": "\n".join(texts)}


def two_codes(codes: tuple[str, str], blocks: Collection[str] = (), *, system: bool = True) -> list[Message]:
    """The conversation.

    Args:
        codes: the code of the first message and that of the last.
        blocks: the roles whose content is sent as blocks; the last user message has two.
        system: whether the first message has the role system (else user).
    """
    first = [turn("system", secret(codes[0]), blocks="system" in blocks), turn("user", "Hello")]
    if not system:
        first = [turn("user", f"Hello! {secret(codes[0])}", blocks="user" in blocks)]
    second = f"The second code is {codes[1]}."
    return [
        *first,
        turn("assistant", HELLO, blocks="assistant" in blocks),
        turn("user", second, "What are the two codes?", blocks="user" in blocks),
    ]


def easy(role: str, codes: tuple[str, str], *, blocks: bool) -> tuple[list[Message], tuple[str, ...]]:
    """A conversation with codes only in messages of this role, and the codes that its answer must hold.

    The user message has two codes in two blocks, so a model that was shown one block can name only one.
    """
    if role == "user":
        texts = (secret(codes[0]), f"The second code is {codes[1]}.", "What are the two codes?")
        return [turn("user", *texts, blocks=blocks)], codes
    before = [turn("user", "Hello")] if role == "assistant" else []
    return [*before, turn(role, secret(codes[0]), blocks=blocks), turn("user", QUESTION)], codes[:1]


def codes_of(ctx: Context) -> tuple[str, str]:
    """The two codes of the run."""
    return ctx.nonce("first-turn"), ctx.nonce("newest-turn")


async def plain(ctx: Context, *, system: bool = True) -> Exchange:
    """The conversation as strings, sent once per run."""
    share = "content.plain" if system else "content.plain-without-system"
    return await ctx.chat(two_codes(codes_of(ctx), system=system), limit=LIMIT, share=share)
