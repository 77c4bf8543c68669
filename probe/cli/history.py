"""`history`: the results of earlier audits, and when they changed; sends nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from probe.cli.options import Unusable, as_unusable, number, text_or_json, write
from probe.fleet import database
from probe.fleet.changes import Change, timeline
from probe.fleet.database import StoreError
from probe.fleet.job import Cell
from probe.fleet.store import Audit, Ran, Store
from probe.fleet.time_spec import since
from probe.wording import amount, did_you_mean
from reports.text import printable

_DEFAULT_STORE = "endpoint-audit/history.sqlite3"
#: Runs of each model before the first one shown that are read for its last definite verdicts.
_LOOK_BACK = 10
#: What reading a store raises that something else wrote to: times that are none, bytes in place of texts.
_STRANGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@click.command("history")
@click.argument("target", required=False)
@click.option("--store", metavar="URL", help=f"Where history is kept; default: {_DEFAULT_STORE}.")
@click.option("--fleet", metavar="NAME", help="The fleet; needed where the store has several.")
@click.option("--model", metavar="ID", help="Only this model of the target.")
@click.option("--since", metavar="WHEN", help="Only what happened since, as in --since tuesday.")
@number("--limit", "runs", 1, 10_000, "20", "Most audits, or runs of each model, to show.", 20)
@text_or_json
@click.option("--html", metavar="FILE", help="Write a page with the changes on a time axis.")
@click.option("--report", metavar="RUN", help="Print the report.json of this run; the beginning of its id is enough.")
@number("--prune", "days", 0.01, 36_500, "90", "Delete audits that are older; the newest is always kept.")
def history_command(**given: Any) -> int:
    """Show the results of earlier audits of a target, and when they changed.

    Without TARGET: the audits of the fleet, and every change of a verdict between them.
    """
    try:
        with as_unusable(StoreError):
            url = database.parse(given["store"] or _DEFAULT_STORE)
            if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
                raise Unusable(f"there is no history at {url.database}; name it with --store, or run an audit first")
            with Store.open(given["store"] or _DEFAULT_STORE) as store:
                return _show(store, given)
    except OSError as error:  # a name that no file can have
        raise Unusable(f"there is no history at the path of --store ({error.strerror})") from None
    except _STRANGE as error:
        raise Unusable(
            f"the store holds what no audit wrote ({type(error).__name__}); name another with --store"
        ) from None


def _show(store: Store, given: Mapping[str, Any]) -> int:
    if given["report"]:
        sys.stdout.buffer.write(_report(store, given["report"]))
        return 0
    fleet = _fleet(store, given["fleet"])
    if given["prune"] is not None:
        print(f"{amount(store.prune(fleet, float(given['prune'])), 'audit')} of {printable(fleet)} deleted")
        return 0
    target, model, limit = given["target"], given["model"], int(given["limit"])
    _check_known(store, fleet, target, model)
    audits = store.audits(fleet, limit)
    begin = since(given["since"])
    audits = [audit for audit in audits if begin is None or audit.started_at >= begin]
    # Without --since as far back as the audits that are shown.
    begin = begin or (audits[-1].started_at if len(audits) == limit else "")
    cells: dict[Cell, list[Ran]] = {}
    for run in store.runs(fleet=fleet, target=target, model=model, since=begin, brief=True):
        cells.setdefault(run.cell, []).append(run)
    changes = [
        item
        for cell in sorted(cells)
        for item in timeline([*cells[cell], *_earlier(store, fleet, cell, begin)])
        if item.since >= begin
    ]
    changes.sort(key=lambda item: item.since, reverse=True)
    if given["html"]:
        from probe.cli.audit_matrix import change_line  # with the templates
        from reports.matrix import history

        lines = [change_line(item) for item in changes]
        page = history.render(fleet, [audit.started_at for audit in audits], lines)
        write(given["html"], page, "name another file with --html", named=True)
    shown = {cell: cells[cell] for cell in sorted(cells)} if target else {}
    if given["form"] == "json":
        _print_json(audits, shown, changes, limit)
        return 0
    if target:
        _print_runs(shown, limit)
    else:
        _print_audits(store, audits)
    print("\nChanges" if changes else "\nNo verdict changed.")
    for item in changes:
        print(printable(f"  {_local(item.since)}  {item.kind:<10}  {item}"))
    return 0


def _check_known(store: Store, fleet: str, target: str | None, model: str | None) -> None:
    """
    Raises:
        Unusable: the target or the model was never probed.
    """
    if (target or model) and not store.runs(fleet=fleet, target=target, model=model, limit=1, brief=True):
        known = target is None or bool(store.runs(fleet=fleet, target=target, limit=1, brief=True))
        if not known:
            raise Unusable(_no_target(store, fleet, str(target)))
        raise Unusable(f"the model '{printable(model or '', 60)}' was never probed there")


def _earlier(store: Store, fleet: str, cell: Cell, begin: str) -> list[Ran]:
    """The last runs before the first one shown, from which changes count."""
    found = store.runs(fleet=fleet, cell=cell, until=begin, limit=_LOOK_BACK, brief=True)
    return [run for run in found if run.started_at < begin]


def _report(store: Store, wanted: str) -> bytes:
    found = store.run_ids(wanted.lower())
    if len(found) != 1:
        many = f"{len(found)} runs begin with" if found else "no run has"
        raise Unusable(f"{many} the id '{printable(wanted, 40)}'; 'endpoint-probe history TARGET' shows the ids")
    content = store.report(found[0])
    if content is None:
        raise Unusable("the report of this run was not kept")
    from probe.report import BadReport, unpacked

    try:
        return unpacked(content)
    except BadReport as error:
        raise Unusable(str(error)) from None


def _fleet(store: Store, wanted: str | None) -> str:
    fleets = store.fleets()
    if wanted is not None and wanted not in fleets:
        hint = did_you_mean(wanted, fleets, f"there are {', '.join(fleets) or 'none'}")
        raise Unusable(f"the store knows no fleet '{printable(wanted, 60)}'; {hint}")
    if wanted is None and len(fleets) > 1:
        raise Unusable(f"the store has several fleets; name one with --fleet: {', '.join(fleets)}")
    if not fleets:
        raise Unusable("the store has no audit yet; run one with: endpoint-probe audit FLEET.toml")
    return wanted or fleets[0]


def _no_target(store: Store, fleet: str, wanted: str) -> str:
    hint = did_you_mean(wanted, store.targets(fleet), "'endpoint-probe history' lists the audits")
    return f"no target '{printable(wanted, 60)}' was ever probed; {hint}"


def _local(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _print_audits(store: Store, audits: Sequence[Audit]) -> None:
    print("Audits")
    counts = store.usable_counts(audits)
    for audit in audits:
        usable, runs = counts.get(audit.id, (0, 0))
        ended = "" if audit.finished_at else ", interrupted"
        print(printable(f"  {_local(audit.started_at)}  {usable} of {runs} usable{ended}  ({audit.id[:8]})"))


def _print_runs(cells: Mapping[Cell, Sequence[Ran]], limit: int) -> None:
    for cell, runs in cells.items():
        print(printable(str(cell)))
        for run in runs[:limit]:
            works = sum(judged.state == "works" for judged in run.verdicts.values())
            codes = [item.code for item in run.findings if item.severity != "info"]
            state = "usable" if run.usable else "not usable"
            found = f"; {', '.join(codes[:6])}" if codes else ""
            counted = f"{amount(works, 'capability works', 'capabilities work')}"
            print(printable(f"  {_local(run.started_at)}  {state}, {counted}{found}  (run {run.id[:8]})"))
        if len(runs) > limit:
            print(f"  and {amount(len(runs) - limit, 'earlier run')}; --limit shows more")


def _print_json(
    audits: Sequence[Audit], cells: Mapping[Cell, Sequence[Ran]], changes: Sequence[Change], limit: int
) -> None:
    runs = [
        {
            **asdict(cell),
            "id": run.id,
            "started_at": run.started_at,
            "usable": run.usable,
            "verdicts": {name: judged.state for name, judged in run.verdicts.items()},
            "findings": [item.code for item in run.findings],
        }
        for cell, found in cells.items()
        for run in found[:limit]
    ]
    shown = {
        "schema_version": "1.0",
        "audits": [asdict(audit) for audit in audits],
        "runs": runs,
        "changes": [asdict(item) for item in changes],
    }
    print(json.dumps(shown, indent=2, ensure_ascii=True))
