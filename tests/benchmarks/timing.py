"""What the program says about time, and how long it takes: `python -m tests.benchmarks.timing PART`.

slow      llama.cpp held to some tokens a second: what of a client's switches is known, after how long, what was lost
silences  how long a silence the idle check makes, for every server style and several kinds of models
run       seconds of the whole command at 60 tokens/s, standard and quick, and its processor time
stalls    false alarms about time: healthy styles behind a relay that stalls at random, beside busy processes

Each prints a table; the exit status is 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import random
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from rich.console import Console
from rich.table import Table

from probe.model import Depth, Report, Severity, State
from probe.run.order import SWITCHES
from probe.run.runner import run
from probe.run.typed_options import Given, Known, options_for
from probe.simulator import Simulator, all_styles
from tests.benchmarks.held import cpu_s, held
from tests.contract.running import command, environment
from tests.live.servers import CONFIGS, llamacpp
from tests.scenarios.runs import against

#: Promises: seconds of a run at 4 tokens a second, and the share of endpoints at which the silence is reached.
MOST_S = 150.0
REACHED = 0.9
#: Seconds of the whole command at 60 tokens a second, on a machine that does nothing else, by depth.
WHOLE_S = {"standard": 12.0, "quick": 3.5}
#: Families of findings that are about time, and single codes.
ABOUT_TIME = ("idle",)
TIMED_CODES = {
    *("stream.held", "stream.replayed", "stream.size-buffered", "stream.coalesced", "stream.compressed"),
    *("stream.truncated", "stream.no-done", "tools.held-with-tools", "connect.timeout", "limits.overloaded"),
}


def typed(url: str, key: str | None, **given: object) -> Report:
    """A run with the defaults of the command line."""
    options = options_for(url, Given(**given), Known(key=key, source="benchmark"))  # type: ignore[arg-type]
    return anyio.run(lambda: run(options))


# Slow --------------------------------------------------------------------------------------------


def slow(rate: float, console: Console) -> int:
    """A real server that gets only so much of a core as it needs for ``rate`` tokens a second."""
    template = (CONFIGS / "hermes-tools.jinja").read_text(encoding="utf-8")
    with llamacpp(template=template, ctx=8192) as server:
        _speed(server.origin, 20)
        before = cpu_s(server.pid)
        _speed(server.origin, 80)
        per_token = (cpu_s(server.pid) - before) / 80
        with held(server.pid, rate * per_token):
            measured = _speed(server.origin, 16)
            report = typed(server.base_url, None, model=server.model)
    table = Table("switch", "verdict", "why", title=f"llama.cpp at {measured:.1f} tokens/s")
    for name in sorted(SWITCHES):
        table.add_row(name, report.capabilities[name].verdict, report.capabilities[name].note)
    console.print(table)
    lost = [f"{item.id} {item.check}" for item in report.exchanges if item.error and item.error.kind == "timeout"]
    console.print(f"{report.run.duration_s:.0f} s, {report.run.requests} requests, lost to our own limits: {lost or 0}")
    return int(bool(lost) or report.run.duration_s > MOST_S)


def _speed(origin: str, tokens: int) -> float:
    """Tokens per second as llama.cpp counts them."""
    parts = urlsplit(origin)
    body = {"messages": [{"role": "user", "content": "Write a long story about the sea."}], "max_tokens": tokens}
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    return float(answer["timings"]["predicted_per_second"])


# Whole runs --------------------------------------------------------------------------------------


def runs(console: Console) -> int:
    """The command as it is typed, from its start to its end; of three runs the fastest, since others may be busy."""
    table = Table("style", "depth", "seconds", "at most", "of them processor", "requests")
    late = False
    for depth, most in WHOLE_S.items():
        for style in ("openai", "vllm", "llamacpp"):
            with Simulator(style, rate_tokens_s=60.0) as sim, tempfile.TemporaryDirectory() as folder:
                words = ["run", sim.typed_url, "--model", sim.model, "--api-key-env", "KEY", "-q", "--out", folder]
                tried = [_seconds([*words, "--depth", depth], sim.key or "none") for _ in range(3)]
                spent = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))["run"]["requests"]
            wall, busy = min(tried)
            late |= wall > most
            table.add_row(style, depth, f"{wall:.2f}", f"{most:g}", f"{busy:.2f}", str(spent))
    console.print(table)
    console.print(f"load {os.getloadavg()[0]:.1f}")
    return int(late)


def _seconds(words: list[str], key: str) -> tuple[float, float]:
    """Wall and processor seconds of one command."""
    begin = time.monotonic()
    process = subprocess.Popen(
        command(*words), env=environment({"KEY": key}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return time.monotonic() - begin, used.ru_utime + used.ru_stime


# Silences ----------------------------------------------------------------------------------------


def silences(console: Console) -> int:
    """The silence of a standard run, five endpoints at a time, which mostly wait."""
    jobs = [(style.name, "plain", 60.0, ()) for style in all_styles()]
    jobs += [("openai", name, 60.0, ()) for name in ("chatty", "reasoning", "weak", "small", "copies")]
    jobs += [("openai", "plain", rate, ()) for rate in (10.0, 150.0, 300.0)]
    jobs += [(style, "plain", 60.0, ("short-answers",)) for style in ("openai", "vllm", "llamacpp", "ollama")]

    def one(job: tuple[str, str, float, tuple[str, ...]]) -> Report:
        style, personality, rate, faults = job
        with Simulator(style, faults, personality=personality, rate_tokens_s=rate) as sim:
            return typed(sim.typed_url, sim.key, model=sim.model, only=("idle.silence", "stream.delivery"))

    table = Table("style", "model", "tokens/s", "fault", "silence", "requests", "why")
    with ThreadPoolExecutor(5) as pool:
        reports = list(pool.map(one, jobs))
    for (style, personality, rate, faults), report in zip(jobs, reports, strict=True):
        verdict = report.capabilities["long_silence"]
        requests = next(item.requests for item in report.checks if item.id == "idle.silence")
        cells = (style, personality, f"{rate:g}", ", ".join(faults), verdict.verdict, str(requests), verdict.note)
        table.add_row(*cells)
    console.print(table)
    good = sum(report.capabilities["long_silence"].verdict is State.WORKS for report in reports)
    console.print(f"reached at {good} of {len(reports)}")
    return int(good < REACHED * len(reports))


# Stalls ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def stalling_relay(upstream: str, seed: int) -> Iterator[str]:
    """A TCP relay that holds back what the server sends for 0.3 to 1.5 s, every 1 to 4 s at random."""
    chance = random.Random(seed)
    parts = urlsplit(upstream)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    stalled_until = [0.0]
    ended = threading.Event()

    def stall() -> None:
        while not ended.wait(chance.uniform(1.0, 4.0)):
            stalled_until[0] = time.monotonic() + chance.uniform(0.3, 1.5)

    def carry(client: socket.socket) -> None:
        with client, socket.create_connection((parts.hostname, parts.port)) as server:
            while not ended.is_set():
                for source in select.select([client, server], [], [], 0.5)[0]:
                    data = source.recv(65536)
                    if source is server:
                        time.sleep(max(0.0, stalled_until[0] - time.monotonic()))
                    if not data:
                        return
                    (server if source is client else client).sendall(data)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=_quietly, args=(carry, client), daemon=True).start()

    for target in (stall, accept):
        threading.Thread(target=target, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{parts.path}"
    finally:
        ended.set()
        listener.close()


def _quietly(carry: object, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        carry(client)  # type: ignore[operator]


def _alarms(job: tuple[int, str]) -> tuple[str, float, list[str]]:
    """One run: style, seconds, and what was said about time."""
    seed, style = job
    with Simulator(style, rate_tokens_s=60.0) as sim, stalling_relay(sim.base_url, seed) as url:
        only = ("stream.*", "idle.*", "tools.stream")
        report = against(sim, typed=url, depth=Depth.STANDARD, idle_s=2.0, only=only, timeout_s=60.0)
    said = [item for item in report.findings if item.severity is not Severity.INFO]
    timed = [item for item in said if item.code in TIMED_CODES or item.code.partition(".")[0] in ABOUT_TIME]
    return style, report.run.duration_s, [f"{item.code}: {item.detail[:160]}" for item in timed]


def stalls(runs: int, workers: int, busy: int, limit_s: float, console: Console) -> int:
    """Runs of healthy styles, until ``runs`` are done or ``limit_s`` is over."""
    names = [style.name for style in all_styles()]
    jobs = [(seed, names[seed % len(names)]) for seed in range(runs)]
    hogs = [multiprocessing.Process(target=_busy, daemon=True) for _ in range(busy)]
    for hog in hogs:
        hog.start()
    done: list[tuple[str, float, list[str]]] = []
    ends = time.monotonic() + limit_s
    try:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            for result in pool.imap_unordered(_alarms, jobs):
                done.append(result)
                if time.monotonic() > ends:
                    break
            pool.terminate()
    finally:
        for hog in hogs:
            hog.kill()
    table = Table("style", "runs", "seconds", "alarms about time")
    for name in names:
        mine = [item for item in done if item[0] == name]
        if mine:
            seconds = sum(item[1] for item in mine) / len(mine)
            table.add_row(name, str(len(mine)), f"{seconds:.1f}", "; ".join(x for item in mine for x in item[2]) or "0")
    console.print(table)
    alarms = sum(bool(item[2]) for item in done)
    load = os.getloadavg()[0]
    console.print(f"{alarms} of {len(done)} runs with a false alarm; busy processes {busy}, load {load:.1f}")
    return int(alarms > 0)


def _busy() -> None:
    while True:
        pass


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.timing", description=__doc__)
    parser.add_argument("part", choices=("slow", "run", "silences", "stalls"))
    parser.add_argument("--rate", type=float, default=4.0, help="tokens a second (slow)")
    parser.add_argument("--runs", type=int, default=200, help="runs (stalls)")
    parser.add_argument("--workers", type=int, default=4, help="runs at once (stalls)")
    parser.add_argument("--busy", type=int, default=2, help="busy processes (stalls)")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which no run is waited for (stalls)")
    given = parser.parse_args(words)
    console = Console(width=150)
    if given.part == "slow":
        return slow(given.rate, console)
    if given.part == "run":
        return runs(console)
    if given.part == "silences":
        return silences(console)
    return stalls(given.runs, given.workers, given.busy, given.limit, console)


if __name__ == "__main__":
    sys.exit(main())
