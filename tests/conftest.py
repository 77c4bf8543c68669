"""What holds for every test: those that measure time or talk to real programs may be tried again.

A two-core machine that does other work at the same time can starve a server for seconds.  Such a test is repeated at
most twice and shown as rerun in the summary; one that fails every time fails.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

# A shell (or nohup) ignores them for what it starts in the background, and whatever the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

_ROOT = Path(__file__).parent
_TIMED = ("live", "scenarios", "benchmarks", "browser", "wire")
#: Real servers start slowly, and a small model on two cores talks slowly.
_LIVE_TIMEOUT_S = 600
#: The files that take longest (minutes each) start first, so that none of them runs alone at the end.
_LONGEST = (
    "interference",
    "configs_live",
    "tools_live",
    "remedies_live",
    "proxies_live",
    "provider_live",
    "second_model",
)
#: Modules whose tests share a costly fixture (an audit, whole runs, a wheel): they run on one worker.
_SHARING = tuple(
    f"tests/{name}.py"
    for name in (
        "scenarios/test_audit",
        "scenarios/test_diff",
        "scenarios/test_fingerprint_matrix",
        "contract/test_wheel",
    )
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist=loadscope`` a worker takes one test at a time, or a module whose tests share a costly fixture."""
    if config.getoption("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class OneByOne(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in _SHARING else nodeid

    return OneByOne(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the timed folders for repetition, and give real servers time.

    Tests that measure time run before the others, which compute and would disturb them.  The browser's tests
    come last: its driver keeps an event loop open in this thread until the session ends, and no other loop can
    be run meanwhile.
    """
    items.sort(key=_place)
    for item in items:
        if not item.path.is_relative_to(_ROOT):
            continue
        folder = item.path.relative_to(_ROOT).parts[0]
        if folder in _TIMED:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))
        if folder == "live":
            item.add_marker(pytest.mark.timeout(_LIVE_TIMEOUT_S))


def _place(item: pytest.Item) -> tuple[bool, bool, int]:
    """Where a test comes among the others; those of one place stay in the order in which they were found."""
    name = item.path.stem.removeprefix("test_")
    return (
        item.path.is_relative_to(_ROOT / "browser"),
        item.get_closest_marker("timing") is None,
        _LONGEST.index(name) if name in _LONGEST else len(_LONGEST),
    )
