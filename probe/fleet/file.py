"""Reading a fleet file (TOML 1.0), with the line of whatever is wrong in it.

The line of a value is found with the TOML parser itself: it is where the shortest
readable beginning of the file ends that already holds the value.
"""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from probe.fleet.job import Fleet, Settings, Target
from probe.model import CAPABILITIES, State
from probe.parsing import urls

# What each setting of a fleet file may be.  A reader takes a value and its path, and returns or refuses it.

At = tuple[str | int, ...]
Reader = Callable[[Any, At], Any]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CREDENTIAL = re.compile(r"(?:^|-)(?:authorization|api-?key|auth-token|access-token|subscription-key)$|^cookie$")


class Wrong(Exception):
    """A value that cannot be used: where it stands, and what to write instead."""

    def __init__(self, path: At, said: str) -> None:
        super().__init__(said)
        self.path = path
        self.said = said


def text(value: Any, path: At) -> str:
    """A non-empty text on one line."""
    if not isinstance(value, str) or not value.strip():
        raise Wrong(path, f"'{path[-1]}' is a text between quotes, and not empty")
    if not value.isprintable() or len(value) > 2000:
        raise Wrong(path, f"'{path[-1]}' holds a control character or is too long")
    return value


def texts(value: Any, path: At) -> tuple[str, ...]:
    """A list of texts; a single text is a list of one."""
    if isinstance(value, str):
        return (text(value, path),)
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise Wrong(path, f'\'{path[-1]}\' is a list of texts, as in ["one", "two"]')
    return tuple(text(item, path) for item in value)


def flag(value: Any, path: At) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise Wrong(path, f"'{path[-1]}' is true or false, without quotes")
    return value


def number(low: float, high: float, *, whole: bool = False) -> Reader:
    """A number between bounds, both allowed."""

    def read(value: Any, path: At) -> float:
        kind = "whole number" if whole else "number"
        right = isinstance(value, int) if whole else isinstance(value, int | float)
        if not right or isinstance(value, bool) or not math.isfinite(value):
            raise Wrong(path, f"'{path[-1]}' is a {kind}, without quotes")
        if not low <= value <= high:
            raise Wrong(path, f"'{path[-1]}' is a {kind} from {low:g} to {high:g}, not {value}")
        return int(value) if whole else float(value)

    return read


def choice(*words: str) -> Reader:
    """One of some words."""

    def read(value: Any, path: At) -> str:
        if value not in words:
            near = get_close_matches(str(value), words, 1, 0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(words)}"
            raise Wrong(path, f"'{path[-1]}' cannot be {str(value)[:40]!r}; {hint}")
        return str(value)

    return read


