"""Reading what a model says about a picture of four colours."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probe.api import Exchange, completion

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
    """One picture shown: its colours in reading order, its side in pixels, its URI's length, what came of it."""

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
        """How many quadrants were named rightly, of 4."""
        return sum(mine == theirs for mine, theirs in zip(self.colours, self.named, strict=False))

    @property
    def sees_nothing(self) -> bool:
        return bool(_SEES_NOTHING.search(self.answer))


def colours_named(answer: str) -> tuple[str, ...]:
    """The colours of the four quadrants as the answer names them, in reading order.

    Each place's colour is the one named after the place and before the next place; without
    places, the first four colour words.  Fewer than four where fewer are named.
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
