"""Whether a picture in a chat request reaches the model.

A picture of four plain colours is made for every run, so that the right answer can only be
seen.  Where the answer is wrong, the prompt tokens of the same text without the picture tell
whether the picture was shown to the model at all; and a second picture, bigger and with other
colours, tells a weak model from a blind one, and a picture from its URL pasted as text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from checks.shared.evidence import counts_live
from checks.shared.outcome import Answer, last_outcome, until_told, words_of
from checks.vision.reading import Look, data_uri, quadrants, unguessable
from probe.api import (
    Diagnosis,
    Evidence,
    Exchange,
    Inconclusive,
    Owner,
    Result,
    Severity,
    State,
    Verdict,
    because,
    check,
    completion,
    unknown,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

_SOURCES = (
    "OpenAI API reference, chat completions: content parts of type image_url",
    "ggml-org/llama.cpp tools/server/README.md, --mmproj",
    "vllm-project/vllm, Multimodal Inputs",
    "huggingface/text-generation-inference router/src (image_url of a text model becomes Markdown)",
)
REJECTED = Diagnosis(
    code="vision.rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Pictures are refused",
    what="A message with text and a small PNG (a data URI in an image_url block) was refused; the same kind of "
    "request without a picture is answered.",
    why="A client that attaches pictures gets this error. Text is not affected, and refusing is the honest way "
    "for a text model to answer.",
    remedy="Leave the client's vision toggle off. For pictures, serve a vision model and whatever projector "
    "file or limit the error text names.",
    verify="The capability vision becomes `works` after a vision model is served.",
    sources=_SOURCES,
)
IGNORED = Diagnosis(
    code="vision.ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Pictures are accepted and never reach the model",
    what="A message with a picture was answered with success, but what the model was shown did not contain the "
    "picture: the prompt tokens do not account for one, and the answer knows nothing of it.",
    why="The user sees a confident answer about a picture that nobody looked at.",
    remedy="Switch the client's vision toggle off, or serve a vision model; where a gateway stands in front of one, "
    "let it pass image_url blocks on unchanged.",
    verify="usage.prompt_tokens grows when a picture is added, and the capability vision is `works`.",
    sources=_SOURCES,
)
MISREAD = Diagnosis(
    code="vision.misread",
    severity=Severity.WARNING,
    owner=Owner.MODEL,
    title="Pictures reach the model and are read wrongly",
    what="The prompt tokens show that the picture was given to the model, and the colours it named are wrong, "
    "for two pictures of different size.",
    why="Answers about pictures cannot be relied on.",
    remedy="Try a stronger vision model. Where this model is known to see well, compare the projector or "
    "processor files with the model's release: a mismatch loads without an error and garbles what is seen.",
    verify="The capability vision is `works`.",
    sources=_SOURCES,
)

QUESTION = (
    "Name the color of each quadrant of this picture, in this order: top left, top right, bottom left, "
    "bottom right. Answer with four color words."
)
SIDES = (64, 256)  # pixels
#: Bytes put into the bigger picture beside what is seen, to tell its URI from its pixels.
_COMMENT = 2100
#: More growth than this is no placeholder such as "[image]", nor the frame of an empty turn.
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
        note = "pictures travel in content blocks, and content blocks cannot be used here"
        return Result(verdicts={"vision": unknown(note)})
    looks = await _show(ctx, SIDES[0])
    bigger = False
    if _minds_this_picture(looks):
        looks, bigger = looks + await _show(ctx, SIDES[1]), True
    control = None
    last = looks[-1]
    if completion.is_completion(last.exchange) and last.right < 4:
        control = await ctx.chat([_message()], limit=32)
        dropped = counts_live(ctx.exchanges) and _plainly_dropped(last, control)
        if not bigger and not dropped:
            looks += await _show(ctx, SIDES[1], avoid=last.named)
    return diagnose_vision(looks, control, live=counts_live(ctx.exchanges))


def _blocks_are_lost(ctx: Context) -> bool:
    """Whether it is known that content blocks of a user message are refused or dropped."""
    found = ctx.verdicts.get("block_content")
    lost = found is not None and found.verdict in (State.REJECTED, State.IGNORED, State.BROKEN)
    return lost and "user" not in (ctx.facts.get("block_content_roles") or ())


async def _show(ctx: Context, side: int, avoid: Sequence[str] = ()) -> list[Look]:
    colours = unguessable(avoid=avoid)
    uri = data_uri(quadrants(colours, side, 0 if side == SIDES[0] else _COMMENT))
    asked = await until_told(lambda: ctx.chat([_message(uri)], limit=100), *_ABOUT)
    return [Look(exchange, colours, side, len(uri)) for exchange in asked]


def _message(uri: str | None = None) -> dict[str, object]:
    content: list[dict[str, object]] = [{"type": "text", "text": QUESTION}]
    if uri:
        content.append({"type": "image_url", "image_url": {"url": uri}})
    return {"role": "user", "content": content}


def _minds_this_picture(looks: Sequence[Look]) -> bool:
    """Whether the refusal is of this picture rather than of pictures."""
    exchange = looks[-1].exchange
    try:
        refused = last_outcome([look.exchange for look in looks], *_ABOUT) is Answer.REFUSED
    except Inconclusive:
        return False
    return refused and bool(_THIS_PICTURE.search(completion.error_text(exchange)))


def _growth(look: Look, control: Exchange | None) -> int | None:
    """Prompt tokens that the picture added, or None where they are not counted."""
    shown = completion.prompt_tokens(look.exchange)
    plain = completion.prompt_tokens(control) if control else None
    return None if shown is None or plain is None else shown - plain


def _plainly_dropped(look: Look, control: Exchange) -> bool:
    growth = _growth(look, control)
    return growth is not None and growth <= 0 and look.right <= 1


def diagnose_vision(looks: Sequence[Look], control: Exchange | None = None, *, live: bool = True) -> Result:
    """What the pictures shown tell.

    Args:
        looks: one to three exchanges with a picture, the same one twice where it failed silently.
        control: the same text without a picture; given when an answer was wrong.
        live: whether prompt tokens follow what is sent.

    Raises:
        Inconclusive: no exchange tells anything.
    """
    seen = [look for look in looks if completion.is_completion(look.exchange)]
    if not seen:
        return _refused(looks)
    best = max(seen, key=lambda look: look.right)
    right, asked = sum(look.right for look in seen), 4 * len(seen)
    if best.right == 4:
        small = best.side != SIDES[0]
        note = f"named all four colours of a {best.side} px picture{', not of a smaller one' if small else ''}"
        return _verdict(works(note, 1.0 if len(seen) == 1 else 0.9))
    if right >= 6:
        return _verdict(works(f"named {right} of {asked} colours; the model sees, not well", 0.8))
    growths = [growth for look in seen if (growth := _growth(look, control)) is not None]
    if not growths or control is None or not live:
        return _without_counts(seen)
    if max(growths) <= 0:
        if right >= 4:
            return _verdict(unknown(f"named {right} of {asked} colours, and the picture is not in prompt_tokens"))
        return _ignored(seen, control, "The prompt tokens are the same with and without the picture")
    if right < 4 and _pasted(looks, seen, growths):
        return _ignored(
            seen,
            control,
            f"The prompt tokens grow with the length of the data URI, by {growths[-1]}",
        )
    alike = len(growths) > 1 and len(set(growths)) == 1 and all(look.named for look in seen)
    if max(growths) <= _PLACEHOLDER_TOKENS and (alike or all(look.sees_nothing for look in seen)):
        how = f"The prompt tokens grow by {growths[-1]} alone, whatever the size of the picture, as for a placeholder"
        if right < 4:
            return _ignored(seen, control, how, 0.8)
        return _verdict(unknown(f"named {right} of {asked} colours, and the prompt tokens show no picture"))
    if not all(look.named for look in seen):
        return _verdict(unknown("the picture adds prompt tokens, but the answer names no colours (a weak model?)"))
    return _misread(seen, growths[-1], right, asked)


def _verdict(verdict: Verdict) -> Result:
    return Result(verdicts={"vision": verdict})


def _refused(looks: Sequence[Look]) -> Result:
    exchange = looks[-1].exchange
    last_outcome([look.exchange for look in looks], *_ABOUT)  # raises where it was no refusal
    finding = REJECTED.found(
        f"A {looks[-1].side} px PNG was refused with {words_of(exchange)}.",
        exchange.shows("/response/status", expected=200, actual=exchange.status),
    )
    return Result(findings=(finding,), verdicts={"vision": because(State.REJECTED, finding)})


def _pasted(looks: Sequence[Look], seen: Sequence[Look], growths: Sequence[int]) -> bool:
    """Whether the model was shown the data URI as text, as TGI shows it to a text model.

    Base64 costs about one token for two characters.  The bigger picture's URI is 3,700
    characters longer, its pixels are at most 336 tokens more (patches of 14 pixels), and a
    context that is too short for it can only mind its URI.
    """
    if any(completion.speaks_of(look.exchange, "context", "tokens", "too long") for look in looks if look not in seen):
        return True
    if len(growths) < 2:
        return False
    longer = seen[-1].uri_length - seen[0].uri_length
    return growths[-1] - growths[0] >= 0.15 * longer > 400


def _said(look: Look) -> str:
    text = " ".join(look.answer.split())[:160]
    return f'"{text}"' if text else "nothing"


def _shown(look: Look, control: Exchange | None) -> list[Evidence]:
    evidence = [
        look.exchange.shows(
            "/response/body/choices/0/message/content", expected=", ".join(look.colours), actual=look.answer[:300]
        )
    ]
    tokens = completion.prompt_tokens(look.exchange)
    plain = completion.prompt_tokens(control) if control else None
    if tokens is not None and plain is not None:
        evidence.append(
            look.exchange.shows("/response/body/usage/prompt_tokens", expected=f"more than {plain}", actual=tokens)
        )
    return evidence


def _ignored(seen: Sequence[Look], control: Exchange | None, how: str, confidence: float = 0.95) -> Result:
    look = seen[-1]
    finding = IGNORED.found(
        f"{how}, and the answer to a picture of {', '.join(look.colours)} was {_said(look)}.",
        *_shown(look, control),
        confidence=confidence,
    )
    return Result(findings=(finding,), verdicts={"vision": because(State.IGNORED, finding)})


def _without_counts(seen: Sequence[Look]) -> Result:
    """The answers alone: only a model that says twice that it sees no picture is taken at its word."""
    if len(seen) > 1 and all(look.sees_nothing and not look.right for look in seen):
        return _ignored(seen, None, "The model says of two pictures that it sees none", 0.7)
    return _verdict(unknown("the colours were named wrongly, and without token counts nobody can tell why"))


def _misread(seen: Sequence[Look], growth: int, right: int, asked: int) -> Result:
    look = seen[-1]
    finding = MISREAD.found(
        f"{right} of {asked} quadrants were named rightly in {len(seen)} pictures: one of "
        f"{', '.join(look.colours)} was called {_said(look)}, though the picture added {growth} prompt tokens.",
        *_shown(look, None),
        confidence=0.8,
    )
    return Result(findings=(finding,), verdicts={"vision": because(State.BROKEN, finding)})
