"""Daemon threads for getaddrinfo, which cannot be cancelled.

``getaddrinfo(3)`` blocks until the resolver gives up.  The event loop calls it in a thread of its
executor, and would wait for that thread at the end of the run.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class DaemonThreads(ThreadPoolExecutor):
    """An executor with one daemon thread for each job, which does not wait for them."""

    def submit(self, job: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Start the job at once."""
        promised: Future[Any] = Future()

        def work() -> None:
            if not promised.set_running_or_notify_cancel():
                return
            try:
                result = job(*args, **named)
            except BaseException as error:
                promised.set_exception(error)
            else:
                promised.set_result(result)

        threading.Thread(target=work, name="lookup", daemon=True).start()
        return promised

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Return at once."""


def use_daemon_threads() -> None:
    """Let the running event loop resolve names in daemon threads."""
    asyncio.get_running_loop().set_default_executor(DaemonThreads())
