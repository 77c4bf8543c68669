"""Small faulty things to put before an endpoint: each one does a single wrong thing to what passes through it.

    with strip_tools(server.base_url) as base_url: ...
    with TcpRelay(server.origin) as relay: relay.base_url; relay.pause(); relay.reset()

They run on an event loop in a thread of their own, so a test may block while they work. Each HTTP connection
serves one request and is closed. Nothing here is the product's code, on purpose.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx

_T = TypeVar("_T")
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host"}


@dataclass
class Request:
    """What a client sent: `target` is the path with its query, header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What is sent back; a body that is an iterator is passed on piece by piece, as it comes.

    `close` is awaited when the answer is done with, sent or not.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""
    close: Callable[[], Awaitable[None]] | None = None


Handler = Callable[[Request], Awaitable[Answer]]


class _Loop:
    """An event loop in a thread, with a server on a free loopback port."""

    def __init__(self, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self.call(asyncio.start_server(serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def call(self, work: Awaitable[_T]) -> _T:
        async def run() -> _T:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=10)

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # transports that were aborted close in the loop's next round

    def close(self) -> None:
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()


@contextlib.contextmanager
def http_server(handler: Handler) -> Iterator[str]:
    """Serve HTTP/1.1 with a handler; gives the origin (scheme, host, port)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = Answer()
        try:
            answer = await handler(await _read_request(reader))
            await _write_answer(writer, answer)
            writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            if answer.close is not None:
                await answer.close()

    loop = _Loop(serve)
    try:
        yield f"http://127.0.0.1:{loop.port}"
    finally:
        loop.close()


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    headers = {}
    for line in head[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    else:
        body = await reader.readexactly(int(headers.get("content-length") or 0))
    return Request(method, target, headers, body)


async def _write_answer(writer: asyncio.StreamWriter, answer: Answer) -> None:
    headers = {"Connection": "close", **answer.headers}
    whole = isinstance(answer.body, bytes)
    headers |= {"Content-Length": str(len(answer.body))} if whole else {"Transfer-Encoding": "chunked"}  # type: ignore[arg-type]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {answer.status} Any\r\n{lines}\r\n".encode("latin-1"))
    if isinstance(answer.body, bytes):
        writer.write(answer.body)
    else:
        async for piece in answer.body:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def forward(origin: str, change: Callable[[Request], Request]) -> Handler:
    """A handler that sends every request, changed, to another origin and passes its answer back as it comes."""

    async def handle(request: Request) -> Answer:
        request = change(request)
        headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
        client = httpx.AsyncClient(timeout=120, trust_env=False, headers={"accept-encoding": "identity"})
        message = client.build_request(
            request.method, f"{origin}{request.target}", headers=headers, content=request.body
        )
        try:
            response = await client.send(message, stream=True)
        except httpx.TransportError as failure:
            await client.aclose()
            return Answer(502, {"Content-Type": "text/plain"}, f"upstream: {failure!r}".encode())

        async def close() -> None:
            await response.aclose()
            await client.aclose()

        kept = {name: value for name, value in response.headers.items() if name.lower() not in _HOP_BY_HOP}
        return Answer(response.status_code, kept, response.aiter_raw(), close)

    return handle


@contextlib.contextmanager
def drop_fields(base_url: str, *fields: str) -> Iterator[str]:
    """A gateway that quietly removes fields from every JSON request before it passes it on. Gives its base URL."""

    def change(request: Request) -> Request:
        with contextlib.suppress(ValueError):
            asked = json.loads(request.body)
            if isinstance(asked, dict):
                request.body = json.dumps({name: asked[name] for name in asked if name not in fields}).encode()
        return request

    at = urlsplit(base_url)
    with http_server(forward(f"{at.scheme}://{at.netloc}", change)) as origin:
        yield f"{origin}{at.path}"


@contextlib.contextmanager
def strip_tools(base_url: str) -> Iterator[str]:
    """A gateway that removes `tools` and `tool_choice`: the model never learns of them, the answer is a success."""
    with drop_fields(base_url, "tools", "tool_choice", "parallel_tool_calls") as stripped:
        yield stripped


@contextlib.contextmanager
def answer_everything(body: bytes = b'{"status":"ok"}', content_type: str = "application/json") -> Iterator[str]:
    """A server that answers every method on every path with 200 and the same body. Gives its origin."""

    async def handle(request: Request) -> Answer:
        return Answer(200, {"Content-Type": content_type}, body)

    with http_server(handle) as origin:
        yield origin


@contextlib.contextmanager
def redirect(location: Callable[[str], str], status: int = 302) -> Iterator[tuple[str, list[Request]]]:
    """A server that redirects everything. `location` makes the Location header from the path asked for.

    Gives its origin and the list of requests it got, which grows.
    """
    seen: list[Request] = []

    async def handle(request: Request) -> Answer:
        seen.append(request)
        return Answer(status, {"Location": location(request.target)})

    with http_server(handle) as origin:
        yield origin, seen


class TcpRelay:
    """Passes bytes both ways between its own port and a server, and can be told to stop doing so.

    Its controls act on the connections that are open, and are called from the test's thread.
    """

    def __init__(self, upstream: str) -> None:
        at = urlsplit(upstream)
        self._host, self._port, self._path = str(at.hostname), int(at.port or 80), at.path
        self._writers: set[asyncio.StreamWriter] = set()
        self._swallowing = False
        self.connections = 0

    def __enter__(self) -> Self:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._loop = _Loop(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.close()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._loop.port}"

    @property
    def base_url(self) -> str:
        """The upstream's URL with this relay's port in place of its own."""
        return f"{self.origin}{self._path}"

    def pause(self) -> None:
        """Hold every byte from now on; the connections stay open."""
        self._loop.call(self._set(flowing=False))

    def resume(self) -> None:
        """Let held and new bytes through again."""
        self._loop.call(self._set(flowing=True))

    def drop(self) -> None:
        """Throw every byte away from now on, ends of connections too; the connections stay open."""
        self._loop.call(self._set(flowing=True, swallowing=True))

    def close_connections(self) -> None:
        """End both sides of every open connection in order (FIN)."""
        self._loop.call(self._cut(abort=False))

    def reset(self) -> None:
        """Tear down both sides of every open connection (RST)."""
        self._loop.call(self._cut(abort=True))

    async def _set(self, *, flowing: bool, swallowing: bool = False) -> None:
        self._swallowing = swallowing
        if flowing:
            self._flowing.set()
        else:
            self._flowing.clear()

    async def _cut(self, *, abort: bool) -> None:
        for writer in list(self._writers):
            if abort:
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        pair = {writer, far_writer}
        self._writers |= pair
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            for one in pair:
                one.close()
        except (OSError, asyncio.CancelledError):
            for one in pair:
                one.transport.abort()
        finally:
            self._writers -= pair

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._flowing.wait()
            if not self._swallowing:
                writer.write(data)
                await writer.drain()
        await self._flowing.wait()
        if self._swallowing:
            await asyncio.get_running_loop().create_future()  # never done: the end is thrown away as well
        with contextlib.suppress(OSError):
            writer.write_eof()
