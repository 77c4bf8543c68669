"""`diff`: what changed between two saved reports."""

from __future__ import annotations

import click

from probe.cli.options import print_or_write, saved_report

REGRESSED = 1


@click.command("diff", context_settings={"max_content_width": 100})
@click.argument("old", type=click.Path())
@click.argument("new", type=click.Path())
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html", "markdown"]),
    default="text",
    show_default=True,
    help="How to write it.",
)
@click.option("--output", metavar="FILE", help="Where to write it; default: standard output.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="warning",
    show_default=True,
    help="From which severity of a new finding on it is a regression; a lost capability always is, but for never.",
)
def command(old: str, new: str, form: str, output: str | None, fail_on: str) -> int:
    """What changed between two reports; nothing is sent.

    OLD and NEW are report.json files, or the folders that hold them.  The exit status is 1
    on a regression: a capability that worked and does no more, or a new finding.
    """
    from reports.diff import compare

    found = compare(saved_report(old), saved_report(new))
    if form == "html":
        from reports.diff.text import as_html

        content = as_html(found)
    else:
        from reports.diff.text import FORMS

        content = FORMS[form](found)
    print_or_write(content, output)
    return REGRESSED if found.regressed(fail_on) else 0
