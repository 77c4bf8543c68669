"""`history`: what earlier audits said, and when it changed; sends nothing."""

from __future__ import annotations

from typing import Any

import click

from probe.cli.options import Number, Unusable


@click.command("history", context_settings={"max_content_width": 100})
@click.argument("target", required=False)
@click.option("--store", metavar="URL", help="Where history is kept; default: endpoint-audit/history.sqlite3.")
@click.option("--fleet", metavar="NAME", help="The fleet; needed where the store has several.")
@click.option("--model", metavar="ID", help="Only this model of the target.")
@click.option("--since", metavar="WHEN", help="Only what happened since, as in --since tuesday.")
@click.option(
    "--limit",
    metavar="N",
    default=20,
    show_default=True,
    type=click.UNPROCESSED,
    callback=Number("runs", 1, 10_000, whole=True, example="20"),
    help="Show at most so many audits, or runs of each model.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
@click.option("--report", metavar="RUN", help="Print the report.json of this run; the first digits of its id will do.")
@click.option(
    "--prune",
    metavar="DAYS",
    type=click.UNPROCESSED,
    callback=Number("days", 0.01, 36_500, example="90"),
    help="Forget audits that are older; the newest is always kept.",
)
def command(**given: Any) -> int:
    """What earlier audits said of a target, and when it changed.

    Without TARGET: the audits of the fleet, and every change of a verdict between them.
    """
    try:
        import alembic  # noqa: F401
        import sqlalchemy  # noqa: F401
    except ImportError:
        needed = "history needs SQLAlchemy and alembic; install them with: pip install 'endpoint-probe[fleet]'"
        raise Unusable(needed) from None
    from probe.cli.history_text import tell

    return tell(given)
