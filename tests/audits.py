"""Running audits as a user does, and what of their stores can be compared."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.contract.running import Done, run
from tests.fleetfarm import Served

#: A few quick checks that still give a dozen verdicts; what measures time is among them.
FEW = ["models.list", "tools.*", "stream.shape", "roles.*"]


def fleet_file(
    folder: Path, served: Sequence[Served], *, head: str = "", extra: str = ""
) -> tuple[Path, dict[str, str]]:
    """A fleet file of these endpoints and the environment with their keys.

    Args:
        head: lines before the targets; without any, a few quick checks are asked for.
        extra: lines of every target.
    """
    lines = [head or f"[defaults]\nidle = 0\nonly = {json.dumps(FEW)}\n"]
    keys: dict[str, str] = {}
    for number, item in enumerate(served):
        lines += [
            "[[target]]",
            f'name = "t{number:03d}"',
            f"endpoint = {json.dumps(item.url)}",
            f"models = [{json.dumps(item.model)}]",
            f'labels = {{ style = "{item.style}" }}',
        ]
        if item.key:
            keys[f"KEY_{number}"] = item.key
            lines.append(f'api_key_env = "KEY_{number}"')
        lines.append(extra)
    file = folder / "fleet.toml"
    file.write_text("\n".join(lines) + "\n")
    return file, keys


def audit(folder: Path, *options: str, env: Mapping[str, str]) -> Done:
    """Run an audit of the fleet file in this folder."""
    return run("audit", "fleet.toml", *options, cwd=folder, env=env)


def matrix(folder: Path, out: str = "endpoint-audit") -> dict[str, Any]:
    """The matrix that was written."""
    found: dict[str, Any] = json.loads((folder / out / "matrix.json").read_text())
    return found


def verdicts(shown: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Target to capability to state, of a matrix."""
    return {row["target"]: {name: mark["state"] for name, mark in row["marks"].items()} for row in shown["rows"]}


def said(store: Path) -> dict[tuple[str, ...], object]:
    """Everything a store says of its newest audit that does not depend on the clock."""
    with sqlite3.connect(store) as connection:
        (audit_id,) = connection.execute("SELECT id FROM audit ORDER BY started_at DESC LIMIT 1").fetchone()
        found: dict[tuple[str, ...], object] = {}
        for target, model, vantage, state, problem in connection.execute(
            "SELECT target, model, vantage, state, problem FROM job WHERE audit_id = ? ORDER BY position", [audit_id]
        ):
            found[("job", target, model, vantage)] = (state, problem)
        runs = connection.execute(
            "SELECT id, target, model, vantage, usable, base_url, software FROM run WHERE audit_id = ?", [audit_id]
        ).fetchall()
        assert len({row[1:4] for row in runs}) == len(runs)
        for run_id, target, model, vantage, *rest in runs:
            states = connection.execute(
                "SELECT capability, state, finding FROM verdict WHERE run_id = ? ORDER BY capability", [run_id]
            ).fetchall()
            codes = connection.execute(
                "SELECT code, severity FROM finding WHERE run_id = ? ORDER BY number", [run_id]
            ).fetchall()
            reports = connection.execute("SELECT count(*) FROM report WHERE run_id = ?", [run_id]).fetchone()
            found[("run", target, model, vantage)] = (rest, states, codes, reports)
    connection.close()
    return found


def run_ids(store: Path) -> dict[str, str]:
    """Target to run id of everything that is done, in the newest audit; empty without a store."""
    if not store.exists():
        return {}
    connection = sqlite3.connect(store)
    try:
        return dict(
            connection.execute(
                "SELECT target, id FROM run WHERE audit_id = (SELECT id FROM audit ORDER BY started_at DESC LIMIT 1)"
            ).fetchall()
        )
    except sqlite3.OperationalError:  # it was killed before the tables were there
        return {}
    finally:
        connection.close()
