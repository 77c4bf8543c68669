"""The offered tools, and a text with its fences, inline code and think tags, searched in bounded time."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from checks.tools.markup.arguments import judge
from checks.tools.markup.tolerant_json import Read, Reader

_PREFIXES = ("functions.", "function.", "tools.", "tool.", "default_api.", "default_api:")


class Tools:
    """Names of the offered tools and, where definitions were given, their parameter schemas."""

    def __init__(self, schemas: Mapping[str, dict[str, Any] | None]) -> None:
        self.schemas = dict(schemas)
        self.names = frozenset(self.schemas)
        self.longest_first = sorted(self.names, key=len, reverse=True)

    @classmethod
    def of(cls, offered: object) -> Tools:
        """Tools from names, definitions of the API (or their inner object), or a Tools; other values are left out."""
        if isinstance(offered, cls):
            return offered
        schemas: dict[str, dict[str, Any] | None] = {}
        if isinstance(offered, str):
            offered = (offered,)
        if isinstance(offered, Iterable):
            for item in offered:
                if isinstance(item, str) and item:
                    schemas[item] = None
                elif isinstance(item, Mapping):
                    inner = item.get("function")
                    body = inner if isinstance(inner, Mapping) else item
                    name, schema = body.get("name"), body.get("parameters")
                    if isinstance(name, str) and name:
                        schemas[name] = dict(schema) if isinstance(schema, Mapping) else None
        return cls(schemas)

    def resolve(self, written: str) -> str | None:
        """The offered name for a written one, without spaces and namespace (`functions.get_weather`), or None."""
        name = written.strip().strip("`\"'")
        if name in self.names:
            return name
        for prefix in _PREFIXES:
            if name.startswith(prefix) and name[len(prefix) :] in self.names:
                return name[len(prefix) :]
        return None

    def properties(self, name: str) -> dict[str, Any]:
        """The schema's properties for a tool, empty where there is no schema."""
        schema = self.schemas.get(name) or {}
        properties = schema.get("properties")
        return properties if isinstance(properties, dict) else {}

    def required(self, name: str) -> tuple[str, ...]:
        """Names of the required arguments of a tool."""
        schema = self.schemas.get(name) or {}
        required = schema.get("required")
        return tuple(r for r in required if isinstance(r, str)) if isinstance(required, list) else ()

    def fits(self, name: str, arguments: object) -> bool:
        """Whether an object has only known keys and fits the schema; False without a schema with properties."""
        schema = self.schemas.get(name)
        if schema is None or not isinstance(arguments, dict):
            return False
        if not set(arguments) <= set(self.properties(name)):
            return False
        return judge(arguments, schema).on_schema

    def wants_text(self, name: str, key: str) -> bool:
        """Whether this argument is a string by the schema, so that its text is not decoded."""
        schema = self.properties(name).get(key)
        if not isinstance(schema, dict):
            return False
        kind = schema.get("type")
        if isinstance(kind, list):
            return "string" in kind and not {"object", "array", "number", "integer", "boolean"} & set(kind)
        if kind is None and isinstance(schema.get("enum"), list):
            return all(isinstance(v, str) for v in schema["enum"])
        return kind == "string"


