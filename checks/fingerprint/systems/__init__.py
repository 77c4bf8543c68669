"""What is known of each system: its signals, its quirks, and the settings that are remedies.

One TOML file per system, named by the id that reports and remedies use; adding a system is adding a file.  The keys
are those of the dataclasses below, with ``-`` for ``_``.  A file that does not fit raises ``BadSignature``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from probe.api import Advice, Guide, guide_source

KINDS = ("server", "gateway", "provider", "hop")
#: Where a signal can be observed, and the members it then needs in addition to ``weight`` and ``source``.
NEEDS: Mapping[str, frozenset[str]] = {
    "header": frozenset({"name"}),
    "host": frozenset({"match"}),
    "id": frozenset({"match"}),
    "call-id": frozenset({"match"}),
    "fingerprint": frozenset({"match"}),
    "completion": frozenset({"at"}),
    "chunk": frozenset({"at"}),
    "same": frozenset({"at", "other"}),
    "echo": frozenset({"name"}),
    "list": frozenset({"at"}),
    "card": frozenset(),
    "error": frozenset({"match"}),
    "comment": frozenset({"match"}),
    "page": frozenset({"path", "match"}),
}


class BadSignature(ValueError):
    """A data file that cannot be used; the message names the file and the error."""


@dataclass(frozen=True)
class Signal:
    """One thing by which a system is recognised.

    Attributes:
        sees: where to look, a key of ``NEEDS``.
        weight: the probability of the system if nothing else is known, 0 to 1.
        source: the source of this knowledge.
        name: of a header, a pattern for the whole name (``echo``: its value is the completion's id).
        at: a dotted path in a completion, a chunk, the model list or a model card.
        other: a second path with the same value (``same``: in a completion or a card).
        match: a pattern to search for in the value; ``(?P<version>…)`` gives the version.
        keys: the exact members of a model card.  lacks: members that must be absent.
        status: statuses of the response; empty for any (a page: 200).
        path: of a page, below the server's root.
    """

    sees: str
    weight: float
    source: str
    name: str = ""
    at: str = ""
    other: str = ""
    match: str = ""
    keys: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    status: tuple[int, ...] = ()
    path: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.match, re.IGNORECASE | re.DOTALL)

    @cached_property
    def name_pattern(self) -> re.Pattern[str]:
        return re.compile(self.name, re.IGNORECASE)

    @cached_property
    def steps(self) -> tuple[str | int, ...]:
        """``at`` as a path for ``member``: digits are indexes."""
        return _steps(self.at)

    @cached_property
    def other_steps(self) -> tuple[str | int, ...]:
        return _steps(self.other)


def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in path.split(".")) if path else ()


@dataclass(frozen=True)
class Quirk:
    """A known behaviour of the system, its source, and the finding codes it leads to."""

    what: str
    source: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Client:
    """How to configure a client for the system, one sentence each; they are remedies as well."""

    base_url: str
    key: str
    model: str
    notes: tuple[str, ...] = ()


#: The codes for which the sentences of ``Client`` are remedies.
_ANSWERS: Mapping[str, tuple[str, ...]] = {
    "base_url": ("url.missing-v1", "url.operation-path", "url.duplicate-path", "url.no-chat", "url.not-an-api"),
    "key": ("auth.required", "auth.rejected", "auth.wrong-scheme"),
    "model": ("models.id-unknown",),
}


@dataclass(frozen=True)
class Remedy:
    """What to change for some finding codes, and how to check that it worked."""

    codes: tuple[str, ...]
    do: str
    check: str = ""


@dataclass(frozen=True)
class Signature:
    """The contents of a data file.

    ``over`` names systems whose signals this one shows as well, since it is built on them or imitates them: if this
    one is named, those are not.  ``like`` names the software whose remedies apply here too.
    """

    id: str
    title: str
    kind: str
    about: str
    sources: tuple[str, ...]
    client: Client | None = None
    signals: tuple[Signal, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    over: tuple[str, ...] = ()
    like: str | None = None

    @property
    def advice(self) -> dict[str, Advice]:
        """The remedies by finding code, those that follow from ``client`` included."""
        found = {
            code: Advice(getattr(self.client, name))
            for name, codes in _ANSWERS.items()
            for code in codes
            if self.client is not None
        }
        found.update({code: Advice(item.do, item.check) for item in self.remedies for code in item.codes})
        return found


def _made(kind: type[Any], where: str, raw: Any, **more: Any) -> Any:
    """A dataclass from a TOML table; lists become tuples."""
    if not isinstance(raw, dict):
        raise BadSignature(f"{where}: a table is expected")
    values = {name.replace("-", "_"): tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
    known = {item.name for item in fields(kind)}
    strange = sorted(set(values) - known)
    if strange:
        raise BadSignature(f"{where}: unknown member '{strange[0]}'")
    try:
        return kind(**{**values, **more})
    except TypeError as error:
        raise BadSignature(f"{where}: {str(error).partition(') ')[2] or error}") from None


def _signal(where: str, raw: Any) -> Signal:
    made: Signal = _made(Signal, where, raw)
    if made.sees not in NEEDS:
        raise BadSignature(f"{where}: sees '{made.sees}', which is not one of {', '.join(NEEDS)}")
    missing = sorted(name for name in NEEDS[made.sees] if not getattr(made, name))
    if made.sees == "card" and not (made.at or made.keys):
        missing = ["at or keys"]
    if missing:
        raise BadSignature(f"{where}: a signal that sees '{made.sees}' needs {missing[0]}")
    if not 0 < made.weight < 1 or not made.source:
        raise BadSignature(f"{where}: needs a weight between 0 and 1, and a source")
    try:
        _ = made.pattern, made.name_pattern
    except re.error as error:
        raise BadSignature(f"{where}: invalid pattern ({error})") from None
    return made


def parse(name: str, text: str) -> Signature:
    """One data file.

    Args:
        name: the system's id.
        text: the TOML text.

    Raises:
        BadSignature: it is not TOML, or does not fit the dataclasses.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSignature(f"{name}: {error}") from None
    client = _made(Client, f"{name}, client", raw.pop("client")) if "client" in raw else None
    signals = tuple(_signal(f"{name}, signal {n}", item) for n, item in enumerate(raw.pop("signals", []), 1))
    quirks = tuple(_made(Quirk, f"{name}, quirk {n}", item) for n, item in enumerate(raw.pop("quirks", []), 1))
    remedies = tuple(_made(Remedy, f"{name}, remedy {n}", item) for n, item in enumerate(raw.pop("remedies", []), 1))
    made: Signature = _made(
        Signature, name, raw, id=name, client=client, signals=signals, quirks=quirks, remedies=remedies
    )
    if made.kind not in KINDS:
        raise BadSignature(f"{name}: kind '{made.kind}' is not one of {', '.join(KINDS)}")
    return made


@cache
def signatures() -> Mapping[str, Signature]:
    """All systems, by id; read once.  BadSignature if a data file is damaged."""
    folder = files(__name__)
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".toml"))
    return {
        name.removesuffix(".toml"): parse(name.removesuffix(".toml"), folder.joinpath(name).read_text(encoding="utf-8"))
        for name in names
    }


def remedy_of(system: str, code: str) -> str:
    """What to change in one system for one finding code; empty if its file has no remedy."""
    known = signatures().get(system)
    advice = known.advice.get(code) if known else None
    return advice.do if advice else ""


@guide_source
def guides() -> tuple[Guide, ...]:
    """The systems' remedies, for the catalogue."""
    return tuple(Guide(item.id, item.title, item.advice, item.like) for item in signatures().values())
