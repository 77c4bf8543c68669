"""The options that every command which sends requests shares.

Only click is imported here, so that `run --help` is quick; the meaning of the values is
in ``probe.cli.settings``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from probe.cli import shell_completion

if TYPE_CHECKING:
    from probe.model import Report

Command = TypeVar("Command", bound=Callable[..., Any])


class Unusable(click.ClickException):
    """Something typed, or a file, cannot be used; the message says what to write instead."""

    exit_code = 2


class Number:
    """An option's callback: a finite number between bounds, with a message that gives an example.

    Args:
        unit: what is counted, for the message.
        low, high: the bounds, both allowed.
        whole: only whole numbers.
        example: what to write.
    """

    def __init__(self, unit: str, low: float, high: float, *, whole: bool = False, example: str) -> None:
        self.unit = unit
        self.low = low
        self.high = high
        self.whole = whole
        self.example = example

    def __call__(self, _ctx: click.Context, param: click.Parameter, value: Any) -> float | None:
        if value is None:
            return None
        option = param.opts[0]
        instead = f"write a {'whole ' if self.whole else ''}number of {self.unit}, as in {option} {self.example}"
        try:
            number = int(value) if self.whole else float(value)
        except (ValueError, OverflowError):
            raise Unusable(f"{option} cannot be '{str(value)[:40]}'; {instead}") from None
        if not math.isfinite(number) or number < self.low:
            raise Unusable(f"{option} cannot be {value}; the least is {self.low:g}: {instead}")
        if number > self.high:
            raise Unusable(f"{option} cannot be {value}; the most is {self.high:g}: {instead}")
        return number


@dataclass(frozen=True)
class Given:
    """The shared options as typed; None where an option was left out and has no fixed default."""

    model: str | None
    api_key_env: str | None
    api_key_file: str | None
    api_key_stdin: bool
    auth: str
    auth_header: str | None
    header: tuple[str, ...]
    depth: str
    only: tuple[str, ...]
    skip: tuple[str, ...]
    idle: float | None
    keepalive: int
    trials: int | None
    timeout: float
    deadline: float | None
    max_requests: int | None
    max_tokens: int | None
    concurrency: int
    ca_bundle: str | None
    insecure: bool
    proxy: str | None
    http: str | None
    out: str
    formats: tuple[str, ...]
    as_json: bool
    fail_on: str
    dry_run: bool
    quiet: bool
    verbose: bool


_SECONDS = Number("seconds", 0.1, 86_400, example="60")
_SHARED = (
    click.option("--model", metavar="ID", help="Model to use; default: the only listed one, or the first."),
    click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the key."),
    click.option("--api-key-file", metavar="PATH", help="File that holds the key."),
    click.option("--api-key-stdin", is_flag=True, help="Read the key from standard input."),
    click.option(
        "--auth",
        type=click.Choice(["bearer", "api-key-header", "none"]),
        default="bearer",
        show_default=True,
        help="How the key is sent.",
    ),
    click.option("--auth-header", metavar="NAME", help="Header of the key; default with api-key-header: X-API-Key."),
    click.option(
        "--header",
        metavar="'NAME: VALUE'",
        multiple=True,
        help="Extra header, repeatable; ${VAR} is read from the environment and kept secret.",
    ),
    click.option(
        "--depth",
        type=click.Choice(["quick", "standard", "deep"]),
        default="standard",
        show_default=True,
        help="How much to spend.",
    ),
    click.option(
        "--only",
        metavar="GLOB",
        multiple=True,
        shell_complete=shell_completion.checks,
        help="Only checks whose id fits; repeatable.",
    ),
    click.option(
        "--skip",
        metavar="GLOB",
        multiple=True,
        shell_complete=shell_completion.checks,
        help="No checks whose id fits; repeatable.",
    ),
    click.option(
        "--idle",
        metavar="SECONDS",
        type=click.UNPROCESSED,
        callback=Number("seconds", 0, 86_400, example="75"),
        help="Longest silence to try; default 0 in quick, 10 in standard, 75 in deep.",
    ),
    click.option(
        "--keepalive",
        metavar="SECONDS",
        type=click.UNPROCESSED,
        callback=Number("seconds", 0, 32_767, whole=True, example="30"),
        default=30,
        show_default=True,
        help="TCP keepalive of the probing client, 0 = off.",
    ),
    click.option(
        "--trials",
        metavar="N",
        type=click.UNPROCESSED,
        callback=Number("repetitions", 1, 100, whole=True, example="5"),
        help="Repetitions where the model has a choice; default: adaptive.",
    ),
    click.option(
        "--timeout",
        metavar="SECONDS",
        type=click.UNPROCESSED,
        callback=_SECONDS,
        default=60,
        show_default=True,
        help="Limit of one request.",
    ),
    click.option(
        "--deadline",
        metavar="SECONDS",
        type=click.UNPROCESSED,
        callback=Number("seconds", 0.1, 86_400, example="300"),
        help="Limit of the run; default 60 in quick, 300 in standard, 1200 in deep.",
    ),
    click.option(
        "--max-requests",
        metavar="N",
        type=click.UNPROCESSED,
        callback=Number("requests", 1, 1_000_000, whole=True, example="40"),
        help="Requests to spend at most.",
    ),
    click.option(
        "--max-tokens",
        metavar="N",
        type=click.UNPROCESSED,
        callback=Number("tokens", 1, 1_000_000_000, whole=True, example="10000"),
        help="Prompt and completion tokens to spend at most.",
    ),
    click.option(
        "--concurrency",
        metavar="N",
        type=click.UNPROCESSED,
        callback=Number("requests", 1, 64, whole=True, example="4"),
        default=4,
        show_default=True,
        help="Checks in flight at once; timing checks always run alone.",
    ),
    click.option("--ca-bundle", metavar="PATH", help="PEM file of further trusted certificates."),
    click.option("--insecure", is_flag=True, help="Do not verify certificates."),
    click.option("--proxy", metavar="URL", help="HTTP proxy; default: the environment's, as clients do."),
    click.option("--http", type=click.Choice(["1", "2"]), help="HTTP version; default: what the server prefers."),
    click.option("--out", metavar="DIR", default="endpoint-report", show_default=True, help="Folder for the reports."),
    click.option(
        "--format",
        "formats",
        metavar="FORMAT",
        multiple=True,
        shell_complete=shell_completion.formats,
        help="json, html, markdown, junit or sarif; repeatable; default json and html.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print report.json on standard output and nothing else."),
    click.option(
        "--fail-on",
        type=click.Choice(["error", "warning", "never"]),
        default="error",
        show_default=True,
        help="From which severity on the exit status is 1.",
    ),
    click.option("--dry-run", is_flag=True, help="Show what would be spent; send nothing."),
    click.option("--quiet", "-q", is_flag=True, help="No progress and no tables: one line with the result."),
    click.option("--verbose", "-v", is_flag=True, help="A line for each exchange."),
)


def shared_options(command: Command) -> Command:
    """Give a command every shared option; its keyword arguments fit ``Given``."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


# Reading a report that an earlier run saved. -------------------------------------------------------


def saved_report(named: str) -> Report:
    """The report of this file, or the report.json of this folder.

    Raises:
        Unusable: it cannot be read or is no report.
    """
    from probe.report import BadReport, load

    path = Path(named)
    try:
        return load(path / "report.json" if path.is_dir() else path)
    except BadReport as error:
        raise Unusable(str(error)) from None
    except ValueError:  # a NUL in the name
        raise Unusable(f"no path is named {named!r}; name a report.json or its folder") from None


def print_or_write(content: bytes, output: str | None) -> None:
    """Write to the file, whole or not at all, or to standard output where none is named.

    Raises:
        Unusable: the file cannot be written.
    """
    import sys

    from probe.report import write_whole

    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        write_whole(Path(output), content)
    except OSError as error:
        raise Unusable(f"cannot write {output} ({error.strerror}); name another file with --output") from None
