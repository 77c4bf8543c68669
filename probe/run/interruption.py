"""SIGINT, SIGTERM and SIGHUP during a run: it ends early, and what is known is written.

The handlers are ordinary ones and in place from before the first request until after the last
file, so that no signal is missed; the event loop would restore its own before the report is saved.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import anyio

#: A second signal after so many seconds ends the program at once.
IMPATIENT_S = 5.0
_POLL_S = 0.02


def signals() -> tuple[signal.Signals, ...]:
    """The signals that end a run; SIGHUP only where it is not ignored, as under nohup(1)."""
    found = (signal.SIGINT, signal.SIGTERM)
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    return found if hangup is None or signal.getsignal(hangup) is signal.SIG_IGN else (*found, hangup)


class Interrupted:
    """Whether a signal ended the run early; ``signal`` is its number, or None."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._at = 0.0
        self._listening = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note the signals while the block runs; only the main thread can.

        After the block, and for a second signal, they raise KeyboardInterrupt.
        """
        if self._listening or threading.current_thread() is not threading.main_thread():
            yield
            return
        self._listening = True
        for number in signals():
            signal.signal(number, self._received)
        try:
            yield
        finally:
            self._listening = False
            raise_on_signals()

    def _received(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = number
            self._at = time.monotonic()
        elif time.monotonic() - self._at > IMPATIENT_S:
            raise KeyboardInterrupt

    async def end(self, scope: anyio.CancelScope) -> None:
        """Cancel the scope when a signal came."""
        import anyio

        while self.signal is None:  # noqa: ASYNC110 - a signal handler cannot set an event of the loop
            await anyio.sleep(_POLL_S)
        scope.cancel()


def hush() -> None:
    """Silence the event loop about tasks that KeyboardInterrupt ended, of which asyncio prints a traceback each.

    (asyncio.runners, "unhandled exception during asyncio.run() shutdown"; asyncio.unix_events, "Unknown child process")
    """
    import asyncio
    import logging
    import warnings

    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    logging.getLogger("asyncio").addHandler(logging.NullHandler())  # in place of the one that prints
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)


def raise_on_signals() -> None:
    """Let the signals raise KeyboardInterrupt, so that files stay complete and servers stop."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for number in signals():
            signal.signal(number, interrupt)
