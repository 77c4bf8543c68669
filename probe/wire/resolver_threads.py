"""Threads that nobody waits for: a name lookup cannot be cancelled, so it is left behind.

``getaddrinfo(3)`` blocks for as long as the resolver is patient.  The event loop asks it
in a thread of its executor, and would wait for that thread at the end of the run.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class LooseThreads(ThreadPoolExecutor):
    """An executor of one daemon thread a job, none of which is waited for."""

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
        """Nothing is waited for."""


def use_loose_threads() -> None:
    """Let the running event loop look names up in threads that it does not wait for."""
    asyncio.get_running_loop().set_default_executor(LooseThreads())
