"""`provider test`: diagnose a saved provider and save what its toggles are."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe.cli.options import shared_options
from probe.cli.provider_options import SAVED, known_of, plain_options, provider_of, using, with_saved, word

if TYPE_CHECKING:
    from probe.model import Report
    from probe.provider.saved_provider import Change


@click.command("test", context_settings={"max_content_width": 100})
@click.argument("name")
@shared_options
def command(name: str, **given: Any) -> int:
    """Diagnose a saved provider as `run` does, and save its toggles.

    A toggle that was set by hand stays, and where the verdict differs it is shown.
    """
    from probe.cli.run_and_report import diagnose
    from probe.cli.settings import options_for
    from probe.report import BadReport, load

    provider = provider_of(name)
    wanted = with_saved(plain_options(**given), provider)
    if not wanted.dry_run:
        formats = wanted.formats or ("json", "html")
        wanted = replace(wanted, formats=tuple(dict.fromkeys(("json", *formats))))
    status = diagnose(options_for(provider.endpoint, wanted, known_of(provider)), wanted)
    if wanted.dry_run:
        return status
    try:
        report = load(Path(wanted.out) / "report.json")
    except BadReport:
        return status
    if not report.run.complete:
        print(
            "the run was not finished: the toggles stay as they were; --deadline SECONDS gives it longer",
            file=sys.stderr,
        )
        return status
    changes = _save(name, report)
    for line in _lines(changes):
        print(line, file=sys.stderr if wanted.as_json or wanted.quiet else sys.stdout)
    return status


command.params = [item for item in command.params if item.name not in SAVED]


def _save(name: str, report: Report) -> list[Change]:
    from probe.provider import store
    from probe.provider.saved_provider import taken_over
    from probe.report import encode

    changes: list[Change] = []

    def take(provider: Any) -> Any:
        made, found = taken_over(provider, report)
        changes.extend(found)
        return made

    using(lambda: store.Store().update(name, take))
    using(lambda: store.save_report(name, encode(report)))
    return changes


def _lines(changes: list[Change]) -> list[str]:
    """The toggles for people: changed ones and those kept against the verdict are marked."""
    lines = ["Toggles saved:"]
    for change in changes:
        line = f"  {change.capability:<22} {word(change.after):<17} {change.verdict}"
        if change.kept:
            line += f"; stays {word(change.after)} as set by hand"
        elif change.before is not None and change.before != change.after:
            line += f"; was {word(change.before)}"
        lines.append(line)
    return lines
