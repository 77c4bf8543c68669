"""Reading a fleet file (TOML 1.0); errors carry the file's name and the line.

The line of a value is found with the TOML parser itself: it is where the shortest parsable
beginning of the file ends that already holds the value.
"""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from probe.fleet.job import Fleet, Settings, Target
from probe.model import CAPABILITIES, State
from probe.parsing import urls
from probe.run.typed_options import CREDENTIAL_HEADER, HEADER_NAME, VARIABLE_NAME, Unusable
from probe.wording import did_you_mean

#: Where a value is in the document: keys and indices.
Place = tuple[str | int, ...]
#: Takes a value and its place, and returns what to use; raises ``Wrong``.
Reader = Callable[[Any, Place], Any]

#: A longer file is not a fleet file.
_MOST_BYTES = 4 * 1024 * 1024
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


class BadFleet(Unusable):
    """The fleet file cannot be used; the message is one line with the file's name and the line's number."""


class Wrong(Exception):
    """A value that cannot be used: its place, and what to write instead."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


# Readers -------------------------------------------------------------------------------------------------


def text(value: Any, place: Place) -> str:
    """A non-empty text on one line."""
    if not isinstance(value, str) or not value.strip():
        raise Wrong(place, f"'{place[-1]}' is a text between quotes, and not empty")
    if not value.isprintable() or len(value) > 2000:
        raise Wrong(place, f"'{place[-1]}' holds a control character or is too long")
    return value


def texts(value: Any, place: Place) -> tuple[str, ...]:
    """A list of texts; a single text is a list of one."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and item.strip() for item in items):
        raise Wrong(place, f'\'{place[-1]}\' is a list of texts, as in ["one", "two"]')
    return tuple(text(item, place) for item in items)


def flag(value: Any, place: Place) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise Wrong(place, f"'{place[-1]}' is true or false, without quotes")
    return value


def number(low: float, high: float, *, whole: bool = False) -> Reader:
    """A number between bounds, both allowed."""

    def read(value: Any, place: Place) -> float:
        kind = "whole number" if whole else "number"
        right = isinstance(value, int) if whole else isinstance(value, int | float)
        if not right or isinstance(value, bool) or not math.isfinite(value):
            raise Wrong(place, f"'{place[-1]}' is a {kind}, without quotes")
        if not low <= value <= high:
            raise Wrong(place, f"'{place[-1]}' is a {kind} from {low:g} to {high:g}, not {value}")
        return int(value) if whole else float(value)

    return read


def choice(*words: str) -> Reader:
    """One of some words."""

    def read(value: Any, place: Place) -> str:
        if value not in words:
            hint = did_you_mean(str(value), words, f"use one of {', '.join(words)}")
            raise Wrong(place, f"'{place[-1]}' cannot be {str(value)[:40]!r}; {hint}")
        return str(value)

    return read


def variable(value: Any, place: Place) -> str:
    """The name of an environment variable."""
    if not isinstance(value, str) or not VARIABLE_NAME.fullmatch(value):
        raise Wrong(
            place, f"'{place[-1]}' is the name of an environment variable, as in \"GATEWAY_KEY\"; never the key"
        )
    return value


