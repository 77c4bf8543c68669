"""What a dialect is, and what reading one of its answers gives.  Pure.

A deviation names the clients that fail on it.  They were run against a simulated endpoint with each deviation:
openai-python 3.57, openai-node 7, the Vercel AI SDK, Codex CLI 0.169, anthropic-python 2.14, anthropic-typescript and
Claude Code 2.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from checks.shared.fields import MISSING, values_at
from probe.api import Diagnosis, Exchange, Severity, completion, sse, text_at


class Group(StrEnum):
    """Which code of a dialect a deviation belongs to."""

    SHAPE = "shape"
    STREAM = "stream"
    TOOLS = "tools"


#: The official library and the command-line agent of each dialect, by plain calls: what they cannot use is broken.
PLAIN = frozenset(
    {"openai-python", "openai-node", "Codex CLI", "anthropic-python", "anthropic-typescript", "Claude Code"}
)
AI_SDK = "AI SDK"
#: Deviations of one answer that are noted.
_MOST = 100


@dataclass(frozen=True)
class Deviation:
    """One place where an answer is not what the API describes; ``fails`` are the clients that cannot use it."""

    group: Group
    text: str
    pointer: str
    actual: Any = None
    fails: tuple[str, ...] = ()

    @property
    def breaks(self) -> bool:
        """Whether an official library's plain call, or the agent of this dialect, cannot use the answer."""
        return not PLAIN.isdisjoint(self.fails)

    @property
    def severity(self) -> Severity:
        if self.breaks or (AI_SDK in self.fails and self.group is Group.SHAPE):
            return Severity.ERROR
        return Severity.WARNING


@dataclass(frozen=True)
class Called:
    """One structured call; ``arguments`` is None where they cannot be read as an object."""

    id: str | None
    name: str
    arguments: Mapping[str, Any] | None


@dataclass
class Reading:
    """An answer as clients read it.

    ``turn`` is the assistant's part of the conversation as received, to be sent back; ``tokens`` are those of prompt
    and answer; ``known`` says whether this is an answer of the dialect at all.
    """

    exchange: Exchange
    text: str = ""
    thinking: str = ""
    calls: list[Called] = field(default_factory=list)
    turn: list[Any] = field(default_factory=list)
    tokens: tuple[int | None, int | None] = (None, None)
    cut: bool = False
    known: bool = True
    streamed: bool = False
    deviations: list[Deviation] = field(default_factory=list)

    def deviates(self, group: Group, text: str, pointer: str, actual: Any = None, *fails: str) -> None:
        """Note a deviation, each text once."""
        if len(self.deviations) < _MOST and all(item.text != text for item in self.deviations):
            self.deviations.append(Deviation(group, text, pointer, actual, fails))

    def breaks(self, *groups: Group) -> bool:
        """Whether a deviation of these groups makes the answer useless for a plain client."""
        return any(item.breaks and item.group in groups for item in self.deviations)


