"""Live progress on standard error, printed by a thread.

The event loop only puts events into a queue: a terminal that is slow, or stopped with
Ctrl-S, must not delay the loop that measures the endpoint.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from probe.cli.options import Given
from probe.model import Check, Event, Outcome, Severity
from probe.run.options import Options
from probe.wording import amount, listing
from reports.text import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_LINE = 200


class Display:
    """Ignores events; used with ``--quiet``, and the base of the others."""

    def emit(self, event: Event) -> None:
        """Take one event without blocking."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class _Threaded(Display):
    """Passes events to ``show`` in a thread, in order."""

    def __init__(self, options: Options, checks: Sequence[Check], *, verbose: bool) -> None:
        self.options = options
        self.total = len(checks)
        self.verbose = verbose
        self.begin = time.monotonic()
        self.finished = 0
        self.requests = 0
        self.ends_s: float | None = None
        self._queue: queue.SimpleQueue[tuple[float, Event] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._pump, name="progress", daemon=True)

    def emit(self, event: Event) -> None:
        self._queue.put((time.monotonic() - self.begin, event))

    def __enter__(self) -> Self:
        self.begin = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join(2)

    def _pump(self) -> None:
        # Standard error may be closed; the run continues.
        with contextlib.suppress(OSError, ValueError), self.shown():
            while (item := self._queue.get()) is not None:
                at_s, event = item
                if event.kind == "request":
                    self.requests += 1
                elif event.kind == "check-finished":
                    self.finished += 1
                elif event.kind == "estimate":
                    self.ends_s = at_s + float(event.data.get("left_s") or 0.0)
                self.show(at_s, event)

    def shown(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext()

    def show(self, at_s: float, event: Event) -> None:
        raise NotImplementedError

    def left(self, at_s: float) -> str:
        """About how long the run still takes; empty before it is known."""
        return "" if self.ends_s is None else f"about {max(0.0, self.ends_s - at_s):.0f} s left"

    def budget(self) -> str:
        """Requests sent, and the limit if there is one."""
        limit = self.options.max_requests
        return f"{self.requests}/{limit} requests" if limit else amount(self.requests, "request")


def _exchange_line(event: Event) -> str:
    """One exchange: id, status, seconds, method and URL."""
    data = event.data
    status = data.get("status") or "no answer"
    seconds = data.get("seconds") or 0.0
    return printable(f"{data.get('exchange')} {status} {seconds:.2f} s  {event.text}", _LINE)


def _found_lines(event: Event) -> Iterator[str]:
    """A line for each error and warning of a check that finished, and for what it took back."""
    for severity, code, title in event.data.get("findings", ()):
        if severity != Severity.INFO:
            yield printable(f"{severity}: {code}: {title}", _LINE)
    if families := event.data.get("retracts"):
        yield f"withdrawn: what was found of {listing(families)}, because {printable(event.check, _LINE)} explains it"


class PlainLines(_Threaded):
    """One line for each check that ran, and for a new estimate of the time, for logs and pipes; what was skipped is in
    the report.
    """

    _told_s = 0.0

    def show(self, at_s: float, event: Event) -> None:
        for found in _found_lines(event):
            print(f"[{at_s:6.1f} s] {found}", file=sys.stderr, flush=True)
        line = ""
        if event.kind == "check-finished" and (event.text != Outcome.SKIP or self.verbose):
            reason = printable(str(event.data.get("reason") or ""), _LINE)
            line = f"{self.finished}/{self.total} {event.check}: {event.text}{f' ({reason})' if reason else ''}"
        elif event.kind == "waiting":
            line = f"{event.check}: {printable(event.text, _LINE)}"
        elif event.kind == "request" and self.verbose:
            line = f"{event.check}: {_exchange_line(event)}"
        elif event.kind == "estimate" and self.ends_s is not None and abs(self.ends_s - self._told_s) > 0.2 * at_s + 5:
            self._told_s, line = self.ends_s, self.left(at_s)
        if line:
            print(f"[{at_s:6.1f} s] {line}", file=sys.stderr, flush=True)


class LiveLine(_Threaded):
    """One line on the terminal with the checks in progress."""

    def __init__(self, options: Options, checks: Sequence[Check], *, verbose: bool) -> None:
        super().__init__(options, checks, verbose=verbose)
        from rich.console import Console

        self.console: Console = Console(stderr=True, highlight=False, emoji=False, markup=False)
        self._now: dict[str, str] = {}
        self._titles = {check.id: check.title for check in checks}

    def shown(self) -> contextlib.AbstractContextManager[Any]:
        from rich.live import Live

        return Live(get_renderable=self._line, console=self.console, refresh_per_second=5, transient=True)

    def show(self, at_s: float, event: Event) -> None:
        if event.kind == "check-started":
            self._now[event.check] = self._titles.get(event.check, event.text)
        elif event.kind == "check-finished":
            self._now.pop(event.check, None)
            for found in _found_lines(event):
                self.console.print(found, soft_wrap=True)
        elif event.kind in ("note", "waiting") and event.check in self._now:
            self._now[event.check] = printable(event.text, _LINE)
        elif event.kind == "request" and self.verbose:
            self.console.print(f"[{at_s:6.1f} s] {event.check}: {_exchange_line(event)}", soft_wrap=True)

    def _line(self) -> RenderableType:
        from rich.text import Text

        elapsed = time.monotonic() - self.begin
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(elapsed * 5) % 10], style="cyan")
        left = self.left(elapsed)
        told = f" {elapsed:5.1f} s  {self.finished}/{self.total} checks  {self.budget()}  {left and f'{left}  '}"
        line.append(told, style="dim")
        line.append("; ".join(list(self._now.values())[-2:]) or "starting")
        return line


def make_display(given: Given, options: Options, checks: Sequence[Check]) -> Display:
    """The display for standard error: none with ``--quiet``, live on a terminal, plain lines elsewhere."""
    if given.quiet:
        return Display()
    if sys.stderr.isatty():
        return LiveLine(options, checks, verbose=given.verbose)
    return PlainLines(options, checks, verbose=given.verbose)
