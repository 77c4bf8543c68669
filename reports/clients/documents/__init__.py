"""Writing and merging configuration files: what is added is added, everything else stays byte for byte.

A place in a file is a path of steps: a name steps into a mapping, an ``Item`` into the
element of a list that has this field.  JSON (with comments, as editors have it) and YAML
are edited as text at the place found, TOML by a library that keeps style; each result is
read again and compared with what the same edit makes of the plain data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from reports.clients.documents.tree import BadFile, Item, Put, Step, applied

__all__ = ["BadFile", "Item", "Put", "Step", "fresh", "merged", "parsed"]

_HOMES = {"json": "json_document", "yaml": "yaml_document", "toml": "toml_document"}


class _Format(Protocol):
    def parse(self, text: str) -> Any: ...
    def write(self, data: Mapping[str, Any] | Sequence[Any]) -> str: ...
    def edit(self, text: str, puts: Sequence[Put]) -> str: ...


def _format(name: str) -> _Format:
    return cast(_Format, import_module(f"reports.clients.documents.{_HOMES[name]}"))


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
        skeleton: what stands in every such file: a mapping or a list, as plain data.
        puts: what is put into it.
    """
    return _format(form).write(applied(skeleton, puts))


def merged(form: str, text: str, puts: Sequence[Put], skeleton: Any) -> str:
    """The text with the puts made, all else as it was.

    A file without content becomes a new one; its comments stay on top.

    Raises:
        BadFile: it cannot be read, has another shape at one of the places, or cannot be
            edited without touching other parts (such as an alias that several share).
    """
    home = _format(form)
    before = home.parse(text)
    if before is None:
        lead = text if not text.strip() or text.endswith("\n") else text + "\n"
        return (lead if lead.strip() else "") + home.write(applied(skeleton, puts))
    wanted = applied(before, puts)
    made = home.edit(text, puts)
    if home.parse(made) != wanted:
        raise BadFile("it cannot be edited there without touching other parts; add the provider by hand")
    return made
