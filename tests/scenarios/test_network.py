"""TLS ports, certificates of the client, forward proxies and dead addresses: what no simulated fault alone shows."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from probe.model import Owner, Severity, State
from probe.simulator import Simulator
from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response, send_html
from probe.wire import looks
from probe.wire.transport import Transport
from reports import markdown
from reports.html import page as html_page
from tests.scenarios.runs import against, codes, errors

ONLY = ("connect.*", "tls.*", "url.resolve")
SECRET = "proxy-password-7d1f"


@contextmanager
def speaking(answer: bytes) -> Iterator[str]:
    """A port that answers every connection with these bytes and closes it; its host and port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(0.1)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with closing(connection):
                    connection.settimeout(2)
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


def page(status: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", body]).encode()


# TLS ports -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "The plain HTTP request was sent to HTTPS port",
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.",
        "Client sent an HTTP request to an HTTPS server.",
    ],
)
def test_a_port_that_says_that_it_speaks_tls(said: str) -> None:
    with speaking(page("400 Bad Request", said)) as host, Simulator() as sim:
        report = against(sim, typed=f"http://{host}/v1", only=ONLY)
    assert codes(report) == {"tls.plain-http"}
    assert report.findings[0].owner is Owner.CLIENT
    assert f"https://{host}/v1" in report.findings[0].remedy
    assert report.target.base_url is None


def test_an_alert_in_place_of_a_status_line() -> None:
    with speaking(b"\x15\x03\x01\x00\x02\x02\x46") as host, Simulator() as sim:
        report = against(sim, typed=f"http://{host}/v1", only=ONLY)
    assert codes(report) == {"tls.plain-http"}


