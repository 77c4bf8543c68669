"""JSON, with the comments and trailing commas that editors' settings files have (JSONC)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from reports.clients.documents.edits import (
    BadFile,
    Format,
    Node,
    Syntax,
    edit_text,
    line_break,
    line_end,
    line_start,
    plain,
)

_BLANKS = re.compile(r"[ \t\r\n]*+")
_LINE_COMMENT = re.compile(r"//[^\r\n]*+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null")
_DEEPEST = 100


def parse(text: str) -> Any:
    """The plain data, or None where it holds only comments.

    Raises:
        BadFile: it is not JSON; the message names the line.
    """
    body = text.removeprefix("\ufeff")
    if _skip(body, 0) == len(body):
        return None
    return plain(nodes(text))


def write(data: Any) -> str:
    """Indented by two spaces, ending in a line break."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


# Reading -------------------------------------------------------------------------------------------


def nodes(text: str) -> Node:
    """The values of a text with their places."""
    start = 1 if text.startswith("\ufeff") else 0
    node = _value(text, _skip(text, start), 0)
    end = _skip(text, node.end)
    if end < len(text):
        raise _bad(text, end)
    return node


def _bad(text: str, at: int) -> BadFile:
    return BadFile(f"it is not JSON (line {text.count(chr(10), 0, at) + 1})")


def _skip(text: str, at: int) -> int:
    """The first position from here on that is neither white space nor in a comment."""
    while True:
        found = _BLANKS.match(text, at)
        at = found.end() if found else at
        end = _comment_end(text, at)
        if end == at:
            return at
        at = end


def _comment_end(text: str, at: int) -> int:
    """Where the comment ends that begins here; here if none does."""
    if found := _LINE_COMMENT.match(text, at):
        return found.end()
    end = text.find("*/", at + 2) if text.startswith("/*", at) else -1
    return end + 2 if end >= 0 else at


def _value(text: str, at: int, depth: int) -> Node:
    if depth > _DEEPEST:
        raise BadFile("it is nested too deeply")
    first = text[at : at + 1]
    if first in ("{", "["):
        return _container(text, at, depth)
    found = _STRING.match(text, at) if first == '"' else _WORD.match(text, at)
    if not found:
        raise _bad(text, at)
    try:
        return Node("scalar", at, found.end(), value=json.loads(found[0]))
    except ValueError:
        raise _bad(text, at) from None


def _container(text: str, at: int, depth: int) -> Node:
    is_map = text[at] == "{"
    close = "}" if is_map else "]"
    node = Node("map" if is_map else "list", at, at)
    here = _skip(text, at + 1)
    while text[here : here + 1] != close:
        if is_map:
            key = _value(text, here, depth) if text[here : here + 1] == '"' else None
            colon = _skip(text, key.end) if key else here
            if not key or text[colon : colon + 1] != ":":
                raise _bad(text, here)
            child = _value(text, _skip(text, colon + 1), depth + 1)
            node.members.pop(key.value, None)  # of a key given twice the last counts, as for other readers
            node.members[key.value] = child
            node.keys[key.value] = (here, key.end)
        else:
            child = _value(text, here, depth + 1)
            node.items.append(child)
        here = _after_value(text, child.end, close)
    node.end = here + 1
    return node


def _after_value(text: str, at: int, close: str) -> int:
    here = _skip(text, at)
    if text[here : here + 1] == ",":
        return _skip(text, here + 1)
    if text[here : here + 1] != close:
        raise _bad(text, here)
    return here


# Writing -------------------------------------------------------------------------------------------


def add_member(text: str, at: Node, key: str, value: Any) -> str:
    """The text with a new last member in this object."""
    starts = [start for start, _ in at.keys.values()]
    ends = [child.end for child in at.members.values()]
    return _add(text, at, starts, ends, f"{json.dumps(key, ensure_ascii=False)}: ", value)


def add_item(text: str, at: Node, value: Any) -> str:
    """The text with a new last element in this array."""
    return _add(text, at, [child.start for child in at.items], [child.end for child in at.items], "", value)


def replace(text: str, parent: Node, key: str, value: Any) -> str:
    """The text with another value for an existing member."""
    child = parent.members[key]
    start, _ = parent.keys[key]
    return text[: child.start] + _dump(text, value, _lead(text, start)) + text[child.end :]


def _add(text: str, at: Node, starts: Sequence[int], ends: Sequence[int], name: str, value: Any) -> str:
    eol = line_break(text)
    if not starts:
        outer = _lead(text, at.start)
        inner = outer + _unit(text)
        kept = text[at.start + 1 : at.end - 1].rstrip()  # comments
        body = f"{kept}{eol}{inner}{name}{_dump(text, value, inner)}{eol}{outer}"
        return text[: at.start + 1] + body + text[at.end - 1 :]
    last = max(ends)
    comma = _skip(text, last)
    trailing = text[comma : comma + 1] == ","
    if "\n" not in text[at.start : at.end]:
        body = f"{'' if trailing else ','} {name}{json.dumps(value, ensure_ascii=False)}{',' if trailing else ''}"
        place = comma + 1 if trailing else last
        return text[:place] + body + text[place:]
    lead = _lead(text, min(starts))
    tail = _rest_of_line(text, comma + 1 if trailing else last)
    body = f"{eol}{lead}{name}{_dump(text, value, lead)}{',' if trailing else ''}"
    return text[:last] + ("" if trailing else ",") + text[last:tail] + body + text[tail:]


def _rest_of_line(text: str, at: int) -> int:
    """The end of the comments that follow on the same line."""
    here = at
    while True:
        begin = here
        while text[begin : begin + 1] in (" ", "\t"):
            begin += 1
        end = _comment_end(text, begin)
        if end == begin:
            return here
        here = end
        if "\n" in text[begin:end]:
            return here


def _lead(text: str, at: int) -> str:
    """The indentation of a position's line."""
    line = text[line_start(text, at) : line_end(text, at)].removeprefix("\ufeff")
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """One step of indentation in this text: a tab, or as many spaces as the first indented line has."""
    found = re.search(r"^([ \t]+)\S", text, re.M)
    if not found:
        return "  "
    return "\t" if "\t" in found[1] else found[1]


def _dump(text: str, value: Any, lead: str) -> str:
    made = json.dumps(value, indent=_unit(text), ensure_ascii=False)
    return made.replace("\n", line_break(text) + lead)


_SYNTAX = Syntax(nodes, add_member, add_item, replace)
FORMAT = Format(parse, write, lambda text, puts: edit_text(text, puts, _SYNTAX))
