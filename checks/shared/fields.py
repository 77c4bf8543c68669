"""The values at a path of a JSON value, as the tables of what clients expect name them.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from probe.api import member

#: The value for a member that is not there.
MISSING = object()
#: A list with more elements than this is judged by its first ones.
_MOST = 64


def values_at(body: Any, path: str, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """(pointer, value) of every place that a path names; ``MISSING`` where its last member is not there.

    Nothing where a member before the last is not there or of another type.

    Args:
        path: members between dots; after a list ``[]`` for each element, or ``[message]`` for those whose ``type`` is
            ``message``, as in ``output[message].content[].type``.
        pointer: the JSON pointer of ``body``.
    """
    name, _, rest = path.partition(".")
    key, bracket, kind = name.partition("[")
    if not isinstance(body, dict):
        return
    found = body.get(key, MISSING)
    place = f"{pointer}/{key}"
    if not bracket:
        if rest:
            yield from values_at(found, rest, place)
        else:
            yield place, found
        return
    for number, item in enumerate(found[:_MOST] if isinstance(found, list) else ()):
        if kind == "]" or member(item, "type") == kind.removesuffix("]"):
            yield from values_at(item, rest, f"{place}/{number}")
