"""`render`: a saved report in another format."""

from __future__ import annotations

import click

from probe.cli import shell_completion
from probe.cli.options import Unusable, print_or_write, saved_report


@click.command("render", context_settings={"max_content_width": 100})
@click.argument("report", type=click.Path())
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    required=True,
    shell_complete=shell_completion.formats,
    help="json, html, markdown, junit, sarif or terminal.",
)
@click.option("--output", metavar="FILE", help="Where to write it; default: standard output.")
def command(report: str, form: str, output: str | None) -> int:
    """Write a saved report.json in another format; nothing is sent."""
    from reports.registry import UnknownFormat, chosen

    try:
        (reporter,) = chosen([form])
        content = reporter.render(saved_report(report))
    except UnknownFormat as error:
        raise Unusable(str(error)) from None
    print_or_write(content, output)
    return 0
