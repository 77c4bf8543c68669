"""Options that several commands share, and the files they read and write.

Only click is imported at the top, so that `run --help` is quick.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from probe.cli import shell_completion
from probe.run.typed_options import APIS, Given, Unusable, as_unusable

if TYPE_CHECKING:
    from probe.model import Report

__all__ = ["Given", "Unusable", "as_unusable"]
Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]


def number(
    option: str, unit: str, low: float, high: float, example: str, help: str, default: float | None = None
) -> Decorator:
    """An option that takes a number between two bounds, both allowed; a whole number where the bounds are whole.

    Args:
        unit: what is counted, for the message about a wrong value.
        example: a value for that message.
    """
    whole = isinstance(low, int)

    def checked(_ctx: click.Context, _param: click.Parameter, value: Any) -> float | None:
        if value is None:
            return None
        instead = f"write a {'whole ' if whole else ''}number of {unit}, as in {option} {example}"
        try:
            found = int(value) if whole else float(value)
        except (ValueError, OverflowError):
            raise Unusable(f"{option} cannot be '{str(value)[:40]}'; {instead}") from None
        if not math.isfinite(found) or found < low:
            raise Unusable(f"{option} cannot be {value}; the least is {low:g}: {instead}")
        if found > high:
            raise Unusable(f"{option} cannot be {value}; the most is {high:g}: {instead}")
        return found

    metavar = unit.upper() if unit in ("seconds", "days") else "N"
    return click.option(
        option,
        metavar=metavar,
        type=click.UNPROCESSED,
        callback=checked,
        default=default,
        show_default=default is not None,
        help=help,
    )


def choice(option: str, values: Iterable[str], help: str, default: str | None = None) -> Decorator:
    """An option that takes one of some words; the part before a ``/`` is the parameter's name."""
    *name, option = option.split("/")
    return click.option(
        option, *name, type=click.Choice(list(values)), default=default, show_default=default is not None, help=help
    )


def several(option: str, metavar: str, help: str, completion: shell_completion.Offer | None = None) -> Decorator:
    """A repeatable option; the part before a ``/`` is the parameter's name."""
    *name, option = option.split("/")
    return click.option(option, *name, metavar=metavar, multiple=True, shell_complete=completion, help=help)


text_or_json: Decorator = choice("form/--format", ["text", "json"], "How to print.", "text")
request_timeout: Decorator = number("--timeout", "seconds", 0.1, 86_400, "60", "Limit of one request.", 60)
#: The options of a run in groups, for `--help`; every option is in one.
GROUPS = {
    "The key and the endpoint": (
        "model api-key-env api-key-file api-key-stdin auth auth-header header proxy http "
        "ca-bundle client-cert client-key insecure"
    ),
    "What is tried": "depth apis only skip idle keepalive trials style fault real port list",
    "What may be spent": "timeout deadline max-requests max-tokens concurrency dry-run",
    "The result": "out format json open quiet verbose",
    "What fails a build": "fail-on accept",
}


