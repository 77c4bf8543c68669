"""The command line.  This module is all that `--help` loads beside click."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from probe.version import VERSION

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


# The commands by name.  A command's module is imported when the command is used. -------------------

#: What `--help` shows of each command; the module of the same name holds it.
COMMANDS = {
    "run": "Diagnose one endpoint and write the report.",
    "demo": "The same against a simulated endpoint; needs no arguments.",
    "simulate": "Serve the simulated endpoint until stopped.",
    "checks": "List the checks: what each proves and may spend.",
    "explain": "What a finding means, why it matters, how to fix it.",
    "export": "Write a client's provider configuration from a saved report.",
    "render": "Write a saved report.json in another format.",
    "diff": "What changed between two saved reports.",
    "audit": "Diagnose a whole fleet of endpoints and models, one matrix.",
    "history": "What earlier audits said, and when it changed.",
    "provider": "Saved providers: add, test, verify, list, show, set, remove.",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and loads one when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"probe.cli.{cmd_name}"), "command")  # noqa: B009
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, 1, 0.5)
            if near:
                hint = f"did you mean '{near[0]}'?"
            elif "/" in name or "." in name:
                hint = f"to diagnose an endpoint write: endpoint-probe run {name}"
            else:
                hint = f"use one of {', '.join(COMMANDS)}"
            raise click.ClickException(f"there is no command '{name}'; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 nothing found at or above --fail-on, 1 something was, 2 the command line or a file "
    "is unusable, 3 no chat completion could be had, 130 interrupted.",
)
@click.version_option(VERSION, "-V", "--version", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Tells what an OpenAI-compatible chat endpoint can really do, what is wrong with it, and who can fix it."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


# Three generic import names, one product: make sure that they belong together. ---------------------
#
# ``probe``, ``checks`` and ``reports`` are names that other projects use too.  Where
# another folder of one of these names stands first on the import path, half of this
# program would be somebody else's code; so that is said before anything else happens.

_PACKAGES = ("probe", "checks", "reports")


def _folder(name: str) -> str | None:
    """The folder of a package, without importing it."""
    spec = find_spec(name)
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or ())
    if places:
        return os.path.realpath(places[0])
    return os.path.realpath(spec.origin) if spec.origin else None


def intruder() -> str | None:
    """One line that names the package that is not ours, or None when all is well."""
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))  # noqa: PTH120
    for name in _PACKAGES:
        found = _folder(name)
        if found is None:
            return f"the package '{name}' is missing beside {os.path.join(home, 'probe')}; install endpoint-probe again"  # noqa: PTH118
        if os.path.dirname(found) != home:  # noqa: PTH120
            return (
                f"'{name}' is imported from {found} in place of {os.path.join(home, name)}; "  # noqa: PTH118
                "start endpoint-probe from another folder, unset PYTHONPATH, or install it on its own with pipx"
            )
    return None
