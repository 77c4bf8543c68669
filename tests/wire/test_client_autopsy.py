"""A silent connection is asked for a sign of life: alive, reset, or no answer; HTTP notices nothing of it."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator

import anyio
import pytest

from probe.wire import tcp
from probe.wire.transport import Wire
from tests.wire.rawserver import CHUNKED, chunk, deaf, event, read_request, reset, serving
from tests.wire.test_client_ends import fetch

linux = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO is read on Linux alone")
WATCHED = Wire(keepalive_s=0, silence_s=1.0)


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when a script may end."""
    event_ = threading.Event()
    yield event_
    event_.set()


@linux
@pytest.mark.parametrize("head_first", [True, False], ids=["in the body", "before the head"])
def test_a_living_peer_is_known_and_the_answer_still_comes(head_first: bool) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        if head_first:
            connection.sendall(CHUNKED + event("1"))
        time.sleep(2.2)
        connection.sendall((b"" if head_first else CHUNKED) + event("2") + chunk(b""))

    with serving(script) as port:
        found = fetch(port, WATCHED)
    assert found.error is None
    autopsy = found.timeline.autopsy
    assert autopsy is not None
    assert autopsy.verdict == tcp.ALIVE
    assert 0.9 < autopsy.silent_s < 2.0
    assert autopsy.took_s < 1.5


@linux
def test_a_peer_that_drops_everything_does_not_answer(over: threading.Event) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CHUNKED + event("1"))
        time.sleep(0.3)  # let the acknowledgement of the event pass
        deaf(connection)
        over.wait(15)

    with serving(script) as port:
        found = fetch(port, WATCHED, timeout_s=12.0)
        over.set()
    autopsy = found.timeline.autopsy
    assert autopsy is not None
    assert autopsy.verdict == tcp.NO_ANSWER
    assert autopsy.probes >= 2
    assert found.error is not None
    assert found.error.kind == "timeout"
    assert found.error.errno == 110
    assert 3.5 < found.timeline.end_s < 11


@linux
def test_a_peer_that_has_forgotten_the_connection_resets_it(over: threading.Event) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CHUNKED + event("1"))
        time.sleep(0.3)
        connection.setsockopt(socket.IPPROTO_TCP, 19, 1)  # TCP_REPAIR: closing then sends nothing (tcp(7))
        connection.close()
        over.wait(15)

    try:
        with socket.socket() as trial:
            trial.setsockopt(socket.IPPROTO_TCP, 19, 1)
    except OSError:
        pytest.skip("forgetting a connection takes CAP_NET_ADMIN")
    with serving(script) as port:
        found = fetch(port, WATCHED, timeout_s=12.0)
        over.set()
    autopsy = found.timeline.autopsy
    assert autopsy is not None
    assert autopsy.verdict == tcp.RESET
    assert found.error is not None
    assert found.error.kind == "reset"
    assert found.timeline.end_s < 5


def test_a_reset_without_being_asked_needs_no_autopsy() -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        time.sleep(0.3)
        reset(connection)

    with serving(script) as port:
        found = fetch(port, WATCHED)
    assert found.timeline.autopsy is None
    assert found.error is not None
    assert found.error.kind == "reset"


def test_where_the_system_does_not_tell_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        time.sleep(1.5)
        connection.sendall(CHUNKED + event("1") + chunk(b""))

    monkeypatch.setattr(tcp, "supported", lambda: False)
    with serving(script) as port:
        found = fetch(port, WATCHED)
    assert found.error is None
    assert found.timeline.autopsy is not None
    assert found.timeline.autopsy.verdict == tcp.UNSUPPORTED


def test_without_the_wish_nothing_is_asked() -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        time.sleep(1.2)
        connection.sendall(CHUNKED + event("1") + chunk(b""))

    with serving(script) as port:
        assert fetch(port, Wire(fresh=True)).timeline.autopsy is None


@linux
def test_the_keepalive_of_the_client_is_put_back() -> None:
    numbers = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)]
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as mine:
        for option in tcp.keepalive_options(30):
            mine.setsockopt(*option)
        before = [mine.getsockopt(*number) for number in numbers]
        asked = tcp.Autopsies(time.monotonic())
        anyio.run(asked.ask, mine, 1.0)
        assert asked.found is not None
        assert asked.found.verdict == tcp.ALIVE
        assert [mine.getsockopt(*number) for number in numbers] == before == [1, 30]
        info = tcp.tcp_info(mine)
        assert info is not None
        assert info.state == 1
        assert info.unacked == 0
    assert tcp.tcp_info(mine) is None


def test_keepalive_options_are_whole_seconds() -> None:
    assert tcp.keepalive_options(0) == []
    assert all(isinstance(value, int) for *_, value in tcp.keepalive_options(7))
