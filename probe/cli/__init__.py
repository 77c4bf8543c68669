"""The command line: entry point, exit status and the list of commands. `--help` loads only this module and click."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from probe.cli import streams
from probe.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Exit status: findings at or above --fail-on, unusable input, no usable chat completion, ended by a signal.
FOUND, UNUSABLE, NO_CHAT, INTERRUPTED = 1, 2, 3, 130
#: Characters of an error, which may quote an argument of any length.
_LONGEST_ERROR = 2_000
_PACKAGES = ("probe", "checks", "reports")

#: The module of each command and what `--help` says of it; a module is imported when its command is used.
COMMANDS = {
    "run": ("run", "Diagnose one endpoint and write the report."),
    "demo": ("simulate", "Diagnose a simulated endpoint; needs no arguments."),
    "simulate": ("simulate", "Serve the simulated endpoint until stopped."),
    "checks": ("catalogue", "List the checks: what each proves and may spend."),
    "explain": ("catalogue", "What a finding means, why it matters, how to fix it."),
    "export": ("export", "Write a client's provider configuration from a saved report."),
    "render": ("saved_reports", "Write a saved report.json in another format."),
    "diff": ("saved_reports", "Show what changed between two saved reports."),
    "audit": ("audit", "Diagnose many endpoints and models and write one matrix."),
    "history": ("history", "Show the results of earlier audits and when they changed."),
    "provider": ("provider", "Saved providers: add, test, verify, list, show, set, remove."),
}


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; the console script's entry point.

    Every error ends in one line on standard error and never in a traceback.
    """
    if args is not None:
        return _command(args)
    _end_at_once(INTERRUPTED)  # until a run has something to save
    atexit.register(_ignore_signals)
    _no_core_files()
    _hear_of_children()
    streams.prepare()
    gc.set_threshold(20_000)  # what the imports make stays, so that looking through it only takes time
    try:
        status = _command(None)
    except KeyboardInterrupt:
        status = INTERRUPTED
    _end_at_once(status)  # everything is written: a signal no longer changes the exit status
    return status