def _refuse_key(_ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise Unusable(
            "a key on the command line can be read by every user of this machine; "
            "put it into a variable and name that: --api-key-env NAME (or --api-key-file, --api-key-stdin)"
        )


_SHARED: tuple[Decorator, ...] = (
    click.option("--api-key", hidden=True, expose_value=False, is_eager=True, callback=_refuse_key),
    click.option("--model", metavar="ID", help="Model to use; default: the only listed one, or the first."),
    click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the key."),
    click.option("--api-key-file", metavar="PATH", help="File that holds the key."),
    click.option("--api-key-stdin", is_flag=True, help="Read the key from standard input."),
    choice("--auth", ["bearer", "api-key-header", "none"], "How the key is sent.", "bearer"),
    click.option("--auth-header", metavar="NAME", help="Header of the key; default with api-key-header: X-API-Key."),
    several("--header", "'NAME: VALUE'", "Extra header, repeatable; ${VAR} is a secret from the environment."),
    choice("--depth", ["quick", "standard", "deep"], "How much to spend.", "standard"),
    choice("--apis", APIS, "APIs to ask: chat completions, and those of the others that are found.", "auto"),
    several("--only", "GLOB", "Run only checks whose id matches; repeatable.", shell_completion.checks),
    several("--skip", "GLOB", "Leave out checks whose id matches; repeatable.", shell_completion.checks),
    number("--idle", "seconds", 0.0, 86_400, "75", "Longest silence to try; default: 0, 10 or 75, by the depth."),
    number("--keepalive", "seconds", 0, 32_767, "30", "TCP keepalive of the client, 0 = off.", 30),
    number("--trials", "repetitions", 1, 100, "5", "Repetitions where the model has a choice; default: adaptive."),
    number("--timeout", "seconds", 0.1, 86_400, "60", "Limit of one request; default: 60, more for a slow endpoint."),
    number("--deadline", "seconds", 0.1, 86_400, "300", "Limit of the run; default: 60, 300 or 1200, by the depth."),
    number("--max-requests", "requests", 1, 1_000_000, "40", "Most requests to send."),
    number("--max-tokens", "tokens", 1, 1_000_000_000, "10000", "Most prompt and completion tokens to spend."),
    number("--concurrency", "requests", 1, 64, "4", "Checks in flight at once; timing checks always run alone.", 4),
    click.option("--ca-bundle", metavar="PATH", help="PEM file of further trusted certificates."),
    click.option("--client-cert", metavar="PATH", help="PEM file of the certificate that the client presents."),
    click.option("--client-key", metavar="PATH", help="PEM file of its private key; default: in --client-cert."),
    click.option("--insecure", is_flag=True, help="Do not verify certificates."),
    click.option("--proxy", metavar="URL", help="HTTP proxy; default: the environment's, as clients do."),
    choice("--http", ["1", "2"], "HTTP version; default: what the server prefers."),
    click.option(
        "--out",
        "--output",
        "out",
        metavar="DIR",
        default="endpoint-report",
        show_default=True,
        help="Folder for the reports.",
    ),
    several(
        "formats/--format",
        "FORMAT",
        "json, html, markdown, junit, sarif, github or badge; repeatable; default json and html.",
        shell_completion.formats,
    ),
    click.option("--json", "as_json", is_flag=True, help="Print report.json on standard output and nothing else."),
    choice("--fail-on", ["error", "warning", "never"], "Lowest severity that gives exit status 1.", "error"),
    several(
        "--accept", "CODE[=DAY]", "A finding that does not count for --fail-on, until a day (2027-01-31); repeatable."
    ),
    click.option("--dry-run", is_flag=True, help="Show what would be spent; send nothing."),
    click.option("--open", "open_page", is_flag=True, help="Open the page in a browser when the run has ended."),
    click.option("--quiet", "-q", is_flag=True, help="No progress and no tables: one line with the result."),
    click.option("--verbose", "-v", is_flag=True, help="Print a line for each exchange."),
)


def shared_options(command: Command) -> Command:
    """Give a command every option of `run`; its keyword arguments fit ``Given``."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def saved_report(named: str) -> Report:
    """The report in this file, or in the report.json of this folder.

    Raises:
        Unusable: it cannot be read or is not a report.
    """
    from probe.report import BadReport, load

    path = Path(named)
    try:
        return load(path / "report.json" if path.is_dir() else path)
    except BadReport as error:
        raise Unusable(str(error)) from None
    except ValueError:  # a NUL in the name
        raise Unusable(f"no path is named {named!r}; name a report.json or its folder") from None


def write(path: str | Path, content: bytes, instead: str, *, named: bool = False) -> None:
    """Write a file whole or not at all.

    Args:
        named: the file itself was named, which may be a link or a device such as /dev/stdout: it is not replaced.

    Raises:
        Unusable: it cannot be written; the message ends with ``instead``.
    """
    from probe.files import overwrite, write_whole

    try:
        if named:
            overwrite(Path(path), content, None)
        else:
            write_whole(Path(path), content)
    except OSError as error:
        raise Unusable(f"cannot write {path} ({error.strerror}); {instead}") from None


def print_or_write(content: bytes, output: str | None) -> None:
    """Write to a file, whole or not at all, or to standard output where none is named.

    Raises:
        Unusable: the file cannot be written.
    """
    from probe.cli import streams

    if output is None:
        sys.stdout.buffer.write(content)
        if (problem := streams.lost()) is not None:
            raise Unusable(f"cannot write to standard output ({problem.strerror}); name a file with --output")
    else:
        write(output, content, "name another file with --output", named=True)
