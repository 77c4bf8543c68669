"""Whether a picture in a chat request reaches the model.

A picture of four plain colours is made for every run, so that the right answer cannot be guessed.  Where the answer is
wrong, the prompt tokens of the same text without the picture show whether the model was given the picture at all.  A
second picture, larger and with other colours, separates a weak model from a blind one, and a picture from a URI pasted
as text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from checks.shared.evidence import counts_live
from checks.shared.outcome import Answer, last_outcome, words_of
from checks.shared.trials import repeat_unclear
from checks.vision.catalogue import IGNORED, MISREAD, REJECTED
from checks.vision.reading import Look, quadrants, unguessable
from probe.api import (
    Evidence,
    Exchange,
    Inconclusive,
    Result,
    State,
    because,
    check,
    completion,
    png,
    unknown,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

QUESTION = (
    "Name the color of each quadrant of this picture, in this order: top left, top right, bottom left, "
    "bottom right. Answer with four color words."
)
SIDES = (64, 256)  # pixels
#: Bytes of a comment in the larger picture, to separate the length of its URI from its pixels.
_COMMENT = 2100
#: Growth above this is more than a placeholder such as "[image]" or the frame of an empty message.
_PLACEHOLDER_TOKENS = 16
_THIS_PICTURE = re.compile(
    r"too small|minimum|at least \d+|larger than|smaller than|dimension|resolution|(?:image|picture) size|"
    r"invalid (?:image|base64)|corrupt|malformed|decod|could not (?:process|load|read|open)|"
    r"cannot (?:identify|process|load|open)|failed to (?:process|load|read|open)|aspect ratio",
    re.IGNORECASE,
)
_ABOUT = ("image", "picture", "vision", "multimodal", "mmproj", "modalit", "visual")


@check(
    "vision.picture",
    title="See a picture",
    proves="A picture given as a data URI reaches the model, which names its colours.",
    requires={"chat"},
    after={"block_content"},
    provides={"vision"},
    emits=(REJECTED, IGNORED, MISREAD),
    max_requests=5,
    max_tokens=3500,
)
async def picture(ctx: Context) -> Result:
    if _blocks_are_lost(ctx):
        return Result(verdicts={"vision": unknown("pictures need content blocks, which do not work here")})
    looks = await _show(ctx, SIDES[0])
    larger = _rejects_this_picture(looks)
    if larger:
        looks += await _show(ctx, SIDES[1])
    control = None
    last = looks[-1]
    if completion.is_completion(last.exchange) and last.right < 4:
        control = await ctx.chat([_message()], limit=32)
        growth = _growth(last, control) if counts_live(ctx.exchanges) else None
        dropped = growth is not None and growth <= 0 and last.right <= 1
        if not larger and not dropped:
            looks += await _show(ctx, SIDES[1], avoid=last.named)
    return diagnose_vision(looks, control, live=counts_live(ctx.exchanges))


def _blocks_are_lost(ctx: Context) -> bool:
    """Whether content blocks of a user message are known to be refused or dropped."""
    found = ctx.verdicts.get("block_content")
    lost = found is not None and found.verdict in (State.REJECTED, State.IGNORED, State.BROKEN)
    return lost and "user" not in (ctx.facts.get("block_content_roles") or ())


async def _show(ctx: Context, side: int, avoid: Sequence[str] = ()) -> list[Look]:
    colours = unguessable(avoid=avoid)
    uri = png.data_uri(quadrants(colours, side, 0 if side == SIDES[0] else _COMMENT))
    asked = await repeat_unclear(lambda: ctx.chat([_message(uri)], limit=100), *_ABOUT)
    return [Look(exchange, colours, side, len(uri)) for exchange in asked]


def _message(uri: str | None = None) -> dict[str, object]:
    content: list[dict[str, object]] = [{"type": "text", "text": QUESTION}]
    if uri:
        content.append({"type": "image_url", "image_url": {"url": uri}})
    return {"role": "user", "content": content}


def _rejects_this_picture(looks: Sequence[Look]) -> bool:
    """Whether the refusal is about this picture rather than pictures as such."""
    try:
        refused = last_outcome([look.exchange for look in looks], *_ABOUT) is Answer.REFUSED
    except Inconclusive:
        return False
    return refused and bool(_THIS_PICTURE.search(completion.error_text(looks[-1].exchange)))


def _growth(look: Look, control: Exchange | None) -> int | None:
    """Prompt tokens that the picture added, or None without counts."""
    shown = completion.prompt_tokens(look.exchange)
    plain = completion.prompt_tokens(control) if control else None
    return None if shown is None or plain is None else shown - plain


def diagnose_vision(looks: Sequence[Look], control: Exchange | None = None, *, live: bool = True) -> Result:
    """Judge the answers to the pictures.

    Args:
        looks: one to three exchanges with a picture, the same one twice where it failed without a reason.
        control: the same text without a picture, sent where an answer was wrong.
        live: whether the prompt token counts can be used.

    Raises:
        Inconclusive: no exchange is evidence.
    """
    seen = [look for look in looks if completion.is_completion(look.exchange)]
    if not seen:
        return _refused(looks)
    best = max(seen, key=lambda look: look.right)
    right, asked = sum(look.right for look in seen), 4 * len(seen)
    if best.right == 4:
        note = f"named all four colours of a {best.side} px picture"
        note += ", but not of a smaller one" if best.side != SIDES[0] else ""
        return Result(verdicts={"vision": works(note, 1.0 if len(seen) == 1 else 0.9)})
    if right >= 6:
        return Result(verdicts={"vision": works(f"named {right} of {asked} colours; the model sees, but poorly", 0.8)})
    growths = [growth for look in seen if (growth := _growth(look, control)) is not None]
    if not growths or control is None or not live:
        return _without_counts(seen)
    if max(growths) <= 0:
        if right >= 4:
            return _unknown(f"named {right} of {asked} colours, but prompt_tokens does not include the picture")
        return _ignored(seen, control, "The prompt tokens are the same with and without the picture")
    if right < 4 and _pasted(looks, seen, growths):
        return _ignored(seen, control, f"The prompt tokens grow with the length of the data URI, by {growths[-1]}")
    alike = len(growths) > 1 and len(set(growths)) == 1 and all(look.named for look in seen)
    if max(growths) <= _PLACEHOLDER_TOKENS and (alike or all(look.sees_nothing for look in seen)):
        how = f"The prompt tokens grow by only {growths[-1]} for a picture of any size, as for a placeholder"
        if right < 4:
            return _ignored(seen, control, how, 0.8)
        return _unknown(f"named {right} of {asked} colours, but the prompt tokens show no picture")
    if not all(look.named for look in seen):
        return _unknown("the picture adds prompt tokens, but the answer names no colours (a weak model?)")
    return _misread(seen, growths[-1], right, asked)


def _unknown(note: str) -> Result:
    return Result(verdicts={"vision": unknown(note)})


def _refused(looks: Sequence[Look]) -> Result:
    exchange = looks[-1].exchange
    last_outcome([look.exchange for look in looks], *_ABOUT)  # raises where it was not a refusal
    finding = REJECTED.found(
        f"A {looks[-1].side} px PNG was rejected with {words_of(exchange)}.",
        exchange.shows("/response/status", expected=200, actual=exchange.status),
    )
    return Result(findings=(finding,), verdicts={"vision": because(State.REJECTED, finding)})


def _pasted(looks: Sequence[Look], seen: Sequence[Look], growths: Sequence[int]) -> bool:
    """Whether the model was shown the data URI as text, as TGI does for a text model.

    Base64 costs about one token for two characters.  The larger picture's URI is 3,700 characters longer, while its
    pixels are at most 336 tokens more (patches of 14 pixels), so only a URI exceeds the context.
    """
    if any(completion.speaks_of(look.exchange, "context", "tokens", "too long") for look in looks if look not in seen):
        return True
    if len(growths) < 2:
        return False
    longer = seen[-1].uri_length - seen[0].uri_length
    return growths[-1] - growths[0] >= 0.15 * longer > 400


def _evidence(look: Look, control: Exchange | None = None) -> list[Evidence]:
    pointer, colours = "/response/body/choices/0/message/content", ", ".join(look.colours)
    evidence = [look.exchange.shows(pointer, expected=colours, actual=look.answer[:300])]
    tokens = completion.prompt_tokens(look.exchange)
    plain = completion.prompt_tokens(control) if control else None
    if tokens is not None and plain is not None:
        pointer = "/response/body/usage/prompt_tokens"
        evidence.append(look.exchange.shows(pointer, expected=f"more than {plain}", actual=tokens))
    return evidence


def _ignored(seen: Sequence[Look], control: Exchange | None, how: str, confidence: float = 0.95) -> Result:
    look = seen[-1]
    finding = IGNORED.found(
        f"{how}, and the answer to a picture of {', '.join(look.colours)} was {wording.quote(look.answer, 160)}.",
        *_evidence(look, control),
        confidence=confidence,
    )
    return Result(findings=(finding,), verdicts={"vision": because(State.IGNORED, finding)})


def _without_counts(seen: Sequence[Look]) -> Result:
    """Judge by the answers alone: only a model that says twice that it sees no picture is believed."""
    if len(seen) > 1 and all(look.sees_nothing and not look.right for look in seen):
        return _ignored(seen, None, "The model says of two pictures that it sees none", 0.7)
    return _unknown("wrong colours were named, and without token counts the cause is open")


def _misread(seen: Sequence[Look], growth: int, right: int, asked: int) -> Result:
    look = seen[-1]
    finding = MISREAD.found(
        f"{right} of {asked} quadrants in {len(seen)} pictures were named correctly: one of {', '.join(look.colours)} "
        f"was called {wording.quote(look.answer, 160)}, although it added {growth} prompt tokens.",
        *_evidence(look),
        confidence=0.8,
    )
    return Result(findings=(finding,), verdicts={"vision": because(State.BROKEN, finding)})
