"""Writing and merging configuration files: values are added, everything else stays byte for byte.

A place in a file is a path of steps: a name steps into a mapping, an ``Item`` into the element of a
list that has this field.  JSON (with comments, as in editors' settings) and YAML are edited as text
at the place found, TOML by a library that keeps its style.  Each result is read again and compared
with the same edit of the plain data.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import islice
from typing import Any

from reports.clients.documents.edits import BadFile, Format, Item, Put, Step, applied

__all__ = ["BadFile", "Item", "Put", "Step", "fresh", "merged", "parsed"]


def _format(name: str) -> Format:
    if name not in ("json", "yaml", "toml"):
        raise ValueError(f"there is no file format {name}")
    found = import_module(f"reports.clients.documents.{name}_document").FORMAT
    assert isinstance(found, Format)
    return found


#: Lines and entries of a file that is edited: it is read again after each change.
_MOST_ENTRIES = 10_000


def _larger(data: Any, most: int) -> bool:
    """Whether plain data has more values than this, those that several places share counted for each."""
    waiting, seen = [data], 0
    while waiting and seen + len(waiting) <= most:
        here = waiting.pop()
        seen += 1
        if isinstance(here, dict | list):
            waiting.extend(islice(here.values() if isinstance(here, dict) else here, most))
    return seen + len(waiting) > most


def parsed(form: str, text: str) -> Any:
    """The plain data of a file's text; None where it is empty.

    Args:
        form: json (comments and trailing commas allowed), yaml or toml.

    Raises:
        BadFile: it cannot be read as that.
    """
    return _format(form).parse(text)


def fresh(form: str, skeleton: Any, puts: Sequence[Put]) -> str:
    """The text of a new file.

    Args:
        form: json, yaml or toml.
        skeleton: the content of every such file: a mapping or a list, as plain data.
        puts: what is put into it.
    """
    return _format(form).write(applied(skeleton, puts))


def merged(form: str, text: str, puts: Sequence[Put], skeleton: Any) -> str:
    """The text with the puts made, all else as it was.

    A file without content becomes a new one; its comments stay at the top.

    Raises:
        BadFile: it cannot be read, has another structure at one of the places, or cannot be
            edited without changing other parts (such as an alias that several share).
    """
    syntax = _format(form)
    if sum(map(text.count, "\n,[{")) > _MOST_ENTRIES:
        raise BadFile(f"it has more than {_MOST_ENTRIES:,} lines and entries; add the provider by hand")
    before = syntax.parse(text)
    if _larger(before, _MOST_ENTRIES):
        raise BadFile(f"its aliases make it more than {_MOST_ENTRIES:,} entries; add the provider by hand")
    if before is None:
        lead = text if not text.strip() or text.endswith("\n") else text + "\n"
        return (lead if lead.strip() else "") + syntax.write(applied(skeleton, puts))
    edited = syntax.edit(text, puts)
    if syntax.parse(edited) != applied(before, puts):
        raise BadFile("it cannot be edited there without changing other parts; add the provider by hand")
    return edited
