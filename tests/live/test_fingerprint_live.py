"""Who answers: real servers, a real gateway and real proxies are named, and nothing is named that does not show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from probe.model import Report
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.simulator.llamacpp_demo import RealServer
from tests.live.processes import Running

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(300)]

KEY = "sk-local-right-0001"
MASTER = "sk-local-master-0001"
#: The checks whose exchanges every standard run has, and recognition.
ONLY = ("url.*", "models.*", "auth.*", "fingerprint.*")


def diagnose(url: str, key: str | None = None, *, only: tuple[str, ...] = ONLY, **options: Any) -> Report:
    """A run as a user has it, cut down to what recognition rests on."""
    settings = Options(parse(url), Auth(key=key, source="test"), only=only, timeout_s=120, **options)
    return anyio.run(lambda: run(settings))


def named(report: Report) -> tuple[str, list[str]]:
    """What was recognised: the server, and what stands before it."""
    assert [item.reason for item in report.checks if item.outcome == "error"] == []
    return report.server.software, [hop.software for hop in report.server.hops]


def pages(report: Report) -> int:
    return sum(item.check == "fingerprint.pages" for item in report.exchanges)


def test_llamacpp_is_named_without_a_further_request(llamacpp: Callable[..., RealServer]) -> None:
    report = diagnose(llamacpp().base_url)
    assert named(report) == ("llamacpp", [])
    assert report.server.confidence > 0.95
    assert pages(report) == 0


def test_llamacpp_is_named_by_its_refusal_of_a_key(llamacpp: Callable[..., RealServer]) -> None:
    report = diagnose(llamacpp(key=KEY).base_url, "sk-local-wrong-0002")
    assert named(report) == ("llamacpp", [])
    assert report.run.requests <= 6


def test_litellm_and_the_llamacpp_behind_it_are_both_named(
    litellm_proxy: Callable[..., Running], llamacpp: Callable[..., RealServer]
) -> None:
    gateway = litellm_proxy(upstream=llamacpp().base_url)
    report = diagnose(gateway.base_url, MASTER, model="small-model")
    assert named(report) == ("llamacpp", ["litellm"])
    assert any("behind it" in text for text in report.server.evidence)
    assert pages(report) == 0


def test_litellm_alone_is_named_by_its_refusal(
    litellm_proxy: Callable[..., Running], llamacpp: Callable[..., RealServer]
) -> None:
    gateway = litellm_proxy(upstream=llamacpp().base_url)
    report = diagnose(gateway.base_url, "sk-wrong-0002", model="small-model")
    assert named(report) == ("litellm", [])
    assert report.run.requests <= 6


@pytest.mark.parametrize(
    ("proxy", "config", "hop"),
    [("nginx", ("v1-only",), "nginx"), ("caddy", ("default",), "caddy"), ("envoy", (), "envoy")],
)
def test_a_proxy_in_front_is_named(
    proxy: str, config: tuple[str, ...], hop: str, llamacpp: Callable[..., RealServer], request: pytest.FixtureRequest
) -> None:
    front = request.getfixturevalue(proxy)(*config, llamacpp().origin)
    report = diagnose(front.base_url)
    assert named(report) == ("llamacpp", [hop])
    assert report.server.hops[0].evidence


def test_haproxy_passing_on_leaves_no_mark(
    haproxy: Callable[..., Running], llamacpp: Callable[..., RealServer]
) -> None:
    report = diagnose(haproxy("http", llamacpp().origin).base_url)
    assert named(report) == ("llamacpp", []), "nothing shows it, so nothing is claimed"


def test_haproxy_is_named_by_its_own_error_page(haproxy: Callable[..., Running], unused_port: int) -> None:
    front = haproxy("http", f"http://127.0.0.1:{unused_port}")
    report = diagnose(front.base_url)
    assert named(report) == ("unknown", ["haproxy"])
    (finding,) = report.findings
    assert (finding.code, finding.owner) == ("errors.upstream", "gateway")
    assert "HAProxy: " in finding.remedy


@pytest.fixture
def unused_port() -> int:
    """A port of this machine on which nothing listens."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
