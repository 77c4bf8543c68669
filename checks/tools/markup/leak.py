"""Types of leaked tool calls: a call, a family of markup, a leak; and the loop that reads calls at their heads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from checks.tools.markup.text_scan import Scan

Kind = Literal["marker", "json", "fenced-json"]
Arguments = dict[str, Any] | str | None

#: Calls read from one text at most.
MAX_CALLS = 64


@dataclass(frozen=True, slots=True)
class LeakedCall:
    """One tool call found in text.

    ``arguments`` is a dict where they were complete and readable, their raw text where they were cut off or
    unreadable, None without any.  ``start`` and ``end`` are offsets into the text, end exclusive.  ``complete`` is
    False for a call that is cut off or malformed.
    """

    name: str
    arguments: Arguments
    start: int
    end: int
    complete: bool


Extractor = Callable[["Scan"], list[LeakedCall]]


def calls_at(scan: Scan, head: re.Pattern[str], read: Callable[[re.Match[str]], LeakedCall | None]) -> list[LeakedCall]:
    """The calls that begin with a match of ``head``; the search continues after each call.

    Args:
        read: reads the call at a match, or None where there is none.
    """
    calls: list[LeakedCall] = []
    match = head.search(scan.text)
    while match is not None and len(calls) < MAX_CALLS:
        end = match.end()
        if (call := read(match)) is not None:
            calls.append(call)
            end = max(end, call.end)
        match = head.search(scan.text, end)
    return calls


@dataclass(frozen=True, slots=True)
class Family:
    """One format in which models write tool calls, and the server setting that reads it.

    ``vllm`` and ``sglang`` are values of ``--tool-call-parser``, the most likely first, empty where the server has no
    parser for it.  ``hints``: a text can hold such a call only if it contains one of these.  ``bare`` marks formats
    without a marker, which count only when they name an offered tool.
    """

    id: str
    title: str
    extract: Extractor
    vllm: tuple[str, ...] = ()
    sglang: tuple[str, ...] = ()
    note: str = ""
    source: str = ""
    hints: tuple[str, ...] = ()
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Leak:
    """Tool calls that were left in a text instead of being returned as ``tool_calls``.

    ``kind``: known markup (``marker``), bare JSON, or JSON in a code fence.  ``family``: the value of
    ``facts.tool_call_format``, None where JSON alone does not determine it.  ``vllm``, ``sglang``: parser values, most
    likely first.  ``partial``: a call is cut off or malformed.  ``offered``: a call names an offered tool.
    ``inside_reasoning``: every call is between think tags.  ``confidence``: 0 to 1.
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
