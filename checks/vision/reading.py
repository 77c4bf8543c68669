"""A picture of four colours, and the colours that an answer names."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from probe.api import Exchange, completion, png

_ALIASES = {
    "red": "red|crimson|scarlet|maroon",
    "green": "green|lime",
    "blue": "blue|navy",
    "yellow": "yellow|gold(?:en)?",
    "black": "black",
    "white": "white",
    "other": "orange|purple|violet|magenta|pink|brown|gr[ae]y|cyan|turquoise|teal|beige",
}
_COLOUR = re.compile("|".join(rf"\b(?P<{name}>{words})\b" for name, words in _ALIASES.items()), re.IGNORECASE)
_PLACE = re.compile(r"\b(top|upper|bottom|lower)[\s_-]*(?:hand[\s_-]*)?(left|right)\b", re.IGNORECASE)
_PLACES = ("top left", "top right", "bottom left", "bottom right")
_SEES_NOTHING = re.compile(
    r"\b(?:can(?:no|'|’)?t|unable to|not able to|don(?:'|’)?t have|do not have|don(?:'|’)t|do not|didn(?:'|’)t|did not|"
    r"haven(?:'|’)t|no)\b[^.\n]{0,60}\b(?:see|view|image|images|picture|pictures|visual|display|access|attach\w*)\b|"
    r"\btext[- ]only\b|\btext[- ]based\b|\bas a (?:large )?(?:language|text)\b|"
    r"\b(?:provide|upload|share|attach|describe)\b[^.\n]{0,40}\b(?:image|picture)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Look:
    """One picture that was sent, with its colours in reading order, its side in pixels and the length of its URI."""

    exchange: Exchange
    colours: tuple[str, ...]
    side: int
    uri_length: int

    @property
    def answer(self) -> str:
        return completion.answer(self.exchange)

    @property
    def named(self) -> tuple[str, ...]:
        return colours_named(self.answer)

    @property
    def right(self) -> int:
        """How many of the 4 quadrants were named correctly."""
        return sum(mine == theirs for mine, theirs in zip(self.colours, self.named, strict=False))

    @property
    def sees_nothing(self) -> bool:
        return bool(_SEES_NOTHING.search(self.answer))


def colours_named(answer: str) -> tuple[str, ...]:
    """The colours of the four quadrants as the answer names them, in reading order.

    The colour of a place is the first one named after it and before the next place; without places, the first four
    colour words count.
    """
    marks = [(found.start(), "place", _place(found)) for found in _PLACE.finditer(answer)]
    marks += [(found.start(), "colour", found.lastgroup or "other") for found in _COLOUR.finditer(answer)]
    placed: dict[str, str] = {}
    here = ""
    for _, kind, word in sorted(marks):
        if kind == "place":
            here = word
        elif here:
            placed.setdefault(here, word)
            here = ""
    if set(placed) == set(_PLACES):
        return tuple(placed[place] for place in _PLACES)
    return tuple(word for _, kind, word in sorted(marks) if kind == "colour")[:4]


def _place(found: re.Match[str]) -> str:
    height = {"upper": "top", "lower": "bottom"}.get(found[1].lower(), found[1].lower())
    return f"{height} {found[2].lower()}"


#: Colours with unambiguous names.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}


def unguessable(source: random.Random | None = None, avoid: Sequence[str] = ()) -> tuple[str, str, str, str]:
    """Four different colours for top left, top right, bottom left, bottom right.

    Two of red, blue and yellow, so that swapped colour channels show; two of green, black and white, so that the guess
    of a blind model (red, green, blue, yellow) is never right.  There are 216 layouts.

    Args:
        avoid: colours named before, in the same order: no quadrant has the one named for it, so that the same answer
            again is wrong everywhere.
    """
    source = source or random.SystemRandom()
    while True:
        chosen = [*source.sample(("red", "blue", "yellow"), 2), *source.sample(("green", "black", "white"), 2)]
        source.shuffle(chosen)
        if not any(mine == theirs for mine, theirs in zip(chosen, avoid, strict=False)):
            first, second, third, fourth = chosen
            return first, second, third, fourth


def quadrants(colours: Sequence[str], side: int, comment: int = 0) -> bytes:
    """A square PNG of ``side`` pixels (even) with four colours of ``COLOURS``.

    Args:
        colours: names for top left, top right, bottom left, bottom right.
        comment: bytes of random text in a tEXt chunk.  They cost tokens only where the data URI is read as text.

    Raises:
        ValueError: not four colours, or an odd or unusable side.
    """
    if len(colours) != 4 or side < 2 or side % 2:
        raise ValueError("needs four colours and an even side")
    half = side // 2
    samples = [bytes(COLOURS[name]) * half for name in colours]
    top = b"\x00" + samples[0] + samples[1]
    bottom = b"\x00" + samples[2] + samples[3]
    return png.encode(side, top * half + bottom * half, base64.b64encode(random.randbytes(comment))[:comment])
