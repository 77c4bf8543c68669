"""Run the clients against the mutations, print the counts, and record what was seen.

    python -m tests.benchmarks.mutations [--record] [--rules] [--node-modules DIR]

`--record` writes tests/data/client_outcomes.json and the rules; `--rules` writes checks/shape/clients.toml from the
record without running anything.  Both print which mutations the program names.  The exit status is 1 where a client
fails on a healthy answer, because then nothing that was measured can be believed, and 2 where the Node packages cannot
be had.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.mutations import drive_python, named, node, record, rules, serving, typed
from tests.benchmarks.mutations.outcomes import OK, PLAIN, fails, judge, severity
from tests.benchmarks.mutations.table import Mutation, all_mutations, controls


def measure(mutations: Sequence[Mutation], folder: Path) -> list[dict[str, str]]:
    """Outcomes of every mutation by column.  Raises NodeMissing."""
    with serving.serve(mutations) as base:
        python = drive_python.drive(base, mutations)
        javascript = node.drive(base, mutations, folder)
    rows = []
    for mutation, first, second in zip(mutations, python, javascript, strict=True):
        row = {column: judge(column, shown, mutation) for column, shown in {**first, **second}.items()}
        rows.append({**row, **typed.derive(mutation)})
    return rows


def _report(seen: record.Record) -> None:
    print("versions: " + ", ".join(f"{name} {version}" for name, version in seen.versions.items()))
    situations = Counter(mutation.situation for mutation, _ in seen.rows)
    print(f"{len(seen.rows)} mutations: " + ", ".join(f"{count} {name}" for name, count in situations.items()))
    measured: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for _, outcomes in seen.rows:
        for column, outcome in outcomes.items():
            measured[column] += 1
            broken[column] += fails(outcome)
            other[column] += outcome != OK and not fails(outcome)
    print(f"\n{'client':46} {'measured':>8} {'broken':>7}  another finish reason")
    for column, count in measured.items():
        print(f"{column:46} {count:8} {broken[column]:7}  {other[column] or ''}")
    print("\nmutations that break")
    for package in ("openai-python", "openai-node", "AI SDK"):
        plain = sum(
            any(column in PLAIN and column.startswith(package) and fails(outcome) for column, outcome in row.items())
            for _, row in seen.rows
        )
        every = sum(
            any(column.startswith(package) and fails(outcome) for column, outcome in row.items())
            for _, row in seen.rows
        )
        print(f"  {package}: {plain} in plain use, {every} with its helpers and unguarded loops")
    rated = Counter(severity(outcomes) for _, outcomes in seen.rows)
    print("\nseverity: " + ", ".join(f"{rated[name]} {name}" for name in ("error", "warning", "info")))
    print(f"rules: {len(rules.derive(seen))}")
    plain = [row for row in seen.rows if severity(row[1]) == "error"]
    missed = named.missed(seen.rows)
    alarms = named.false_alarms(seen.rows)
    harmless = sum(severity(outcomes) == "info" for _, outcomes in seen.rows)
    print(
        f"\nnamed by the program as error or warning: {len(plain) - len(missed)} of {len(plain)} that break plain use"
    )
    for mutation in missed:
        print(f"  missed: {mutation.name}")
    rows = named.wrong_rows(seen.rows)
    print(f"rows of clients that say yes where their library failed: {len(rows)}")
    for mutation, library in rows:
        print(f"  {library}: {mutation.name}")
    print(f"false alarms: {len(alarms)} of {harmless} that break no client")
    for mutation, codes in alarms:
        print(f"  named: {mutation.name} as {', '.join(codes)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.mutations")
    parser.add_argument(
        "--record", action="store_true", help="write client_outcomes.json and checks/shape/clients.toml"
    )
    parser.add_argument(
        "--rules", action="store_true", help="write checks/shape/clients.toml from the record, run nothing"
    )
    parser.add_argument("--node-modules", type=Path, default=node.FOLDER, help="where the npm packages are installed")
    options = parser.parse_args(arguments)
    if options.rules:
        recorded = record.read()
        rules.FILE.write_text(rules.render(recorded), encoding="utf-8")
        _report(recorded)
        return 0
    begun = time.monotonic()
    mutations = all_mutations()
    healthy = controls()
    try:
        node.install(options.node_modules)
        rows = measure([*healthy, *mutations], options.node_modules)
    except node.NodeMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    for mutation, outcomes in zip(healthy, rows, strict=False):
        bad = {column: outcome for column, outcome in outcomes.items() if outcome != OK}
        if bad:
            print(f"the healthy answer fails: {mutation.name}: {bad}", file=sys.stderr)
            return 1
    versions = {**drive_python.versions(), **node.versions()}
    seen = record.Record(versions, typed.SOURCES, tuple(zip(mutations, rows[len(healthy) :], strict=True)))
    _report(seen)
    print(f"{time.monotonic() - begun:.0f} seconds")
    if options.record:
        record.write(seen)
        rules.FILE.write_text(rules.render(seen), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