def variable(value: Any, path: At) -> str:
    """The name of an environment variable."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Wrong(path, f"'{path[-1]}' is the name of an environment variable, as in \"GATEWAY_KEY\"; never the key")
    return value


def labels(value: Any, path: At) -> dict[str, str]:
    """Names and short texts."""
    if not isinstance(value, dict):
        raise Wrong(path, f'\'{path[-1]}\' is a table, as in {{ site = "ams", tier = "prod" }}')
    for name, item in value.items():
        if not _LABEL.fullmatch(name):
            raise Wrong((*path, name), f"the label '{name[:40]}' is no name; use letters, digits, - and _")
        if not isinstance(item, str) or not item.isprintable() or len(item) > 200:
            raise Wrong((*path, name), f"the label '{name}' is a short text between quotes")
    return dict(value)


def headers(value: Any, path: At) -> dict[str, str]:
    """Header names and values; what carries a key must be a reference."""
    if not isinstance(value, dict):
        raise Wrong(path, "'headers' is a table, as in { X-Team = \"search\" }")
    for name, item in value.items():
        here = (*path, name)
        if not _HEADER.fullmatch(name) or not isinstance(item, str):
            raise Wrong(here, f"'{name[:40]}' is no header; write a name and a text between quotes")
        if _CREDENTIAL.search(name.lower()) and "${" not in item:
            raise Wrong(here, f'a key is not kept in this file; write {name} = "${{MY_KEY}}" and export MY_KEY')
    return dict(value)


def expectations(value: Any, path: At) -> dict[str, tuple[str, ...]]:
    """Capability to the states that are allowed."""
    if not isinstance(value, dict):
        raise Wrong(path, '\'expect\' is a table, as in { tools = "works", vision = ["works", "rejected"] }')
    found: dict[str, tuple[str, ...]] = {}
    states = [str(state) for state in State]
    for name, item in value.items():
        here = (*path, name)
        if name not in CAPABILITIES:
            near = get_close_matches(name, CAPABILITIES, 1, 0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(CAPABILITIES)}"
            raise Wrong(here, f"'{name[:40]}' is no capability; {hint}")
        wanted = [item] if isinstance(item, str) else item
        if not isinstance(wanted, list) or not wanted or any(state not in states for state in wanted):
            raise Wrong(here, f"'{name}' is expected to be one of {', '.join(states)}, or a list of them")
        found[name] = tuple(wanted)
    return found


def models(value: Any, path: At) -> tuple[tuple[str, ...], dict[str, dict[str, tuple[str, ...]]]]:
    """Model ids, or tables with an id and what is expected of that model."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise Wrong(path, '\'models\' is a list of model ids, as in ["small", "large"]; without it the only one')
    ids: list[str] = []
    wanted: dict[str, dict[str, tuple[str, ...]]] = {}
    for item in value:
        if isinstance(item, dict):
            strange = sorted(set(item) - {"id", "expect"})
            if strange or not isinstance(item.get("id"), str):
                raise Wrong(path, 'a model is an id, or a table { id = "large", expect = { vision = "works" } }')
            wanted[item["id"]] = expectations(item.get("expect", {}), path)
            item = item["id"]
        if not isinstance(item, str) or not item.strip() or not item.isprintable() or len(item) > 500:
            raise Wrong(path, "a model id is a text without control characters, and not empty")
        if item in ids:
            raise Wrong(path, f"the model '{item}' is named twice")
        ids.append(item)
    return tuple(ids), wanted


_SECONDS = number(0.1, 86_400)
#: Options of a run that a target or [defaults] may set; named as on the command line, with underscores.
RUN: dict[str, Reader] = {
    "auth": choice("bearer", "api-key-header", "none"),
    "auth_header": text,
    "depth": choice("quick", "standard", "deep"),
    "only": texts,
    "skip": texts,
    "idle": number(0, 86_400),
    "keepalive": number(0, 32_767, whole=True),
    "trials": number(1, 100, whole=True),
    "timeout": _SECONDS,
    "deadline": _SECONDS,
    "max_requests": number(1, 1_000_000, whole=True),
    "max_tokens": number(1, 1_000_000_000, whole=True),
    "concurrency": number(1, 64, whole=True),
    "ca_bundle": text,
    "insecure": flag,
    "proxy": text,
    "http": choice("1", "2"),
}
COMMON: dict[str, Reader] = {
    **RUN,
    "api_key_env": variable,
    "api_key_file": text,
    "headers": headers,
    "labels": labels,
    "expect": expectations,
    "vantage": texts,
}
TARGET: dict[str, Reader] = {
    **COMMON,
    "name": text,
    "endpoint": text,
    "models": models,
    "discover": flag,
    "include": texts,
    "exclude": texts,
}
FLEET: dict[str, Reader] = {
    "name": text,
    "concurrency": number(1, 256, whole=True),
    "per_host": number(1, 64, whole=True),
    "requests_per_second": number(0.01, 10_000),
    "confirm": number(0, 20, whole=True),
    "quiet_workers": number(1, 64, whole=True),
    "keep_days": number(0.01, 36_500),
}
WHOLE = {"fleet": FLEET, "defaults": COMMON, "target": TARGET}


# Reading a fleet file (TOML 1.0), with the line of whatever is wrong in it. ------------------------

#: More than any fleet needs; what is longer is no fleet file.
_LIMIT = 4 * 1024 * 1024