class StreamReader:
    """The grammar of a stream, event by event, and what a client makes of it."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.pieces: list[str] = []

    @property
    def text(self) -> str:
        """What the deltas of text make."""
        return "".join(self.pieces)

    def wrong(self, text: str, pointer: str, actual: Any, *fails: str) -> None:
        """Note that the stream breaks its grammar; ``fails`` are the clients that cannot use it."""
        self.reading.deviates(Group.STREAM, text, pointer, actual, *fails)


class Dialect(Protocol):
    """One API: how it is written and read.

    name      the family of its codes and checks; ``operation`` the last part of its URL
    title     for sentences
    agent     the command-line client that speaks it; ``libraries`` the official ones
    as_agent  a request as this client sends it, with the headers of ``agent_headers``
    codes     the diagnoses by the second part of their code
    places    where the codes of ``Answers.kept`` are sent, and the agent that sends it
    """

    name: str
    title: str
    operation: str
    agent: str
    libraries: tuple[str, ...]
    codes: Mapping[str, Diagnosis]
    headers: Mapping[str, str]
    agent_headers: Mapping[str, str]
    places: Mapping[str, tuple[str, ...]]

    def request(self, model: str, turns: Sequence[Any], limit: int, **more: Any) -> dict[str, Any]:
        """The body of a request; ``system``, ``tools`` (as in chat completions) and ``forced`` may be given."""

    def as_agent(self, body: Mapping[str, Any], system: str, note: str) -> dict[str, Any]:
        """A request as the agent sends it: its fields, the instructions and the note in its forms, and its tools."""

    def leaves_out_note(self, words: str) -> bool:
        """Whether the agent sends its request again without the note after a refusal in these words."""
        return False

    def user(self, text: str, *, parts: bool = False, picture: bytes = b"") -> Any:
        """A turn of the user, its text as it is or as a list of parts, as agents send it; with a PNG or without."""

    def results(self, given: Sequence[tuple[Called, str]]) -> list[Any]:
        """The turns with the results of these calls."""

    def form(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The field that asks for an answer by a JSON schema."""

    def assistant(self, reading: Reading, *, thinking: bool) -> list[Any]:
        """The turn as received, or without its thinking."""

    def read_whole(self, reading: Reading, body: Any) -> None:
        """Read an answer that came as one object into ``reading``."""

    def read_stream(self, reading: Reading) -> None:
        """Read an answer that came as events into ``reading``."""

    def read(self, exchange: Exchange) -> Reading:
        """The answer as clients of this dialect read it."""
        reading = Reading(exchange, streamed=completion.is_stream(exchange))
        if reading.streamed:
            self.read_stream(reading)
        else:
            self.read_whole(reading, completion.body_of(exchange))
        return reading

    def urls(self, chat_url: str) -> list[str]:
        """Where the operation may be, the most likely first."""


# Fields ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """What a field must be: a kind of JSON value (``string``, ``list`` …), or one of ``words``."""

    path: str
    kind: str
    group: Group = Group.SHAPE
    fails: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()


def kind_of(value: Any) -> str:
    """The name of a JSON value's type; ``missing`` for none."""
    if value is MISSING:
        return "missing"
    if value is None:
        return "null"
    names: tuple[tuple[type, str], ...] = (
        (bool, "boolean"), (int, "number"), (float, "number"), (str, "string"), (list, "list"), (dict, "object"),
    )  # fmt: skip
    return next((name for kind, name in names if isinstance(value, kind)), "unknown")


def check_fields(reading: Reading, body: Any, table: Sequence[Field], pointer: str) -> None:
    """Note each field of the table that is not what it must be."""
    for row in table:
        for place, value in values_at(body, row.path, pointer):
            found = kind_of(value)
            empty = value == "" and row.group is Group.TOOLS and row.path.rpartition(".")[2] != "arguments"
            if found == row.kind and not empty and (not row.words or value in row.words):
                continue
            shown = value if isinstance(value, str | int | float | None) else found
            state = f"is `{str(value)[:40]}`" if found == row.kind else f"is {_article(found)}"
            state = "is empty" if empty else state
            reading.deviates(row.group, f"`{row.path}` {state}", place, None if value is MISSING else shown, *row.fails)


def check_ids(reading: Reading, pointer: str) -> None:
    """Note calls of one answer that have the same id: their results cannot be matched."""
    ids = [call.id for call in reading.calls if call.id]
    if len(set(ids)) < len(ids):
        text = "two calls of one answer have the same id"
        reading.deviates(Group.TOOLS, text, pointer, ids[0], "an agent that answers each call")


def _article(kind: str) -> str:
    if kind in ("missing", "null"):
        return kind
    return f"an {kind}" if kind == "object" else f"a {kind}"


# Events ------------------------------------------------------------------------------------------------


def events_of(exchange: Exchange) -> list[tuple[str, sse.Event, dict[str, Any]]]:
    """The data events of a stream as (pointer, event, object); [DONE] and what is not an object are left out."""
    content = exchange.response.content if exchange.response else b""
    found = []
    for index, event in enumerate(sse.parse(content, exchange.timeline.reads).events):
        if event.kind in ("data", "unfinished") and isinstance(event.json, dict):
            found.append((f"/response/events/{index}/data", event, event.json))
    return found


def number_of(value: Any) -> Any:
    """What an event gives as the number of its part, a list or an object as its text: it is looked up."""
    return value if isinstance(value, str | int | float | None) else str(value)


def arguments_of(text: Any) -> Mapping[str, Any] | None:
    """The arguments in a JSON text, or None where it holds no object."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def said_in(body: Any) -> str:
    """The error text inside an event."""
    return completion.error_in(body) or text_at(body, "message") or "no text"
