"""The faulty proxies of the tests do the one wrong thing they are for, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from time import monotonic

import httpx
import pytest

from tests.live.proxies import Answer, Request, TcpRelay, answer_everything, http_server, redirect, strip_tools


@pytest.fixture
def echo() -> Iterator[str]:
    """A base URL whose server sends back the request's method, path, headers and body as JSON."""

    async def handle(request: Request) -> Answer:
        heard = {"method": request.method, "target": request.target, "headers": request.headers}
        heard["body"] = request.body.decode()
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(heard).encode())

    with http_server(handle) as origin:
        yield f"{origin}/v1"


def client(timeout: float = 10.0) -> httpx.Client:
    return httpx.Client(trust_env=False, timeout=timeout)


def test_strip_tools_removes_them_and_keeps_the_rest(echo: str) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "ä"}], "tools": [{}], "tool_choice": "required"}
    with strip_tools(echo) as base_url, client() as http:
        heard = http.post(f"{base_url}/chat/completions?a=b", json=asked, headers={"Authorization": "Bearer k"}).json()
    assert json.loads(heard["body"]) == {"model": "m", "messages": [{"role": "user", "content": "ä"}]}
    assert heard["target"] == "/v1/chat/completions?a=b"
    assert heard["headers"]["authorization"] == "Bearer k"


def test_strip_tools_passes_a_stream_piece_by_piece() -> None:
    async def handle(request: Request) -> Answer:
        async def events() -> AsyncIterator[bytes]:
            for number in range(4):
                yield f"data: {number}\n\n".encode()
                await asyncio.sleep(0.2)

        return Answer(200, {"Content-Type": "text/event-stream"}, events())

    with (
        http_server(handle) as origin,
        strip_tools(origin) as base_url,
        client() as http,
        http.stream("POST", f"{base_url}/x", json={"tools": []}) as response,
    ):
        arrivals = [(piece, monotonic()) for piece in response.iter_raw()]
    assert b"".join(piece for piece, _ in arrivals) == b"data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n"
    assert all(later - earlier > 0.05 for (_, earlier), (_, later) in pairwise(arrivals))


def test_strip_tools_says_when_nothing_is_behind_it() -> None:
    with answer_everything() as gone:
        pass
    with strip_tools(gone) as base_url, client() as http:
        assert http.post(f"{base_url}/x", json={}).status_code == 502


def test_answer_everything() -> None:
    with answer_everything(b"<html></html>", "text/html") as origin, client() as http:
        answers = [http.get(f"{origin}/nowhere"), http.post(f"{origin}/v1/chat/completions", json={})]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "<html></html>")}


def test_redirect_names_the_place_and_remembers_what_it_got() -> None:
    with redirect(lambda path: f"http://example.invalid{path}", 308) as (origin, seen), client() as http:
        answer = http.post(f"{origin}/v1/chat/completions", headers={"Authorization": "Bearer k"})
    assert answer.status_code == 308
    assert answer.headers["location"] == "http://example.invalid/v1/chat/completions"
    assert [request.headers.get("authorization") for request in seen] == ["Bearer k"]


def test_relay_passes_pauses_and_resumes(echo: str) -> None:
    with TcpRelay(echo) as relay:
        with client() as http:
            assert http.get(f"{relay.base_url}/models").json()["target"] == "/v1/models"
        relay.pause()
        with client(timeout=0.5) as http, pytest.raises(httpx.ReadTimeout):
            http.get(f"{relay.base_url}/models")
        relay.resume()
        with client() as http:
            assert http.get(f"{relay.base_url}/models").is_success
        assert relay.connections == 3


def test_relay_drops_for_good(echo: str) -> None:
    with TcpRelay(echo) as relay:
        relay.drop()
        with client(timeout=0.5) as http, pytest.raises(httpx.ReadTimeout):
            http.get(f"{relay.base_url}/models")


@pytest.mark.parametrize("how", ["reset", "close_connections"])
def test_relay_ends_connections(how: str) -> None:
    """A reset and an orderly end look different to the client, and both leave the answer unfinished."""

    async def handle(request: Request) -> Answer:
        async def events() -> AsyncIterator[bytes]:
            yield b"data: 0\n\n"
            await asyncio.sleep(30)

        return Answer(200, {"Content-Type": "text/event-stream"}, events())

    with (
        http_server(handle) as origin,
        TcpRelay(origin) as relay,
        client() as http,
        http.stream("POST", f"{relay.base_url}/x") as response,
    ):
        pieces = response.iter_raw()
        assert next(pieces) == b"data: 0\n\n"
        getattr(relay, how)()
        expected = httpx.ReadError if how == "reset" else httpx.RemoteProtocolError
        with pytest.raises(expected):
            next(pieces)