class BadFleet(ValueError):
    """The fleet file cannot be used; the message is one line with the file's name and the line's number."""


class Lines:
    """Where things stand in a TOML text.

    Args:
        text: a text that can be read as TOML.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def _prefix(self, count: int) -> tuple[int, dict[str, Any]]:
        """The shortest readable beginning of at least so many lines."""
        while count < len(self._lines):
            try:
                return count, tomllib.loads("\n".join(self._lines[:count]))
            except tomllib.TOMLDecodeError:
                count += 1
        return count, tomllib.loads("\n".join(self._lines))

    def of(self, path: At) -> int:
        """The number of the line, from 1, on which the statement begins that sets this path."""
        low, high = 0, len(self._lines)
        while low < high:
            middle = (low + high) // 2
            count, document = self._prefix(middle)
            if _holds(document, path):
                high = middle
            else:
                low = max(count, middle + 1)
        # The statement may take several lines: it begins after the last shorter readable beginning without it.
        begin = low
        while begin > 1 and self._prefix(begin - 1)[0] != begin - 1:
            begin -= 1
        return max(1, min(begin, len(self._lines)))


def _holds(document: Any, path: At) -> bool:
    for step in path:
        if isinstance(step, int):
            if not isinstance(document, list) or len(document) <= step:
                return False
        elif not isinstance(document, dict) or step not in document:
            return False
        document = document[step]
    return True


def load(path: Path) -> Fleet:
    """Read a fleet file.

    Raises:
        BadFleet: it cannot be read, is no TOML, or says something that cannot be used.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise BadFleet(f"cannot read {path} ({error.strerror or type(error).__name__}); name a fleet file") from None
    except ValueError:
        raise BadFleet("the fleet file's name holds a character no path has") from None
    if len(content) > _LIMIT:
        raise BadFleet(f"{path} is longer than {_LIMIT // 1024 // 1024} MiB, which is no fleet file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadFleet(f"{path}:{line}: this is no UTF-8 text; save the file as UTF-8") from None
    return parse(text, str(path), default_name=path.stem)


def parse(text: str, where: str = "fleet.toml", default_name: str = "fleet") -> Fleet:
    """Read the text of a fleet file.

    Args:
        where: the file's name for messages.
        default_name: the fleet's name where the file gives none.

    Raises:
        BadFleet: as ``load``.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadFleet(_no_toml(str(error), where, text)) from None
    except RecursionError:
        raise BadFleet(f"{where}: it is nested too deeply to be a fleet file") from None
    try:
        return _fleet(document, default_name, hashlib.sha256(text.encode()).hexdigest())
    except Wrong as wrong:
        line = Lines(text).of(wrong.path) if wrong.path else 1
        raise BadFleet(f"{where}:{line}: {wrong.said}") from None


def _no_toml(said: str, where: str, text: str) -> str:
    found = re.search(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$", said)
    line = found[1] if found and found[1] else str(text.count("\n") + 1)
    column = f" (column {found[2]})" if found and found[2] else ""
    return f"{where}:{line}: this is no TOML: {said[: found.start()] if found else said}{column}"


def unknown(name: str, known: Mapping[str, Any], path: At, what: str) -> Wrong:
    """What to say of a name that is none, with the nearest that is."""
    near = get_close_matches(name.replace("-", "_"), known, 1, 0.6)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(sorted(known))}"
    return Wrong(path, f"'{name[:40]}' is no {what}; {hint}")


def _fleet(document: dict[str, Any], default_name: str, digest: str) -> Fleet:
    for name in document:
        if name not in WHOLE:
            raise unknown(name, WHOLE, (name,), "part of a fleet file")
    settings = _table(document, "fleet", FLEET, "setting of [fleet]")
    defaults = _table(document, "defaults", COMMON, "setting of [defaults]")
    rows = document.get("target")
    if rows is None:
        raise Wrong((), 'it has no target; write [[target]] and below it endpoint = "https://host.example/v1"')
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Wrong(("target",), "targets are written with two brackets: [[target]]")
    targets: list[Target] = []
    for number, row in enumerate(rows):
        target = _target(row, ("target", number), defaults)
        same = next((item for item in targets if item.name == target.name), None)
        if same is not None:
            at: At = ("target", number, "name") if "name" in row else ("target", number)
            raise Wrong(at, f"the name '{target.name}' is taken by an earlier target; give this one a name of its own")
        targets.append(target)
    if not targets:
        raise Wrong(("target",), "it has no target; write [[target]] with an endpoint")
    name = settings.pop("name", default_name)
    return Fleet(str(name), tuple(targets), Settings(**settings), digest)


def _table(document: Mapping[str, Any], name: str, known: Mapping[str, Reader], what: str) -> dict[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise Wrong((name,), f"'{name}' is a table; write [{name}]")
    return _values(table, (name,), known, what)


def _values(table: Mapping[str, Any], path: At, known: Mapping[str, Reader], what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        here = (*path, name)
        if name in ("api_key", "key", "token", "password"):
            raise Wrong(
                here,
                f"'{name}' would put a key into this file; write api_key_env = \"NAME\" for a variable or "
                'api_key_file = "PATH" for a file that holds it',
            )
        if name not in known:
            raise unknown(name, known, here, what)
        found[name] = known[name](value, here)
    return found


def _target(row: dict[str, Any], path: At, defaults: Mapping[str, Any]) -> Target:
    own = _values(row, path, TARGET, "setting of a target")
    values = {**defaults, **own}
    for name in ("labels", "headers", "expect"):
        values[name] = {**defaults.get(name, {}), **own.get(name, {})}
    endpoint = own.get("endpoint")
    if endpoint is None:
        raise Wrong(path, 'this target has no endpoint; write endpoint = "https://host.example/v1"')
    _check_endpoint(endpoint, (*path, "endpoint"))
    if "api_key_env" in own and "api_key_file" in own:
        raise Wrong((*path, "api_key_file"), "the key comes from one place; leave out api_key_env or api_key_file")
    if own.get("discover") and "models" in own:
        raise Wrong((*path, "discover"), "discover = true finds the models itself; leave out it or models")
    for name in ("include", "exclude"):
        if name in own and not values.get("discover"):
            raise Wrong((*path, name), f"{name} chooses among discovered models; add discover = true")
    models, expect_of = own.get("models", ((), {}))
    known = {item.name for item in fields(Target)} | {"api_key_env", "api_key_file"}
    return Target(
        name=str(values.get("name", endpoint)),
        endpoint=endpoint,
        models=models,
        discover=bool(values.get("discover", False)),
        include=values.get("include", ("*",)),
        exclude=values.get("exclude", ()),
        key=_key(own) or _key(defaults),
        headers=values["headers"],
        labels=values["labels"],
        expect=values["expect"],
        expect_of=expect_of,
        vantage=values.get("vantage", ()),
        options={name: value for name, value in values.items() if name not in known},
    )


def _key(values: Mapping[str, Any]) -> tuple[str, str] | None:
    if "api_key_env" in values:
        return "env", values["api_key_env"]
    if "api_key_file" in values:
        return "file", values["api_key_file"]
    return None


def _check_endpoint(text: str, path: At) -> None:
    filled = re.sub(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", "x", text)
    try:
        parsed = urls.parse(filled)
    except urls.BadEndpoint as error:
        raise Wrong(path, str(error)) from None
    for name, value in urls.secret_params(parsed.query).items():
        if value != "x":
            raise Wrong(path, f"the parameter '{name}' looks like a key; write {name}=${{MY_KEY}} and export MY_KEY")


def line_of(path: Path, name: str) -> int:
    """The line on which the target of this name begins; 1 where that cannot be told any more."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = tomllib.loads(text)["target"]
        number = next(index for index, row in enumerate(rows) if row.get("name", row["endpoint"]) == name)
        return Lines(text).of(("target", number))
    except (OSError, ValueError, KeyError, StopIteration):
        return 1
