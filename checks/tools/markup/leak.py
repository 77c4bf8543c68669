"""What a reader of leaked tool calls hands back: calls, families of markup, leaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from checks.tools.markup.text_scan import Scan

Kind = Literal["marker", "json", "fenced-json"]
Arguments = dict[str, Any] | str | None


@dataclass(frozen=True, slots=True)
class LeakedCall:
    """One tool call found in text.

    `arguments` is a dict where the arguments were whole and readable, their raw text where they
    were cut off or unreadable, None where none were written. `start` and `end` are offsets into
    the text, end exclusive. `complete` is False for a call that was cut off or is malformed.
    """

    name: str
    arguments: Arguments
    start: int
    end: int
    complete: bool

    @property
    def span(self) -> tuple[int, int]:
        """Offsets (start, end) into the text."""
        return self.start, self.end


Extractor = Callable[["Scan"], list[LeakedCall]]


@dataclass(frozen=True, slots=True)
class Family:
    """One way models write tool calls, and the server setting that reads it.

    `vllm` and `sglang` are values of `--tool-call-parser`, the most likely first, empty where
    the server has no parser for it. `hints`: the text can hold a call of this family only if one
    of these occurs in it (empty: only where an offered name occurs). `bare` marks notations
    without a marker of their own, which count only when they name an offered tool.
    """

    id: str
    title: str
    extract: Extractor
    vllm: tuple[str, ...]
    sglang: tuple[str, ...]
    note: str
    source: str
    hints: tuple[str, ...] = ()
    bare: bool = False

    def calls(self, text: str, offered: object = ()) -> list[LeakedCall]:
        """Read the calls of this family alone from a text (offered: names or tool definitions)."""
        from checks.tools.markup.text_scan import Scan, Tools

        return self.extract(Scan(text, Tools.of(offered)))


@dataclass(frozen=True, slots=True)
class Leak:
    """Tool calls that were left in a text instead of being returned as `tool_calls`.

    `kind`: `marker` known markup; `json` bare JSON; `fenced-json` JSON in a code fence.
    `family`: value for `facts.tool_call_format`, None where JSON alone does not tell.
    `vllm`, `sglang`: parser values, most likely first. `partial`: at least one call is cut off or
    malformed. `offered`: at least one call names an offered tool. `inside_reasoning`: every call
    stands between think tags. `confidence` is between 0 and 1.
    """

    kind: Kind
    family: str | None
    calls: tuple[LeakedCall, ...]
    vllm: tuple[str, ...]
    sglang: tuple[str, ...]
    note: str
    partial: bool
    offered: bool
    inside_reasoning: bool
    confidence: float
