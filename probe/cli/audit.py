"""`audit`: many endpoints and models, one matrix."""

from __future__ import annotations

from typing import Any

import click

from probe.cli.options import Number, Unusable


@click.command("audit", context_settings={"max_content_width": 100})
@click.argument("fleet", metavar="FLEET.toml")
@click.option("--resume", is_flag=True, help="Go on with an audit that was interrupted; nothing is done twice.")
@click.option("--store", metavar="URL", help="Where history is kept; default: history.sqlite3 in the folder of --out.")
@click.option("--executor", metavar="WHERE", default="local", show_default=True, help="local, or dask://HOST:PORT.")
@click.option("--since", metavar="WHEN", help="Show what changed since then, as in --since tuesday; default: last run.")
@click.option(
    "--concurrency",
    metavar="N",
    type=click.UNPROCESSED,
    callback=Number("endpoints", 1, 256, whole=True, example="16"),
    help="Endpoints at once, and requests in flight over all; default: the file's, or 16.",
)
@click.option("--out", metavar="DIR", default="endpoint-audit", show_default=True, help="Folder for the files.")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["html", "json", "csv", "markdown", "junit"]),
    multiple=True,
    help="Formats of the matrix; repeatable; default: all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print matrix.json on standard output and nothing else.")
@click.option("--metrics", metavar="FILE", help="Also write metrics, for node_exporter's textfile collector.")
@click.option("--webhook", metavar="URL", help="POST regressions there; ${VAR} is read from the environment.")
@click.option("--webhook-secret-env", metavar="NAME", help="Variable with the secret that signs the webhook's body.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "expectation", "regression", "never"]),
    default="error",
    show_default=True,
    help="When the exit status is 1: a finding of this severity, a missed expectation, a regression.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be probed and spent at most; send nothing.")
@click.option("--quiet", "-q", is_flag=True, help="No progress: one line with the result.")
def command(fleet: str, **given: Any) -> int:
    """Diagnose every endpoint and model of a fleet file and write one matrix.

    Every run is kept in the store, so the next audit says what changed.  A verdict that
    changed is tried again before it is believed.
    """
    try:
        import alembic  # noqa: F401
        import sqlalchemy  # noqa: F401
    except ImportError:
        needed = "audit needs SQLAlchemy and alembic; install them with: pip install 'endpoint-probe[fleet]'"
        raise Unusable(needed) from None
    from probe.cli.audit_run import conduct

    return conduct(fleet, given)