def _command(args: Sequence[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):  # a character that the terminal cannot show must not raise
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
    if foreign := intruder():
        print(f"endpoint-probe: {foreign}", file=sys.stderr)  # nothing of `reports` can be imported now
        return UNUSABLE
    try:
        if any(map(_is_no_argument, args or ())):
            raise click.ClickException("an argument holds a NUL or half a character; leave it out")
        status = cli.main(args=None if args is None else list(args), prog_name="endpoint-probe", standalone_mode=False)
        if (problem := streams.lost()) is not None and not isinstance(problem, BrokenPipeError):
            print(f"endpoint-probe: standard output could not be written ({problem.strerror})", file=sys.stderr)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:
        return _fail(error)
    return status if isinstance(status, int) else 0


def _is_no_argument(word: str) -> bool:
    """Whether no process can be given this word: it holds a NUL or half a character."""
    try:
        return b"\0" in os.fsencode(word)
    except UnicodeEncodeError:
        return True


# Signals and the process ---------------------------------------------------------------------------------


def _end_at_once(status: int) -> None:
    """From now on Ctrl-C, SIGTERM and SIGHUP end the process at once, with this status."""
    _on_signals(lambda _number, _frame: os._exit(status))


def _ignore_signals() -> None:
    """The interpreter removes its handlers at shutdown but keeps ignored signals ignored (CPython,
    Modules/signalmodule.c, _PySignal_Fini); otherwise a signal could still replace the exit status."""
    _on_signals(signal.SIG_IGN)


def _on_signals(handler: Callable[[int, object], object] | signal.Handlers) -> None:
    from probe.run.interruption import signals

    for number in signals():
        signal.signal(number, handler)


def _hear_of_children() -> None:
    """Worker processes are waited for, which a parent that ignores SIGCHLD would prevent (signal(7), wait(2))."""
    number = getattr(signal, "SIGCHLD", None)  # Windows has none
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


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


# Errors --------------------------------------------------------------------------------------------------


def _fail(error: Exception) -> int:
    from probe.redaction.key_patterns import without_keys
    from reports.text import printable

    with contextlib.suppress(OSError):
        said = printable(without_keys(_message(error)), _LONGEST_ERROR)
        print(f"endpoint-probe: {said}", file=sys.stderr, flush=True)
    return UNUSABLE


def _message(error: Exception) -> str:
    """One line for an error; click's usage errors with the place where more can be read."""
    from probe.run.typed_options import Unusable

    if isinstance(error, Unusable):
        return str(error)
    if not isinstance(error, click.ClickException):
        return internal(error)
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if context is not None and isinstance(error, click.UsageError) and type(error) is not click.BadParameter:
        message = f"{message.rstrip('.')}; '{context.command_path} --help' shows what to write"
    return message


def internal(error: Exception) -> str:
    """Type and place of an exception; not its text, which may hold a secret."""
    from probe.run.outcomes import failed_at

    return f"internal error: {failed_at(error)}; this is a bug in endpoint-probe, please report it"


# Commands ------------------------------------------------------------------------------------------------


class CommandGroup(click.Group):
    """A group whose error for an unknown command names the nearest one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, known = args[0], self.list_commands(ctx)
        if ctx.parent is None and name in ("help", "version"):
            return name, {"help": help_command, "version": version_command}[name], args[1:]
        if name not in known and not name.startswith("-"):
            from probe.wording import did_you_mean

            hint = f"use one of {', '.join(known)}"
            if ctx.parent is None and ("/" in name or "." in name):
                hint = f"to diagnose an endpoint write: endpoint-probe run {name}"
            hint = did_you_mean(name, known, hint)
            full = " ".join((*ctx.command_path.split()[1:], name[:40]))
            raise click.ClickException(f"there is no command '{full}'; {hint}")
        return super().resolve_command(ctx, args)


class LazyGroup(CommandGroup):
    """The group of all commands; it imports a command when that is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            module = import_module(f"probe.cli.{COMMANDS[cmd_name][0]}")
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("alembic", "sqlalchemy"):
                raise
            raise click.ClickException(
                f"{cmd_name} needs SQLAlchemy and alembic; install them in a checkout of endpoint-probe with: "
                "pip install '.[fleet]'"
            ) from None
        found: click.Command = getattr(module, f"{cmd_name}_command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 nothing found at or above --fail-on, 1 something was, 2 the command line or a file "
    "is unusable, 3 no usable chat completion, 130 interrupted.",
)
@click.version_option(VERSION, "-V", "--version", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Diagnose an OpenAI-compatible chat endpoint: what works, what is wrong, and who can fix it."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@click.command("help")
@click.argument("names", nargs=-1)
def help_command(names: tuple[str, ...]) -> None:
    """What `--help` of a command says."""
    cli.main(args=[*names, "--help"], prog_name="endpoint-probe", standalone_mode=False)


@click.command("version")
def version_command() -> None:
    """What `--version` says."""
    click.echo(f"endpoint-probe {VERSION}")


# Other projects' packages of the same names --------------------------------------------------------------


def intruder() -> str | None:
    """One line that names a package `probe`, `checks` or `reports` of another project on the import path, or None."""
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))  # noqa: PTH120
    for name in _PACKAGES:
        spec = find_spec(name)
        places = [*(spec.submodule_search_locations or ()), spec.origin or ""] if spec else [""]
        if not places[0]:
            return f"the package '{name}' is missing from {home}; install endpoint-probe again"
        found = os.path.realpath(places[0])
        if os.path.dirname(found) != home:  # noqa: PTH120
            return (
                f"'{name}' is imported from {found} instead of {os.path.join(home, name)}; "  # noqa: PTH118
                "start endpoint-probe from another folder, unset PYTHONPATH, or install it alone with pipx"
            )
    return None
