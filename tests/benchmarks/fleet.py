"""What an audit of many endpoints costs over sending its requests: `python -m tests.benchmarks.fleet`.

Simulated endpoints of mixed styles and faults, in a process of their own, are audited in one
run.  Then a bare httpx script, a process as well, sends the very requests of that audit: the
same URLs, headers and bodies, each endpoint's in the order in which the audit sent them, as
many at once over all endpoints as the audit may have in flight, and reads every body to its
end, with whatever waits the endpoint makes in it.  It looks at nothing and writes nothing.
The wall time of each is from the start of its process to its end: the audit's has the start
of its workers, the judging, the store and all reports in it.

Printed: both wall times and their ratio, the processor time of both, the largest process of
the audit and all of them together, and whether the verdicts are those of single runs.  The
exit status is 1 when a limit is passed or a verdict differs.  Processor time is printed
because on a machine that others use at the same time whoever computes more waits more.
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
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
from rich.console import Console

from probe.fleet.store import Store
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run as single_run
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
    from probe.simulator import all_faults

    return any(item.name == fault for item in all_faults())


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
            exchanges = json.loads(gzip.decompress(content))["exchanges"]
            for exchange in sorted(exchanges, key=lambda item: item["timeline"]["started_s"]):
                request = exchange["request"]
                headers = {name: value.replace("${API_KEY}", key) for name, value in request["headers"].items()}
                own.append({**request, "headers": headers})
            found.append(own)
    # A server with one slot would make a script wait that sends it everything at once.
    return [item for together in zip_longest(*found) for item in together if item is not None]


def payload(body: Any) -> bytes | None:
    """The body as the audit wrote it."""
    if body is None or isinstance(body, str):
        return body.encode() if body else None
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def send_all(file: Path, concurrency: int) -> None:
    """The bare script: the same requests, so many at once, every body read to its end."""
    wanted = json.loads(file.read_text())

    async def one(client: httpx.AsyncClient, limit: asyncio.Semaphore, request: dict[str, Any]) -> None:
        async with limit:
            with suppress(httpx.HTTPError):
                async with client.stream(
                    request["method"], request["url"], headers=request["headers"], content=payload(request["body"])
                ) as answer:
                    async for _ in answer.aiter_raw():
                        pass

    async def main() -> None:
        limit = asyncio.Semaphore(concurrency)
        tls = httpx.create_ssl_context()
        clients: dict[str, httpx.AsyncClient] = {}
        async with AsyncExitStack() as stack:
            for request in wanted:
                origin = urlsplit(request["url"]).netloc
                if origin not in clients:
                    # A pool looks through all of its connections for every request, so each endpoint has its own.
                    clients[origin] = await stack.enter_async_context(httpx.AsyncClient(timeout=60, verify=tls))
            async with asyncio.TaskGroup() as group:
                for request in wanted:
                    group.create_task(one(clients[urlsplit(request["url"]).netloc], limit, request))

    asyncio.run(main())


def kilobytes(process: int) -> int:
    """What a process and those it started have in memory, what they share counted once (Linux; elsewhere 0)."""
    folder = Path(f"/proc/{process}")
    try:
        memory = folder.joinpath("smaps_rollup").read_text()
        children = folder.joinpath(f"task/{process}/children").read_text().split()
    except OSError:
        return 0
    own = next((int(line.split()[1]) for line in memory.splitlines() if line.startswith("Pss:")), 0)
    return own + sum(map(kilobytes, map(int, children)))


@contextmanager
def watched(process: int) -> Iterator[list[int]]:
    """Looks twice a second at the memory of a process and those it started; what is yielded has the most."""
    most = [0]
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.5):
            most[0] = max(most[0], kilobytes(process))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


def processor_s() -> float:
    """The processor time of every process that was started and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def alone(item: Served, idle: float) -> dict[str, str]:
    """The verdicts of a run of its own."""
    options = Options(parse(item.url), Auth(key=item.key, source="test"), model=item.model, idle_s=idle)
    report = anyio.run(single_run, options)
    return {name: str(verdict.verdict) for name, verdict in report.capabilities.items()}


