"""What is sent beside a run, by `provider verify` and the webhook, obeys the rules of a run's requests."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from probe.cli import webhook
from probe.cli.options import Unusable
from probe.provider.verify import Held, Session, Step, verify
from probe.redaction.redactor import Redactor
from probe.version import VERSION
from probe.wire.transport import Transport
from tests.wire.rawserver import Script, read_request, serving

KEY = "sk-proj-0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT"
GW = "gw-Zy9Xw8Vu7Ts6"
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "ZEBRA-48213"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def answer(status: str, body: bytes, *headers: str, got: list[bytes] | None = None) -> Script:
    """Answer one request, and keep it."""
    lines = "".join(f"{line}\r\n" for line in (*headers, f"Content-Length: {len(body)}", "Connection: close"))

    def script(connection: socket.socket) -> None:
        request = read_request(connection)
        if got is not None:
            got.append(request)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{lines}\r\n".encode() + body)

    return script


def pours(head: bytes, piece: bytes, pause: float = 0.0) -> Script:
    """A body that does not end."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        ends = time.monotonic() + 3
        with suppress(OSError):
            while time.monotonic() < ends:
                connection.sendall(piece)
                time.sleep(pause)

    return script


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
ZIPPED = HEAD.replace(b"Connection", b"Content-Encoding: gzip\r\nConnection")
BOMB = gzip.compress(b"\0" * (64 * 1024 * 1024), 9)


