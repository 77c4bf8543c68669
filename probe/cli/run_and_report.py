"""A run as a user sees it: progress, report files, what is printed, and the exit status."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from probe.catalogue import registry
from probe.cli.options import Given, Unusable
from probe.cli.progress import Display, make_display
from probe.model import Check, Report, fails, lacks_chat
from probe.run.options import Options
from reports.text import printable

if TYPE_CHECKING:
    from probe.run.interruption import Interrupted
    from reports.registry import Reporter


# `--dry-run`: what a run would spend at most. ------------------------------------------------------


def show_plan(checks: Sequence[Check], options: Options, *, as_json: bool) -> None:
    """Print the most requests, tokens and seconds of each check, and the totals.

    A run may send fewer: verdicts share requests, and a check whose needs are not met is
    skipped.  A budget given on the command line is the upper limit of the totals.
    """
    requests = sum(check.max_requests for check in checks)
    tokens = sum(check.max_tokens for check in checks)
    seconds = sum(check.max_seconds for check in checks)
    capped = {
        "requests": min(requests, options.max_requests or requests),
        "tokens": min(tokens, options.max_tokens or tokens),
        "seconds": options.deadline_s,
    }
    if as_json:
        rows = [
            {
                "id": check.id,
                "title": check.title,
                "max_requests": check.max_requests,
                "max_tokens": check.max_tokens,
                "waiting_s": check.max_seconds,
                "exclusive": check.exclusive,
            }
            for check in checks
        ]
        plan = {
            "endpoint": options.endpoint.origin + options.endpoint.path,
            "depth": str(options.depth),
            "checks": rows,
            "at_most": capped,
        }
        json.dump(plan, sys.stdout, indent=2)
        print()
        return
    wide = max(len(check.id) for check in checks)
    print(f"Nothing is sent. At most, against {options.endpoint.origin}{options.endpoint.path}:\n")
    print(f"{'check':<{wide}}  requests  tokens  seconds of waiting")
    for check in checks:
        alone = "  (runs alone)" if check.exclusive else ""
        print(f"{check.id:<{wide}}  {check.max_requests:>8}  {check.max_tokens:>6}  {check.max_seconds:>7g}{alone}")
    print(f"{'all together':<{wide}}  {requests:>8}  {tokens:>6}  {seconds:>7g}")
    print(
        f"\nThe run ends after {capped['requests']} requests, {capped['tokens']} tokens or "
        f"{options.deadline_s:g} s at the latest; one request is given up after {options.timeout_s:g} s. "
        "\nMost runs send far fewer requests, because checks share them."
    )


# A run as a user sees it: progress, report files, what is printed, and the exit status. ------------

INTERRUPTED = 130
NO_CHAT = 3
FOUND = 1


def diagnose(options: Options, given: Given) -> int:
    """Run the chosen checks, write the reports, say what was found; returns the exit status.

    Raises:
        Unusable: a glob, a format or the output folder cannot be used; nothing was sent.
    """
    from probe.run.interruption import Interrupted

    interrupted = Interrupted()
    with interrupted.listening():  # from here until the last file is whole
        return _diagnose(options, given, interrupted)


def _diagnose(options: Options, given: Given, interrupted: Interrupted) -> int:
    from reports.registry import UnknownFormat, chosen

    chosen_checks = select(options)
    try:
        wanted = chosen(given.formats or ("json", "html"))
    except UnknownFormat as error:
        raise Unusable(str(error)) from None
    if given.dry_run:
        show_plan(chosen_checks, options, as_json=given.as_json)
        return 0
    out = Path(given.out)
    check_folder(out)
    for problem in registry.problems():
        print(f"endpoint-probe: {printable(problem)}", file=sys.stderr)
    display = make_display(given, options, chosen_checks)
    report, early = _run(options, chosen_checks, display, interrupted)
    report = replace(report, run=replace(report.run, fail_on=given.fail_on))
    written = _write_all(report, wanted, out)
    _say(report, given, written)
    return status_of(report, interrupted=early)


def select(options: Options) -> list[Check]:
    """The checks of a run.

    Raises:
        Unusable: a glob fits no check, or no check is left.
    """
    try:
        found = registry.select(options.depth, options.only, options.skip)
    except registry.RegistryError as error:
        raise Unusable(str(error)) from None
    if not found:
        raise Unusable("no check is left to run; 'endpoint-probe checks' lists the ids for --only and --skip")
    return found


def check_folder(folder: Path) -> None:
    """Make the folder and prove that it can be written, before anything is sent.

    Raises:
        Unusable: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".endpoint-probe."):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unusable(f"cannot write reports to {folder} ({reason}); name another folder with --out") from None
    except ValueError:
        raise Unusable("--out holds a character no path has; name a folder, as in --out endpoint-report") from None


def _run(options: Options, checks: list[Check], display: Display, interrupted: Interrupted) -> tuple[Report, bool]:
    """Run the checks; returns the report, and whether a signal ended the run before its end."""
    import anyio

    from probe.run.interruption import hush
    from probe.run.runner import run
    from probe.wire.resolver_threads import use_loose_threads

    async def main() -> Report:
        hush()
        use_loose_threads()
        return await run(options, emit=display.emit, interrupted=interrupted, checks=checks)

    with display:
        report = anyio.run(main)
    return report, interrupted.signal is not None and not report.run.complete


def _write_all(report: Report, wanted: list[Reporter], out: Path) -> list[Path]:
    """Write every format; one that cannot be made is this program's fault and does not keep back the others.

    Raises:
        Unusable: a file cannot be written.
    """
    from probe.cli import internal

    written = []
    for reporter in sorted(wanted, key=lambda item: item.name != "json"):  # the one that the others are made from
        path = out / reporter.filename
        try:
            write(path, reporter.render(report))
        except OSError as error:
            raise Unusable(f"cannot write {path} ({error.strerror}); name another folder with --out") from None
        except Exception as error:
            print(f"endpoint-probe: {path} was not made: {internal(error)}", file=sys.stderr)
            continue
        written.append(path)
    return written


def write(path: Path, content: bytes) -> None:
    """Write one report file, whole or not at all."""
    from probe.report import write_whole

    write_whole(path, content)


def _say(report: Report, given: Given, written: list[Path]) -> None:
    """The result on standard output; a reader that left is no reason to fail."""
    try:
        if given.as_json:
            from probe.report import encode

            sys.stdout.buffer.write(encode(report))
        else:
            from reports.terminal import print_report

            print_report(report, written, quiet=given.quiet)
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def status_of(report: Report, *, interrupted: bool) -> int:
    """The exit status of a finished run: interruption first, then no chat completion, then findings."""
    if interrupted:
        return INTERRUPTED
    if lacks_chat(report):
        return NO_CHAT
    return FOUND if fails(report.findings, report.run.fail_on) else 0
