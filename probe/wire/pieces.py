"""Secrets that come back in pieces, such as the deltas of a stream: none of a body's strings holds one, their sequence
does.  What a client would join is joined here, so that later code finds no secret when it joins and cuts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from probe.redaction.redactor import Redactor

#: What is searched of a body; reports keep less of one (``probe.report``).
_MOST_BYTES = 1024 * 1024
_DEEPEST = 40
_LINE = re.compile(rb"(?m)^[ \t]*(?:data:[ \t]*)?([\[{][^\r\n]*)")

#: The member of an object, or the item of a list, that a string is: its container and its key.
Slot = tuple[Any, Any]
#: The names of members on the way to a string, and which choice, call or item it belongs to.
Path = tuple[str | frozenset[tuple[str, Any]], ...]
#: Members that tell the parts of one text from those of another.
_TELLING = ("index", "item_id", "output_index", "content_index")
#: Joined texts of a body that are searched; a stream of chunks has some twenty.
_MOST_TEXTS = 1_000


def without_pieces(content: bytes, redactor: Redactor) -> tuple[bytes, tuple[str, ...]]:
    """The body without secrets in what is joined of its strings, and the names of those that were in them.

    Strings with the same path are joined: once all of them, and once those of each choice, call and item, whose parts
    may come by turns.

    This comes before the strings themselves are searched, since the rest of a secret, a part of which was replaced, may
    be too short to be recognised.
    """
    if not redactor.searches:
        return content, ()
    whole = _json(content) if len(content) <= _MOST_BYTES else None
    lines = [(0, len(content))] if whole else [found.span(1) for found in _LINE.finditer(content[:_MOST_BYTES])]
    documents = [whole] if whole else [_json(content[start:end]) for start, end in lines]
    groups: dict[Path, list[tuple[int, Slot, str]]] = {}
    for number, document in enumerate(documents):
        for path, slot, text in _strings(document):
            for group in dict.fromkeys((path, tuple(step for step in path if not isinstance(step, frozenset)))):
                groups.setdefault(group, []).append((number, slot, text))
    changed: set[int] = set()
    names: set[str] = set()
    for found in islice((found for found in groups.values() if len(found) > 1), _MOST_TEXTS):
        found = [(number, (container, key), container[key]) for number, (container, key), _ in found]
        spans = redactor.spans("".join(text for _, _, text in found))
        for start, end, name in reversed(spans):  # so that the places of those before stay
            names.add(name)
            changed |= _replace(found, start, end, "${" + name + "}")
    pieces: list[bytes] = []
    done = 0
    for number in sorted(changed):
        start, end = lines[number]
        pieces += (content[done:start], json.dumps(documents[number], ensure_ascii=False).encode("utf-8", "replace"))
        done = end
    return b"".join([*pieces, content[done:]]), tuple(sorted(names))


def _json(text: bytes) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _strings(document: Any) -> Iterator[tuple[Path, Slot, str]]:
    """Every string of a document in order, with its path and its place."""
    waiting: list[tuple[Path, Any]] = [((), document)]
    while waiting:
        path, container = waiting.pop()
        inner: list[tuple[Path, Any]] = []
        keyed = isinstance(container, dict)
        if keyed:
            own = [(name, value) for name in _TELLING if isinstance(value := container.get(name), str | int)]
            path = (*path, frozenset(own))
        for key, value in container.items() if keyed else enumerate(container or ()):
            if isinstance(value, str):
                yield (*path, str(key)) if keyed else path, (container, key), value
            elif isinstance(value, dict | list) and value and len(path) < _DEEPEST:
                inner.append(((*path, str(key)) if keyed else path, value))
        waiting += reversed(inner)


def _replace(found: list[tuple[int, Slot, str]], start: int, end: int, mark: str) -> set[int]:
    """Replace a part of the joined strings by the mark; returns the documents that were changed."""
    changed = set()
    at = 0
    for number, (container, key), text in found:
        first, last = max(start - at, 0), min(end - at, len(text))
        if first < last:
            container[key] = container[key][:first] + mark + container[key][last:]
            mark = ""
            changed.add(number)
        at += len(text)
    return changed
