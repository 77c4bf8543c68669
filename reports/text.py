"""Making text of an endpoint safe to show: it may try to control the reader's screen.

``printable`` is for terminals and one-line messages and drops invisible characters; ``visible`` is
for pages and documents and writes them out, since what was hidden in a model name may be the very
thing to see.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

from probe.wording import ELLIPSIS

#: ECMA-48: CSI sequences, OSC and the other strings up to their terminator, two-byte escapes; 8-bit forms too.
_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_SPACE = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
#: Invisible characters are among these; text without them needs no further work.
_SUSPECT = re.compile(r"[^\x20-\x7e]")
#: The same without line ends and tabs, which ``visible`` keeps.
_SUSPECT_IN_DOCUMENTS = re.compile(r"[^\x20-\x7e\n\t]")
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
#: What a build server takes for a command in a log: a line ``::name …::`` and ``##[`` (GitHub,
#: actions/runner, ActionCommand.cs), ``##vso[`` (Azure Pipelines) and ``##teamcity[`` (TeamCity).
_COMMAND = re.compile(
    r"^[^\S\n]{0,80}:(?=:[a-z_-]{1,40}(?: |::))|#(?=#(?:vso|teamcity)?\[)", re.MULTILINE | re.IGNORECASE
)
#: The most combining marks on one letter; more than any script uses would reach into the lines around it.
_MARKS = 4


def inert(text: str) -> str:
    """The text with nothing in it that a build server would carry out: a space breaks such marks."""
    return _COMMAND.sub(r"\g<0> ", text) if "##" in text or "::" in text else text


def printable(text: str, limit: int | None = None) -> str:
    """The text as one line without anything that controls a terminal.

    Escape sequences, control, bidirectional and invisible characters are dropped, line ends and
    tabs become a space, and a text that is cut ends with an ellipsis.

    Args:
        limit: characters to keep, or None for all.
    """
    if limit is not None:
        text = text[: 4 * limit + 100]
    if _SUSPECT.search(text):
        text = _without_hidden(_SPACE.sub(" ", _ANSI.sub("", text)))
    text = inert(text)
    return text if limit is None or len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def _without_hidden(text: str) -> str:
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


def visible(text: str) -> str:
    """The inert text with invisible characters written out, as ``\\x1b`` or ``\\u202e``; line ends and tabs stay."""
    if _SUSPECT_IN_DOCUMENTS.search(text):
        text = "".join(
            letter if letter in "\n\t" or unicodedata.category(letter) not in _HIDDEN else escape_code(letter)
            for letter in text
        )
    return inert(text)


def escape_code(character: str) -> str:
    """The code point of a character as ``\\x1b``, ``\\u202e`` or ``\\U000e0001``."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clip(text: str, limit: int) -> str:
    """The text cut to so many characters, with a last line that gives the number of those left out."""
    return text if len(text) <= limit else f"{text[:limit]}\n… {len(text) - limit} more characters"


def fit(text: str, room: int) -> str:
    """The text clipped so that it takes about so many characters on a page.

    They are counted after escaping: a body of angle brackets takes four times its own length.
    """
    limit = min(room, len(text))
    while (size := len(escape(visible(text[:limit]), quote=False))) > room:
        limit = max(0, limit * room // size - 1)
    return clip(text, limit)
