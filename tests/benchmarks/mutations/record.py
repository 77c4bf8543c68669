"""`client_outcomes.json`: the recorded outcomes, one line a mutation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.mutations.outcomes import OK, severity
from tests.benchmarks.mutations.table import Mutation

FILE = Path(__file__).resolve().parents[2] / "data" / "client_outcomes.json"


@dataclass(frozen=True)
class Record:
    """One run of the benchmark.

    versions: by package. sources: where typed clients were read, by column. rows: the mutations and what every column
    made of them, `ok` included.
    """

    versions: Mapping[str, str]
    sources: Mapping[str, Sequence[str]]
    rows: tuple[tuple[Mutation, Mapping[str, str]], ...]


def write(record: Record, path: Path = FILE) -> None:
    """Write a record; a column that is `ok` is left out of the line of a mutation."""
    columns = _columns(record)
    lines = []
    for mutation, outcomes in record.rows:
        line: dict[str, Any] = {"situation": mutation.situation, "field": mutation.field}
        line["deviation"] = mutation.deviation
        if mutation.field:
            line["value"] = mutation.value
        if mutation.chunks:
            line["chunks"] = mutation.chunks
        if mutation.allowed:
            line["allowed"] = True
        line["severity"] = severity(outcomes)
        line["outcomes"] = {column: outcome for column, outcome in outcomes.items() if outcome != OK}
        lines.append(json.dumps(line, ensure_ascii=False))
    head = {"versions": dict(record.versions), "sources": {k: list(v) for k, v in record.sources.items()}}
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    measured = ",\n  ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in columns.items())
    parts.append(f'"columns": {{\n  {measured}\n}}')
    parts.append('"mutations": [\n' + ",\n".join(lines) + "\n]")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _columns(record: Record) -> dict[str, list[str]]:
    """The columns that were measured in a situation, without and with the usage chunk asked for."""
    columns: dict[str, list[str]] = {}
    for mutation, outcomes in record.rows:
        columns.setdefault(_key(mutation.situation, mutation.chunks), list(outcomes))
    return columns


def _key(situation: str, chunks: str) -> str:
    return f"{situation} with usage" if chunks == "usage" else situation


def read(path: Path = FILE) -> Record:
    """The record in a file.  Raises OSError, ValueError or KeyError where it is not one."""
    data = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for line in data["mutations"]:
        chunks = line.get("chunks", "")
        columns = data["columns"][_key(line["situation"], chunks)]
        mutation = Mutation(
            line["situation"],
            line["field"],
            line["deviation"],
            line.get("value"),
            chunks,
            allowed=line.get("allowed", False),
        )
        rows.append((mutation, {column: line["outcomes"].get(column, OK) for column in columns}))
    return Record(data["versions"], {k: tuple(v) for k, v in data["sources"].items()}, tuple(rows))
