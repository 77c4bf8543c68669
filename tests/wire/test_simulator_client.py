"""A plain client for the simulated endpoint, and what its HTTP server does on the wire."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from probe.simulator import Simulator, UnknownName, all_faults, all_styles

FAST: dict[str, Any] = {"rate_tokens_s": 0.0, "first_token_s": 0.0}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Get the current weather in a city", "parameters": CITY},
}
CLOCK = {
    "type": "function",
    "function": {"name": "get_time", "description": "Get the current time in a city", "parameters": CITY},
}
COUNT = "Count from 1 to {}, one number per line, nothing else"
TRUST = ssl.create_default_context()  # made once: it is slow
TO_FIVE = COUNT.format(5)


@dataclass
class Streamed:
    """A stream as it arrived: (seconds since the request, bytes) of every read, and how it ended."""

    status: int
    headers: httpx.Headers
    head_at: float
    reads: list[tuple[float, bytes]] = field(default_factory=list)
    error: Exception | None = None

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.reads)

    @property
    def events(self) -> list[Any]:
        """The data of all events: parsed JSON, or the text where it is none."""
        made: list[Any] = []
        for line in self.body.decode("utf-8", "replace").splitlines():
            if line.startswith("data:"):
                text = line[5:].strip()
                try:
                    made.append(json.loads(text))
                except ValueError:
                    made.append(text)
        return made

    @property
    def deltas(self) -> list[dict[str, Any]]:
        return [
            choice["delta"]
            for event in self.events
            if isinstance(event, dict)
            for choice in event.get("choices") or []
            if "delta" in choice
        ]

    @property
    def text(self) -> str:
        return "".join(delta.get("content") or "" for delta in self.deltas)

    @property
    def finish(self) -> list[str]:
        reasons = [
            choice.get("finish_reason")
            for event in self.events
            if isinstance(event, dict)
            for choice in event.get("choices") or []
        ]
        return [reason for reason in reasons if reason]

    @property
    def calls(self) -> dict[Any, dict[str, Any]]:
        """Tool calls joined by index."""
        made: dict[Any, dict[str, Any]] = {}
        for delta in self.deltas:
            for part in delta.get("tool_calls") or []:
                call = made.setdefault(part.get("index"), {"id": None, "name": "", "arguments": ""})
                call["id"] = part.get("id") or call["id"]
                call["name"] += part["function"].get("name") or ""
                call["arguments"] += part["function"].get("arguments") or ""
        return made


class Client:
    """Talks to a simulator as a simple client would."""

    def __init__(self, sim: Simulator, *, key: str | None = "", url: str | None = None) -> None:
        given = sim.key if key == "" else key
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        self.sim, self.base = sim, url or sim.base_url
        verify = ssl.create_default_context(cafile=sim.ca_bundle) if sim.ca_bundle else TRUST
        self.http = httpx.Client(headers=headers, timeout=10, trust_env=False, verify=verify)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def models(self) -> httpx.Response:
        return self.http.get(self.base + "/models")

    def body(self, messages: Any, fields: dict[str, Any]) -> dict[str, Any]:
        turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        return {"model": self.sim.model, "messages": turns, **fields}

    def chat(self, messages: Any = "Reply with exactly: KX-48213", **fields: Any) -> httpx.Response:
        return self.http.post(self.base + "/chat/completions", json=self.body(messages, fields))

    def said(self, messages: Any, **fields: Any) -> str:
        response = self.chat(messages, **fields)
        assert response.status_code == 200, response.text
        return str(response.json()["choices"][0]["message"]["content"])

    def message(self, messages: Any, **fields: Any) -> dict[str, Any]:
        response = self.chat(messages, **fields)
        assert response.status_code == 200, response.text
        made: dict[str, Any] = response.json()["choices"][0]["message"]
        return made

    def stream(self, messages: Any = TO_FIVE, *, headers: dict[str, str] | None = None, **fields: Any) -> Streamed:
        body = self.body(messages, {"stream": True, **fields})
        start = time.monotonic()
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        with self.http.stream("POST", self.base + "/chat/completions", json=body, headers=sent) as response:
            made = Streamed(response.status_code, response.headers, time.monotonic() - start)
            try:
                for data in response.iter_raw():
                    made.reads.append((time.monotonic() - start, data))
            except httpx.HTTPError as wrong:
                made.error = wrong
        return made


def raw(sim: Simulator, *pieces: bytes, shut: bool = False) -> bytes:
    """Sends bytes as they are and reads until the server closes."""
    with socket.create_connection(("127.0.0.1", sim.site.port), timeout=10) as sock:
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(0.02)
        if shut:
            sock.shutdown(socket.SHUT_WR)
        parts = []
        while data := sock.recv(65536):
            parts.append(data)
    return b"".join(parts)


def request_bytes(sim: Simulator, body: dict[str, Any], extra: str = "Connection: close\r\n") -> tuple[bytes, bytes]:
    payload = json.dumps(body).encode()
    key = f"Authorization: Bearer {sim.key}\r\n" if sim.key else ""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n{key}Content-Type: application/json\r\n{extra}"
    return head.encode(), payload


# The server on the wire ----------------------------------------------------------------------------------


def test_keeps_connections_and_journals_requests() -> None:
    with Simulator(**FAST) as sim, Client(sim) as client:
        for _ in range(3):
            assert client.models().status_code == 200
        client.chat("Say pong", temperature=0)
        journal = sim.journal
    assert [(one.method, one.path) for one in journal] == [("GET", "/v1/models")] * 3 + [
        ("POST", "/v1/chat/completions")
    ]
    assert len({one.connection for one in journal}) == 1
    assert json.loads(journal[-1].body)["temperature"] == 0
    assert journal[-1].header("AUTHORIZATION") == f"Bearer {sim.key}"
    assert journal[0].time <= journal[-1].time


def test_takes_chunked_bodies_continue_and_half_closed_clients() -> None:
    body = {"model": "sim-small", "messages": [{"role": "user", "content": "Say pong"}]}
    with Simulator(**FAST) as sim:
        head, payload = request_bytes(sim, body)
        middle = len(payload) // 2
        parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (payload[:middle], payload[middle:]))
        assert b"pong" in raw(sim, head + b"Transfer-Encoding: chunked\r\n\r\n", parts, b"0\r\n\r\n")
        length = b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(payload)
        answer = raw(sim, head + length, payload, shut=True)
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
        assert b"pong" in answer


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"505"),
        (b"POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 400_000 + b"\r\n\r\n", b"431"),
    ],
)
def test_refuses_what_is_no_request(sent: bytes, status: bytes) -> None:
    with Simulator(**FAST) as sim:
        try:
            assert raw(sim, sent).startswith(b"HTTP/1.1 " + status)
        except ConnectionError:  # the refusal may be lost when the client is still sending
            assert status == b"431"
        with Client(sim) as client:
            assert client.models().status_code == 200


def test_large_bodies_and_pipelined_requests() -> None:
    with Simulator(**FAST, options={"context_length": "4000000"}) as sim, Client(sim) as client:
        assert "Thank" in client.said("x " * 3_000_000)
        get = f"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sim.key}\r\n".encode()
        answer = raw(sim, get + b"\r\n" + get + b"Connection: close\r\n\r\n")
        assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_head_has_no_body_and_http10_closes() -> None:
    with Simulator(**FAST) as sim:
        key = f"Authorization: Bearer {sim.key}\r\n"
        head = raw(sim, f"HEAD /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{key}\r\n".encode())
        assert head.endswith(b"\r\n\r\n")
        assert b"Content-Length" in head
        old = raw(sim, f"GET /v1/models HTTP/1.0\r\n{key}\r\n".encode())
        assert b'"object":"list"' in old


def test_a_stream_for_http10_ends_by_closing_without_chunks() -> None:
    with Simulator(**FAST) as sim:
        body = json.dumps({"model": sim.model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]})
        fields = f"Authorization: Bearer {sim.key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        old = raw(sim, f"POST /v1/chat/completions HTTP/1.0\r\n{fields}\r\n{body}".encode())
    head, _, rest = old.partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert rest.startswith(b"data: {")
    assert rest.endswith(b"data: [DONE]\n\n")


def test_pace_follows_the_schedule_without_drift() -> None:
    with Simulator(rate_tokens_s=100.0, first_token_s=0.1) as sim, Client(sim) as client:
        made = client.stream(COUNT.format(60))
        stamps = sim.stamps[-1]
    first = stamps[0][0]
    events = [at - first for at, _ in stamps]
    tokens = 60 * 2 - 1
    assert [number for _, number in stamps] == list(range(tokens + 3))
    assert events[-1] == pytest.approx(tokens / 100, abs=0.15)
    assert made.head_at == pytest.approx(0.1, abs=0.15)
    arrivals = [at for at, _ in made.reads]
    assert arrivals[-1] - arrivals[0] > 0.8 * tokens / 100


def test_stopping_leaves_no_thread_and_no_open_connection() -> None:
    before = set(threading.enumerate())
    sim = Simulator(["openai", "vllm"][0], ["stream-held"], rate_tokens_s=1.0).start()
    with socket.create_connection(("127.0.0.1", sim.site.port), timeout=5) as sock:
        head, payload = request_bytes(
            sim, {"model": sim.model, "stream": True, "messages": [{"role": "user", "content": "Count to 90"}]}
        )
        sock.sendall(head + b"Content-Length: %d\r\n\r\n" % len(payload) + payload)
        deadline = time.monotonic() + 5
        while not sim.journal and time.monotonic() < deadline:
            time.sleep(0.01)
        sim.stop()
        sim.stop()
        with contextlib.suppress(ConnectionError):
            assert sock.recv(10) == b""
    assert set(threading.enumerate()) <= before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", sim.site.port), timeout=1)


def test_a_taken_port_is_said() -> None:
    with Simulator(**FAST) as sim, pytest.raises(OSError, match="in use"):
        Simulator(port=sim.site.port).start()


@pytest.mark.parametrize(
    ("style", "given", "part"),
    [
        ("openay", [], "did you mean 'openai'"),
        ("openai", ["missing-v2"], "did you mean 'missing-v1'"),
        ("openai", ["tools-as-hermess"], "did you mean 'tools-as-hermes'"),
    ],
)
def test_unknown_names_suggest_the_nearest(style: str, given: list[str], part: str) -> None:
    with pytest.raises(UnknownName, match=part):
        Simulator(style, given)


@pytest.mark.parametrize(
    "given", ["missing-v1=3", "stream-coalesced=x", "blocks-rejected=200", "tools-rejected=nobody"]
)
def test_unusable_values_are_refused_at_once(given: str) -> None:
    with pytest.raises(ValueError, match=given.partition("=")[0]):
        Simulator(faults=[given])


def test_lists_are_complete_and_described() -> None:
    assert len(all_faults()) > 150
    assert {"openai", "vllm", "llamacpp", "ollama"} <= {style.name for style in all_styles()}
    for info in [*all_faults(), *all_styles()]:
        assert info.summary
        assert "\n" not in info.summary
