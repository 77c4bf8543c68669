"""What each setting of a fleet file may be.  A reader takes a value and its path, and returns or refuses it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from probe.model import CAPABILITIES, State

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
