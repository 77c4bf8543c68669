"""The command line.  This module is all that `--help` loads beside click."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

UNUSABLE = 2
INTERRUPTED = 130


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; the console script's entry point.

    Whatever goes wrong ends in one line on standard error and never in a traceback.
    """
    if args is not None:
        return _command(args)
    _end_at_once(INTERRUPTED)  # until a run has something to save
    atexit.register(_no_more_signals)
    _no_core_files()
    try:
        status = _command(None)
    except KeyboardInterrupt:
        status = INTERRUPTED
    _end_at_once(status)  # all is said: a signal changes nothing about how it ended
    return status


def _command(args: Sequence[str] | None) -> int:
    _steady_streams()
    import click

    from probe.cli.group import cli
    from probe.cli.intruder import intruder

    problem = intruder()
    if problem:
        return _fail(problem)
    try:
        status = cli.main(args=None if args is None else list(args), prog_name="endpoint-probe", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        return _fail(_told(error))
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        _silence()
        return UNUSABLE
    except Exception as error:
        return _fail(internal(error))
    return status if isinstance(status, int) else 0


def _end_at_once(status: int) -> None:
    """From now on Ctrl-C and SIGTERM end the process at once, with this status."""

    def leave(_number: int, _frame: object) -> None:
        os._exit(status)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


def _no_more_signals() -> None:
    """The interpreter takes itself down and its handlers with it, but leaves alone what is ignored (CPython,
    Modules/signalmodule.c, _PySignal_Fini); otherwise a signal would still replace the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _no_core_files() -> None:
    """A crash leaves no image of the memory, which holds the key.

    A limit of 1 byte also keeps the image from a program that core_pattern pipes it to
    (Linux, fs/coredump.c); 0 would not (core(5)).
    """
    try:
        import resource
    except ImportError:  # Windows has no core files
        return
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (1 if most else 0, most))


def _steady_streams() -> None:
    """A character the terminal cannot show becomes a mark and never an exception."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")


def _silence() -> None:
    """Standard output goes nowhere from now on: its reader has left."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        return


def _told(error: Exception) -> str:
    """click's message as one line, with the place where more can be read."""
    import click

    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    context = getattr(error, "ctx", None)
    if context is not None and isinstance(error, click.UsageError) and type(error) is not click.BadParameter:
        message = f"{message.rstrip('.')}; '{context.command_path} --help' shows what to write"
    return message


def internal(error: Exception) -> str:
    """What kind of exception came from where; not its text, which may hold a secret."""
    import traceback
    from pathlib import PurePath

    frames = traceback.extract_tb(error.__traceback__)
    place = ""
    if frames:
        path = PurePath(frames[-1].filename)
        place = f" at {path.parent.name}/{path.name}:{frames[-1].lineno}"
    return f"internal error: {type(error).__name__}{place}; this is a fault of endpoint-probe, please report it"


def _fail(message: str) -> int:
    from probe.redaction.key_patterns import without_keys
    from reports.text import printable

    with contextlib.suppress(OSError):
        print(f"endpoint-probe: {printable(without_keys(message))}", file=sys.stderr, flush=True)
    return UNUSABLE