@pytest.mark.parametrize("answer", [b"", page("400 Bad Request", "no such thing"), b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_a_port_that_speaks_no_tls_is_not_said_to(answer: bytes) -> None:
    with speaking(answer) as host, Simulator() as sim:
        report = against(sim, typed=f"http://{host}/v1", only=ONLY)
    assert not codes(report, "tls")


def test_the_certificate_of_the_client_opens_the_endpoint() -> None:
    with Simulator(faults=("tls-client-certificate",)) as sim:
        assert sim.tls is not None
        assert sim.tls.client_certificate is not None
        transport = Transport(ca_bundle=str(sim.ca_bundle), client_cert=str(sim.tls.client_certificate))
        report = against(sim, only=ONLY, transport=transport)
    assert codes(report) == set()
    assert report.capabilities["chat"].verdict is State.WORKS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_is_wanted_in_both_versions_of_tls(version: ssl.TLSVersion) -> None:
    with Simulator(faults=("tls-client-certificate",)) as sim:
        assert sim.tls is not None
        sim.tls.context.minimum_version = sim.tls.context.maximum_version = version
        report = against(sim, only=ONLY)
    assert codes(report) == {"tls.client-certificate"}
    assert "--client-cert" in report.findings[0].remedy


def test_a_reset_over_tls_is_no_want_of_a_certificate() -> None:
    with Simulator(faults=("tls", "connect-reset")) as sim:
        report = against(sim, only=ONLY)
    assert codes(report) == {"connect.reset"}


class AsksForCertificate(Fault):
    """A page that asks for the certificate of the client, as nginx does."""

    name = "asks-for-certificate"
    summary = "nginx's status 400 without a client certificate"
    certificate = "good"

    def on_request(self, call: Call) -> Response | None:
        return send_html(400, "<center><h1>400 Bad Request</h1></center><center>No required SSL certificate was sent")


def test_a_page_that_asks_for_the_certificate() -> None:
    with Simulator(faults=(AsksForCertificate(),)) as sim:
        report = against(sim, only=ONLY)
    assert codes(report) == {"tls.client-certificate"}


# Forward proxies -------------------------------------------------------------------------------------


def through(proxy: str, typed: str = "http://endpoint.example/v1") -> Any:
    with Simulator() as sim:
        return against(sim, typed=typed, only=ONLY, transport=Transport(proxy=proxy))


@pytest.mark.parametrize(
    ("answer", "owner", "says"),
    [
        (page("407 Proxy Authentication Required", "", 'Proxy-Authenticate: Basic realm="x"'), Owner.CLIENT, "login"),
        (page("403 Forbidden", "", "X-Squid-Error: ERR_ACCESS_DENIED 0"), Owner.NETWORK, "refuses"),
        (page("503 Service Unavailable", "", "X-Squid-Error: ERR_CONNECT_FAIL 111"), Owner.NETWORK, "does not reach"),
        (page("502 Bad Gateway", "", "Server: mitmproxy 11.0.2"), Owner.NETWORK, "does not reach"),
        (page("403 Forbidden", "", "Proxy-Status: gw; error=http_request_denied"), Owner.NETWORK, "refuses"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_a_proxy_answers_itself(answer: bytes, owner: Owner, says: str, scheme: str) -> None:
    with speaking(answer) as host:
        report = through(f"http://user:{SECRET}@{host}", f"{scheme}://endpoint.example/v1")
    assert codes(report) == {"connect.proxy"}
    finding = report.findings[0]
    assert finding.owner is owner
    assert says in finding.detail
    assert f"http://{host} (--proxy)" in finding.detail
    assert (report.target.proxy, report.target.proxy_source) == (f"http://{host}", "--proxy")
    assert report.facts["proxy"] == f"http://{host}"
    assert SECRET not in repr(report)


def test_a_dead_proxy_is_no_dead_server() -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    report = through(f"http://127.0.0.1:{port}")
    assert codes(report) == {"connect.proxy"}
    assert f"127.0.0.1:{port}" in report.findings[0].detail
    assert "Start the server" not in report.findings[0].remedy


def test_the_variable_that_names_the_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with speaking(page("407 Proxy Authentication Required", "")) as host:
        for name in ("http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "REQUEST_METHOD"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", f"http://user:{SECRET}@{host}")
        with Simulator() as sim:
            report = against(sim, typed="http://endpoint.example/v1", only=ONLY)
    assert codes(report) == {"connect.proxy"}
    assert report.target.proxy_source == "HTTP_PROXY"
    assert "unset HTTP_PROXY" in report.findings[0].remedy
    assert "NO_PROXY=endpoint.example" in report.findings[0].remedy
    assert SECRET not in repr(report)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST.", "x.localhost", "0.0.0.0", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_reached_without_the_environments_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the report says of the way and the way itself are one choice."""
    for name in ("no_proxy", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    with speaking(page("407 Proxy Authentication Required", "")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://user:{SECRET}@{proxy}")
        with Simulator() as sim:
            report = against(sim, typed=sim.base_url.replace("127.0.0.1", host), only=ONLY)
    assert "connect.proxy" not in codes(report)
    assert report.target.proxy is None
    assert not errors(report)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1", "http://[::"])
def test_a_proxy_that_cannot_be_used_is_named_and_no_fault_of_the_program(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "no_proxy", "NO_PROXY", "all_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with Simulator() as sim:
        report = against(sim, typed="http://endpoint.example/v1", only=ONLY)
    assert errors(report) == []
    assert codes(report) == {"connect.proxy"}
    assert "not an http or https proxy" in report.findings[0].detail


def test_every_format_names_the_proxy() -> None:
    with speaking(page("407 Proxy Authentication Required", "")) as host:
        report = through(f"http://user:{SECRET}@{host}")
    for written in (markdown.render(report), html_page.render(report)):
        assert f"http://{host}".encode() in written
        assert b"--proxy" in written
        assert SECRET.encode() not in written


def test_without_a_proxy_none_is_named() -> None:
    with Simulator() as sim:
        report = against(sim, only=ONLY)
    assert report.target.proxy is None
    assert "proxy" not in report.facts
    assert not errors(report)


# Addresses -------------------------------------------------------------------------------------------


def test_an_address_that_refuses_while_another_works(monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator() as sim:
        # The simulated endpoint listens on 127.0.0.1 alone; the host has a second address.
        port = sim.site.port

        async def two(*_: object, **__: object) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]

        monkeypatch.setattr(looks.anyio, "getaddrinfo", two)
        report = against(sim, only=("connect.*",))
    assert codes(report) == {"connect.address-family"}
    finding = report.findings[0]
    assert finding.severity is Severity.WARNING
    assert "127.0.0.2 refuses" in finding.detail
    assert "127.0.0.1 works" in finding.detail


def test_addresses_that_all_work_or_all_fail_are_no_finding() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        found = anyio.run(looks.each, ["127.0.0.1"], port)
    assert [item.trouble for item in found] == [None]
    assert [item.trouble for item in anyio.run(looks.each, ["127.0.0.1"], port)] == ["refused"]


def test_a_look_at_a_silent_port_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "HANDSHAKE_S", 0.3)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        seen = anyio.run(looks.handshake, "127.0.0.1", listener.getsockname()[1])
    assert not seen.spoken


def test_the_files_of_the_client_are_read_before_anything_is_sent(tmp_path: Path) -> None:
    from probe.run.typed_options import Given, Known, Unusable, options_for
    from probe.simulator.tls import issue

    certificate, key, other = (tmp_path / name for name in ("cert.pem", "key.pem", "other.pem"))
    made = issue("client", names=("client.example",))
    certificate.write_bytes(made.pem())
    key.write_bytes(made.pem(key=True)[len(made.pem()) :])
    other.write_text("no certificate")

    def given(**paths: str) -> Any:
        return options_for("https://endpoint.example/v1", Given(**paths), Known())

    transport = given(client_cert=str(certificate), client_key=str(key)).transport
    assert (transport.client_cert, transport.client_key) == (str(certificate), str(key))
    for wrong in (
        {"client_cert": str(certificate)},
        {"client_key": str(key)},
        {"client_cert": str(other), "client_key": str(key)},
        {"client_cert": str(certificate), "client_key": str(other)},
        {"client_cert": str(tmp_path / "none.pem")},
    ):
        with pytest.raises(Unusable) as refused:
            given(**wrong)
        assert "PRIVATE KEY" not in str(refused.value)
        assert "\n" not in str(refused.value)
