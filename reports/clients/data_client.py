"""Clients that are data: one TOML file each in ``data/``, with the client's needs and its configuration.

A text that begins with ``=`` is an expression of Jinja over the names of ``_names`` and of the file's own ``names``;
where its value is None the field is left out.  Any other text is written as it is.  The ``lines`` of a note are those
of a method of ``Settings``.  In a ``template`` each value is written in the syntax of its language, so that nothing an
endpoint says can end a string.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import quote_plus, urlencode

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import CannotExport, Settings, pruned

FOLDER = Path(__file__).parent / "data"


class _Raw(str):
    """Source text that is not quoted again."""


#: How a value is written in the language of a template, and how the value of an environment variable is.
_LANGUAGES: dict[str, tuple[Callable[[Any], str], str]] = {
    "python": (repr, 'os.environ["{}"]'),
    "javascript": (json.dumps, "process.env.{}"),
    "shell": (lambda value: quote(str(value)), '"${}"'),
}


def names() -> list[str]:
    """The clients that are data."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Client:
    """The client of a file."""
    data = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    needs = data.get("needs")
    if needs is not None and "returns" in needs:
        needs["returns"] = frozenset(needs["returns"])
    return Client(
        name,
        data["title"],
        data["file"],
        data["form"],
        lambda settings: _made(data, settings),
        data["source"],
        None if needs is None else Needs(**needs),
        expands=data.get("expands", ""),
        proof=data["proof"],
    )


@cache
def _environment(language: str) -> Any:
    from jinja2 import Environment, StrictUndefined

    written, reference = _LANGUAGES.get(language, (str, "{}"))
    made = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        finalize=lambda value: value if isinstance(value, _Raw) else written(value),
    )
    made.filters["json"] = json.dumps
    made.filters |= {"quote": quote, "query": urlencode, "sub": lambda text, found, put: re.sub(found, put, text)}
    made.filters["env"] = lambda variable: _Raw(reference.format(variable))
    return made


@cache
def _expression(text: str) -> Callable[..., Any]:
    compiled: Callable[..., Any] = _environment("").compile_expression(text)
    return compiled


@cache
def _template(text: str, language: str) -> Any:
    return _environment(language).from_string(text.lstrip("\n"))


def _names(settings: Settings) -> dict[str, Any]:
    """What expressions can name; switches are true, false or None where nothing is known."""
    return {
        **{name: getattr(settings, name) for name in (
            "id", "title", "base_url", "model", "context", "context_or_assumed", "output", "input", "streaming",
            "tools", "tools_whole", "tools_streamed", "vision", "rejected", "parallel_off", "reasoning_field",
            "limit_param", "key_header", "bearer",
        )},
        "key": settings.key.variable if settings.key.needed else None,
        "headers": settings.headers_as(str) or {},
        "query": settings.query_as(_Raw) or {},
        "on": settings.on,
        "has": lambda characters: any(character in settings.model for character in characters),
        "settings": settings,
    }  # fmt: skip


def _made(data: Mapping[str, Any], settings: Settings) -> Made:
    known = _names(settings)

    def value(text: Any) -> Any:
        if isinstance(text, str):
            if not text.startswith("="):
                return text
            found = _expression(text[1:])(**known)
            return dict(found) if isinstance(found, dict) else found
        if isinstance(text, dict) and "=headers" in text:
            return settings.headers_as(text["=headers"].format)
        if isinstance(text, dict):
            return pruned({key: value(item) for key, item in text.items()}) or None
        return [value(item) for item in text] if isinstance(text, list) else text

    for name, text in data.get("names", {}).items():
        known[name] = value(text)
    for rule in data.get("refuse", ()):
        if value(rule["when"]):
            raise CannotExport(rule["text"])
    notes = [
        line
        for note in data.get("note", ())
        if value(note.get("when", True))
        for line in (getattr(settings, note["lines"])() if "lines" in note else [_text(note["text"], "", known)])
    ]
    if "template" in data:
        return Made(text=_text(data["template"], data["language"], known), notes=notes)
    fields = [(field["name"], value(field["value"])) for field in data.get("field", ())]
    if fields:
        return Made(text=_lines(data["form"], [(name, item) for name, item in fields if item is not None]), notes=notes)
    puts = [
        Put(tuple(value(step) if isinstance(step, str) else _item(step, value) for step in put["path"]),
            pruned(value(put["value"]) or {}) if isinstance(put["value"], dict) else value(put["value"]))
        for put in data["put"]
    ]  # fmt: skip
    skeleton = value(data.get("skeleton", {}))
    return Made(puts, {} if skeleton is None else skeleton, notes)


def _item(step: Mapping[str, str], value: Callable[[Any], Any]) -> Item:
    ((key, wanted),) = step.items()
    return Item(key, value(wanted))


def _text(template: str, language: str, known: Mapping[str, Any]) -> str:
    """A template with its values in a language; headers and query as source text of that language."""
    settings: Settings = known["settings"]
    if language:
        written, reference = _LANGUAGES[language]
        headers, query = settings.headers_as(reference.format), settings.query_as(reference.format, written)
        known = {
            **known,
            "header_source": _mapping(headers or {}, written),
            "query_source": _mapping(query or {}, written),
        }
        known["url_source"] = _Raw(
            written(f"{settings.base_url}/chat/completions")
            + "".join(
                written(f"{'&' if number else '?'}{quote_plus(key)}=") + item
                for number, (key, item) in enumerate((query or {}).items())
            )
        )
    return str(_template(template, language).render(known))


def _mapping(sources: Mapping[str, str], written: Callable[[Any], str]) -> _Raw:
    return _Raw("{" + ", ".join(f"{written(key)}: {item}" for key, item in sources.items()) + "}")


def _lines(form: str, fields: list[tuple[str, Any]]) -> str:
    """A sheet of fields, or the lines of an .env file, in single quotes so that no reader replaces anything."""
    if form == "sheet":
        wide = max(len(name) for name, _ in fields)
        shown = [(name, {True: "on", False: "off"}.get(item, item) if isinstance(item, bool) else item)
                 for name, item in fields]  # fmt: skip
        return "".join(f"{name + ':':<{wide + 1}} {item}\n" for name, item in shown)
    lines = []
    for name, item in fields:
        text = str(item).lower() if isinstance(item, bool) else str(item)
        if "'" in text or "\\" in text:
            raise CannotExport("the model's name or the URL holds a quotation mark, which .env files read differently")
        lines.append(f"{name}='{text}'\n")
    return "".join(lines)
