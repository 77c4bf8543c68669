"""What an audit of many endpoints costs over sending its requests: `python -m tests.benchmarks.fleet`.

Simulated endpoints of mixed styles and faults, in a process of their own, are audited in one
run.  Then a bare httpx script sends the very requests of that audit, as many at once as the
audit had in flight, and nothing else.  Printed: both wall times and their ratio, the largest
process of the audit, and whether the verdicts are those of single runs.  The exit status is
1 when a limit is passed.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import zip_longest
from pathlib import Path
from typing import Any

import anyio
import httpx
from rich.console import Console

from probe.fleet.store import Store
from probe.runner import run as single_run
from probe.session import Auth, Options
from probe.urls import parse
from tests.audits import fleet_file, matrix, verdicts
from tests.contract.running import command, environment
from tests.fleetfarm import Served, farm

MOST_RATIO = 1.5
MOST_MB = 400
STYLES = ("openai", "vllm", "llamacpp", "ollama", "litellm", "lmstudio", "sglang", "groq")
FAULTS = (
    "tools-ignored",
    "stream-held",
    "system-ignored",
    "stream-no-usage",
    "auth-rejected",
    "json-object-rejected",
    "stream-replayed",
    "models-no-list",
    "tools-as-hermes",
)


def specs(count: int) -> list[dict[str, Any]]:
    """Every second endpoint healthy, the others with one fault each."""
    faults = [name for name in FAULTS if _known(name)]
    return [
        {
            "style": STYLES[number % len(STYLES)],
            "faults": [faults[number // 2 % len(faults)]] if number % 2 else [],
        }
        for number in range(count)
    ]


def _known(fault: str) -> bool:
    from probe.simulator import faults

    return any(item.name == fault for item in faults())


def requests_of(store: Path, keys: dict[str, str]) -> list[dict[str, Any]]:
    """Every request of the newest audit, keys filled in again, endpoints taking turns as in the audit."""
    found: list[list[dict[str, Any]]] = []
    with Store.open(str(store)) as opened:
        audit = opened.audits()[0]
        for run in reversed(opened.runs(audit=audit)):
            content = opened.report(run.id)
            assert content is not None
            key = keys.get(f"KEY_{int(run.cell.target[1:])}", "")
            own = []
            for exchange in json.loads(gzip.decompress(content))["exchanges"]:
                request = exchange["request"]
                headers = {name: value.replace("${API_KEY}", key) for name, value in request["headers"].items()}
                own.append({**request, "headers": headers})
            found.append(own)
    # A server with one slot would make a script wait that sends it everything at once.
    return [item for together in zip_longest(*found) for item in together if item is not None]


def send_all(file: Path, concurrency: int) -> None:
    """The bare script: the same requests, so many at once, every body read to its end."""
    wanted = json.loads(file.read_text())

    async def main() -> None:
        limit = asyncio.Semaphore(concurrency)
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None)) as client:

            async def one(request: dict[str, Any]) -> None:
                body = request["body"]
                content = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body else None
                async with limit:
                    try:
                        async with client.stream(
                            request["method"], request["url"], headers=request["headers"], content=content
                        ) as answer:
                            async for _ in answer.aiter_raw():
                                pass
                    except httpx.HTTPError:
                        pass

            async with asyncio.TaskGroup() as group:
                for request in wanted:
                    group.create_task(one(request))

    asyncio.run(main())


def differing(served: list[Served], found: dict[str, dict[str, str]], idle: float) -> tuple[int, list[str]]:
    """How many single runs were made, one for each kind of endpoint, and where the audit says otherwise."""
    wrong: list[str] = []
    kinds: set[tuple[str, tuple[str, ...]]] = set()
    for number, item in enumerate(served):
        if (item.style, item.faults) in kinds:
            continue
        kinds.add((item.style, item.faults))
        options = Options(parse(item.url), Auth(key=item.key, source="test"), model=item.model, idle_s=idle)
        report = anyio.run(single_run, options)
        alone = {name: str(verdict.verdict) for name, verdict in report.capabilities.items()}
        same_kind = [n for n, other in enumerate(served) if (other.style, other.faults) == (item.style, item.faults)]
        for other in same_kind:
            audited = found[f"t{other:03d}"]
            wrong += [
                f"t{other:03d} {item.style} {','.join(item.faults)}: {name} {audited.get(name)} instead of {state}"
                for name, state in alone.items()
                if audited.get(name) != state
            ]
        assert number in same_kind
    return len(kinds), wrong


def main(words: list[str] | None = None) -> int:
    """Print the figures; 1 when a limit was passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fleet", description=__doc__)
    parser.add_argument("--endpoints", type=int, default=200)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rate", type=float, default=100.0, help="tokens a second of each endpoint")
    parser.add_argument("--first-token", type=float, default=0.2, help="seconds before the first token")
    parser.add_argument("--no-verify", action="store_true", help="do not compare with single runs")
    parser.add_argument("--bare", metavar="FILE", help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.bare:
        send_all(Path(given.bare), given.concurrency)
        return 0
    console = Console(width=120)
    settings = {"rate_tokens_s": given.rate, "first_token_s": given.first_token}
    with tempfile.TemporaryDirectory() as name, farm(specs(given.endpoints), **settings) as served:
        folder = Path(name)
        head = f"[fleet]\nconcurrency = {given.concurrency}\n[defaults]\nidle = 0\n"
        _, keys = fleet_file(folder, served, head=head)
        begin = time.monotonic()
        done = subprocess.run(
            command("audit", "fleet.toml", "--quiet", "--fail-on", "never"),
            cwd=folder, env=environment(keys), check=False, capture_output=True, text=True,
        )  # fmt: skip
        audit_s = time.monotonic() - begin
        largest_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        if done.returncode != 0:
            console.print(done.stderr)
            return 1
        wanted = requests_of(folder / "endpoint-audit" / "history.sqlite3", keys)
        (folder / "requests.json").write_text(json.dumps(wanted))
        begin = time.monotonic()
        bare = ["-m", "tests.benchmarks.fleet", "--bare", str(folder / "requests.json")]
        subprocess.run([sys.executable, *bare, "--concurrency", str(given.concurrency)], check=True)
        bare_s = time.monotonic() - begin
        ratio = audit_s / bare_s
        console.print(done.stdout.strip())
        console.print(f"{given.endpoints} endpoints, {len(wanted)} requests, {given.concurrency} at once")
        console.print(f"audit {audit_s:.1f} s, bare httpx {bare_s:.1f} s, ratio {ratio:.2f} (at most {MOST_RATIO})")
        console.print(f"largest process {largest_mb:.0f} MB (at most {MOST_MB})")
        wrong: list[str] = []
        if not given.no_verify:
            count, wrong = differing(served, verdicts(matrix(folder)), 0.0)
            console.print(f"{count} single runs, {len(wrong)} verdicts of the audit differ")
            for line in wrong:
                console.print(f"  {line}")
    return 1 if ratio > MOST_RATIO or largest_mb > MOST_MB or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
