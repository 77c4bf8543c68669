"""Making strangers' text safe to show: what an endpoint sends may try to steer the reader's screen.

``printable`` is for terminals and one-line messages and drops what cannot be seen;
``visible`` is for pages and documents and writes it out, since what was hidden in a
model name may be the very thing to look at.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

#: ECMA-48: CSI sequences, OSC and the other strings up to their terminator, two-byte escapes; 8-bit forms too.
_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_SPACE = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
#: Everything unseen lies here; plain ASCII text is passed through at once.
_SUSPECT = re.compile(r"[^\x20-\x7e]")
#: The same without what ``visible`` lets stand: most bodies have line ends and are plain otherwise.
_ODD = re.compile(r"[^\x20-\x7e\n\t]")
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
#: More marks on one letter than any script uses reach into the lines around it.
_MARKS = 4


def _seen(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category == "Cs":
            kept.append("\ufffd")
        elif category not in _HIDDEN and marks <= _MARKS:
            kept.append(character)
    return "".join(kept)


def printable(text: str, longest: int | None = None) -> str:
    """The text as one line without anything a terminal would obey.

    Escape sequences, control, bidirectional and invisible characters are dropped, line
    ends and tabs become a space, and it ends with an ellipsis where it is cut.

    Args:
        longest: characters to keep, or None for all.
    """
    if longest is not None:
        text = text[: 4 * longest + 100]
    if _SUSPECT.search(text):
        text = _seen(_SPACE.sub(" ", _ANSI.sub("", text)))
    return text if longest is None or len(text) <= longest else text[: longest - 1].rstrip() + "…"


def visible(text: str) -> str:
    """The text with every unseen character written out, such as ``\\x1b`` or ``\\u202e``.

    Line ends and tabs stay.
    """
    if not _ODD.search(text):
        return text
    return "".join(
        character if character in "\n\t" or unicodedata.category(character) not in _HIDDEN else _written(ord(character))
        for character in text
    )


def _written(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def fit(text: str, room: int) -> str:
    """The text cut so that it takes at most about so many characters on a page.

    Counted as it will stand there, escaped and with unseen characters written out: a body
    of angle brackets is four times its own length.
    """
    kept = text[:room]
    while (size := len(escape(visible(kept), quote=True))) > room:
        kept = kept[: max(0, len(kept) * room // size - 1)]
    return kept if len(kept) == len(text) else f"{kept}\n… {len(text) - len(kept)} more characters"


def shorten(text: str, longest: int) -> str:
    """The text, cut at so many characters with a note of how much is missing."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n… {len(text) - longest} more characters"
