"""What makes a test of this folder pure: it opens no connection, starts no process and does not sleep.

The interpreter itself says when code does (PEP 578), so a test that is not pure fails at the line that is not.  Such a
test belongs to tests/wire (one connection), tests/scenarios (runs against simulated endpoints) or tests/contract
(the program as a process).
"""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

_IMPURE = {"socket.connect", "socket.bind", "subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec", "time.sleep"}
_watching = False


def _hook(event: str, _: tuple[object, ...]) -> None:
    if _watching and event in _IMPURE:
        raise AssertionError(f"not pure: {event}; see tests/unit/conftest.py for where this test belongs")


sys.addaudithook(_hook)


def _watched() -> Generator[None, object, object]:
    global _watching
    _watching = True
    try:
        return (yield)
    finally:
        _watching = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Watch while the fixtures of a test of this folder are made, those of its module too."""
    return (yield from _watched())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Watch while a test of this folder runs."""
    return (yield from _watched())
