"""Small things that the judgements of this family share."""

from __future__ import annotations

from checks.shared.outcome import words_of
from probe.api import Verdict, unknown

#: Statuses that speak of the way to the server and not of what was asked for.
ON_THE_WAY = (408, 425, 429, 499, 502, 503, 504, 520, 521, 522, 523, 524, 529)

CLEAN_CUT_REMEDY = (
    "A clean end that hides a cut usually comes from a proxy whose backend went away: look in the logs of both, and "
    "let the proxy speak HTTP/1.1 to its backend (nginx: `proxy_http_version 1.1`), so that a lost backend shows as "
    "a broken response. Until then set Streaming off in the client."
)


def untold(why: str = "the stream could not be read") -> Verdict:
    """An ``unknown`` that follows from another finding."""
    return unknown(why)


def short(text: str, most: int = 200) -> str:
    """A stranger's text in one line of bounded length."""
    said = " ".join(text.split())
    return said if len(said) <= most else said[:most] + "…"


__all__ = ["CLEAN_CUT_REMEDY", "ON_THE_WAY", "short", "untold", "words_of"]
