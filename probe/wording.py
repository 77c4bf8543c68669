"""Wording of amounts, lists, times and quotations in sentences that people read.

Pure, and without imports from the project. Texts of an endpoint are bounded before anything
else is done with them; escaping for a terminal or a page is the reporters' work.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

ELLIPSIS = "…"


def form(number: float, singular: str, plural: str) -> str:
    """The form of a noun or verb that agrees with a number: ``form(1, "was", "were")``."""
    return singular if number == 1 else plural


def amount(number: int, noun: str, plural: str = "") -> str:
    """``1 request``, ``3 requests``.

    Args:
        noun: the singular.
        plural: the plural, where it is not the singular with an ``s``.
    """
    return f"{number} {form(number, noun, plural or f'{noun}s')}"


def listing(items: Iterable[str], conjunction: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``; empty for no items."""
    *first, last = list(items) or [""]
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def seconds(value: float) -> str:
    """A time in seconds with three significant digits at most: ``0.25 s``, ``12.5 s``, ``3600 s``."""
    return f"{value:.0f} s" if value >= 100 else f"{round(value, 4):.3g} s"


def shorten(text: str, limit: int) -> str:
    """The text in at most ``limit`` characters, ending in an ellipsis where it was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def cut(text: str, limit: int) -> str:
    """The text on one line of at most ``limit`` characters: whitespace folded, an ellipsis where it was cut."""
    bound = 4 * limit + 100
    line = " ".join(text[:bound].split())
    return shorten(line + ELLIPSIS if len(text) > bound else line, limit)


def quote(text: str, limit: int, empty: str = "nothing") -> str:
    """The text cut and between quotation marks, or ``empty`` where it has no visible character."""
    line = cut(text, limit)
    return f'"{line}"' if line else empty


def did_you_mean(word: str, known: Iterable[str], otherwise: str, cutoff: float = 0.5) -> str:
    """The nearest known word as a hint, or ``otherwise`` where none is similar (``cutoff`` as in difflib)."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), 1, cutoff)
    return f"did you mean '{near[0]}'?" if near else otherwise


def shown(value: Any, limit: int = 200) -> str:
    """A JSON value as a short text: a string as it is (line ends kept), anything else as JSON."""
    if isinstance(value, str):
        return shorten(value, limit)
    try:
        return shorten(json.dumps(value, ensure_ascii=False, default=str), limit)
    except (ValueError, RecursionError):
        return f"{type(value).__name__} nested too deeply"


def utc(text: str) -> datetime | None:
    """A timestamp of a report in UTC, or None where the text is not one."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
