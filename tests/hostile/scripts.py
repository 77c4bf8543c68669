"""The corpus: named hostile behaviours, each a small function; adding one is adding a function.

A behaviour is a generator over a request and the answer a healthy endpoint would give
it.  What it yields is done on the wire: bytes are sent, a number is a pause in seconds,
``RESET`` tears the connection, ``HANG`` says nothing more, ``KEEP`` (the last thing
yielded) leaves the connection open for the next request.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from probe.simulator.request import Request
from tests.hostile.server import Peer
from tests.hostile.valid import Valid

RESET = "reset"
HANG = "hang"
KEEP = "keep"
Act = bytes | float | str


@dataclass
class Scene:
    """What a behaviour works with.

    Attributes:
        request: as it came.
        valid: the answer of a healthy endpoint to it.
        random: seeded, so that a run can be repeated.
        elsewhere: the base URL of another origin that must never see the key.
        secret: the key as it came with the request, to be thrown back.
    """

    request: Request
    valid: Valid
    random: random.Random
    elsewhere: str = ""

    @property
    def secret(self) -> str:
        value = self.request.header("authorization") or ""
        return value.removeprefix("Bearer ") or "no-key-came"


Behaviour = Callable[[Scene], Iterator[Act]]
Whole = Callable[[Peer, random.Random], None]


@dataclass(frozen=True)
class Hostile:
    """One entry of the corpus.

    ``slow``: it keeps the client waiting, so a run takes its whole deadline.  ``heavy``:
    it tries the tool's memory.  ``whole`` is in charge of the connection from its first
    byte (no request is read for it); ``tls`` asks for HTTPS with these ALPN protocols.
    """

    name: str
    run: Behaviour | None = None
    whole: Whole | None = None
    slow: bool = False
    heavy: bool = False
    tls: tuple[str, ...] = field(default=())


_CORPUS: dict[str, Hostile] = {}


def hostile(name: str, *, slow: bool = False, heavy: bool = False) -> Callable[[Behaviour], Behaviour]:
    """Add a behaviour to the corpus."""

    def add(run: Behaviour) -> Behaviour:
        assert name not in _CORPUS, name
        _CORPUS[name] = Hostile(name, run, slow=slow, heavy=heavy)
        return run

    return add


def hostile_connection(
    name: str, *, slow: bool = False, heavy: bool = False, tls: tuple[str, ...] = ()
) -> Callable[[Whole], Whole]:
    """Add a behaviour that has the whole connection."""

    def add(whole: Whole) -> Whole:
        assert name not in _CORPUS, name
        _CORPUS[name] = Hostile(name, whole=whole, slow=slow, heavy=heavy, tls=tls)
        return whole

    return add


def corpus() -> dict[str, Hostile]:
    """Every entry by name."""
    from tests.hostile import corpus as package

    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    return dict(sorted(_CORPUS.items()))


# What many behaviours say ----------------------------------------------------------------------------


def reply(
    body: bytes | Any,
    status: int = 200,
    kind: str = "application/json",
    fields: tuple[tuple[str, str], ...] = (),
    length: int | None = None,
) -> bytes:
    """A whole response; ``body`` is bytes or a JSON value, ``length`` another Content-Length than the true one."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}"]
    lines += [f"{name}: {value}" for name, value in fields]
    lines.append(f"Content-Length: {len(content) if length is None else length}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + content


def opening(kind: str = "text/event-stream", *fields: str) -> bytes:
    """The head of a chunked response."""
    more = "".join(f"{field}\r\n" for field in fields)
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}Transfer-Encoding: chunked\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    """One HTTP chunk (RFC 9112, section 7.1); empty data ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def streamed(*events: bytes | Any) -> Iterator[Act]:
    """An event stream of these events; values are sent as JSON."""
    yield opening()
    for event in events:
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        yield chunk(b"data: " + data + b"\n\n")
    yield chunk(b"")
    yield KEEP
