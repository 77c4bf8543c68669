"""What an exporter is: a client's description, and what it makes of the settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reports.clients.documents import BadFile, Put, fresh, merged, parsed
from reports.clients.settings import CannotExport as CannotExport
from reports.clients.settings import Settings, looks_like_key


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


# One export from settings to text, checked before it is handed out. --------------------------------


@dataclass(frozen=True)
class Exported:
    """The text of the configuration and the notes that go with it."""

    text: str
    notes: tuple[str, ...]


def export(client: Client, settings: Settings, existing: str | None = None) -> Exported:
    """The client's configuration, new or merged into what a file holds.

    Args:
        existing: the text of the file that the provider shall be put into; None for a new one.

    Raises:
        CannotExport: there is nothing to write for this client, or it would hold a key.
        BadFile: the existing file cannot be used; nothing is changed.
    """
    made = client.make(settings)
    if made.text is not None:
        if existing is not None:
            raise CannotExport(f"{client.title} is set up in code, which cannot be merged; write it with --output FILE")
        text = made.text
    elif existing is None:
        text = fresh(client.form, made.skeleton, made.puts)
    else:
        text = merged(client.form, existing, made.puts, made.skeleton)
    _check_rules(client, text, existing)
    _check_no_key(settings, made, text, existing)
    return Exported(text, made.notes)


def _check_rules(client: Client, text: str, existing: str | None) -> None:
    if client.rules is None:
        return
    problems = client.rules(parsed(client.form, text))
    if problems and existing is not None:
        raise BadFile(f"{client.title} would refuse the file: {problems[0]}")
    if problems:
        raise CannotExport(f"{client.title} would refuse the file: {problems[0]}")


def _check_no_key(settings: Settings, made: Made, text: str, existing: str | None) -> None:
    """A last look: what is added must not hold the key that the named variable has now."""
    added = text if existing is None else repr(made.puts)
    value = os.environ.get(settings.key.variable, "")
    if (len(value) >= 8 and value in added) or any(looks_like_key(note) for note in (added, *made.notes)):
        raise CannotExport("the result would hold what looks like a key; it is not written")


# Small pieces of generated code. -------------------------------------------------------------------


def header(settings: Settings, mark: str) -> list[str]:
    """The comment on top of a generated module; the endpoint's own words are not repeated in it."""
    day = settings.report.run.started_at[:10]
    when = f" of {day}" if day.replace("-", "").isdigit() else ""
    return [f"{mark} Written by endpoint-probe from the report{when}. What was not determined is left out.", ""]


def arguments(values: Mapping[str, str]) -> list[str]:
    """Keyword arguments from names and source texts."""
    return [f"{name}={value}" for name, value in values.items()]


def call(callee: str, words: Iterable[str]) -> list[str]:
    """The lines of a call, one argument a line."""
    return [f"{callee}(", *(f"    {word}," for word in words), ")"]
