"""Editing a text by the places of its values: what JSON and YAML have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from reports.clients.documents.tree import Item, Put, Step, misshapen, wrapped


@dataclass
class Node:
    """A value and where it stands: from ``start`` up to and without ``end``, in characters.

    ``kind`` is map, list or scalar.  ``flow`` says that it is written with brackets.
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
        """Whether it is null, or a mapping or list with nothing in it."""
        return self.value is None if self.kind == "scalar" else not (self.members or self.items)


class Language(Protocol):
    """How one language writes what is added."""

    def nodes(self, text: str) -> Node: ...

    def add_member(self, text: str, at: Node, key: str, value: Any) -> str: ...

    def add_item(self, text: str, at: Node, value: Any) -> str: ...

    def replace(self, text: str, parent: Node, key: str, value: Any) -> str: ...


def edit(text: str, puts: Sequence[Put], language: Language) -> str:
    """Make the puts one by one; after each change the text is read anew.

    Raises:
        BadFile: the text has another shape at one of the places.
    """
    for item in puts:
        text = _put(text, item.path, item.value, language)
    return text


def _put(text: str, path: Sequence[Step], value: Any, language: Language) -> str:
    here = language.nodes(text)
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
                    return language.replace(text, *parent, new)
                return language.add_item(text, here, new[0])
            here, parent = found, None
            continue
        if here.kind != "map":
            raise misshapen(path[:number], "a mapping")
        child = here.members.get(step)
        if child is None:
            new = wrapped(rest, value)
            if here.empty and parent is not None:
                return language.replace(text, *parent, {step: new})
            return language.add_member(text, here, step, new)
        if rest and child.kind == "scalar" and child.value is None:
            return language.replace(text, here, step, wrapped(rest, value))
        here, parent = child, (here, step)
    if isinstance(value, Mapping) and here.kind == "map" and (value or parent is None):
        for key, item in value.items():
            text = _put(text, (*path, key), item, language)
        return text
    if parent is None:
        raise misshapen(path, "a mapping")
    return text if plain(here) == value else language.replace(text, *parent, value)


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
