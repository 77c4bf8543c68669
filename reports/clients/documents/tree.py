"""Places in nested data, and putting a value there."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any


class BadFile(ValueError):
    """A configuration file that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Item:
    """The element of a list whose field ``key`` has this value; made where there is none."""

    key: str
    value: str


Step = str | Item


@dataclass(frozen=True)
class Put:
    """A value and its place.

    Where a mapping is put over a mapping, the other keys of the old one stay; anything
    else is replaced.
    """

    path: tuple[Step, ...]
    value: Any


def shown(path: Sequence[Step]) -> str:
    """A path for people: ``providers[id=lab].model``."""
    text = ""
    for step in path:
        text += f"[{step.key}={step.value}]" if isinstance(step, Item) else f".{step}"
    return text.lstrip(".") or "the top of the file"


def misshapen(path: Sequence[Step], wanted: str) -> BadFile:
    """The error for a place that holds something else than ``a mapping`` or ``a list``."""
    return BadFile(f"{shown(path)} is not {wanted} there; mend the file first")


def wrapped(path: Sequence[Step], value: Any) -> Any:
    """The value as it stands under a path of which nothing exists yet."""
    for step in reversed(path):
        value = [{step.key: step.value, **value}] if isinstance(step, Item) else {step: value}
    return value


def applied(data: Any, puts: Sequence[Put]) -> Any:
    """A copy of plain data with the puts made.

    Raises:
        BadFile: the data has another shape at one of the places.
    """
    try:
        made = _unshared(data)
    except RecursionError:
        raise BadFile("it holds itself") from None
    for item in puts:
        place(made, item.path, item.value)
    return made


def _unshared(data: Any) -> Any:
    """A copy in which what several places share (YAML's aliases) is there once for each."""
    if isinstance(data, Mapping):
        return {key: _unshared(item) for key, item in data.items()}
    return [_unshared(item) for item in data] if isinstance(data, list | tuple) else data


def place(root: Any, path: Sequence[Step], value: Any) -> None:
    """Put a value into nested mappings and lists, in place.

    Raises:
        BadFile: they have another shape there.
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
