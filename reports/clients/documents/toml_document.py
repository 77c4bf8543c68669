"""TOML, edited by a library that keeps comments and style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from probe.wording import cut
from reports.clients.documents.edits import BadFile, Format, Put, place


def parse(text: str) -> Any:
    """The plain data, or None where it holds only comments.

    Raises:
        BadFile: it is not TOML.
    """
    try:
        return tomlkit.parse(text).unwrap() or None
    except (TOMLKitError, RecursionError) as error:
        raise BadFile(f"it is not TOML ({cut(str(error), 120)})") from None


def write(data: Any) -> str:
    """The data, a mapping, as a TOML document."""
    return tomlkit.dumps(dict(data))


def edit(text: str, puts: Sequence[Put]) -> str:
    """The text with the puts made.

    Raises:
        BadFile: it has another structure at one of the places.
    """
    document = tomlkit.parse(text)
    try:
        for item in puts:
            place(document, item.path, item.value)
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise BadFile(f"it cannot be edited ({cut(str(error), 120)})") from None


FORMAT = Format(parse, write, edit)
