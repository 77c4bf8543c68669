"""The same faulty endpoints for other tools from PyPI: `python -m tests.benchmarks.peers [--peers A,B] [--only NAME]`.

Each peer is installed in an environment of its own under `.parts/`, run with a dummy key, without proxies, with a home
of its own and a limit in time, and kept on loopback (tests/benchmarks/peerguard.py).  Every run has a simulated
endpoint to itself, which counts its requests.  How an output becomes a word stands in tests/benchmarks/peerrules.py.
The exit status is 1 when this program's own row is not exact and free of false alarms; the peers' rows decide nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from probe.simulator import Simulator, all_faults, all_styles
from tests.benchmarks.peerrules import (
    ALARM,
    ENDPOINTS,
    EXACT,
    QUIET,
    Complaint,
    Endpoint,
    Verdict,
    judge,
)
from tests.live.parts import Part, PartMissing, install

LIMIT_S = 180.0
#: Runs at once: most of them wait most of the time.
LANES = 4
OURS = "endpoint-probe"
HEALTHY = ENDPOINTS[0]
NONE = Verdict("")
_DUMMY = "sk-dummy-0123456789"


@dataclass(frozen=True)
class Peer:
    """Another tool, and how it is asked.

    command: its arguments after the program, with {url}, {model} and {out} (a file it may write JSON to).
    key: the environment variable it reads the key from.
    read: from its standard output and the file to what it complains of; raises ValueError where it did no work.
    excused: complaints that the set-up is to blame for and not the peer.
    """

    part: Part
    command: tuple[str, ...]
    key: str
    read: Callable[[str, str], list[Complaint]]
    excused: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.part.pip[0].replace("==", " ")


def _canitoolcall(_out: str, file: str) -> list[Complaint]:
    found = []
    for item in json.loads(file)["outcomes"]:
        kind = "equal" if item["check"] != "scenario" else "stream" if item["stream"] else "non-stream"
        about = f"{item['scenario_id']} [{kind}]"
        if item["status"] in ("fail", "error"):
            found.append(Complaint(about, item["detail"]))
        found += [Complaint(about, text, alarm=False) for text in item["warnings"]]
    return found


def _trustedrouter(_out: str, file: str) -> list[Complaint]:
    return [
        Complaint(
            item["id"],
            f"{item['failure_class']}; {item['remediation']} {json.dumps(item['measured'])}",
            alarm=item["status"] == "fail",
        )
        for item in json.loads(file)["checks"]
        if item["status"] in ("fail", "warn")
    ]


def _apiwells(out: str, _file: str) -> list[Complaint]:
    return [
        Complaint(item["name"], f"{item['summary']} {item['error_code'] or ''}".strip())
        for item in json.loads(out)["probes"]
        if item["status"] != "PASS"
    ]


def _zing(out: str, _file: str) -> list[Complaint]:
    return [
        Complaint(
            item["id"],
            " ".join(str(item.get(name) or "") for name in ("title", "summary", "recommendation")).strip(),
            alarm=item["status"] == "fail",
        )
        for item in json.loads(out)["findings"]
        if item["status"] in ("fail", "warn")
    ]


def _part(package: str, program: str) -> Part:
    return Part(f"peer-{package.partition('==')[0]}", f"bin/{program}", pip=(package,))


PEERS = (
    Peer(
        _part("canitoolcall==0.1.1", "canitoolcall"),
        ("probe", "--base-url", "{url}", "--model", "{model}", "--json", "{out}"),
        "CANITOOLCALL_API_KEY",
        _canitoolcall,
        # The stand-in model does not copy every character it is asked to; no server can be told apart by that.
        excused=("^unicode-args .*argument values lost",),
    ),
    Peer(
        _part("trustedrouter-provider-check==0.1.8", "trustedrouter-provider-check"),
        ("--base-url", "{url}", "--model", "{model}", "--tier", "5", "--json", "{out}"),
        "TR_PROVIDER_API_KEY",
        _trustedrouter,
    ),
    Peer(
        _part("apiwells==0.2.3", "apiwells"),
        ("doctor", "--base-url", "{url}", "--deep", "--model", "{model}", "--allow-http", "--v2-json"),
        "APIWELLS_API_KEY",
        _apiwells,
    ),
    Peer(
        _part("zing-audit==0.11.0", "zing"),
        ("check", "--base-url", "{url}", "--api-key", "env:PEER_KEY", "--model", "{model}", "--compact"),
        "PEER_KEY",
        _zing,
        excused=("^security.tls:",),  # the endpoints of this comparison are all http on loopback
    ),
)


@dataclass(frozen=True)
class Row:
    """One run: the word, what it rests on, requests and seconds spent, and traffic that was kept on this machine."""

    who: str
    endpoint: Endpoint
    complaints: tuple[Complaint, ...] | None
    why: str
    requests: int
    seconds: float
    strayed: int = 0
    verdict: Verdict = NONE


def run(line: list[str], folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A command run to its end; raises subprocess.TimeoutExpired."""
    return subprocess.run(
        line,
        check=False,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def ask(peer: Peer, program: Path, endpoint: Endpoint) -> Row:
    """One peer's run against one endpoint."""
    given = [endpoint.fault] if endpoint.fault else []
    with tempfile.TemporaryDirectory(prefix="endpoint-probe-peer-") as name, Simulator(endpoint.style, given) as sim:
        folder = Path(name)
        shutil.copy(Path(__file__).with_name("peerguard.py"), folder / "sitecustomize.py")
        out, strays = folder / "out.json", folder / "strays"
        values = {"url": sim.typed_url, "model": sim.model, "out": str(out)}
        env = {"PATH": os.defpath, "HOME": name, "LANG": "C.UTF-8", "NO_COLOR": "1", "PYTHONPATH": name}
        env |= {peer.key: sim.key or _DUMMY, "PEER_GUARD": str(strays)}
        line = [str(program), *(word.format_map(values) for word in peer.command)]
        begin = time.monotonic()
        complaints, why = None, ""
        try:
            done = run(line, folder, env)
            complaints = tuple(peer.read(done.stdout, out.read_text() if out.exists() else ""))
        except subprocess.TimeoutExpired:
            why = f"not done in {LIMIT_S:g} s"
        except (ValueError, KeyError, TypeError):
            said = (done.stderr or done.stdout).strip().splitlines()
            why = f"status {done.returncode}, no report: {said[-1][:120] if said else 'nothing said'}"
        seconds = time.monotonic() - begin
        strayed = len(strays.read_text().splitlines()) if strays.exists() else 0
        return Row(peer.name, endpoint, complaints, why, len(sim.journal), seconds, strayed)


def ask_ours(endpoint: Endpoint) -> Row:
    """This program's run, from its command line like the others'; its word rests on finding codes alone.

    It is judged more strictly than the others: a code beside the right ones is a false alarm on a faulty endpoint too.
    """
    given = [endpoint.fault] if endpoint.fault else []
    expected = {code for item in all_styles() if item.name == endpoint.style for code in item.yields}
    expected |= {code for item in all_faults() if item.name == endpoint.fault for code in item.yields}
    with tempfile.TemporaryDirectory(prefix="endpoint-probe-peer-") as name, Simulator(endpoint.style, given) as sim:
        line = [sys.executable, "-m", "probe", "run", sim.typed_url, "--model", sim.model]
        line += ["--api-key-env", "PEER_KEY", "--idle", "0", "--json", "--quiet"]
        env = {"PATH": os.defpath, "HOME": name, "LANG": "C.UTF-8", "PEER_KEY": sim.key or _DUMMY}
        env |= {key: os.environ[key] for key in ("PYTHONPATH",) if key in os.environ}
        begin = time.monotonic()
        done = run(line, Path(name), env)
        seconds = time.monotonic() - begin
        report: dict[str, Any] = json.loads(done.stdout)
        requests = len(sim.journal)
    found = {item["code"]: f"{item['code']}: {item['title']}" for item in report["findings"]}
    alarms = [item["code"] for item in report["findings"] if endpoint.rule or item["severity"] != "info"]
    extra = sorted(set(alarms) - expected)
    complaints = tuple(Complaint(code, found[code]) for code in found)
    if extra:
        verdict = Verdict(ALARM, f"{', '.join(extra)} beside {', '.join(sorted(expected)) or 'nothing'}")
    elif endpoint.rule is None:
        verdict = Verdict(QUIET)
    else:
        missed = sorted(expected - set(found))
        verdict = Verdict("missed", ", ".join(missed)) if missed else Verdict(EXACT, "; ".join(found.values()))
    return Row(OURS, endpoint, complaints, "", requests, seconds, 0, verdict)


def judged(peer: Peer, row: Row, usual: Row) -> Row:
    """The row with its word; what the peer says of the healthy endpoint as well is no news of another."""
    if row.complaints is None:
        return replace(row, verdict=Verdict("could not run", row.why))
    verdict = judge(row.endpoint, list(row.complaints), list(usual.complaints or ()), peer.excused)
    return replace(row, verdict=verdict)


def missing(peer: Peer, wanted: tuple[Endpoint, ...], why: str) -> list[Row]:
    """The rows of a peer that could not be installed."""
    verdict = Verdict("not installed", why)
    return [Row(peer.name, endpoint, None, f"not installed: {why}", 0, 0.0, 0, verdict) for endpoint in wanted]


def compare(peers: tuple[Peer, ...], wanted: tuple[Endpoint, ...], lanes: int = LANES) -> list[Row]:
    """Every peer's rows and ours, so many runs at once; every peer meets the healthy endpoint first."""
    rows: list[Row] = []
    programs: dict[str, Path] = {}
    for peer in peers:
        try:
            programs[peer.name] = install(peer.part)
        except PartMissing as reason:
            rows += missing(peer, wanted, str(reason))
    there = [peer for peer in peers if peer.name in programs]
    with ThreadPoolExecutor(lanes) as pool:
        usual = dict(zip(there, pool.map(lambda peer: ask(peer, programs[peer.name], HEALTHY), there), strict=True))
        slowest_first = sorted(there, key=lambda peer: -usual[peer].seconds)
        asked = [
            (peer, pool.submit(ask, peer, programs[peer.name], endpoint))
            for peer in slowest_first
            for endpoint in wanted
            if endpoint is not HEALTHY
        ]
        ours = pool.map(ask_ours, wanted)
        if HEALTHY in wanted:
            rows += [judged(peer, usual[peer], usual[peer]) for peer in there]
        rows += [judged(peer, item.result(), usual[peer]) for peer, item in asked]
        rows += ours
    order = {endpoint.name: number for number, endpoint in enumerate(wanted)}
    return sorted(rows, key=lambda row: (order[row.endpoint.name], row.who))


def tables(rows: list[Row]) -> Iterator[Table]:
    """Who said what of each endpoint; what it cost; what each word rests on."""
    names = [OURS, *sorted({row.who for row in rows} - {OURS})]
    cells = {(row.who, row.endpoint.name): row for row in rows}
    said = Table("endpoint", *names, title="The same endpoints, the same run", show_lines=False)
    for endpoint in dict.fromkeys(row.endpoint.name for row in rows):
        own = [cells[name, endpoint] for name in names]
        said.add_row(endpoint, *(f"{row.verdict.word}\n{row.requests} req, {row.seconds:.1f} s" for row in own))
    yield said
    sums = Table("tool", "exact", "noticed", "silent", "false alarms", "not run", "requests", "seconds")
    sums.add_column("off this machine")
    for name in names:
        own = [row for row in rows if row.who == name]
        words = [row.verdict.word for row in own]
        faulty = sum(row.endpoint.rule is not None for row in own)
        healthy = len(own) - faulty
        strange = [word for word in words if word in ("could not run", "not installed")]
        sums.add_row(
            name, f"{words.count(EXACT)} of {faulty}", str(words.count("noticed")), str(words.count("silent")),
            f"{words.count(ALARM)} of {healthy}", str(len(strange)), str(sum(row.requests for row in own)),
            f"{sum(row.seconds for row in own):.0f}", str(sum(row.strayed for row in own)),
        )  # fmt: skip
    yield sums
    why = Table("endpoint", "tool", "word", "rests on", title="What the words rest on")
    for row in rows:
        if row.verdict.why and row.who != OURS:
            why.add_row(row.endpoint.name, row.who, row.verdict.word, " ".join(row.verdict.why.split())[:160])
    yield why


def ours_is_exact(rows: list[Row]) -> bool:
    """Whether this program found the exact cause everywhere and raised no false alarm."""
    return all(row.verdict.word in (EXACT, QUIET) for row in rows if row.who == OURS)


def main(words: list[str] | None = None) -> int:
    """Print the tables; 1 when our own row is not exact."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__)
    parser.add_argument("--peers", default=",".join(peer.part.name for peer in PEERS), help="comma-separated")
    parser.add_argument("--only", action="append", default=[], help="a word in the endpoint's name; repeatable")
    parser.add_argument("--lanes", type=int, default=LANES, help="runs at once")
    given = parser.parse_args(words)
    chosen = tuple(peer for peer in PEERS if peer.part.name in given.peers.split(","))
    wanted = tuple(item for item in ENDPOINTS if not given.only or any(word in item.name for word in given.only))
    rows = compare(chosen, wanted, given.lanes)
    console = Console(width=160, markup=False)
    for table in tables(rows):
        console.print(table)
    return 0 if ours_is_exact(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