def chat(port: int, timeout_s: float = 20.0, **more: Any) -> Step:
    """The first step of a session, with a key and a gateway's token."""
    headers = {"Authorization": f"Bearer {KEY}", "X-Gateway": f"Token {GW}"}
    redactor = Redactor([("API_KEY", KEY), ("GW", GW)], {f"Token {GW}": "Token ${GW}"})
    known: dict[str, Any] = {"base_url": f"http://127.0.0.1:{port}/v1", "model": "m", "headers": headers}
    return verify(Session(**{**known, "timeout_s": timeout_s, "redactor": redactor, **more}))[0]


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A port, and the beginning of everything that is sent there."""
    got: list[bytes] = []

    def script(connection: socket.socket) -> None:
        got.append(connection.recv(65536))

    with serving(script) as port:
        yield port, got


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary", "308 Permanent"])
def test_verify_follows_no_redirect(status: str) -> None:
    with listening() as (other, got), serving(answer(status, b"", f"Location: http://127.0.0.1:{other}/v1/x")) as port:
        step = chat(port)
        assert step.held is Held.FAILED
    assert got == []


@pytest.mark.parametrize("kind", ["endless", "endless gzip", "gzip bomb", "slow", "slow head", "stream without an end"])
def test_verify_ends_in_time_and_in_bounded_memory(kind: str) -> None:
    pour = {
        "endless": pours(HEAD, b" " * 1_000_000),
        "endless gzip": pours(ZIPPED + BOMB[:2000], BOMB),
        "gzip bomb": pours(ZIPPED, BOMB, 1.5),
        "slow": pours(HEAD, b" ", 0.05),
        "slow head": pours(b"HTTP/1.1 200 OK\r\nX-A: ", b"a", 0.05),
        "stream without an end": pours(HEAD, b": heartbeat\n\n", 0.05),
    }[kind]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.monotonic()
    with serving(pour) as port:
        step = chat(port, timeout_s=0.5)
        took = time.monotonic() - begin
    assert step.held is Held.FAILED
    assert took < 15, "three tries of half a second each, and the waits between them"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024


def test_verify_sends_what_is_saved_and_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("OPENAI_ORG_ID", "org-of-mine"),
        ("OPENAI_PROJECT_ID", "proj-of-mine"),
        ("OPENAI_CUSTOM_HEADERS", "X-Mine: custom-of-mine\nAuthorization: Bearer other-key"),
        ("OPENAI_API_KEY", "sk-of-mine"),
        ("OPENAI_ADMIN_KEY", "sk-admin-of-mine"),
    ):
        monkeypatch.setenv(name, value)
    got: list[bytes] = []
    with serving(answer("200 OK", json.dumps(COMPLETION).encode(), got=got)) as port:
        assert chat(port, query="api-version=1&a=1&a=2").held is Held.HELD
        assert chat(port, headers={}).held is Held.HELD
    assert b"of-mine" not in b"".join(got)
    assert b"other-key" not in b"".join(got)
    first, second = ({line.split(b":")[0].lower() for line in item.split(b"\r\n")[1:] if b": " in line} for item in got)
    assert got[0].startswith(b"POST /v1/chat/completions?api-version=1&a=1&a=2 HTTP/1.1\r\n")
    assert f"User-Agent: endpoint-probe/{VERSION}\r\n".encode() in got[0]
    assert f"Authorization: Bearer {KEY}".encode() in got[0]
    assert first - second == {b"authorization", b"x-gateway"}
    assert not any(name.startswith(b"openai") for name in first)


def test_the_key_of_a_loopback_endpoint_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as (proxy, seen):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://user:pass@127.0.0.1:{proxy}")
        with serving(answer("200 OK", json.dumps(COMPLETION).encode())) as port:
            assert chat(port).held is Held.HELD
            assert webhook.send(f"http://127.0.0.1:{port}/hook", b"s", b"{}") is None
    assert seen == []


def test_a_proxy_that_is_asked_for_is_used() -> None:
    got: list[bytes] = []
    with serving(answer("200 OK", json.dumps(COMPLETION).encode(), got=got)) as proxy:
        transport = Transport(proxy=f"http://127.0.0.1:{proxy}")
        step = chat(1, base_url="http://endpoint.example/v1", transport=transport)
    assert step.held is Held.HELD
    assert got[0].startswith(b"POST http://endpoint.example/v1/chat/completions HTTP/1.1\r\n")


@pytest.mark.parametrize("said", [KEY, KEY[:-1], KEY[4:30], KEY[::-1], f"Token {GW}", GW, "\u200b".join(KEY)])
@pytest.mark.parametrize("padding", [0, 150])
def test_verify_quotes_no_part_of_what_it_sent(said: str, padding: int) -> None:
    body = json.dumps({"error": {"message": "x" * padding + f" bad key {said} given"}}).encode()
    with serving(answer("401 Unauthorized", body)) as port:
        step = chat(port)
    assert step.held is Held.FAILED
    assert "refused with status 401" in step.note
    for secret in (KEY, KEY[::-1], GW):
        assert not any(secret[at : at + 6] in step.note for at in range(len(secret) - 5)), step.note


# The webhook ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pour", "delivered"),
    [(pours(HEAD, b" " * 1_000_000), True), (pours(HEAD, b" ", 0.05), True), (pours(b"HTTP/1.1 2", b"", 0.7), False)],
    ids=["endless", "slow", "no head"],
)
def test_the_webhook_ends_in_time(pour: Script, delivered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_TIMEOUT_S", 0.7)
    begin = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with serving(pour) as port:
        problem = webhook.send(f"http://127.0.0.1:{port}/", b"secret", b"{}")
        took = time.monotonic() - begin
    assert (problem is None) is delivered
    assert took < 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_the_webhook_follows_no_redirect_and_says_who_it_is() -> None:
    got: list[bytes] = []
    with listening() as (other, seen):
        moved = answer("307 Temporary", b"", f"Location: http://127.0.0.1:{other}/", got=got)
        with serving(moved) as port:
            assert webhook.send(f"http://127.0.0.1:{port}/", b"secret", b"{}") == "it answered 307"
    assert seen == []
    assert f"User-Agent: endpoint-probe/{VERSION}\r\n".encode() in got[0]
    assert b"X-Endpoint-Probe-Signature: sha256=" in got[0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("tok\nX-Evil: 1", "HOOK_TOKEN of --webhook holds a line break or a space"),
        ("tok\r\n", "HOOK_TOKEN of --webhook holds a line break or a space"),
        ("to k", "HOOK_TOKEN of --webhook holds a line break or a space"),
        ("tok\x00", "HOOK_TOKEN of --webhook holds a line break or a space"),
    ],
)
def test_a_variable_that_no_url_can_hold_is_one_line(value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook.os, "environ", {"HOOK_TOKEN": value})
    with pytest.raises(Unusable) as why:
        webhook.resolve("https://hooks.example/${HOOK_TOKEN}", None)
    assert said in str(why.value)
    assert "\n" not in str(why.value) and "tok" not in str(why.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h.example/",
        "hooks.example/x",
        "https://256.1.1.1/",
        "https://",
        "http://[::1",
        "https://h\u200b.example/",
    ],
)
def test_what_is_no_url_for_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(Unusable, match="--webhook is not a URL"):
        webhook.resolve(url, None)


def test_a_login_in_the_url_of_a_webhook_is_sent() -> None:
    got: list[bytes] = []
    with serving(answer("204 No Content", b"", got=got)) as port:
        found = webhook.resolve(f"http://user:pass@127.0.0.1:{port}/hook", None)
        assert found is not None
        assert webhook.send(*found, b"{}") is None
    assert b"Authorization: Basic dXNlcjpwYXNz\r\n" in got[0]
    assert threading.active_count() < 20
