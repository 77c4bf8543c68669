"""Timers of real parts: the limit, the hop and the setting are named; with the remedy the finding is gone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import pytest

from probe.model import Report, Severity, State
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.wire.transport import Transport
from tests.live import gateways, servers
from tests.live.conftest import unavailable
from tests.live.parts import PartMissing
from tests.live.situation import KEY, MODEL, Asked, Scene, Start
from tests.live.situations import front, ruled, shared_scenes

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(180)]

ONLY = ("idle.silence", "stream.delivery", "fingerprint.server")


@dataclass(frozen=True)
class Timer:
    """A part with a timer of 2 s, or of `limit_s`.

    start: the part with this setting of its timer; short: the setting that makes it give up; remedy: what the remedy
    of the finding says, which is the setting of the mended part. hop: the software that must be recognised.
    model: asked for, where the two settings are those of two models.
    """

    name: str
    code: str
    start: Callable[[str], Start]
    short: str
    remedy: str
    hop: str = ""
    models: tuple[str, str] = (MODEL, MODEL)
    limit_s: float = 2.0


def server(make: Callable[..., Any], **values: str) -> Callable[[str], Start]:
    """A part whose configuration has a placeholder for the value of a directive: `read_timeout="proxy_read_timeout"`.

    The setting is then the directive, and its value is what follows its name.
    """

    def start(setting: str) -> Start:
        filled = {name: setting.removeprefix(directive).strip(" =:;") for name, directive in values.items()}
        return front(lambda upstream, folder, _: make(upstream=upstream, folder=folder, **filled), rate=60.0)

    return start


def caddy_writing(setting: str) -> Start:
    options = f"servers {{\n\t\ttimeouts {{\n\t\t\t{setting}\n\t\t}}\n\t}}"
    return front(ruled(gateways.caddy, options=options), rate=60.0)


def traefik_writing(setting: str) -> Start:
    name, _, value = setting.partition(": ")
    return front(ruled(gateways.traefik, timeouts={name: value}), rate=60.0)


def nginx_reading(setting: str) -> Start:
    return front(ruled(gateways.nginx, location=setting), rate=60.0)


def apache_waiting(setting: str) -> Start:
    return front(ruled(gateways.apache, server=setting), rate=60.0)


def stunnel_idle(setting: str) -> Start:
    idle = int(setting.removeprefix("TIMEOUTidle = "))
    return front(lambda upstream, folder, own: gateways.stunnel(upstream, folder, own, idle=idle), rate=60.0)


@contextlib.contextmanager
def litellm(scene: Scene) -> Iterator[Asked]:
    yield Asked(scene.litellm().base_url)


def litellm_models(endpoint: Callable[[float, tuple[str, ...]], str]) -> Mapping[str, Mapping[str, object]]:
    """One backend with two timeouts."""
    sound = {"model": f"openai/{MODEL}", "api_key": "none", "api_base": f"{endpoint(60.0, ())}/v1"}
    return {"short": {**sound, "timeout": 4}, "long": {**sound, "timeout": 3600}}


TIMERS = (
    Timer(
        "nginx, proxy_read_timeout",
        "idle.l7-timeout",
        nginx_reading,
        "proxy_read_timeout 2s;",
        "proxy_read_timeout 3600s;",
        "nginx",
    ),
    Timer(
        "HAProxy, timeout server",
        "idle.l7-timeout",
        server(partial(servers.haproxy, "no-delay"), server_timeout="timeout server"),
        "timeout server 2s",
        "timeout server 3600s",
        "haproxy",
    ),
    Timer(
        "Caddy, read_timeout",
        "idle.l7-timeout",
        server(partial(servers.caddy, "timeout"), read_timeout="read_timeout"),
        "read_timeout 2s",
        "read_timeout 1h",
        "caddy",
    ),
    Timer("Caddy, write", "idle.total-deadline", caddy_writing, "write 2s", "write 0", "caddy"),
    Timer("Traefik, writeTimeout", "idle.total-deadline", traefik_writing, "writeTimeout: 2s", "writeTimeout: 0"),
    Timer(
        "Envoy, stream_idle_timeout",
        "idle.l7-timeout",
        server(servers.envoy, stream_idle_timeout="stream_idle_timeout"),
        "stream_idle_timeout: 2s",
        "stream_idle_timeout: 3600s",
        "envoy",
    ),
    Timer("Apache, ProxyTimeout", "idle.l7-timeout", apache_waiting, "ProxyTimeout 2", "ProxyTimeout 3600", "apache"),
    Timer("stunnel, TIMEOUTidle", "idle.l4-reset", stunnel_idle, "TIMEOUTidle = 2", "TIMEOUTidle = 43200"),
    Timer(
        "LiteLLM, timeout",
        "idle.l7-timeout",
        lambda _: litellm,
        "timeout: 4",
        "timeout: 3600",
        "litellm",
        models=("short", "long"),
        limit_s=4.0,  # to which it adds some tenths of a second of its own
    ),
)


@pytest.fixture(scope="module")
def scenes() -> Iterator[Any]:
    """Gives a new scene: the endpoints and LiteLLM are shared, the folder is its own."""
    with shared_scenes(litellm_models) as made:
        yield made


def diagnose(start: Start, scene: Scene, model: str, idle_s: float) -> Report:
    with start(scene) as asked:
        options = Options(
            parse(asked.url),
            Auth(key=KEY, source="test"),
            model=model,
            only=ONLY,
            idle_s=idle_s,
            transport=Transport(ca_bundle=str(asked.ca) if asked.ca else None),
        )
        return anyio.run(lambda: run(options))


@pytest.mark.parametrize("timer", [pytest.param(timer, id=timer.name) for timer in TIMERS])
def test_a_timer_is_named_and_goes_with_its_remedy(timer: Timer, scenes: Any) -> None:
    try:
        with ThreadPoolExecutor(2) as pool:  # both mostly wait
            idle_s = 1.5 * timer.limit_s
            later = pool.submit(diagnose, timer.start(timer.remedy), scenes(), timer.models[1], idle_s)
            ill, mended = diagnose(timer.start(timer.short), scenes(), timer.models[0], idle_s), later.result()
    except PartMissing as missing:
        unavailable(str(missing))
    loud = {item.code: item for item in ill.findings if item.severity is not Severity.INFO}
    assert set(loud) == {timer.code}, [item.detail for item in loud.values()]
    assert timer.remedy in loud[timer.code].remedy
    assert ill.facts["idle_limit_s"] == pytest.approx(timer.limit_s, rel=0.1)
    software = [ill.server.software, *(hop.software for hop in ill.server.hops)]
    assert not timer.hop or timer.hop in software
    assert {item.code for item in mended.findings if item.severity is not Severity.INFO} == set()
    assert mended.capabilities["long_silence"].verdict is State.WORKS
