"""`export`: a client's provider configuration from a saved report."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe.cli.options import Unusable, as_unusable, saved_report
from probe.files import overwrite, read_regular

if TYPE_CHECKING:
    from probe.model import Report
    from reports.clients.client import Client
    from reports.clients.settings import Key

#: Bytes of a settings file; a larger one is not for people to edit, and it is read anew after each change.
_MOST_MERGED = 2**19
_SIZES = {"context": "tokens of context", "max_output": "tokens of one answer"}
_SWITCH = {"on": True, "off": False, "true": True, "false": False}


@click.command("export")
@click.argument("report", required=False)
@click.option("--to", "to", metavar="CLIENT", help="The client; '--list' names them.")
@click.option("--merge", metavar="FILE", help="Put the provider into this file; everything else in it is kept.")
@click.option(
    "--output",
    "--out",
    "output",
    metavar="FILE",
    help="Where to write; default: standard output, or the file of --merge.",
)
@click.option("--name", metavar="ID", help="Its name in the client; default: made from the host.")
@click.option("--key-env", metavar="NAME", help="Environment variable in which the client finds the key.")
@click.option(
    "--set",
    "sets",
    metavar="NAME=VALUE",
    multiple=True,
    help="Overrides the report, repeatable: context=32768, max_output=4096, or a capability as in vision=off.",
)
@click.option(
    "--list",
    "listing",
    is_flag=True,
    help="List the clients: file or sheet, where it goes, how it was proven; then end.",
)
def export_command(
    report: str | None,
    to: str | None,
    merge: str | None,
    output: str | None,
    name: str | None,
    key_env: str | None,
    sets: tuple[str, ...],
    listing: bool,
) -> int:
    """Write a client's provider configuration from a saved report; nothing is sent.

    REPORT is a report.json, a folder that holds one, or the name of a provider that
    'provider test' has saved. The configuration never holds a key: it names where the
    client finds it. What cannot be expressed is printed on standard error.
    """
    from reports.clients.client import export
    from reports.clients.documents import BadFile
    from reports.clients.registry import UnknownClient, client, clients
    from reports.clients.settings import CannotExport, settings_of

    if listing:
        for item in clients():
            kind = {"sheet": "sheet of fields", "env": "lines", "code": "code"}.get(item.form, "file")
            click.echo(f"{item.name:<15} {item.title}, {kind}: {item.file} (proven by {item.proof})")
        return 0
    if report is None or to is None:
        raise Unusable("name the report and the client, as in: endpoint-probe export report.json --to kenaz")
    with as_unusable(UnknownClient):
        wanted = client(to)
    known = _known(report)
    hand, extras = _sets(sets, wanted)
    existing = _existing(merge)
    try:
        settings = settings_of(
            known["report"],
            id=name or known.get("id"),
            key=None if key_env else known.get("key"),
            variable=key_env,
            hand={**known.get("hand", {}), **hand},
            extras=extras,
        )
        made = export(wanted, settings, existing)
    except CannotExport as error:
        raise Unusable(str(error)) from None
    except BadFile as error:
        raise Unusable(f"cannot merge into {merge}: {error}; it was left unchanged") from None
    _write(made.text, merge, output, wanted)
    _print_notes(made.notes, known["report"], to)
    return 0


def _known(text: str) -> dict[str, Any]:
    """The report; for a saved provider also its name, key and hand-set toggles."""
    path = Path(text)
    try:
        is_path = (path / "report.json").is_file() or path.is_file() or os.sep in text or text.endswith(".json")
    except ValueError:
        raise Unusable("the report's path holds a character no path has") from None
    return {"report": saved_report(text)} if is_path else _saved(text)


def _saved(name: str) -> dict[str, Any]:
    from probe.provider import store

    try:
        provider = store.Store().get(name)
    except store.NoSuchProvider:
        raise Unusable(
            f"there is no file and no saved provider '{name[:60]}'; name a report.json of endpoint-probe"
        ) from None
    except store.StoreError as error:
        raise Unusable(str(error)) from None
    path = store.report_path(name)
    if provider.found is None or not path.is_file():
        raise Unusable(f"{name} was not tested yet; write: endpoint-probe provider test {name}")
    return {"report": saved_report(str(path)), "id": name, "key": _key(provider), "hand": provider.by_hand()}


def _key(provider: Any) -> Key:
    from reports.clients.settings import Key, variable_for

    kind, locator = provider.key.kind, provider.key.locator
    return Key(locator if kind == "env" else variable_for(provider.name), kind, locator if kind == "file" else "")


def _sets(words: tuple[str, ...], wanted: Client) -> tuple[dict[str, bool], dict[str, str]]:
    from probe.model import CAPABILITIES

    hand: dict[str, bool] = {}
    extras: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Unusable(f"--set takes NAME=VALUE, as in --set context=32768, not '{word[:40]}'")
        if name in _SIZES:
            if not (value.isascii() and value.isdigit() and 0 < int(value[:12]) == int(value)):
                raise Unusable(f"--set {name} takes a whole number of {_SIZES[name]}, as in --set {name}=4096")
            extras[name] = value
        elif name in CAPABILITIES:
            if value.lower() not in _SWITCH:
                raise Unusable(f"--set {name} takes on or off, as in --set {name}=off")
            hand[name] = _SWITCH[value.lower()]
        elif name in wanted.extras:
            extras[name] = value
        else:
            names = ", ".join((*_SIZES, *wanted.extras, "or a capability as the report names it"))
            raise Unusable(f"--set cannot set '{name[:40]}'; there are {names}")
    return hand, extras


def _existing(merge: str | None) -> str | None:
    if merge is None:
        return None
    try:
        return read_regular(Path(merge), _MOST_MERGED).decode("utf-8")
    except FileNotFoundError:
        raise Unusable(f"there is no file {merge}; leave out --merge and write it with --output {merge}") from None
    except OSError as error:
        raise Unusable(f"cannot read {merge} ({error.strerror}); name a file that can be read") from None
    except ValueError:
        raise Unusable(f"{merge} is not UTF-8 text; it was left unchanged") from None


def _write(text: str, merge: str | None, output: str | None, wanted: Client) -> None:
    target = output or merge
    if target is None or target == "-":
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
        return
    try:
        overwrite(Path(target), text.encode(), wanted.mode)
    except OSError as error:
        raise Unusable(f"cannot write {target} ({error.strerror}); name another file with --output") from None


def _print_notes(notes: tuple[str, ...], report: Report, to: str) -> None:
    """Print on standard error whether the client will work, and what could not be expressed."""
    from reports.clients.compatibility import works_with
    from reports.clients.registry import client
    from reports.text import printable

    lines = [f"note: {note}" for note in notes]
    answers = [fit.sentence for fit in works_with(report, [client(to)])]
    for line in (*answers, *lines):
        print(printable(line), file=sys.stderr)