def differing(served: list[Served], found: dict[str, dict[str, str]], idle: float) -> tuple[int, list[str]]:
    """How many single runs were made, one for each kind of endpoint, and where the audit says otherwise."""
    wrong: list[str] = []
    kinds: set[tuple[str, tuple[str, ...]]] = set()
    for item in served:
        kind = (item.style, item.faults)
        if kind in kinds:
            continue
        kinds.add(kind)
        single = alone(item, idle)
        again: dict[str, str] | None = None
        for number, other in enumerate(served):
            if (other.style, other.faults) != kind:
                continue
            audited = found[f"t{number:03d}"]
            for name, state in single.items():
                if audited.get(name) == state:
                    continue
                again = again or alone(item, idle)
                agree = "" if again[name] == state else f", and {again[name]} when run again"
                what = f"t{number:03d} {item.style} {','.join(item.faults)}: {name}"
                wrong.append(f"{what} {audited.get(name)} instead of {state}{agree}")
    return len(kinds), wrong


def main(words: list[str] | None = None) -> int:
    """Print the figures; 1 when a limit was passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fleet", description=__doc__)
    parser.add_argument("--endpoints", type=int, default=200)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rate", type=float, default=100.0, help="tokens a second of each endpoint")
    parser.add_argument("--first-token", type=float, default=0.2, help="seconds before the first token")
    parser.add_argument("--padding-mb", type=float, default=0.0, help="MB of padding in every answer")
    parser.add_argument("--no-verify", action="store_true", help="do not compare with single runs")
    parser.add_argument("--bare", metavar="FILE", help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.bare:
        send_all(Path(given.bare), given.concurrency)
        return 0
    console = Console(width=120)
    settings = {"rate_tokens_s": given.rate, "first_token_s": given.first_token}
    with (
        tempfile.TemporaryDirectory() as name,
        farm(
            [{**item, "padding": int(given.padding_mb * 1e6)} for item in specs(given.endpoints)], **settings
        ) as served,
    ):
        folder = Path(name)
        head = f"[fleet]\nconcurrency = {given.concurrency}\n[defaults]\nidle = 0\n"
        _, keys = fleet_file(folder, served, head=head)
        begin, used = time.monotonic(), processor_s()
        process = subprocess.Popen(
            command("audit", "fleet.toml", "--quiet", "--fail-on", "never"),
            cwd=folder, env=environment(keys), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with watched(process.pid) as most:
            out, err = process.communicate()
        audit_s, audit_cpu_s = time.monotonic() - begin, processor_s() - used
        largest_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        if process.returncode not in (0, 3):  # 3: answers may be too long to be read
            console.print(err)
            return 1
        wanted = requests_of(folder / "endpoint-audit" / "history.sqlite3", keys)
        (folder / "requests.json").write_text(json.dumps(wanted))
        begin, used = time.monotonic(), processor_s()
        bare = ["-m", "tests.benchmarks.fleet", "--bare", str(folder / "requests.json")]
        subprocess.run([sys.executable, *bare, "--concurrency", str(given.concurrency)], check=True)
        bare_s, bare_cpu_s = time.monotonic() - begin, processor_s() - used
        ratio = audit_s / bare_s
        console.print(out.strip())
        console.print(f"{given.endpoints} endpoints, {len(wanted)} requests, {given.concurrency} at once")
        console.print(f"audit {audit_s:.1f} s, bare httpx {bare_s:.1f} s, ratio {ratio:.2f} (at most {MOST_RATIO})")
        console.print(f"processor time: audit {audit_cpu_s:.1f} s, bare httpx {bare_cpu_s:.1f} s")
        console.print(
            f"largest process {largest_mb:.0f} MB (at most {MOST_MB}), all of the audit {most[0] / 1024:.0f} MB"
        )
        wrong: list[str] = []
        if not given.no_verify:
            count, wrong = differing(served, verdicts(matrix(folder)), 0.0)
            console.print(f"{count} single runs, {len(wrong)} verdicts of the audit differ")
            for line in wrong:
                console.print(f"  {line}")
    return 1 if ratio > MOST_RATIO or largest_mb > MOST_MB or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
