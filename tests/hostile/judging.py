"""One run of the tool against a hostile endpoint, and everything that must be true of it afterwards."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import jsonschema

from probe.model import Event, Outcome, Report
from probe.parsing.urls import parse
from probe.report import decode, encode
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.wire.transport import Transport
from reports.registry import chosen
from tests.hostile.keys import where_is

#: A run may end so long after its deadline on a busy machine.
GRACE_S = 3.0
FORMATS = ("json", "html", "markdown", "junit", "sarif", "terminal")
_SCHEMA = Path(__file__).parent.parent.parent / "reports" / "schema" / "report.schema.json"


@dataclass
class Judgement:
    """What a run did wrong, in words; and what it took.

    ``waited_s`` is how much of its time the program was ready and had no processor: other work of the
    machine, for which no deadline can be kept (proc(5), schedstat).  ``peak_mb`` is the most memory of the
    run and of writing its reports down; what the judging itself takes is left out.
    """

    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    waited_s: float = 0.0
    peak_mb: float = 0.0
    report: Report | None = None


@cache
def _validator() -> Any:
    return jsonschema.Draft202012Validator(json.loads(_SCHEMA.read_text(encoding="utf-8")))


def sockets() -> int:
    """How many sockets this process has open."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            count += str(descriptor.readlink()).startswith("socket:")
        except OSError:  # the listing's own descriptor is closed by now
            continue
    return count


def forget_peak() -> None:
    """Let the peak begin anew at the present size (proc(5), clear_refs)."""
    with contextlib.suppress(OSError):  # a kernel without it: then the peak is that of all runs so far
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """The largest resident size of this process since then, in MiB (proc(5), VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("this system does not tell the peak of a process")


def _waited_s() -> float:
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except OSError:  # a kernel that does not count it
        return 0.0


def options_for(url: str, **changes: Any) -> Options:
    """Impatient options, so that a stalling endpoint costs a test little."""
    settings: dict[str, Any] = {"timeout_s": 1.5, "deadline_s": 6.0, "concurrency": 4}
    ca_bundle = changes.pop("ca_bundle", None)
    key = changes.pop("key", None)
    if key:
        settings["auth"] = Auth(key=key, source="test")
    return Options(parse(url), transport=Transport(ca_bundle=ca_bundle), **{**settings, **changes})


class _Complaints(logging.Handler):
    """What libraries log and what Python prints of errors that nobody took: each would be a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        trouble = record.exc_info[1] if record.exc_info else None
        self.said.append(f"logged by {record.name}: {record.getMessage()[:300]} {trouble!r}"[:600])

    @contextmanager
    def heard(self) -> Iterator[None]:
        before = sys.unraisablehook

        def unraisable(trouble: Any) -> None:
            self.said.append(f"not raised: {trouble.exc_value!r} in {trouble.object!r}"[:600])

        root = logging.getLogger()
        root.addHandler(self)
        sys.unraisablehook = unraisable
        try:
            yield
        finally:
            sys.unraisablehook = before
            root.removeHandler(self)


def judged(options: Options) -> Judgement:
    """Run the tool and say what was wrong: a traceback, a fault of its own, lateness, a bad report, a leaked key."""
    found = Judgement()
    complaints = _Complaints()
    told: list[Event] = []
    forget_peak()
    begin, waited = time.monotonic(), _waited_s()
    try:
        with complaints.heard():
            report = anyio.run(lambda: run(options, emit=told.append))
    except Exception as error:
        found.wrong.append(f"raised {type(error).__name__}: {error}")
        return found
    found.seconds, found.waited_s = time.monotonic() - begin, _waited_s() - waited
    found.report = report
    found.wrong += complaints.said
    if found.seconds - found.waited_s > options.deadline_s + GRACE_S:
        took = f"took {found.seconds:.1f} s, {found.waited_s:.1f} s of it without a processor"
        found.wrong.append(f"{took}, with a deadline of {options.deadline_s:g} s")
    found.wrong += [
        f"{item.id} ended as error: {item.reason}" for item in report.checks if item.outcome is Outcome.ERROR
    ]
    written = _written(report, found)
    found.peak_mb = peak_mb()
    if "json" in written:
        _check_schema(written["json"], found)
    if options.auth.key:
        written["progress"] = "\n".join(f"{item.text} {dict(item.data)}" for item in told).encode("utf-8", "replace")
        found.wrong += where_is(options.auth.key, written.items())
    return found


def _written(report: Report, found: Judgement) -> dict[str, bytes]:
    written: dict[str, bytes] = {}
    for reporter in chosen(FORMATS):
        try:
            written[reporter.name] = reporter.render(report)
        except Exception as error:
            found.wrong.append(f"{reporter.name} raised {type(error).__name__}: {error}")
    return written


def _check_schema(content: bytes, found: Judgement) -> None:
    try:
        again = decode(content)
        if encode(again) != encode(decode(encode(again))):
            found.wrong.append("the report does not read back equal")
    except Exception as error:
        found.wrong.append(f"the report does not read back: {type(error).__name__}: {error}")
    wrong = next(_validator().iter_errors(json.loads(content)), None)
    if wrong is not None:
        found.wrong.append(f"the report breaks its schema at {list(wrong.absolute_path)}: {wrong.message[:200]}")
