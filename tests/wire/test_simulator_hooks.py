"""Every layer of an exchange can be changed by a fault class alone, on any path, also over TLS."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import httpx
import pytest

from probe.simulator import Simulator
from probe.simulator.call import JSON, Call, Chunk, Connection
from probe.simulator.fault import Fault, choices, each_object, on_response
from probe.simulator.faults.tools import tools_ignored
from probe.simulator.response import (
    End,
    Head,
    Response,
    Write,
    no_response,
    redirect,
    send_html,
    send_raw,
    send_text,
)
from probe.simulator.tls import ServerTLS, issue, serve
from tests.wire.test_simulator_client import FAST, TO_FIVE, WEATHER, Client, raw, request_bytes
from tests.wire.test_simulator_effects import CODE, OSLO

CHAT, MODELS, ELSEWHERE = "/v1/chat/completions", "/v1/models", "/some/other/path"


@contextlib.contextmanager
def running(*faults: Fault | str, **settings: Any) -> Iterator[Client]:
    with Simulator(faults=faults, **{**FAST, **settings}) as sim, Client(sim) as client:
        yield client


def get(client: Client, path: str) -> httpx.Response:
    return client.http.get(client.sim.origin + path)


# Status line, fields, bytes ----------------------------------------------------------------------------


class OtherHead(Fault):
    """Changes the status and the fields of every response, on any path."""

    def on_response(self, call: Call, response: Response) -> Response:
        return replace(response.with_header("x-request-id", None), status=299)

    def on_head(self, call: Call, head: Head) -> Head:
        return replace(head, reason="Fine, Thanks", headers=[*head.headers, ("X-Twice", "1"), ("X-Twice", "2")])


@pytest.mark.parametrize("path", [MODELS, ELSEWHERE])
def test_status_line_and_fields(path: str) -> None:
    with running(OtherHead()) as client:
        response = get(client, path)
    assert (response.status_code, response.reason_phrase) == (299, "Fine, Thanks")
    assert response.headers.get_list("x-twice") == ["1", "2"]
    assert "x-request-id" not in response.headers
    assert "date" in response.headers


class WrongLength(Fault):
    """Promises one byte more than it sends."""

    def on_head(self, call: Call, head: Head) -> Head:
        length = next(int(value) for name, value in head.headers if name == "Content-Length")
        return replace(
            head,
            headers=[(name, str(length + 1) if name == "Content-Length" else value) for name, value in head.headers],
        )

    def on_response(self, call: Call, response: Response) -> Response:
        return replace(response, close=True)


def test_framing_fields() -> None:
    with running(WrongLength()) as client, pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        get(client, MODELS)


class BadChunkSize(Fault):
    """Damages the chunk framing on the wire."""

    def on_bytes(self, call: Call, data: bytes) -> bytes:
        return b"zz\r\n\r\n" if data == b"0\r\n\r\n" else data


def test_bytes_on_the_wire() -> None:
    with running(BadChunkSize()) as client:
        assert isinstance(client.stream().error, httpx.RemoteProtocolError)


class Banner(Fault):
    """Another protocol: its greeting instead of a response."""

    def on_request(self, call: Call) -> Response | None:
        return send_raw(b"SSH-2.0-OpenSSH_9.6\r\n")


def test_bytes_that_are_not_http() -> None:
    with running(Banner()) as client:
        assert raw(client.sim, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b"SSH-2.0-OpenSSH_9.6\r\n"


# State across requests ---------------------------------------------------------------------------------


class EveryThird(Fault):
    """Every third request fails, whatever its path."""

    def __init__(self) -> None:
        super().__init__()
        self.count = itertools.count(1)

    def on_request(self, call: Call) -> Response | None:
        return send_text(502, "bad gateway") if next(self.count) % 3 == 0 else None


def test_every_nth_request() -> None:
    with running(EveryThird()) as client:
        paths = (MODELS, ELSEWHERE, MODELS, MODELS, ELSEWHERE, ELSEWHERE)
        assert [get(client, path).status_code for path in paths] == [200, 404, 502, 200, 404, 502]


class Cache(Fault):
    """Returns the first answer to every later chat request."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Response | None = None

    def on_request(self, call: Call) -> Response | None:
        return self.kept if call.operation == "chat" else None

    def on_response(self, call: Call, response: Response) -> Response:
        if call.operation == "chat" and response.status == 200:
            self.kept = self.kept or response
        return response


