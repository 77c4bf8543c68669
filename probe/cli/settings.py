"""Options that were not typed: from `endpoint-probe.toml`, from pyproject.toml, and from `ENDPOINT_PROBE_*`.

The file is the nearest one upward from the working directory: `endpoint-probe.toml`, or a `pyproject.toml` with a table
`[tool.endpoint-probe]`.  Its keys are the options without their dashes.  A variable is an option in capitals with the
prefix, as in `ENDPOINT_PROBE_FAIL_ON`; it comes before the file, and what was typed before both.  A file may come with
a checkout that somebody else wrote, so it cannot say who gets the key or whom to trust.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from probe.files import read_regular
from probe.run.typed_options import Unusable
from probe.wording import did_you_mean

FILE = "endpoint-probe.toml"
PREFIX = "ENDPOINT_PROBE_"
_TABLE = "[tool.endpoint-probe]"
#: Bytes; a file of settings has some lines, and what is larger is not read.
_LONGEST = 1_000_000
_SEARCHED = 64
#: What decides where the key and the requests go, and whom the connection trusts; and what is not a setting.
NOT_FROM_A_FILE = frozenset(
    {"api-key-env", "api-key-file", "api-key-stdin", "auth", "auth-header", "header", "proxy", "insecure", "ca-bundle"}
    | {"client-cert", "client-key", "store", "executor", "webhook", "webhook-secret-env", "metrics", "resume"}
    | {"api-key", "help", "json", "dry-run", "since", "open"}
)
#: In a variable commas separate the values of a repeatable option; line ends those of --header, which may hold commas.
_LINES = frozenset({"header"})


class Configured(click.Command):
    """A command whose options are also read from the file and the environment; `--help` reads neither.

    Args:
        from_file: the only options that this command takes from the file; default: all.
    """

    def __init__(self, *args: Any, from_file: Collection[str] | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.from_file = from_file

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options in groups."""
        from probe.cli.options import GROUPS

        records = {_key(param): found for param in self.get_params(ctx) if (found := param.get_help_record(ctx))}
        for title, names in GROUPS.items():
            rows = [records.pop(name) for name in names.split() if name in records]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
        with formatter.section("Other"):
            formatter.write_dl(list(records.values()))

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if not {"-h", "--help"} & set(args):
            extra["default_map"] = _found(self)
        context = super().make_context(info_name, args, parent, **extra)
        if context.get_parameter_source("out") is ParameterSource.DEFAULT_MAP and not _given("out"):
            _check_inside(context.params["out"])
        return context


def _found(command: Configured) -> dict[str, Any]:
    """Values by parameter.

    Raises:
        Unusable: the file cannot be read, a key is unknown, or a value is of another kind than the option's.
    """
    options = {_key(param): param for param in command.params if isinstance(param, click.Option)}
    values: dict[str, Any] = {}
    if found := _file():
        path, table = found
        _check_keys(path, table, options)
        for key, value in table.items():
            if key in options and (command.from_file is None or key in command.from_file):
                values[str(options[key].name)] = _from_file(path, key, value, options[key])
    for key, param in options.items():
        text = _given(key)
        if text and key not in ("help", "api-key"):
            values[str(param.name)] = _from_text(key, text, param)
    return values


def _key(param: click.Parameter) -> str:
    """The option's name in a file: its first long form without the dashes."""
    return next((name for name in param.opts if name.startswith("--")), param.opts[0]).removeprefix("--")


def _variable(key: str) -> str:
    """The environment variable of an option."""
    return PREFIX + key.upper().replace("-", "_")


def _given(key: str) -> str:
    """What the variable of an option holds; pipelines set to nothing what nobody gave."""
    text = os.environ.get(_variable(key), "")
    return text if text.strip() else ""


# The file ------------------------------------------------------------------------------------------------


def _file() -> tuple[Path, Mapping[str, Any]] | None:
    """The nearest file and its table."""
    here = Path.cwd()
    for folder in [here, *here.parents][:_SEARCHED]:
        if folder != here and _open_to_all(folder):  # /tmp: what lies there is of no use to who works below it
            continue
        own = folder / FILE
        if own.is_file():
            return own, _parsed(own, _text(own))
        shared = folder / "pyproject.toml"
        if shared.is_file() and _TABLE in (text := _text(shared)):
            tools = _parsed(shared, text).get("tool")
            table = tools.get("endpoint-probe") if isinstance(tools, dict) else None
            if isinstance(table, dict):
                return shared, table
    return None


def _open_to_all(folder: Path) -> bool:
    """Whether anybody may put a file there."""
    try:
        return bool(folder.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return True


def _text(path: Path) -> str:
    try:
        return read_regular(path, _LONGEST).decode("utf-8")
    except OSError as error:
        raise Unusable(
            f"{path} cannot be read ({error.strerror or type(error).__name__}); correct or remove it"
        ) from None
    except UnicodeDecodeError:
        raise Unusable(f"{path} is not UTF-8; correct or remove it") from None


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise Unusable(f"{path} is not TOML: {str(error)[:120]}") from None


def _check_keys(path: Path, table: Mapping[str, Any], options: Mapping[str, click.Parameter]) -> None:
    """
    Raises:
        Unusable: a key is not an option, or one that a file cannot give.
    """
    known = sorted((set(options) | _others()) - NOT_FROM_A_FILE)
    for key in table:
        if key in NOT_FROM_A_FILE:
            raise Unusable(f"{path}: '{key}' cannot be set in a file; type --{key}, or set {_variable(key)}")
        if key not in known:
            hint = did_you_mean(key, known, f"use one of {', '.join(known)}")
            raise Unusable(f"{path}: there is no setting '{key[:40]}'; {hint}")


def _others() -> set[str]:
    """The options of `run`, which other commands read the file of too."""
    from probe.cli.options import shared_options

    return {_key(param) for param in shared_options(click.Command("run")).params}


def _from_file(path: Path, key: str, value: Any, param: click.Option) -> Any:
    """
    Raises:
        Unusable: it is not what the option takes.
    """
    if param.multiple:
        items = value if isinstance(value, list) else [value]
        if all(isinstance(item, str) for item in items):
            return items
        raise Unusable(f'{path}: {key} takes a list of texts, as in {key} = ["one", "two"]')
    if param.is_flag:
        if isinstance(value, bool):
            return value
        raise Unusable(f"{path}: {key} takes true or false")
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise Unusable(f"{path}: {key} takes a text or a number")


def _check_inside(folder: str) -> None:
    """
    Raises:
        Unusable: what a checkout brings along would have the reports written outside of it.
    """
    path = (_file() or (Path.cwd(), {}))[0]
    try:
        inside = Path(folder).resolve().is_relative_to(path.parent.resolve())
    except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, a circle of links
        inside = False
    if not inside:
        raise Unusable(f"{path}: out leads out of the folder of this file; type --out, or set {_variable('out')}")


# The environment -----------------------------------------------------------------------------------------


def _from_text(key: str, text: str, param: click.Option) -> Any:
    """
    Raises:
        Unusable: a flag's variable holds neither yes nor no.
    """
    if param.multiple:
        return [item.strip() for item in text.split("\n" if key in _LINES else ",") if item.strip()]
    if not param.is_flag:
        return text
    word = text.strip().lower()
    if word not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise Unusable(f"{_variable(key)} is neither 1 nor 0")
    return word in ("1", "true", "yes", "on")
