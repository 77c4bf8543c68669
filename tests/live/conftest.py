"""Fixtures for the live tests: factories that start real servers, gateways and proxies, and stop them.

A part that cannot be had skips the test with the reason; where CI is true it fails it, so that a broken install
does not pass for a green run. The logs of what runs are shown with a failing test.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from probe.simulator.llamacpp_demo import RealServer
from tests.live import servers
from tests.live.parts import ALL, PartMissing, program
from tests.live.processes import RUNNING_LOGS, Running, tail
from tests.live.servers import Certificate, make_certificate


def unavailable(reason: str) -> NoReturn:
    """End the test because something it needs is not there: a skip, or a failure where CI is true."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"needed in CI: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def part() -> Callable[[str], None]:
    """Make sure that a part is there; a large one is not installed without being asked for."""

    def need(name: str) -> None:
        if ALL[name].optin and ALL[name].find() is None:
            pytest.skip(f"large; install it with: python -m tests.live.parts install {name}")
        try:
            program(name)
        except PartMissing as missing:
            unavailable(str(missing))

    return need


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the ends of the logs of all running parts to the report of a failed test."""
    report = yield
    if report.failed:
        for name, path in RUNNING_LOGS.items():
            report.sections.append((f"log of {name}", tail(path, 40)))
    return report


class _Starter:
    """Enters context managers of running servers and leaves them, last first, when the fixture ends."""

    def __init__(self, stack: contextlib.ExitStack, folder: Callable[[], Path]) -> None:
        self._stack = stack
        self.folder = folder
        self._kept: dict[str, Any] = {}

    def start(self, make: Callable[..., contextlib.AbstractContextManager[Any]], *words: Any, **values: Any) -> Any:
        """A new running server."""
        try:
            return self._stack.enter_context(make(*words, **values))
        except PartMissing as missing:
            unavailable(str(missing))

    def keep(
        self, make: Callable[..., contextlib.AbstractContextManager[Any]], values: dict[str, Any], **extra: Any
    ) -> Any:
        """The running server for these values, started the first time they are asked for; `extra` tells none apart."""
        wanted = repr((make.__name__, sorted(values.items())))
        if wanted not in self._kept:
            self._kept[wanted] = self.start(make, **values, **extra)
        return self._kept[wanted]


@pytest.fixture
def _starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Starter]:
    with contextlib.ExitStack() as stack:
        yield _Starter(stack, lambda: tmp_path_factory.mktemp("part"))


@pytest.fixture(scope="session")
def _session_starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Starter]:
    with contextlib.ExitStack() as stack:
        yield _Starter(stack, lambda: tmp_path_factory.mktemp("part"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1 and localhost, and the CA that signed it."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def hermes_template() -> str:
    """A chat template that shows the tools to the model, which the model's own does not."""
    return (servers.CONFIGS / "hermes-tools.jinja").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def llamacpp(_session_starter: _Starter) -> Callable[..., RealServer]:
    """`llamacpp(key=…, template=…, jinja=…, alias=…, ctx=…)`: a llama.cpp server, kept for the session."""
    return lambda **values: _session_starter.keep(servers.llamacpp, values)


@pytest.fixture(scope="session")
def litellm_proxy(_session_starter: _Starter) -> Callable[..., Running]:
    """`litellm_proxy(upstream=BASE_URL, master_key=…, settings=…)`: LiteLLM's proxy, kept for the session."""
    return lambda **values: _session_starter.keep(servers.litellm, values, folder=_session_starter.folder())


@pytest.fixture
def nginx(_starter: _Starter) -> Callable[..., Running]:
    """`nginx(config, upstream, part=…, certificate=…, **settings)`: nginx in front of `upstream`."""
    return lambda config, upstream, **values: _starter.start(
        servers.nginx, config, upstream, _starter.folder(), **values
    )


@pytest.fixture
def haproxy(_starter: _Starter) -> Callable[..., Running]:
    """`haproxy(config, upstream, certificate=…, **settings)`."""
    return lambda config, upstream, **values: _starter.start(
        servers.haproxy, config, upstream, _starter.folder(), **values
    )


@pytest.fixture
def caddy(_starter: _Starter) -> Callable[..., Running]:
    """`caddy(config, upstream, **settings)`."""
    return lambda config, upstream, **values: _starter.start(
        servers.caddy, config, upstream, _starter.folder(), **values
    )


@pytest.fixture
def envoy(_starter: _Starter) -> Callable[..., Running]:
    """`envoy(upstream, route_timeout=…, stream_idle_timeout=…)`."""
    return lambda upstream, **values: _starter.start(servers.envoy, upstream, _starter.folder(), **values)


@pytest.fixture
def aimock(_starter: _Starter) -> Callable[..., Running]:
    """`aimock(fixtures, keys=…, arguments=…)`."""
    return lambda fixtures, **values: _starter.start(servers.aimock, fixtures, _starter.folder(), **values)