def test_a_cache() -> None:
    with running(Cache()) as client:
        first, other = client.chat("Reply with exactly: AA-11111").json(), client.chat(CODE).json()
        assert client.models().json()["object"] == "list"
    assert other == first


class Pool(Fault):
    """Two members behind one address: the second has another fault, another model and drops tools."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = itertools.cycle([(), (tools_ignored(),)])

    def additional(self, call: Call) -> Sequence[Fault]:
        members: Sequence[Fault] = next(self.turn)
        if members:
            call.site = replace(call.site, models=("second-model",))
        return members


def test_a_pool_of_two_members() -> None:
    with running(Pool()) as client:
        called = [bool(client.message(OSLO, tools=[WEATHER], model=name).get("tool_calls")) for name in
                  ("sim-small", "second-model", "sim-small", "second-model")]  # fmt: skip
    assert called == [True, False, True, False]


class Replay(Fault):
    """Answers have a field that must be in the history of the next request."""

    def on_json(self, call: Call, payload: Any) -> Any:
        for choice in choices(payload):
            choice["message"]["state"] = "s-1"
        return payload

    def on_chat(self, call: Call) -> Response | None:
        turns = [turn for turn in call.messages if turn["role"] == "assistant"]
        return None if all(turn.get("state") == "s-1" for turn in turns) else self.error(400, "state is missing")


def test_a_field_that_the_history_must_have() -> None:
    with running(Replay()) as client:
        asked = {"role": "user", "content": CODE}
        answered = client.message([asked])
        assert client.chat([asked, answered, asked]).status_code == 200
        refused = client.chat([asked, {key: answered[key] for key in ("role", "content")}, asked])
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, "state is missing")


# Bodies and events -------------------------------------------------------------------------------------


class Numbered(Fault):
    """A field in every JSON body and in every event, of any operation."""

    def on_json(self, call: Call, payload: Any) -> Any:
        return {**payload, "mark": 1}

    def on_events(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return each_object(chunks, lambda data: {**data, "mark": 1})


def test_every_json_body_and_every_event() -> None:
    with running(Numbered()) as client:
        asked = {"model": client.sim.model, "input": TO_FIVE}
        url = client.base + "/responses"
        bodies = [client.models(), get(client, ELSEWHERE), client.chat(), client.http.post(url, json=asked)]
        assert [body.json()["mark"] for body in bodies] == [1, 1, 1, 1]
        assert [event["mark"] for event in client.stream().events if event != "[DONE]"].count(1) > 5
        events = client.http.post(url, json={**asked, "stream": True}).text.split("data: ")[1:]
        assert len(events) > 8
        assert all(json.loads(event.partition("\n")[0])["mark"] == 1 for event in events)


class AlwaysStreams(Fault):
    """Answers every request of any operation with an event stream."""

    def on_prompt(self, call: Call) -> None:
        call.body = {**call.body, "stream": True}


@pytest.mark.parametrize("extra", [{"stream": False}, {}])
def test_an_event_stream_that_was_not_asked_for(extra: JSON) -> None:
    with running(AlwaysStreams()) as client:
        asked = {"model": client.sim.model, "input": CODE, **extra}
        responses = [client.chat(CODE, **extra), client.http.post(client.base + "/responses", json=asked)]
    assert all(response.headers["content-type"].startswith("text/event-stream") for response in responses)


# Time and ends -----------------------------------------------------------------------------------------


class SlowPath(Fault):
    """One path is slower than the others."""

    def on_response(self, call: Call, response: Response) -> Response:
        return response.delayed(0.4) if call.path == ELSEWHERE else response


def test_a_delay_on_one_path() -> None:
    with running(SlowPath()) as client:
        took = []
        for path in (MODELS, ELSEWHERE):
            before = time.monotonic()
            get(client, path)
            took.append(time.monotonic() - before)
    assert took[1] >= 0.4 > took[0]


class Endless(Fault):
    """After the answer, comments without an end."""

    def on_stream(self, call: Call, response: Response) -> Response:
        last = response.end_at
        return replace(
            response, more=lambda: (Write(last + 0.005 * tick, b": still here\n\n") for tick in itertools.count())
        )


def test_a_stream_without_an_end() -> None:
    with running(Endless()) as client:
        body = client.body(TO_FIVE, {"stream": True})
        with client.http.stream("POST", client.base + "/chat/completions", json=body) as response:
            received = b""
            for data in response.iter_raw():
                received += data
                if received.count(b"still here") > 50:
                    break
        assert b"[DONE]" in received
        assert client.models().status_code == 200


class Ends(Fault):
    """Ends every response at a time, or after a silence, in one of the ways."""

    def __init__(self, end: End, total: float | None = None, silence: float | None = None) -> None:
        super().__init__()
        self.end, self.total, self.silence = end, total, silence

    def on_response(self, call: Call, response: Response) -> Response:
        at = self.total if self.silence is None else response.silence_after(self.silence)
        if at is None or at > response.finished_at():
            return response
        return no_response(self.end, at) if at < response.head_at else response.cut(at, self.end)


ERRORS: dict[End, type[Exception]] = {
    "cut": httpx.RemoteProtocolError,
    "unclean": httpx.RemoteProtocolError,
    "reset": httpx.ReadError,
    "hang": httpx.ReadTimeout,
}


@pytest.mark.parametrize("end", ERRORS)
def test_ends_in_total_and_after_a_silence(end: End) -> None:
    with running(Ends(end, total=0.3), rate_tokens_s=20.0) as client:
        client.http.timeout = httpx.Timeout(1.5)
        streamed = client.stream()
        assert type(streamed.error) is ERRORS[end]
        assert b"data: " in streamed.body
        assert b"[DONE]" not in streamed.body
    with running(Ends(end, silence=0.2), first_token_s=1.0) as client:
        client.http.timeout = httpx.Timeout(1.5)
        with pytest.raises(ERRORS[end]):
            client.chat()


TLS_ERRORS: dict[End, type[Exception] | None] = {
    "cut": None,  # close_notify, then FIN
    "unclean": ssl.SSLEOFError,
    "hang": TimeoutError,
}


@pytest.mark.parametrize("settings", [{"rate_tokens_s": 20.0}, {"first_token_s": 1.0}], ids=["stream", "silence"])
@pytest.mark.parametrize("end", [*TLS_ERRORS, "reset"])
def test_the_same_over_tls(end: End, settings: dict[str, float]) -> None:
    with running(Ends(end, total=0.3), "tls", **settings) as client:
        trust = ssl.create_default_context(cafile=client.sim.ca_bundle)
        head, payload = request_bytes(client.sim, client.body(TO_FIVE, {"stream": True}))
        plain = socket.create_connection(("127.0.0.1", client.sim.site.port), timeout=1)
        with (
            plain.dup() as below,
            trust.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as secure,
        ):
            secure.sendall(head + b"Content-Length: %d\r\n\r\n" % len(payload) + payload)
            # OpenSSL reports RST as an end of file, so that one is looked for below TLS.
            reader, error = (below, ConnectionResetError) if end == "reset" else (secure, TLS_ERRORS[end])
            with pytest.raises(error) if error else contextlib.nullcontext():
                while reader.recv(65536):
                    pass


class Accepted(Fault):
    """Closes idle connections early, and resets every second connection before its first request."""

    def on_connection(self, connection: Connection) -> End | None:
        connection.keepalive_s = 0.2
        return "reset" if connection.number % 2 == 0 else None


def test_connections_before_and_between_requests() -> None:
    with running(Accepted()) as client:
        address = ("127.0.0.1", client.sim.site.port)
        with socket.create_connection(address, timeout=5) as first:
            before = time.monotonic()
            assert first.recv(10) == b""
            assert 0.15 < time.monotonic() - before < 2
        with pytest.raises(ConnectionResetError), socket.create_connection(address, timeout=5) as second:
            second.recv(10)


# Gateways in front -------------------------------------------------------------------------------------


class SignIn(Fault):
    """Every request without a cookie is redirected to a sign-in page."""

    def on_request(self, call: Call) -> Response | None:
        if call.path == "/sign-in":
            return send_html(200, "<form>Password</form>")
        return None if call.request.header("cookie") else redirect(302, "/sign-in", [("Set-Cookie", "flow=1")])


class Challenge(Fault):
    """The refusal of a key names the scheme that is required."""

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        return refusal.with_header("WWW-Authenticate", 'Basic realm="inner"') if refusal else None


def test_a_sign_in_page_and_a_challenge() -> None:
    with running(SignIn()) as client:
        response = client.http.get(client.sim.origin + ELSEWHERE, follow_redirects=True)
        assert "Password" in response.text
        assert response.history[0].headers["location"] == "/sign-in"
    with running(Challenge()) as client, Client(client.sim, key="wrong") as stranger:
        assert stranger.chat().headers["www-authenticate"] == 'Basic realm="inner"'


# TLS ---------------------------------------------------------------------------------------------------


class Certified(Fault):
    """TLS with the given settings."""

    def __init__(self, settings: ServerTLS) -> None:
        super().__init__()
        self.settings = settings

    def on_tls(self, tls: ServerTLS | None) -> ServerTLS | None:
        return self.settings


def test_a_chain_without_its_intermediate() -> None:
    root = issue("Root")
    between = issue("Intermediate", root)
    leaf = issue("localhost", between, names=("localhost", "127.0.0.1"))
    with running(Certified(serve([leaf, between], root))) as client:
        assert client.models().status_code == 200
    with (
        running(Certified(serve([leaf], root))) as client,
        pytest.raises(httpx.ConnectError, match="unable to get local issuer"),
    ):
        client.models()


def test_certificates_of_both_sides() -> None:
    with running("tls-client-certificate") as client:
        with pytest.raises(httpx.TransportError):
            client.models()
        assert client.sim.tls is not None
        assert client.sim.tls.client_certificate is not None
        trust = ssl.create_default_context(cafile=client.sim.ca_bundle)
        trust.load_cert_chain(client.sim.tls.client_certificate)
        headers = {"Authorization": f"Bearer {client.sim.key}"}
        assert httpx.get(client.base + "/models", headers=headers, verify=trust, trust_env=False).status_code == 200


# The class itself --------------------------------------------------------------------------------------


def test_a_hook_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="on_script"):
        type("Old", (Fault,), {"on_script": lambda self: None})


def test_a_member_that_a_fault_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="voice"):
        tools_ignored.variant("tools-whispered", "tools are whispered", voice="low")


@on_response("the answer has another field", "tools.ignored", choices=("yes", "no"))
def another_field(fault: Fault, call: Call, response: Response) -> Response:
    return response.with_header("X-Another", fault.given)


def test_a_function_is_a_fault_of_its_name() -> None:
    assert (another_field.name, another_field.yields, another_field.value) == (
        "another-field",
        ("tools.ignored",),
        "yes",
    )
    with running(another_field("no")) as client:
        assert get(client, MODELS).headers["x-another"] == "no"


@pytest.mark.parametrize(
    ("members", "seen"),
    [({"stream": True}, (False, True, False)), ({"stream": False}, (True, False, True)),
     ({"operation": "chat"}, (True, True, False))],
)  # fmt: skip
def test_a_fault_may_concern_some_calls_alone(members: dict[str, Any], seen: tuple[bool, ...]) -> None:
    with running(another_field.variant("another-field-somewhere", "the same for some", **members)()) as client:
        chat = [client.chat(CODE, stream=stream) for stream in (False, True)]
        answers = [*chat, get(client, MODELS)]
    assert tuple("x-another" in answer.headers for answer in answers) == seen


def test_a_failing_hook_is_visible() -> None:
    class Broken(Fault):
        names: ClassVar[dict[str, str]] = {}

        def on_request(self, call: Call) -> Response | None:
            raise KeyError(self.names["missing"])

    with running(Broken()) as client:
        response = get(client, ELSEWHERE)
    assert response.status_code == 500
    assert "simulator failure: KeyError('missing')" in response.json()["error"]["message"]
