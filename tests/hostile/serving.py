"""A corpus entry, or right answers with twists, as a running server."""

from __future__ import annotations

import atexit
import contextlib
import json
import random
import shutil
import ssl
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import trustme

from probe.simulator.request import Request
from tests.hostile.scripts import HANG, KEEP, RESET, Act, Hostile, Scene
from tests.hostile.server import Peer, Server
from tests.hostile.twists import Twist, performed
from tests.hostile.valid import Oracle

#: So many requests are answered well before a late behaviour begins: the model list and one chat.
GOOD_FIRST = 2


@cache
def _authority() -> tuple[trustme.CA, Path]:
    authority = trustme.CA()
    folder = Path(tempfile.mkdtemp(prefix="endpoint-probe-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    return authority, bundle


def ca_bundle() -> str:
    """The certificate file that a client must trust to reach the HTTPS entries."""
    return str(_authority()[1])


def _context(protocols: tuple[str, ...]) -> ssl.SSLContext | None:
    if not protocols or protocols == ("raw",):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority()[0].issue_cert("localhost").configure_cert(context)
    context.set_alpn_protocols(list(protocols))
    return context


@dataclass
class Stage:
    """A hostile server that runs, and the innocent one beside it that must see nothing."""

    url: str
    server: Server
    elsewhere: Server
    model: str

    @property
    def answers(self) -> int:
        """How many responses were begun: one a request, or one a connection where no request is read."""
        return max(len(self.server.journal), self.server.connections)


def _innocent(peer: Peer) -> None:
    while peer.request() is not None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@contextlib.contextmanager
def staged(entry: Hostile, *, late: bool = False, seed: int = 0, key: str | None = None) -> Iterator[Stage]:
    """Serve an entry of the corpus.

    Args:
        late: answer the first requests as a healthy endpoint would, so that every check gets its turn.
        seed: of all the behaviour's choices.
        key: what the healthy answers ask for.
    """
    oracle = Oracle(key=key)
    rng = random.Random(f"{entry.name}:{seed}")
    with Server(_innocent) as elsewhere:

        def serve(peer: Peer) -> None:
            if entry.whole is not None:
                entry.whole(peer, rng)
                return
            assert entry.run is not None
            while (request := peer.request()) is not None:
                scene = Scene(request, oracle.answer(request), rng, elsewhere.url)
                good = late and len(peer.server.journal) <= GOOD_FIRST
                if not perform(peer, scene, entry, good=good):
                    return

        with Server(serve, _context(entry.tls)) as server:
            url = server.url
            if entry.tls:
                url = url.replace("http://127.0.0.1", "https://localhost")
            yield Stage(url, server, elsewhere, oracle.model)
        assert not server.faults, server.faults


#: Gives the next answer's twist, or the behaviour of a corpus entry; its Random is the request's own.
Next = Callable[[random.Random], Twist | Hostile]


def shape(request: Request) -> str:
    """What stays the same of a request from run to run, whatever codes stand in it."""
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        body = {}
    return f"{request.method} {request.path} {sorted(body) if isinstance(body, dict) else type(body)}"


@contextlib.contextmanager
def twisted(
    following: Next, *, seed: str = "0", style: str = "openai", late: bool = False, key: str | None = None
) -> Iterator[Stage]:
    """Serve the right answers of a style, each with the twist that it is given.

    Requests come in another order in every run.  So a twist depends on the seed, on the
    shape of the request, and on how many of that shape came before, and not on the order.
    """
    oracle = Oracle(style, key=key)
    seen: Counter[str] = Counter()
    with Server(_innocent) as elsewhere:

        def serve(peer: Peer) -> None:
            while (request := peer.request()) is not None:
                name = shape(request)
                with peer.server.lock:
                    seen[name] += 1
                    number = seen[name]
                rng = random.Random(f"{seed}:{name}:{number}")
                scene = Scene(request, oracle.answer(request), rng, elsewhere.url)
                found = following(rng)
                if late and len(peer.server.journal) <= GOOD_FIRST:
                    acts: Iterator[Act] = iter((scene.valid.wire(), KEEP))
                elif isinstance(found, Hostile):
                    assert found.run is not None
                    acts = found.run(scene)
                else:
                    acts = performed(found, scene.valid)
                if not act(peer, acts):
                    return

        with Server(serve) as server:
            yield Stage(server.url, server, elsewhere, oracle.model)
        assert not server.faults, server.faults


def perform(peer: Peer, scene: Scene, entry: Hostile, *, good: bool = False) -> bool:
    """Do what the behaviour yields; whether the connection stays open."""
    if good or entry.run is None:
        peer.send(scene.valid.wire())
        return True
    return act(peer, entry.run(scene))


def act(peer: Peer, acts: Iterator[Act]) -> bool:
    """Do one thing after the other on the wire; whether the connection stays open."""
    for item in acts:
        if isinstance(item, bytes):
            peer.send(item)
        elif isinstance(item, float):
            peer.pause(item)
        elif item == RESET:
            peer.reset()
            return False
        elif item == HANG:
            peer.hang()
        elif item == KEEP:
            return True
    return False
