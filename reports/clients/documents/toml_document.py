"""TOML, through a library that keeps comments and style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from reports.clients.documents.tree import BadFile, Put, place


def parse(text: str) -> Any:
    """The plain data, or None where there is nothing but comments.

    Raises:
        BadFile: it is no TOML.
    """
    try:
        return tomlkit.parse(text).unwrap() or None
    except (TOMLKitError, RecursionError) as error:
        raise BadFile(f"it is no TOML ({' '.join(str(error).split())[:120]})") from None


def write(data: Mapping[str, Any] | Sequence[Any]) -> str:
    """The data as a TOML document."""
    assert isinstance(data, Mapping)
    return tomlkit.dumps(dict(data))


def edit(text: str, puts: Sequence[Put]) -> str:
    """The text with the puts made.

    Raises:
        BadFile: it has another shape at one of the places.
    """
    document = tomlkit.parse(text)
    try:
        for item in puts:
            place(document, item.path, item.value)
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise BadFile(f"it cannot be edited ({' '.join(str(error).split())[:120]})") from None
