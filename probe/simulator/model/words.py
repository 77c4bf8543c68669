"""Codes, quoted strings, numbers, names and content words in plain text."""

from __future__ import annotations

import re

_STRONG = re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*(?![\w-])")
_DIGITS = re.compile(r"(?<![\w.,:/-])\d{4,}(?![\w:/-]|[.,]\d)")
_CAPITALS = re.compile(r"(?<![\w-])[A-Z]{4,}(?:[-_][A-Z0-9]+)*(?![\w-])")
_LINKED = re.compile(r"(?<![\w-])[A-Za-z]{3,}(?:-[A-Za-z]{3,}){2,}(?![\w-])|(?<![\w-])[a-z]+-[a-z]+-\d+(?![\w-])")
_MIXED = re.compile(r"(?<![\w-])[A-Z][a-z]+[A-Z][A-Za-z]+(?![\w-])")
_NO_CODE = re.compile(
    r"^(?:\d+(?:st|nd|rd|th|px|kb|mb|gb|ms|s|x|am|pm|d|h)|utf-?8|base64|h264|gpt-.*|\d+x\d+|mp[34])$", re.I
)
_COMMON_CAPITALS = {
    "JSON", "HTTP", "HTML", "ONLY", "EXACTLY", "NEVER", "ALWAYS", "MUST", "CAPS", "NOTE", "TEXT", "WORD",
    "CODE", "WITH",
    "TODO", "STOP", "ASCII", "YAML", "NOTHING", "ELSE", "EXACT", "VERBATIM", "PLEASE", "IMPORTANT", "USER", "SYSTEM",
    "ANSWER", "QUESTION", "REPLY", "THIS", "THAT", "FROM", "HTTPS", "TOOL", "TOOLS", "CALL", "THINK", "TYPE",
}  # fmt: skip

STOP_WORDS = frozenset(
    "a an the my your our their his her its this that these those of in on at to for from with by as is are was were "
    "be been do does did you i we he she it they me us them and or but not no nor so if then than what which who whom "
    "whose when where why how can could would should will shall may might must please just only exactly simply now "
    "there here about into out up down over all any some each every both tell give show say reply respond answer "
    "repeat return output using use single one two three called following contained given mentioned "
    "provided above below earlier previous first last nothing else words also again back current currently get "
    "let know want need find look s t".split()
)  # fmt: skip

_QUOTED = re.compile(
    r"\"([^\"\n]{1,2000})\"|`([^`\n]{1,2000})`|“([^”\n]{1,2000})”|«([^»\n]{1,2000})»|(?<!\w)'([^'\n]{1,2000})'(?!\w)|‘([^’\n]{1,2000})’"
)


def codes(text: str) -> list[str]:
    """Code-like words in order, each once: `KX-48213`, `7f3a9c`, `4711`, `QUOKKA`, `blue-otter-lamp`."""
    text = text[:200_000]
    found: list[tuple[int, str]] = []
    for pattern in (_STRONG, _DIGITS, _LINKED, _CAPITALS, _MIXED):
        for match in pattern.finditer(text):
            word = match.group()
            if len(word) < 4 or _NO_CODE.match(word) or word in _COMMON_CAPITALS:
                continue
            if pattern is _STRONG and "_" in word and not any(char.isdigit() for char in word.rsplit("_", 1)[-1]):
                continue
            if not any(start <= match.start() < start + len(other) for start, other in found):
                found.append((match.start(), word))
    return list(dict.fromkeys(word for _, word in sorted(found)))


def quoted(text: str) -> list[str]:
    """Texts in quotation marks or backticks, in order."""
    return [next(part for part in match.groups() if part is not None) for match in _QUOTED.finditer(text)]


def starts_quoted(text: str) -> str | None:
    """The quoted text that the text begins with, or None."""
    match = _QUOTED.match(text)
    return None if match is None else next(part for part in match.groups() if part is not None)


def sentences(text: str) -> list[str]:
    """Sentences and lines of a text, trimmed."""
    return [part.strip() for part in re.split(r"(?<=[.!?])[\"')\]]?\s+|\n+", text) if part.strip()]


def stem(word: str) -> str:
    """A word in lower case without its most common endings."""
    word = word.lower()
    for ending in ("ies", "ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def content_words(text: str) -> set[str]:
    """The stems of the words that carry meaning; `get_user_age` and `getUserAge` count as their parts."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ").replace("-", " ")
    return {stem(word) for word in re.findall(r"[^\W\d_]+", spaced) if word.lower() not in STOP_WORDS}


def numbers(text: str) -> list[str]:
    """Numbers of a text as written, in order, without digits inside codes."""
    return re.findall(
        r"(?<![\w-])(?:-(?=\d))?\d+(?:\.\d+)?(?![\w]|-\w)",
        text.replace(",", "") if re.search(r"\d,\d{3}\b", text) else text,
    )


def proper_names(text: str) -> list[str]:
    """Capitalised words, adjacent ones joined, without those that are capitalised as the first of a sentence."""
    found = []
    for match in re.finditer(r"[A-ZÀ-Þ][\w'’À-ÿ-]+(?:[ /][A-ZÀ-Þ][\w'’À-ÿ-]+)*", text):
        before = text[: match.start()].rstrip(" \"'(")
        name = match.group()
        if not before or before[-1] in ".!?:\n":
            first, _, rest = name.partition(" ")
            if first.lower() in STOP_WORDS or not rest:
                name = rest if rest and rest[:1].isupper() else ""
                if not name and first.lower() not in STOP_WORDS and before and before[-1] == ":":
                    name = first
        if name and name.lower() not in STOP_WORDS and name != "I" and name not in _COMMON_CAPITALS:
            found.append(name)
    return list(dict.fromkeys(found))
