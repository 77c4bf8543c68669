"""What is said while an audit goes on: a line for each job, with an estimate of the rest."""

from __future__ import annotations

import sys
import time

from probe.fleet.audit import Watch
from probe.fleet.job import Outcome
from reports.text import printable


def spent(seconds: float) -> str:
    """A time in the unit people would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Teller:
    """Says on standard error how far the audit is.

    Args:
        quiet: say nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._begin = time.monotonic()
        self._before = 0

    @property
    def watch(self) -> Watch:
        """What the audit calls."""
        return Watch(self.say, self.discovering, self.started, self.progress)

    def say(self, text: str) -> None:
        """One line."""
        if not self._quiet:
            try:
                print(printable(text, 240), file=sys.stderr, flush=True)
            except OSError:  # whoever read it has gone; the audit goes on
                self._quiet = True

    def discovering(self, count: int) -> None:
        """So many endpoints are asked for their models first."""
        self.say(f"asking {count} endpoint{'' if count == 1 else 's'} for their models")

    def started(self, done: int, total: int) -> None:
        """The plan is made, or taken up again with some of it done."""
        self._begin = time.monotonic()
        self._before = done
        self.say(f"{total} to probe" + (f", {done} of them done before" if done else ""))

    def progress(self, done: int, total: int, outcome: Outcome) -> None:
        """One more is done."""
        elapsed = time.monotonic() - self._begin
        each = elapsed / max(1, done - self._before)
        left = f"; about {spent(each * (total - done))} left" if done < total else ""
        summary = outcome.summary
        if summary is None:
            said = outcome.problem
        else:
            number = sum(item.severity == "error" for item in summary.findings)
            said = ("usable" if summary.usable else "not usable") + (f", {number} errors" if number else "")
        place = f" on {outcome.place}" if outcome.place else ""
        self.say(f"[{elapsed:6.1f} s] {done}/{total} {outcome.cell}{place}: {said}{left}")
