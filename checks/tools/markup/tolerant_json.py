"""A tolerant, bounded reader for JSON as models write it.

Leaked calls are often almost JSON, so it accepts single quotes, keys without quotes, comments, Python's
True/False/None, a trailing or missing comma, raw line feeds in strings, and a missing end.  It reads token by token
without recursion, which bounds depth and time, and reports where it stopped and why.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 64
MAX_COMMENT = 2_000
_SPACE = re.compile(r"[ \t\r\n]*+")
_WORD = re.compile(r"(?:true|false|null|True|False|None)(?!\w)")
_NUMBER = re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,6})?(?![\w.])")
_DECODER: Any = json.JSONDecoder()
_OPENER = re.compile(r"[{\[]")
_BARE_KEY = re.compile(r"([A-Za-z_$][\w$]{0,63})(?=\s{0,8}:)")
_BODY = {
    '"': re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL),
    "'": re.compile(r"[^'\\]*+(?:\\.[^'\\]*+)*+", re.DOTALL),
}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_WORDS: dict[str, bool | None] = {"true": True, "True": True, "false": False, "False": False}


@dataclass(slots=True)
class Part:
    """One object or array in the value: offsets into the text, and whether it was closed."""

    value: Any
    start: int
    end: int
    closed: bool


@dataclass(slots=True)
class Read:
    """The value read at one position.

    ``end``: offset after the last character used.  ``complete``: the value was closed.  ``cut``: the text ended first;
    otherwise an incomplete read stopped at an unexpected character at ``end``.  ``explained``: that character starts
    `...` or `<placeholder>`, as in the explanation of a format.  ``parts``: every object and array, outermost first.
    ``resume``: where the search for another value may continue without reading text twice.
    """

    value: Any
    start: int
    end: int
    complete: bool
    cut: bool
    parts: list[Part] = field(default_factory=list)
    resume: int = 0
    explained: bool = False

    def part(self, value: object) -> Part | None:
        """The part with this very object (by identity), or None."""
        return next((part for part in self.parts if part.value is value), None)


def _unescape(body: str) -> str:
    def one(match: re.Match[str]) -> str:
        mark = match.group(1)
        if mark[0] == "u" and len(mark) == 5:
            return chr(int(mark[1:], 16))
        return _PLAIN.get(mark, mark)

    return _ESCAPE.sub(one, body) if "\\" in body else body


def read_string(text: str, pos: int) -> tuple[str, int, bool]:
    """Read a quoted string at ``pos``: (value, offset after it, whether it was closed)."""
    quote = text[pos]
    if quote == '"':
        try:
            # The decoder's routine in C: strict about escapes, tolerant of raw line feeds.
            value, end = _DECODER.parse_string(text, pos + 1, False)
            return value, end, True
        except ValueError:
            pass
    match = _BODY[quote].match(text, pos + 1)
    end = match.end() if match else pos + 1
    closed = text.startswith(quote, end)
    return _unescape(text[pos + 1 : end]), end + 1 if closed else len(text), closed


def _number(literal: str) -> int | float | str:
    try:
        return float(literal) if any(c in literal for c in ".eE") else int(literal)
    except ValueError:
        return literal


class Reader:
    """Reads values from one text, within a budget of tokens for the whole text."""

    def __init__(self, text: str, budget: int = 200_000) -> None:
        self.text = text
        self.budget = budget
        self._seen: dict[int, Read | None] = {}

    def at(self, pos: int) -> Read | None:
        """Read the value at ``pos`` (after white space); None without one, or where the budget is spent."""
        if pos not in self._seen:
            self._seen[pos] = self._read(pos)
        return self._seen[pos]

    def _scalar(self, pos: int) -> tuple[Any, int, bool] | None:
        char = self.text[pos]
        if char in "\"'":
            return read_string(self.text, pos)
        if match := _WORD.match(self.text, pos):
            return _WORDS.get(match.group()), match.end(), True
        if match := _NUMBER.match(self.text, pos):
            return _number(match.group()), match.end(), True
        return None

    def _read(self, pos: int) -> Read | None:
        text, size = self.text, len(self.text)
        start = pos = _end(_SPACE, text, pos)
        if pos >= size or self.budget <= 0:
            return None
        if text[pos] not in "{[":
            found = self._scalar(pos)
            if found is None:
                return None
            return Read(found[0], pos, found[1], found[2], not found[2], resume=found[1])
        read = Read(None, start, pos, False, False)
        stack: list[Part] = []
        key: str | None = None  # the key without its value yet, in the innermost object
        state = "value"
        last_string = -1
        while True:
            self.budget -= 1
            pos = _end(_SPACE, text, pos)
            read.end = pos
            if pos >= size or self.budget <= 0:
                read.cut = pos >= size
                break
            char = text[pos]
            if char == "/" and (after := _comment(text, pos)):
                pos = after
                continue
            if stack and char in "}]" and state != "colon" and key is None:
                top = stack.pop()
                if (char == "}") != isinstance(top.value, dict):
                    stack.append(top)
                    break
                pos += 1
                top.end, top.closed = pos, True
                if not stack:
                    read.end, read.complete = pos, True
                    break
                state = "comma"
            elif state == "comma":
                if char == ",":
                    pos += 1
                elif char not in "\"'":
                    break
                state = "key" if isinstance(stack[-1].value, dict) else "value"
            elif state == "colon":
                if char != ":":
                    break
                pos += 1
                state = "value"
            elif state == "key":
                if word := _BARE_KEY.match(text, pos):
                    key, pos, state = word.group(1), word.end(1), "colon"
                    continue
                if char not in "\"'":
                    break
                key, pos, closed = read_string(text, pos)
                last_string = read.end
                if not closed:
                    read.end, read.cut = pos, True
                    break
                state = "colon"
            elif char in "{[":
                if len(stack) >= MAX_DEPTH:
                    break
                fresh: Any = {} if char == "{" else []
                part = Part(fresh, pos, size, False)
                read.parts.append(part)
                if stack:
                    _attach(stack[-1].value, key, fresh)
                    key = None
                else:
                    read.value = fresh
                stack.append(part)
                pos += 1
                state = "key" if char == "{" else "value"
            else:
                scalar = self._scalar(pos)
                if scalar is None:
                    break
                if char in "\"'":
                    last_string = pos
                _attach(stack[-1].value, key, scalar[0])
                key = None
                pos = scalar[1]
                if not scalar[2]:
                    read.end, read.cut = pos, True
                    break
                state = "comma"
        for part in stack:
            part.end = read.end
        if not read.complete and state in ("key", "value"):
            read.explained = text[read.end : read.end + 1] in (".", "…", "<")
        read.resume = read.end if read.complete else _resume(text, start, read.end, last_string)
        return read


def _comment(text: str, pos: int) -> int:
    """The offset after a JSON5 comment that starts here; 0 where none ends within MAX_COMMENT characters."""
    close = {"//": "\n", "/*": "*/"}.get(text[pos : pos + 2])
    end = text.find(close, pos + 2, pos + MAX_COMMENT) if close else -1
    return end + len(close) if close and end >= 0 else 0


def _end(pattern: re.Pattern[str], text: str, pos: int) -> int:
    match = pattern.match(text, pos)
    return match.end() if match else pos


def _attach(parent: Any, key: str | None, value: Any) -> None:
    if isinstance(parent, dict):
        parent[key if key is not None else ""] = value
    else:
        parent.append(value)


def _resume(text: str, start: int, stop: int, last_string: int) -> int:
    """Where to continue after a failed read: the objects read so far are in ``parts``, but the last string may have
    swallowed the start of a better value, as with a stray quote in prose.
    """
    if last_string > start and (opener := _OPENER.search(text, last_string, stop)):
        return opener.start()
    return max(stop, start + 1)
