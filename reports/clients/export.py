"""One export from settings to text, checked before it is handed out."""

from __future__ import annotations

import os
from dataclasses import dataclass

from reports.clients.documents import BadFile, fresh, merged, parsed
from reports.clients.exporter import CannotExport, Client, Made
from reports.clients.settings import Settings, looks_like_key


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
