"""`render` and `diff`: a saved report in another format, and what changed between two of them."""

from __future__ import annotations

import click

from probe.cli import FOUND, shell_completion
from probe.cli.options import as_unusable, choice, print_or_write, saved_report

_output = click.option(
    "--output", "--out", "output", metavar="FILE", help="Where to write it; default: standard output."
)


@click.command("render")
@click.argument("report", type=click.Path())
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    required=True,
    shell_complete=shell_completion.formats,
    help="json, html, markdown, junit, sarif, github, badge or terminal.",
)
@_output
def render_command(report: str, form: str, output: str | None) -> int:
    """Write a saved report.json in another format; nothing is sent."""
    from reports.registry import UnknownFormat, chosen

    with as_unusable(UnknownFormat):
        (reporter,) = chosen([form])
        content = reporter.render(saved_report(report))
    print_or_write(content, output)
    return 0


@click.command("diff")
@click.argument("old", type=click.Path())
@click.argument("new", type=click.Path())
@choice("form/--format", ["text", "json", "html", "markdown"], "How to write it.", "text")
@_output
@choice(
    "--fail-on",
    ["error", "warning", "never"],
    "Lowest severity of a new finding that counts as a regression; a lost capability always does, except with never.",
    "warning",
)
def diff_command(old: str, new: str, form: str, output: str | None, fail_on: str) -> int:
    """Show what changed between two reports; nothing is sent.

    OLD and NEW are report.json files, or the folders that hold them.  The exit status is 1
    on a regression: a capability that worked and no longer does, or a new finding.
    """
    from reports.diff import compare
    from reports.diff.text import FORMS

    found = compare(saved_report(old), saved_report(new))
    print_or_write(FORMS[form](found), output)
    return FOUND if found.regressed(fail_on) else 0
