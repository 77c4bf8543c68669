"""`render`: a saved report in another format."""

from __future__ import annotations

import sys

import click

from probe.cli.options import Unusable


@click.command("render", context_settings={"max_content_width": 100})
@click.argument("report")
@click.option("--format", "form", metavar="FORMAT", required=True, help="json, html, markdown, junit or terminal.")
@click.option("--output", metavar="FILE", help="Where to write it; default: standard output.")
def command(report: str, form: str | None, output: str | None) -> int:
    """Write a saved report.json in another format; nothing is sent."""
    from pathlib import Path

    from probe.report import BadReport, load, write_whole
    from reports.registry import UnknownFormat, chosen

    if form is None:
        raise Unusable("name the format, as in --format markdown; there are json, html, markdown, junit and terminal")
    try:
        (reporter,) = chosen([form])
        content = reporter.render(load(Path(report)))
    except (UnknownFormat, BadReport) as error:
        raise Unusable(str(error)) from None
    if output is None:
        sys.stdout.buffer.write(content)
        return 0
    try:
        write_whole(Path(output), content)
    except OSError as error:
        raise Unusable(f"cannot write {output} ({error.strerror}); name another file with --output") from None
    return 0
