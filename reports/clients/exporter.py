"""What an exporter is: a client's description, and what it makes of the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reports.clients.documents import Put

if TYPE_CHECKING:
    from reports.clients.settings import Settings


class CannotExport(ValueError):
    """There is nothing to write for this client; the message is one line and says why."""


@dataclass(frozen=True)
class Made:
    """A client's configuration.

    Attributes:
        puts: what goes into the file, and where.
        skeleton: what a new file holds besides; plain data.
        text: the whole text, for clients that are set up in code; then there are no puts.
        notes: lines for the person: what could not be expressed, and what is left to do.
    """

    puts: tuple[Put, ...] = ()
    skeleton: Any = field(default_factory=dict)
    text: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Client:
    """A program that can be given an endpoint.

    Attributes:
        name: what ``--to`` takes.
        file: where its configuration belongs.
        form: json, yaml, toml or code.
        make: turns settings into the configuration; may raise ``CannotExport``.
        source: where the format is documented.
        mode: permissions of a new file, or None for what is usual.
        extras: values that no probe can know and the person may give, with what each means.
        rules: what the client itself would refuse in the finished data: lines, or none.
    """

    name: str
    title: str
    file: str
    form: str
    make: Callable[[Settings], Made]
    source: str
    mode: int | None = None
    extras: Mapping[str, str] = field(default_factory=dict)
    rules: Callable[[Any], list[str]] | None = None
