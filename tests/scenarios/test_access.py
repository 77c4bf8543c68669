"""Reaching the endpoint, trusting it, its URL, its key, its models: what no simulated fault alone shows."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from checks.url.checks import clear_text, withhold
from probe.model import Exchange, Report, Request, Severity, State, Timeline
from probe.parsing import urls
from probe.run.options import Auth
from probe.simulator import Simulator, all_styles
from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response, redirect
from tests.scenarios.runs import against, codes, diagnose, errors

ONLY = ("connect.*", "tls.*", "url.*", "auth.*", "models.*")
#: A run that ends without a chat completion may send no more than this.
IN_VAIN = 6


@pytest.mark.parametrize("style", all_styles(), ids=lambda style: style.name)
def test_a_healthy_endpoint_has_nothing_to_mend(style) -> None:  # type: ignore[no-untyped-def]
    report = diagnose(style=style.name, only=ONLY)
    assert codes(report, least=Severity.WARNING) == set()
    assert not errors(report)
    assert report.capabilities["chat"].verdict is State.WORKS
    # One provider's real list is a bare array, which is worth a note.
    listed = "models.no-list" not in style.yields
    assert (report.capabilities["model_list"].verdict is State.WORKS) == listed


@pytest.fixture(scope="module")
def healthy() -> Iterator[Simulator]:
    with Simulator() as sim:
        yield sim


@pytest.mark.parametrize(
    ("pasted", "code"),
    [
        ("{origin}/v1", None),
        ("{origin}", "url.missing-v1"),
        ("{origin}/", "url.missing-v1"),
        ("{bare}", "url.missing-v1"),
        ("{origin}/v1/", "url.trailing-slash"),
        ("{origin}/v1//", "url.trailing-slash"),
        ("{origin}/v1/chat/completions", "url.operation-path"),
        ("{origin}/v1/chat/completions/", "url.operation-path"),
        ("{origin}/v1/models", "url.operation-path"),
        ("{origin}/v1/messages", "url.operation-path"),
        ("{origin}/v1/models/sim-small", "url.operation-path"),
        ("{origin}/v1/v1", "url.duplicate-path"),
        ("{origin}/v1?x=1", None),
        ("{origin}/nothing/here", "url.missing-v1"),
    ],
)
def test_whatever_is_pasted_ends_in_the_base_that_works(healthy: Simulator, pasted: str, code: str | None) -> None:
    typed = pasted.format(origin=healthy.origin, bare=healthy.origin.removeprefix("http://"))
    report = against(healthy, typed=typed, only=("url.resolve",))
    assert report.target.base_url == healthy.origin + "/v1"
    assert codes(report, "url") == ({code} if code else set())


def closed_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def nowhere(url: str) -> Report:
    with Simulator() as sim:
        return against(sim, typed=url, only=ONLY)


def test_a_closed_port_is_refused() -> None:
    report = nowhere(f"http://127.0.0.1:{closed_port()}/v1")
    assert codes(report) == {"connect.refused"}
    assert report.target.base_url is None


def test_a_name_that_does_not_resolve() -> None:
    assert codes(nowhere("http://no-such-host.invalid/v1")) == {"connect.dns"}


class _PlainHttp(socketserver.BaseRequestHandler):
    """Answers whatever comes, a TLS hello too, in plain HTTP, as nginx and uvicorn do."""

    def handle(self) -> None:
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def test_plain_http_at_an_https_url_is_no_certificate_trouble() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), _PlainHttp) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        report = nowhere(f"https://127.0.0.1:{server.server_address[1]}/v1")
        server.shutdown()
        thread.join()
    assert codes(report) == {"tls.handshake"}


class _Redirect(BaseHTTPRequestHandler):
    """Sends every request on to another origin, named by the class attribute ``goal``."""

    goal = ""

    def _away(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(307)
        self.send_header("Location", self.goal + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _away

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_the_key_stays_with_the_typed_origin() -> None:
    with Simulator() as elsewhere:
        handler = type("Handler", (_Redirect,), {"goal": elsewhere.origin})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            report = against(elsewhere, typed=f"http://127.0.0.1:{server.server_port}/v1", only=ONLY)
            server.shutdown()
            thread.join()
        received = elsewhere.journal
    assert codes(report) == {"url.redirects"}
    assert report.run.requests <= IN_VAIN
    assert received == []


@pytest.mark.parametrize(("how", "header"), [("text", "x-gate-apikey"), ("kong", "apikey")])
def test_the_header_of_the_key_that_a_refusal_names(how: str, header: str) -> None:
    with Simulator("openai", [f"access-named-header={how}"]) as sim:
        report = against(sim, only=ONLY)
    assert codes(report) == {"auth.wrong-scheme"}
    assert f"`{header}: KEY`" in report.findings[0].remedy


def test_a_wrong_key_differs_from_no_key() -> None:
    with Simulator() as sim:
        wrong = against(sim, auth=Auth(key="sk-certainly-wrong-key", source="test"), only=ONLY)
        none = against(sim, auth=Auth(), only=ONLY)
    assert codes(wrong) == {"auth.rejected"}
    assert codes(none) == {"auth.required"}
    assert wrong.run.requests <= IN_VAIN
    assert none.run.requests <= 3
    assert "sk-certainly-wrong-key" not in str(wrong)


def test_an_unknown_model_names_the_nearest() -> None:
    with Simulator(models=("mistral-small-2506", "llama-3.3-70b")) as sim:
        report = against(sim, model="mistral-smal-2506", only=ONLY)
    (finding,) = report.findings
    assert finding.code == "models.id-unknown"
    assert "mistral-small-2506" in finding.remedy
    assert report.target.base_url == sim_base(report)


def sim_base(report: Report) -> str:
    return str(report.target.endpoint)


def test_a_key_is_not_sent_in_clear_text_unless_http_was_typed() -> None:
    with Simulator() as sim:
        report = against(sim, typed="some-host.internal:8000/v1", only=("url.resolve", "connect.reach"))
    assert codes(report, "connect") == {"connect.dns"}
    assert all("Authorization" not in exchange.request.headers for exchange in report.exchanges)


def test_clear_text_to_another_machine_is_named() -> None:
    """No other machine is to be had in a test, so the two pure judgements are asked directly."""
    typed = urls.parse("http://gateway.example/v1")
    (finding,) = clear_text(typed, an_exchange()).findings
    assert (finding.code, finding.severity) == ("url.cleartext", Severity.WARNING)
    kept_back = withhold(urls.parse("gateway.lan:8000/v1"), "clear text")
    assert [(item.code, item.severity) for item in kept_back.findings] == [("url.cleartext", Severity.ERROR)]
    assert "http://gateway.lan:8000/v1" in kept_back.findings[0].remedy


def an_exchange() -> Exchange:
    return Exchange("x001", "url.resolve", Request("POST", "http://gateway.example/v1", {}), None, Timeline())


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("https://auth.example.com/?rd=https%3A%2F%2Fapi.example.com%2Fv1%2Fmodels&rm=GET", "`access_control.rules`"),
        ("/outpost.goauthentik.io/start?rd=https%3A%2F%2Fapi.example.com%2Fv1", "Unauthenticated Paths"),
        (
            "https://sso.example.com/realms/main/protocol/openid-connect/auth?client_id=gateway",
            "no setting of Keycloak",
        ),
        ("https://id.example.com/.pomerium/sign_in?pomerium_redirect_uri=x", "`allow_public_unauthenticated_access"),
        ("/oauth2/start?rd=%2Fv1%2Fmodels", "`--skip-auth-route"),
        (
            "https://login.microsoftonline.com/common/oauth2/authorize?client_id=1&redirect_uri=x",
            "Exempt the API's path",
        ),
    ],
)
def test_the_cure_of_a_sign_in_is_that_of_the_program_that_asks_for_it(place: str, says: str) -> None:
    class SignIn(Fault):
        name, summary = "test-sign-in", "for tests"

        def on_request(self, call: Call) -> Response:
            return redirect(302, place)

    with Simulator(faults=[SignIn()]) as sim:
        report = against(sim)
    assert codes(report) == {"auth.sign-in"}
    assert says in report.findings[0].remedy
    assert "CF-Access" not in report.findings[0].remedy
