"""`history`: what earlier audits said, and when it changed; sends nothing."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from probe.cli.options import Number, Unusable
from probe.fleet import database
from probe.fleet.changes import Change, timeline
from probe.fleet.database import StoreError
from probe.fleet.job import Cell
from probe.fleet.store import Audit, Ran, Store, stamp
from probe.fleet.time_spec import moment
from reports.text import printable


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
        raise Unusable(
            "history needs SQLAlchemy and alembic; install them in a checkout of endpoint-probe with: "
            "pip install '.[fleet]'"
        ) from None

    return tell(given)


# What `history` prints. ----------------------------------------------------------------------------

_USUAL = "endpoint-audit/history.sqlite3"


def tell(given: Mapping[str, Any]) -> int:
    """Print what is asked for; returns the exit status.

    Raises:
        Unusable: the store, the fleet or the target cannot be found.
    """
    try:
        url = database.parse(given["store"] or _USUAL)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            raise Unusable(f"there is no history at {url.database}; name it with --store, or run an audit first")
        with Store.open(given["store"] or _USUAL) as store:
            return _told(store, given)
    except StoreError as error:
        raise Unusable(str(error)) from None


def _told(store: Store, given: Mapping[str, Any]) -> int:
    if given["report"]:
        sys.stdout.buffer.write(_report(store, given["report"]))
        return 0
    fleet = _fleet(store, given["fleet"])
    if given["prune"] is not None:
        gone = store.prune(fleet, float(given["prune"]))
        print(f"{gone} audit{'' if gone == 1 else 's'} of {printable(fleet)} forgotten")
        return 0
    since = _since(given["since"])
    runs = store.runs(fleet=fleet, target=given["target"])
    if given["target"] is not None and not runs:
        raise Unusable(_no_target(store, fleet, given["target"]))
    if given["model"] is not None:
        runs = [run for run in runs if run.cell.model == given["model"]]
        if not runs:
            raise Unusable(f"the model '{printable(given['model'], 60)}' was never probed there")
    cells: dict[Cell, list[Ran]] = {}
    for run in runs:
        cells.setdefault(run.cell, []).append(run)
    changed = [item for cell in sorted(cells) for item in timeline(cells[cell])]
    changed = sorted((item for item in changed if item.since >= since), key=lambda item: item.since, reverse=True)
    limit = int(given["limit"])
    if given["form"] == "json":
        _as_json(store.audits(fleet, limit), cells if given["target"] else {}, changed, limit, since)
    elif given["target"]:
        _target_text(cells, changed, limit, since)
    else:
        _fleet_text(store, store.audits(fleet, limit), changed, since)
    return 0


def _report(store: Store, wanted: str) -> bytes:
    found = store.run_ids(wanted.lower())
    if len(found) != 1:
        many = f"{len(found)} runs begin with" if found else "no run has"
        raise Unusable(f"{many} the id '{printable(wanted, 40)}'; 'endpoint-probe history TARGET' shows the ids")
    content = store.report(found[0])
    if content is None:
        raise Unusable("the report of this run was not kept")
    return gzip.decompress(content)


def _fleet(store: Store, wanted: str | None) -> str:
    fleets = store.fleets()
    if wanted is not None and wanted not in fleets:
        near = get_close_matches(wanted, fleets, 1, 0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(fleets) or 'none'}"
        raise Unusable(f"the store knows no fleet '{printable(wanted, 60)}'; {hint}")
    if wanted is None and len(fleets) > 1:
        raise Unusable(f"the store has several fleets; name one with --fleet: {', '.join(fleets)}")
    if not fleets:
        raise Unusable("the store has no audit yet; run one with: endpoint-probe audit FLEET.toml")
    return wanted or fleets[0]


def _since(text: str | None) -> str:
    if text is None:
        return ""
    try:
        return stamp(moment(text, datetime.now().astimezone()))
    except ValueError as error:
        raise Unusable(f"--since {error}") from None


def _no_target(store: Store, fleet: str, wanted: str) -> str:
    known = sorted({run.cell.target for run in store.runs(fleet=fleet, limit=5000)})
    near = get_close_matches(wanted, known, 1, 0.5)
    hint = f"did you mean '{near[0]}'?" if near else "'endpoint-probe history' shows what there is"
    return f"no target '{printable(wanted, 60)}' was ever probed; {hint}"


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _line(item: Change) -> str:
    return printable(f"  {_moment(item.since)}  {item.kind:<10}  {item}")


def _fleet_text(store: Store, audits: Sequence[Audit], changed: Sequence[Change], since: str) -> None:
    print("Audits")
    for audit in audits:
        if audit.started_at < since:
            continue
        runs = store.runs(audit=audit)
        usable = sum(run.usable for run in runs)
        ended = "" if audit.finished_at else ", interrupted"
        print(f"  {_moment(audit.started_at)}  {usable} of {len(runs)} usable{ended}  ({audit.id[:8]})")
    _changes_text(changed)


def _changes_text(changed: Sequence[Change]) -> None:
    print("\nChanges" if changed else "\nNo verdict changed.")
    for item in changed:
        print(_line(item))


def _target_text(cells: Mapping[Cell, Sequence[Ran]], changed: Sequence[Change], limit: int, since: str) -> None:
    for cell in sorted(cells):
        runs = [run for run in cells[cell] if run.started_at >= since]
        print(printable(str(cell)))
        for run in runs[:limit]:
            works = sum(judged.state == "works" for judged in run.verdicts.values())
            codes = [item.code for item in run.findings if item.severity != "info"]
            state = "usable" if run.usable else "not usable"
            found = f"; {', '.join(codes[:6])}" if codes else ""
            print(printable(f"  {_moment(run.started_at)}  {state}, {works} work{found}  (run {run.id[:8]})"))
        if len(runs) > limit:
            print(f"  and {len(runs) - limit} earlier ones; --limit shows more")
    _changes_text(changed)


def _as_json(
    audits: Sequence[Audit],
    cells: Mapping[Cell, Sequence[Ran]],
    changed: Sequence[Change],
    limit: int,
    since: str,
) -> None:
    shown = {
        "schema_version": "1.0",
        "audits": [asdict(audit) for audit in audits if audit.started_at >= since],
        "runs": [
            {**asdict(run.cell), "id": run.id, "started_at": run.started_at, "usable": run.usable,
             "verdicts": {name: judged.state for name, judged in run.verdicts.items()},
             "findings": [item.code for item in run.findings]}
            for cell in sorted(cells)
            for run in cells[cell][:limit]
            if run.started_at >= since
        ],
        "changes": [asdict(item) for item in changed],
    }  # fmt: skip
    print(json.dumps(shown, indent=2, ensure_ascii=True))
