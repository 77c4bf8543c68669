"""What users, scripts and plugins may call by name is still there.

tests/data/names_kept.json holds the names of the version before the modules were moved; more may
be added, none dropped.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from probe import api
from probe.catalogue import registry
from probe.cli import cli
from probe.model import CAPABILITIES
from probe.simulator import all_faults, all_styles
from reports.clients.registry import clients
from reports.registry import chosen

KEPT = json.loads((Path(__file__).parent.parent / "data" / "names_kept.json").read_text(encoding="utf-8"))


def options(command: click.Command, name: str = "endpoint-probe") -> dict[str, set[str]]:
    """The options of a command and of all commands below it, by the words that call each."""
    found = {name: {word for param in command.params for word in param.opts if word.startswith("-")}}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            found |= options(below, f"{name} {each}")
    return found


@pytest.mark.parametrize(
    ("kind", "present"),
    [
        ("capabilities", lambda: CAPABILITIES),
        ("checks", lambda: [item.id for item in registry.checks()]),
        ("clients", lambda: [item.name for item in clients()]),
        ("codes", registry.catalogue),
        ("commands", lambda: options(cli)),
        ("faults", lambda: [item.name for item in all_faults()]),
        ("formats", lambda: [item.name for item in chosen(KEPT["formats"])]),
        ("public", lambda: api.__all__),
        ("styles", lambda: [item.name for item in all_styles()]),
    ],
)
def test_every_name_is_still_there(kind: str, present) -> None:  # type: ignore[no-untyped-def]
    assert len(KEPT[kind]) >= 5
    assert set(KEPT[kind]) - set(present()) == set()


def test_every_option_is_still_there() -> None:
    now = options(cli)
    lost = {name: sorted(set(words) - now.get(name, set())) for name, words in KEPT["commands"].items()}
    assert {name: words for name, words in lost.items() if words} == {}


@pytest.mark.parametrize("name", KEPT["public"])
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(api, name) is not None