def _table_of(value: Any, place: Place, example: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong(place, f"'{place[-1]}' is a table, as in {example}")
    return dict(value)


def labels(value: Any, place: Place) -> dict[str, str]:
    """Names and short texts."""
    found = _table_of(value, place, '{ site = "ams", tier = "prod" }')
    for name, item in found.items():
        if not _LABEL.fullmatch(name):
            raise Wrong((*place, name), f"the label '{name[:40]}' is not a name; use letters, digits, - and _")
        if not isinstance(item, str) or not item.isprintable() or len(item) > 200:
            raise Wrong((*place, name), f"the label '{name}' is a short text between quotes")
    return found


def headers(value: Any, place: Place) -> dict[str, str]:
    """Header names and values; a header that carries a key must refer to a variable."""
    found = _table_of(value, place, '{ X-Team = "search" }')
    for name, item in found.items():
        here = (*place, name)
        if not HEADER_NAME.fullmatch(name) or not isinstance(item, str):
            raise Wrong(here, f"'{name[:40]}' is not a header; write a name and a text between quotes")
        if CREDENTIAL_HEADER.search(name.lower()) and "${" not in item:
            raise Wrong(here, f'a key is not kept in this file; write {name} = "${{MY_KEY}}" and export MY_KEY')
    return found


def expectations(value: Any, place: Place) -> dict[str, tuple[str, ...]]:
    """Capability to the states that are allowed."""
    found: dict[str, tuple[str, ...]] = {}
    states = [str(state) for state in State]
    for name, item in _table_of(value, place, '{ tools = "works", vision = ["works", "rejected"] }').items():
        here = (*place, name)
        if name not in CAPABILITIES:
            hint = did_you_mean(name, CAPABILITIES, f"there are {', '.join(CAPABILITIES)}")
            raise Wrong(here, f"'{name[:40]}' is not a capability; {hint}")
        wanted = [item] if isinstance(item, str) else item
        if not isinstance(wanted, list) or not wanted or any(state not in states for state in wanted):
            raise Wrong(here, f"'{name}' is expected to be one of {', '.join(states)}, or a list of them")
        found[name] = tuple(wanted)
    return found


def models(value: Any, place: Place) -> tuple[tuple[str, ...], dict[str, dict[str, tuple[str, ...]]]]:
    """Model ids, or tables with an id and what is expected of that model."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise Wrong(place, '\'models\' is a list of model ids, as in ["small", "large"]; without it the only one')
    ids: list[str] = []
    wanted: dict[str, dict[str, tuple[str, ...]]] = {}
    for number, item in enumerate(items):
        if isinstance(item, dict):
            if set(item) - {"id", "expect"} or not isinstance(item.get("id"), str):
                raise Wrong(place, 'a model is an id, or a table { id = "large", expect = { vision = "works" } }')
            wanted[item["id"]] = expectations(item.get("expect", {}), (*place, number, "expect"))
            item = item["id"]
        if not isinstance(item, str) or not item.strip() or not item.isprintable() or len(item) > 500:
            raise Wrong(place, "a model id is a text without control characters, and not empty")
        if item in ids:
            raise Wrong(place, f"the model '{item}' is named twice")
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
    "client_cert": text,
    "client_key": text,
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


# Lines ---------------------------------------------------------------------------------------------------


class Lines:
    """Finds the lines of values in a TOML text.

    Args:
        text: valid TOML.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def _prefix(self, count: int) -> tuple[int, dict[str, Any]]:
        """The shortest parsable beginning of at least so many lines: how many, and the document."""
        while count < len(self._lines):
            try:
                return count, tomllib.loads("\n".join(self._lines[:count]))
            except tomllib.TOMLDecodeError:
                count += 1
        return count, tomllib.loads("\n".join(self._lines))

    def of(self, place: Place) -> int:
        """The number of the line, from 1, on which the statement begins that sets the value at this place."""
        low, high = 0, len(self._lines)
        while low < high:
            middle = (low + high) // 2
            count, document = self._prefix(middle)
            if _holds(document, place):
                high = middle
            else:
                low = max(count, middle + 1)
        # A statement over several lines begins after the last parsable beginning without it.
        begin = low
        while begin > 1 and self._prefix(begin - 1)[0] != begin - 1:
            begin -= 1
        return max(1, min(begin, len(self._lines)))


def _holds(document: Any, place: Place) -> bool:
    for step in place:
        if isinstance(step, int):
            if not isinstance(document, list) or len(document) <= step:
                return False
        elif not isinstance(document, dict) or step not in document:
            return False
        document = document[step]
    return True


def line_of(path: Path, name: str) -> int:
    """The line on which the target of this name begins; 1 where the file has changed since it was read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = tomllib.loads(text)["target"]
        number = next(index for index, row in enumerate(rows) if row.get("name", row["endpoint"]) == name)
        return Lines(text).of(("target", number))
    except (OSError, ValueError, KeyError, StopIteration):
        return 1


# The file ------------------------------------------------------------------------------------------------


def load(path: Path) -> Fleet:
    """Read a fleet file.

    Raises:
        BadFleet: it cannot be read, is not TOML, or holds a value that cannot be used.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadFleet(f"cannot read {path} ({error.strerror or type(error).__name__}); name a fleet file") from None
    except ValueError:
        raise BadFleet("the fleet file's name holds a character no path has") from None
    if len(content) > _MOST_BYTES:
        raise BadFleet(f"{path} is longer than {_MOST_BYTES // 1024 // 1024} MiB, which is not a fleet file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadFleet(f"{path}:{line}: this is not UTF-8 text; save the file as UTF-8") from None
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
        raise BadFleet(_syntax_error(str(error), where, text)) from None
    except RecursionError:
        raise BadFleet(f"{where}: it is nested too deeply to be a fleet file") from None
    try:
        return _fleet(document, default_name, hashlib.sha256(text.encode()).hexdigest())
    except Wrong as wrong:
        line = Lines(text).of(wrong.place) if wrong.place else 1
        raise BadFleet(f"{where}:{line}: {wrong.message}") from None


def _syntax_error(message: str, where: str, text: str) -> str:
    found = re.search(r"\(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    line = found[1] if found and found[1] else str(text.count("\n") + 1)
    column = f" (column {found[2]})" if found and found[2] else ""
    return f"{where}:{line}: this is not TOML: {message[: found.start()].rstrip() if found else message}{column}"


def _unknown(name: str, known: Mapping[str, Any], place: Place, what: str) -> Wrong:
    hint = did_you_mean(name.replace("-", "_"), known, f"there are {', '.join(sorted(known))}", 0.6)
    return Wrong(place, f"'{name[:40]}' is not a {what}; {hint}")


def _fleet(document: dict[str, Any], default_name: str, digest: str) -> Fleet:
    for name in document:
        if name not in WHOLE:
            raise _unknown(name, WHOLE, (name,), "part of a fleet file")
    settings = _table(document, "fleet", FLEET, "setting of [fleet]")
    defaults = _table(document, "defaults", COMMON, "setting of [defaults]")
    rows = document.get("target")
    if rows is None:
        raise Wrong((), 'it has no target; write [[target]] and below it endpoint = "https://host.example/v1"')
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Wrong(("target",), "targets are written with two brackets: [[target]]")
    targets: list[Target] = []
    for number, row in enumerate(rows):
        place: Place = ("target", number)
        target = _target(row, place, defaults)
        if any(item.name == target.name for item in targets):
            if "name" in row:
                place = (*place, "name")
            raise Wrong(
                place, f"the name '{target.name}' is taken by an earlier target; give this one a name of its own"
            )
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


def _values(table: Mapping[str, Any], place: Place, known: Mapping[str, Reader], what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        here = (*place, name)
        if name in ("api_key", "key", "token", "password"):
            raise Wrong(
                here,
                f"'{name}' would put a key into this file; write api_key_env = \"NAME\" for a variable or "
                'api_key_file = "PATH" for a file that holds it',
            )
        if name not in known:
            raise _unknown(name, known, here, what)
        found[name] = known[name](value, here)
    return found


def _target(row: dict[str, Any], place: Place, defaults: Mapping[str, Any]) -> Target:
    own = _values(row, place, TARGET, "setting of a target")
    values = {**defaults, **own}
    for name in ("labels", "headers", "expect"):
        values[name] = {**defaults.get(name, {}), **own.get(name, {})}
    endpoint = own.get("endpoint")
    if endpoint is None:
        raise Wrong(place, 'this target has no endpoint; write endpoint = "https://host.example/v1"')
    _check_endpoint(endpoint, (*place, "endpoint"))
    if "api_key_env" in own and "api_key_file" in own:
        raise Wrong((*place, "api_key_file"), "the key comes from one place; leave out api_key_env or api_key_file")
    if own.get("discover") and "models" in own:
        raise Wrong((*place, "discover"), "discover = true finds the models itself; leave out either it or models")
    for name in ("include", "exclude"):
        if name in own and not values.get("discover"):
            raise Wrong((*place, name), f"{name} chooses among discovered models; add discover = true")
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
    return next(((kind, values[f"api_key_{kind}"]) for kind in ("env", "file") if f"api_key_{kind}" in values), None)


def _check_endpoint(text: str, place: Place) -> None:
    try:
        parsed = urls.parse(_REFERENCE.sub("x", text))
    except urls.BadEndpoint as error:
        raise Wrong(place, str(error)) from None
    for name, value in urls.credentials_in(parsed.query):
        if value != "x":
            raise Wrong(place, f"the parameter '{name}' looks like a key; write {name}=${{MY_KEY}} and export MY_KEY")
