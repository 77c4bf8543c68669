"""YAML, edited as text at the places that the parser reports, so that comments and layout stay.

The output has one meaning in YAML 1.1 and 1.2: a string is left unquoted only where neither version
reads it as another type (YAML 1.2.2, section 10.3; YAML 1.1 types).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from probe.wording import cut
from reports.clients.documents.edits import BadFile, Format, Node, Syntax, edit_text, line_break, line_end
from reports.text import escape_code

_BARE = re.compile(r"[A-Za-z_$][A-Za-z0-9_$./+-]*(?::[A-Za-z0-9_$./+-]+)*")
#: Entries of mappings that others merge, written out wherever they are merged.
_MOST_MERGED = 20_000
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"))


def _reader() -> YAML:
    return YAML(typ="safe", pure=True)


def parse(text: str) -> Any:
    """The plain data, or None where it holds only comments.

    Raises:
        BadFile: it is not YAML, or it holds several documents.
    """
    try:
        bomb = "<<" in text and _merges(_reader().compose(text)) > _MOST_MERGED
        if not bomb:
            return _reader().load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise BadFile(f"it is not YAML ({cut(str(problem), 120)}{where})") from None
    raise BadFile("its merged mappings are too many; add the provider by hand")


def _merges(root: Any) -> int:
    """Entries that all mappings have once those that they merge (``<<``) are written out, which may be 2**40."""
    sizes: dict[int, int] = {}
    waiting = [root]
    while waiting:
        here = waiting[-1]
        pairs = here.value if isinstance(here, MappingNode) else ()
        inner = [node for pair in pairs for node in pair] or (here.value if isinstance(here, SequenceNode) else [])
        if id(here) not in sizes:
            sizes[id(here)] = 0  # what contains itself is read once
            waiting += [node for node in inner if id(node) not in sizes]
            continue
        waiting.pop()
        merged = [value for key, value in pairs if key.value == "<<"]
        merged = [one for value in merged for one in (value.value if isinstance(value, SequenceNode) else [value])]
        sizes[id(here)] = len(pairs) + sum(sizes.get(id(one), 0) for one in merged)
    return sum(sizes.values())


def write(data: Any) -> str:
    """In block style, indented by two spaces."""
    return "\n".join(_block(data)) + "\n"


# Reading -------------------------------------------------------------------------------------------


def nodes(text: str) -> Node:
    """The values of a text with their places."""
    shift = 1 if text.startswith("\ufeff") else 0
    body = text[shift:]
    return _node(_reader().compose(body), parse(body), text, shift)


def _node(found: Any, value: Any, text: str, shift: int) -> Node:
    start, end = found.start_mark.index + shift, found.end_mark.index + shift
    flow = bool(getattr(found, "flow_style", False))
    column = found.start_mark.column
    if isinstance(found, ScalarNode):
        block = found.style in ("|", ">")
        return Node("scalar", start, len(text[:end].rstrip()) if block else end, not block, column, value=value)
    node = Node("map" if isinstance(found, MappingNode) else "list", start, end, flow, column)
    last = start
    if isinstance(found, MappingNode) and isinstance(value, Mapping):
        for key, item in found.value:
            name = getattr(key, "value", None)
            if not isinstance(name, str) or name not in value:
                last = max(last, item.end_mark.index + shift)
                continue
            child = _node(item, value[name], text, shift)
            _, key_end = node.keys[name] = (key.start_mark.index + shift, key.end_mark.index + shift)
            if child.kind == "scalar" and child.value is None and item.value == "":
                # The parser places a missing value before the next token.
                child.start = child.end = text.index(":", key_end) + 1
            node.members[name] = child
            last = max(last, child.end)
    elif isinstance(found, SequenceNode) and isinstance(value, list):
        for item, one in zip(found.value, value, strict=True):
            child = _node(item, one, text, shift)
            node.items.append(child)
            last = max(last, child.end)
    if not flow:
        node.end = len(text[: max(last, start)].rstrip()) if last > start else end
    return node


# Writing -------------------------------------------------------------------------------------------


def add_member(text: str, at: Node, key: str, value: Any) -> str:
    """The text with a new last member in this mapping."""
    if at.flow:
        return _into_flow(text, at, f"{_string(key)}: {_flow(value)}", bool(at.members))
    return _after_line(text, at, _block({key: value}))


def add_item(text: str, at: Node, value: Any) -> str:
    """The text with a new last element in this list."""
    if at.flow:
        return _into_flow(text, at, _flow(value), bool(at.items))
    return _after_line(text, at, _block([value]))


def replace(text: str, parent: Node, key: str, value: Any) -> str:
    """The text with another value for an existing member."""
    child = parent.members[key]
    if parent.flow:
        blank = " " if text[child.start - 1 : child.start] == ":" else ""
        return text[: child.start] + blank + _flow(value) + text[child.end :]
    colon = text.index(":", parent.keys[key][1]) + 1
    absent = child.start == child.end
    if not _nested(value):
        return text[:colon] + " " + _flow(value) + text[child.end :]
    # After a missing value there may be a comment behind the colon: the block goes below it.
    head = line_end(text, colon) if absent else colon
    lead = line_break(text) + " " * (parent.column + 2)
    return text[:head] + "".join(lead + line for line in _block(value)) + text[max(head, child.end) :]


def _into_flow(text: str, at: Node, made: str, filled: bool) -> str:
    close = at.end - 1
    inside = text[at.start + 1 : close]
    kept = inside.rstrip()
    comma = ", " if filled and not kept.endswith(",") else " " if filled else ""
    place = at.start + 1 + len(kept)
    return text[:place] + comma + made + text[place:]


def _after_line(text: str, at: Node, lines: Sequence[str]) -> str:
    place = line_end(text, at.end)
    lead = line_break(text) + " " * at.column
    return text[:place] + "".join(lead + line for line in lines) + text[place:]


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple) and bool(value)


def _block(value: Any) -> list[str]:
    """The lines of a mapping or list in block style."""
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = _string(str(key))
            if _nested(item):
                lines += [f"{name}:", *(f"  {line}" for line in _block(item))]
            else:
                lines.append(f"{name}: {_flow(item)}")
        return lines or ["{}"]
    for item in value:
        made = _block(item) if _nested(item) else [_flow(item)]
        lines += [f"- {made[0]}", *(f"  {line}" for line in made[1:])]
    return lines or ["[]"]


def _flow(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_string(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, str):
        return _string(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _string(text: str) -> str:
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_character(one) for one in text) + '"'


def _character(one: str) -> str:
    if one in '"\\':
        return "\\" + one
    return one if one.isprintable() and one != "\ufeff" else escape_code(one)


_SYNTAX = Syntax(nodes, add_member, add_item, replace)
FORMAT = Format(parse, write, lambda text, puts: edit_text(text, puts, _SYNTAX))