_FENCE = re.compile(r"^(?P<before>[^\n`~]*+)(?P<mark>```+|~~~+)(?P<info>[^\n`]*+)$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`(?!`)[^`\n]{1,2000}`(?!`)")
_THINK = re.compile(
    r"<(/?)(?:think|thinking|reasoning|seed:think|thought)>"
    r"|<\|(?P<open>channel\|>analysis<\|message|inner_prefix|START_THINKING)\|>"
    r"|<\|(?P<close>end|inner_suffix|END_THINKING)\|>"
)
_SPACE = re.compile(r"\s*+")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced code block: offsets of the block and its body, and its info string in lower case."""

    start: int
    body: int
    body_end: int
    end: int
    info: str


def _fence(opened: re.Match[str], body_end: int, end: int) -> Fence:
    body = min(opened.end() + 1, body_end)
    return Fence(opened.start("mark"), body, body_end, end, opened.group("info").strip().lower())


class Scan:
    """A text and the offered tools, with results that several readers share.

    Every search is linear in the text: JSON is read once per position, and ``find`` keeps its last result for each
    literal, so that thousands of openers do not each search to the end.
    """

    def __init__(self, text: str, tools: Tools) -> None:
        self.text = text
        self.tools = tools
        self._reader = Reader(text)
        self._found: dict[str, tuple[int, int]] = {}

    def json_at(self, pos: int) -> Read | None:
        """Read the JSON value at a position (spaces skipped), or None."""
        return self._reader.at(pos)

    def spent(self) -> bool:
        """Whether the budget for reading JSON in this text is used up."""
        return self._reader.budget <= 0

    def skip(self, pos: int, end: int | None = None) -> int:
        """The first offset from ``pos`` on without white space."""
        match = _SPACE.match(self.text, pos, len(self.text) if end is None else end)
        return match.end() if match else pos

    def find(self, literal: str, pos: int) -> int:
        """Like str.find, but calls with growing ``pos`` cost one pass in total."""
        since, found = self._found.get(literal, (-1, -2))
        if since >= 0 and since <= pos and (found == -1 or found >= pos):
            return found
        found = self.text.find(literal, pos)
        self._found[literal] = (pos, found)
        return found

    def has(self, hints: tuple[str, ...]) -> bool:
        """Whether any of these literals occurs in the text."""
        return any(hint in self.text for hint in hints)

    @cached_property
    def names_offered(self) -> bool:
        """Whether the text contains the name of an offered tool."""
        return any(name in self.text for name in self.tools.names)

    @cached_property
    def fences(self) -> list[Fence]:
        """Fenced code blocks in order; one that is never closed reaches to the end.

        A label may precede the opening marks (`Action: ```json`, as Command R writes it), and text the closing ones.
        """
        fences: list[Fence] = []
        opened: re.Match[str] | None = None
        for match in _FENCE.finditer(self.text):
            before = match.group("before").strip()
            if opened is None:
                if not before or before.endswith(":"):
                    opened = match
            elif match.group("mark").startswith(opened.group("mark")) and not match.group("info").strip():
                fences.append(_fence(opened, match.start("mark"), match.end()))
                opened = None
        if opened is not None:
            fences.append(_fence(opened, len(self.text), len(self.text)))
        return fences

    @cached_property
    def _fence_starts(self) -> list[int]:
        return [fence.start for fence in self.fences]

    def fence_at(self, pos: int) -> Fence | None:
        """The fenced block that holds this offset, or None."""
        at = bisect_right(self._fence_starts, pos) - 1
        if at >= 0 and pos < self.fences[at].end:
            return self.fences[at]
        return None

    def leads_fence(self, start: int) -> bool:
        """Whether only white space is between the fence's opening line and this offset."""
        fence = self.fence_at(start)
        return fence is not None and self.skip(fence.body) >= start

    @cached_property
    def _inline(self) -> list[tuple[int, int]]:
        return [match.span() for match in _INLINE.finditer(self.text)]

    @cached_property
    def _inline_starts(self) -> list[int]:
        return [start for start, _ in self._inline]

    def in_inline_code(self, start: int) -> bool:
        """Whether an offset is within `inline code`."""
        at = bisect_right(self._inline_starts, start) - 1
        return at >= 0 and start < self._inline[at][1] and self.fence_at(start) is None

    @cached_property
    def _thoughts(self) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        opened: int | None = None
        for match in _THINK.finditer(self.text):
            closes = bool(match.group(1)) or match.group("close") is not None
            if not closes and opened is None:
                opened = match.end()
            elif closes and opened is not None:
                spans.append((opened, match.start()))
                opened = None
            elif closes and not spans and match.group(1):
                # Templates that end with the opening tag leave only the closing one in the text.
                spans.append((0, match.start()))
        if opened is not None:
            spans.append((opened, len(self.text)))
        return spans

    def in_reasoning(self, pos: int) -> bool:
        """Whether an offset is between think tags (the opening tag may be missing)."""
        return any(start <= pos < end for start, end in self._thoughts)

    @cached_property
    def visible(self) -> tuple[int, int]:
        """Offsets of the trimmed text after the last think tag."""
        start = self._thoughts[-1][1] if self._thoughts else 0
        if self._thoughts and (match := _THINK.match(self.text, start)):
            start = match.end()
        start = self.skip(start)
        return start, max(start, len(self.text.rstrip()))
