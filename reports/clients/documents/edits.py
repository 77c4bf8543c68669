"""Putting values at places in a configuration: in nested data, and in text where the rest must stay as it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Any


class BadFile(ValueError):
    """A configuration file that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Item:
    """The element of a list whose field ``key`` has this value; it is added where there is none."""

    key: str
    value: str


Step = str | Item


@dataclass(frozen=True)
class Put:
    """A value and its place.

    A mapping that is put on a mapping leaves the other keys of the old one; anything else is replaced.
    """

    path: tuple[Step, ...]
    value: Any


@dataclass(frozen=True)
class Format:
    """A file format: text to plain data, plain data to text, and puts made in a text."""

    parse: Callable[[str], Any]
    write: Callable[[Any], str]
    edit: Callable[[str, Sequence[Put]], str]


# Plain data ----------------------------------------------------------------------------------------


def shown(path: Sequence[Step]) -> str:
    """A path for people: ``providers[id=lab].model``."""
    text = ""
    for step in path:
        text += f"[{step.key}={step.value}]" if isinstance(step, Item) else f".{step}"
    return text.lstrip(".") or "the top of the file"


def misshapen(path: Sequence[Step], wanted: str) -> BadFile:
    """The error for a place that holds something other than ``a mapping`` or ``a list``."""
    return BadFile(f"{shown(path)} is not {wanted} there; correct the file first")


def wrapped(path: Sequence[Step], value: Any) -> Any:
    """The value nested in the mappings and lists of a path of which nothing exists yet."""
    for step in reversed(path):
        value = [{step.key: step.value, **value}] if isinstance(step, Item) else {step: value}
    return value


def applied(data: Any, puts: Sequence[Put]) -> Any:
    """A copy of plain data with the puts made.

    Raises:
        BadFile: the data has another structure at one of the places.
    """
    try:
        made = _unshared(data)
    except RecursionError:
        raise BadFile("it contains itself") from None
    for item in puts:
        place(made, item.path, item.value)
    return made


def _unshared(data: Any) -> Any:
    """A copy in which a value that several places share (YAML's aliases) is copied for each."""
    if isinstance(data, Mapping):
        return {key: _unshared(item) for key, item in data.items()}
    return [_unshared(item) for item in data] if isinstance(data, list | tuple) else data


def place(root: Any, path: Sequence[Step], value: Any) -> None:
    """Put a value into nested mappings and lists, in place.

    Raises:
        BadFile: they have another structure there.
    """
    here = root
    for number, step in enumerate(path):
        if isinstance(step, Item):
            if not isinstance(here, MutableSequence):
                raise misshapen(path[:number], "a list")
            found = next((one for one in here if isinstance(one, Mapping) and one.get(step.key) == step.value), None)
            if found is None:
                here.append(copy.deepcopy(wrapped(path[number:], value)[0]))
                return
            here = found
            continue
        if not isinstance(here, MutableMapping):
            raise misshapen(path[:number], "a mapping")
        if number == len(path) - 1:
            _set(here, step, value)
            return
        if here.get(step) is None:
            here[step] = copy.deepcopy(wrapped(path[number + 1 :], value))
            return
        here = here[step]
    if not isinstance(here, MutableMapping):
        raise misshapen(path, "a mapping")
    for key, item in value.items():
        _set(here, key, item)


def _set(here: MutableMapping[str, Any], key: str, value: Any) -> None:
    known = here.get(key)
    if isinstance(value, Mapping) and isinstance(known, MutableMapping):
        for name, item in value.items():
            _set(known, name, item)
    else:
        here[key] = copy.deepcopy(value)


# Text ----------------------------------------------------------------------------------------------


@dataclass
class Node:
    """A value and its place in a text, from ``start`` up to but excluding ``end``, in characters.

    ``kind`` is map, list or scalar.  ``flow`` means that it is written with brackets.
    ``column`` counts from 0 and is that of the first key, or of the first dash.
    """

    kind: str
    start: int
    end: int
    flow: bool = True
    column: int = 0
    members: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    value: Any = None

    @property
    def empty(self) -> bool:
        """Whether it is null, or an empty mapping or list."""
        return self.value is None if self.kind == "scalar" else not (self.members or self.items)


@dataclass(frozen=True)
class Syntax:
    """How one format is read with places, and how it writes a change."""

    nodes: Callable[[str], Node]
    add_member: Callable[[str, Node, str, Any], str]
    add_item: Callable[[str, Node, Any], str]
    replace: Callable[[str, Node, str, Any], str]


def edit_text(text: str, puts: Sequence[Put], syntax: Syntax) -> str:
    """The text with the puts made one by one; it is read again after each change.

    Raises:
        BadFile: the text has another structure at one of the places.
    """
    for item in puts:
        text = _put(text, item.path, item.value, syntax)
    return text


def _put(text: str, path: Sequence[Step], value: Any, syntax: Syntax) -> str:
    here = syntax.nodes(text)
    parent: tuple[Node, str] | None = None
    for number, step in enumerate(path):
        rest = path[number + 1 :]
        if isinstance(step, Item):
            if here.kind != "list":
                raise misshapen(path[:number], "a list")
            found = next((one for one in here.items if _fits(one, step)), None)
            if found is None:
                new = wrapped(path[number:], value)
                if here.empty and parent is not None:
                    return syntax.replace(text, *parent, new)
                return syntax.add_item(text, here, new[0])
            here, parent = found, None
            continue
        if here.kind != "map":
            raise misshapen(path[:number], "a mapping")
        child = here.members.get(step)
        if child is None:
            new = wrapped(rest, value)
            if here.empty and parent is not None:
                return syntax.replace(text, *parent, {step: new})
            return syntax.add_member(text, here, step, new)
        if rest and child.kind == "scalar" and child.value is None:
            return syntax.replace(text, here, step, wrapped(rest, value))
        here, parent = child, (here, step)
    if isinstance(value, Mapping) and here.kind == "map" and (value or parent is None):
        for key, item in value.items():
            text = _put(text, (*path, key), item, syntax)
        return text
    if parent is None:
        raise misshapen(path, "a mapping")
    return text if plain(here) == value else syntax.replace(text, *parent, value)


def _fits(node: Node, step: Item) -> bool:
    return node.kind == "map" and step.key in node.members and node.members[step.key].value == step.value


def plain(node: Node) -> Any:
    """The value of a node as plain data."""
    if node.kind == "map":
        return {key: plain(child) for key, child in node.members.items()}
    return [plain(child) for child in node.items] if node.kind == "list" else node.value


def line_start(text: str, at: int) -> int:
    """Where the line of a position begins."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Where the line of a position ends, before its line break."""
    found = text.find("\n", at)
    if found < 0:
        return len(text)
    return found - 1 if found > at and text[found - 1] == "\r" else found


def line_break(text: str) -> str:
    """The line break that this text uses."""
    return "\r\n" if "\r\n" in text else "\n"
