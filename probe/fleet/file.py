"""Reading a fleet file (TOML 1.0), with the line of whatever is wrong in it.

The line of a value is found with the TOML parser itself: it is where the shortest
readable beginning of the file ends that already holds the value.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from probe.fleet.file_fields import COMMON, FLEET, TARGET, WHOLE, At, Reader, Wrong
from probe.fleet.job import Fleet, Settings, Target
from probe.parsing import urls

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
