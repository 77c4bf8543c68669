"""Families that put JSON, or a list of Python calls, behind a marker."""

from __future__ import annotations

import re
from collections.abc import Callable

from checks.tools.markup.argument_notation import call_list
from checks.tools.markup.call_shapes import call_from, is_placeholder, shapes_in
from checks.tools.markup.leak import LeakedCall
from checks.tools.markup.text_scan import MAX_CALLS, Scan

_FENCED = re.compile(r"\s*```[ \t]*(?:json|xml|python|tool_code)?[ \t]*\n?")
_BETWEEN = re.compile(r"[\s,;]*")
_NAME_FIRST = re.compile(r'\s*\{\s*"name"\s*:\s*"([^"\\<>{}\n]{1,128})"')


def json_calls(scan: Scan, pos: int, keyed: bool = False) -> tuple[list[LeakedCall], int]:
    """Read the calls in the JSON values that stand in a row from `pos` on.

    keyed: the objects are `{NAME: {..}}` whatever NAME is, as Apertus writes them. Returns the
    calls, which need not name offered tools, and the offset behind the last value read.
    """
    calls: list[LeakedCall] = []
    if match := _FENCED.match(scan.text, pos):
        pos = match.end()
    while len(calls) < MAX_CALLS:
        pos = scan.skip(pos)
        if pos >= len(scan.text) or scan.text[pos] not in "{[":
            break
        read = scan.json_at(pos)
        if read is None:
            break
        if keyed:
            found = _keyed(read.value)
            calls += [LeakedCall(n, a if read.complete else None, pos, read.end, read.complete) for n, a in found]
        else:
            shapes = shapes_in(read.value, scan.tools)
            calls += [call_from(shape, scan, pos, read.end, read) for shape in shapes]
            if not shapes and read.complete:
                offered = [(scan.tools.resolve(n), a) for n, a in _keyed(read.value)]
                calls += [LeakedCall(n, a, pos, read.end, True) for n, a in offered if n]
        if not read.complete:
            if not calls and not keyed:
                calls += _cut_head(scan, pos, read.cut)
            if read.explained:
                calls = []
            return calls, max(read.end, pos + 1)
        pos = read.end
        if match := _BETWEEN.match(scan.text, pos):
            pos = match.end()
    return calls, pos


def _keyed(value: object) -> list[tuple[str, dict[str, object]]]:
    items = value if isinstance(value, list) else [value]
    return [
        (str(name), arguments)
        for item in items[:MAX_CALLS]
        if isinstance(item, dict) and len(item) == 1
        for name, arguments in item.items()
        if isinstance(arguments, dict) and name
    ]


def _cut_head(scan: Scan, pos: int, cut: bool) -> list[LeakedCall]:
    """A call of which only the beginning, with an offered name, was written."""
    if scan.text[pos : pos + 1] == "[":
        pos += 1
    match = _NAME_FIRST.match(scan.text, pos)
    name = scan.tools.resolve(match.group(1)) if match else None
    if name is None or not cut:
        return []
    return [LeakedCall(name, None, pos, len(scan.text), False)]


def after_marker(
    *markers: str, first: str = "{[", keyed: bool = False, pythonic: bool = False
) -> Callable[[Scan], list[LeakedCall]]:
    """Make an extractor for JSON (or Python calls, or both) behind any of these markers.

    first: what the JSON may begin with, to tell apart families that share a marker.
    """
    opener = re.compile("|".join(re.escape(m) for m in sorted(markers, key=len, reverse=True)))

    def extract(scan: Scan) -> list[LeakedCall]:
        calls: list[LeakedCall] = []
        pos = 0
        while len(calls) < MAX_CALLS and (match := opener.search(scan.text, pos)):
            pos = match.end()
            at = scan.skip(pos)
            if fenced := _FENCED.match(scan.text, pos):
                at = scan.skip(fenced.end())
            head = scan.text[at : at + 1]
            found: list[LeakedCall] = []
            end = pos
            if first and head and head in first:
                found, end = json_calls(scan, at, keyed)
            if not found and pythonic:
                found, end = call_list(scan, at)
                # Without brackets it is a call only where the tool is known: `print(x)` is code.
                if head != "[":
                    found = [c for c in found if scan.tools.resolve(c.name)]
            calls += [c for c in found if not is_placeholder(c.name)]
            pos = max(pos, end)
        return calls

    return extract
