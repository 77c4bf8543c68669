"""What holds for every test: those that measure time or talk to real programs may be tried again.

A two-core machine that does other work at the same time can starve a server for seconds.  Such a test is repeated at
most twice and shown as rerun in the summary; one that fails every time fails.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores it for what it starts in the background, and whatever the tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_ROOT = Path(__file__).parent
_TIMED = ("live", "scenarios", "benchmarks", "browser", "wire")
#: Real servers start slowly, and a small model on two cores talks slowly.
_LIVE_TIMEOUT_S = 600


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the timed folders for repetition, and give real servers time.

    Tests that measure time run before the others, which compute and would disturb them.  The browser's tests come last: its driver keeps an event loop open in this thread until the session
    ends, beside which no other can be run.
    """
    items.sort(
        key=lambda item: (item.path.is_relative_to(_ROOT / "browser"), item.get_closest_marker("timing") is None)
    )
    for item in items:
        if not item.path.is_relative_to(_ROOT):
            continue
        folder = item.path.relative_to(_ROOT).parts[0]
        if folder in _TIMED:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))
        if folder == "live":
            item.add_marker(pytest.mark.timeout(_LIVE_TIMEOUT_S))
