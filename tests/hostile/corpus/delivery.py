"""Connections: never answered, answered too early, torn, or given somebody else's answer."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator

from tests.hostile.scripts import HANG, KEEP, RESET, Act, Scene, hostile, hostile_connection, reply
from tests.hostile.server import Peer


@hostile_connection("accepts-and-never-answers", slow=True)
def never(peer: Peer, rng: random.Random) -> None:
    peer.hang()


@hostile("reads-and-never-answers", slow=True)
def silent(scene: Scene) -> Iterator[Act]:
    yield HANG


@hostile_connection("accepts-and-closes")
def closes(peer: Peer, rng: random.Random) -> None:
    return


@hostile_connection("accepts-and-resets")
def resets(peer: Peer, rng: random.Random) -> None:
    peer.reset()


@hostile("reads-and-resets")
def late_reset(scene: Scene) -> Iterator[Act]:
    yield RESET


@hostile_connection("answers-before-the-request")
def before(peer: Peer, rng: random.Random) -> None:
    peer.send(reply({"choices": [{"index": 0, "message": {"role": "assistant", "content": "early"}}]}))
    while peer.request() is not None:
        peer.send(reply({"error": {"message": "too late"}}, 400))


@hostile_connection("answers-after-the-head")
def after_head(peer: Peer, rng: random.Random) -> None:
    if peer.head() is not None:
        peer.send(reply({"error": {"message": "not read to its end"}}, 413, fields=(("Connection", "close"),)))


@hostile_connection("greets-like-a-mail-server")
def mail(peer: Peer, rng: random.Random) -> None:
    peer.send(b"220 mail.example ESMTP\r\n")
    peer.receive()
    peer.send(b"500 5.5.2 Error: bad syntax\r\n")


@hostile_connection("greets-like-ssh")
def ssh(peer: Peer, rng: random.Random) -> None:
    peer.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    peer.hang()


@hostile_connection("speaks-tls-on-a-plain-port")
def alert(peer: Peer, rng: random.Random) -> None:
    peer.receive()
    peer.send(b"\x15\x03\x01\x00\x02\x02\x46")


@hostile_connection("speaks-http2-on-a-plain-port")
def preface(peer: Peer, rng: random.Random) -> None:
    peer.receive()
    peer.send(b"\0\0\x12\x04\0\0\0\0\0" + b"\0\x03\0\0\0\x64\0\x04\0\x01\0\0\0\x06\0\x04\0\0")


@hostile("sends-noise")
def noise(scene: Scene) -> Iterator[Act]:
    yield scene.random.randbytes(5000)


@hostile("sends-noise-for-a-body")
def noise_body(scene: Scene) -> Iterator[Act]:
    yield reply(scene.random.randbytes(5000))
    yield KEEP


@hostile("endless-noise", heavy=True)
def endless_noise(scene: Scene) -> Iterator[Act]:
    block = scene.random.randbytes(65536)
    for _ in range(1000):
        yield block


_OTHERS: deque[bytes] = deque(maxlen=12)


@hostile("answers-with-another-requests-body")
def mixed_up(scene: Scene) -> Iterator[Act]:
    _OTHERS.append(scene.valid.wire())
    yield scene.random.choice(list(_OTHERS))
    yield KEEP


@hostile("answers-twice")
def twice(scene: Scene) -> Iterator[Act]:
    yield scene.valid.wire() * 2
    yield KEEP


@hostile("answers-and-goes-on-talking")
def more(scene: Scene) -> Iterator[Act]:
    yield scene.valid.wire() + b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{"
    yield KEEP


@hostile("closes-anywhere")
def cut(scene: Scene) -> Iterator[Act]:
    wire = scene.valid.wire()
    yield wire[: scene.random.randrange(len(wire))]


@hostile("resets-anywhere")
def torn(scene: Scene) -> Iterator[Act]:
    wire = scene.valid.wire()
    yield wire[: scene.random.randrange(len(wire))]
    yield RESET


@hostile("stalls-anywhere", slow=True)
def stalled(scene: Scene) -> Iterator[Act]:
    wire = scene.valid.wire()
    yield wire[: scene.random.randrange(len(wire))]
    yield HANG


@hostile("closes-though-it-said-keep-alive")
def said_keep(scene: Scene) -> Iterator[Act]:
    yield scene.valid.head(("Connection", "keep-alive"), ("Content-Length", str(len(scene.valid.body))))
    yield scene.valid.body


@hostile("a-different-fault-each-time")
def anything(scene: Scene) -> Iterator[Act]:
    wire = bytearray(scene.valid.wire())
    for _ in range(scene.random.randrange(1, 6)):
        wire[scene.random.randrange(len(wire))] = scene.random.randrange(256)
    yield bytes(wire)
    if scene.random.random() < 0.5:
        yield KEEP
