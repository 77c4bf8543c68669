"""How models write tool calls when no parser reads them. The formats are in markup.toml."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

Calls = Sequence[tuple[str, dict[str, Any]]]
"""(tool name, arguments) of every call."""


@dataclass(frozen=True, slots=True)
class Format:
    """The markup of one family of models. In the templates `$name` and the like are replaced.

    about      the models that write it
    call       one call: `$name`, `$place` (from 0), `$number` (from 1), `$json` (the arguments as a JSON object),
               `$object` (name and arguments as one JSON object), `$python` (a Python call), `$fields`
    whole      around all calls: `$calls`, joined by `between`
    field      one argument: `$key`, `$value`, `$string` (whether it is one: true or false), `$type` (string or object);
               joined by `field_between`, in the order of the keys where `ordered`
    quote      around a string that is a value
    arguments  the key of the arguments in `$object`
    lost       pieces that are then removed: special tokens of a server that decodes without them
    """

    about: str
    call: str
    whole: str = "$calls"
    between: str = ""
    field: str = ""
    field_between: str = ""
    quote: str = ""
    arguments: str = "arguments"
    ordered: bool = False
    lost: Sequence[str] = ()

    def write(self, calls: Calls) -> str:
        """The calls in this markup."""
        written = [self._call(place, name, given) for place, (name, given) in enumerate(calls)]
        text = self.whole.replace("$calls", self.between.join(written))
        for piece in self.lost:
            text = text.replace(piece, "")
        return text

    def _call(self, place: int, name: str, given: dict[str, Any]) -> str:
        values = sorted(given.items()) if self.ordered else given.items()
        return _filled(
            self.call,
            name=name,
            place=str(place),
            number=str(place + 1),
            json=_json(given),
            object=_json({"name": name, self.arguments: given}),
            python=f"{name}({', '.join(f'{key}={value!r}' for key, value in given.items())})",
            fields=self.field_between.join(self._field(key, value) for key, value in values),
        )

    def _field(self, key: str, value: Any) -> str:
        is_text = isinstance(value, str)
        text = f"{self.quote}{value}{self.quote}" if is_text else _json(value)
        kind = "string" if is_text else "object"
        return _filled(self.field, key=key, value=text, string=str(is_text).lower(), type=kind)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _filled(template: str, **values: str) -> str:
    """The template with its placeholders replaced; the values are not searched for placeholders."""
    first, *pieces = template.split("$")
    for piece in pieces:
        name = next(name for name in values if piece.startswith(name))
        first += values[name] + piece[len(name) :]
    return first


def _formats() -> dict[str, Format]:
    tables = tomllib.loads((files("probe.simulator") / "markup.toml").read_text(encoding="utf-8"))
    return {name: Format(**{**tables.get(table.pop("like", ""), {}), **table}) for name, table in tables.items()}


FORMATS = _formats()
"""Every format with markup of its own, by the name that its fault has after `tools-as-`."""


def bare(calls: Calls) -> str:
    """JSON without markup: an object for one call, an array for several."""
    return Format("", "$object", "$calls" if len(calls) == 1 else "[$calls]", ", ").write(calls)


def bare_json5(calls: Calls) -> str:
    """JSON5 without markup: keys without quotes, strings in single quotes, a trailing comma."""
    return "\n".join(f"{{name: {name!r}, arguments: {given!r},}}" for name, given in calls)
