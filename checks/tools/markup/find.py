"""Tool calls that were left in a text: known markup, bare JSON, JSON in a code fence.

The first reading that names an offered tool is used, in this order: formats with a marker; JSON; formats without a
marker; last, with less confidence, a marker around a call of a tool that was not offered.  Prose about markup, JSON
data, a tool's definition and a program that uses the tool are not leaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from checks.tools.markup.agent_formats import AGENTS, BEAM, IN_A_SENTENCE, MINIMAX_M3
from checks.tools.markup.bare_json import BARE
from checks.tools.markup.call_shapes import Shape, call_from, shapes_in, usable
from checks.tools.markup.leak import MAX_CALLS, Family, Kind, Leak, LeakedCall
from checks.tools.markup.parser_flags import flags_for
from checks.tools.markup.special_tokens import TOKENS
from checks.tools.markup.text_scan import Scan, Tools
from checks.tools.markup.tolerant_json import Read
from checks.tools.markup.wrapped_json import JSON
from checks.tools.markup.xml_like import XML

#: The formats, more specific ones first: of two that read a text, the earlier is used.  Parser values are those of vLLM
#: 0.33 (vllm/tool_parsers/__init__.py) and SGLang 0.5.23 (sglang/srt/function_call/parser_names.py) for
#: `--tool-call-parser`; llama.cpp has none and derives the format from the chat template with `--jinja`.
FAMILIES: tuple[Family, ...] = (BEAM, MINIMAX_M3, *XML, *TOKENS, *JSON, *AGENTS, *BARE, *IN_A_SENTENCE)


def family(family_id: str) -> Family | None:
    """The first family with this id, or None."""
    return next((f for f in FAMILIES if f.id == family_id), None)


MAX_CHARS = 1_000_000
_OPENER = re.compile(
    r"\{(?=\s{0,200}(?:[\"']|/[/*]|(?:name|tool_name|function_name|tool|function|action|type|id|tool_calls?)\s{0,8}:))"
    r"|\[(?=\s{0,200}[{\[])"
)
_ONLY_SEPARATORS = re.compile(r"[\s,;]*")
_TOKENS_LOST = "The format's special tokens were dropped from the text; with the parser enabled the server keeps them."
_COHERE = ("cohere_command3", "cohere_command4")
_BARE_NOTE = (
    "Bare JSON does not identify the format: its special tokens were dropped, or the prompt did not show the tools in "
    "the model's format. Use the parser of the model's family."
)


def find_calls(text: str, offered: object = ()) -> Leak | None:
    """The tool calls in the text of an assistant message or its reasoning, or None.

    Never raises; its time is proportional to the text.

    Args:
        text: any string; at most its first MAX_CHARS characters are read.
        offered: names of the offered tools, or better their definitions, which separate `{NAME: {..}}` and flat
            objects from data.
    """
    tools = Tools.of(offered)
    scan = Scan(text[:MAX_CHARS], tools)
    unoffered: tuple[Family, list[LeakedCall]] | None = None
    for family in FAMILIES:
        if family.bare or not scan.has(family.hints):
            continue
        calls = _read(scan, family)
        if any(call.name in tools.names for call in calls):
            return _marked(scan, family, calls)
        if unoffered is None and (stated := _unquoted(scan, calls)):
            unoffered = family, stated
    if scan.names_offered:
        if (leak := _json_leak(scan)) is not None:
            return leak
        for family in FAMILIES:
            if family.bare and scan.has(family.hints):
                calls = [c for c in _read(scan, family) if c.name in tools.names]
                if calls:
                    return _marked(scan, family, calls)
    return _marked(scan, *unoffered) if unoffered else None


def _read(scan: Scan, family: Family) -> list[LeakedCall]:
    """The calls of a family with their offered names (`functions.get_weather` is `get_weather`)."""
    return [replace(call, name=scan.tools.resolve(call.name) or call.name) for call in family.extract(scan)]


def _unquoted(scan: Scan, calls: Iterable[LeakedCall]) -> list[LeakedCall]:
    """Calls that the model makes rather than quotes: complete, and outside of code."""
    return [
        call
        for call in calls
        if call.complete and scan.fence_at(call.start) is None and not scan.in_inline_code(call.start)
    ]


def _discount(scan: Scan, calls: list[LeakedCall]) -> float:
    """The factor on the confidence for the place of the first call."""
    first = calls[0]
    if scan.in_inline_code(first.start):
        return 0.7
    return 0.9 if scan.fence_at(first.start) is not None else 1.0


def _marked(scan: Scan, family: Family, calls: list[LeakedCall]) -> Leak:
    calls = calls[:MAX_CALLS]
    offered = any(call.name in scan.tools.names for call in calls)
    partial = not all(call.complete for call in calls)
    flags = flags_for(family.id, family.vllm, family.sglang, scan, calls)
    sure = (0.85 if family.bare else 0.97) * (1.0 if offered else 0.5) * (0.9 if partial else 1.0)
    return Leak(
        "marker",
        family.id,
        tuple(calls),
        flags.vllm,
        flags.sglang,
        f"{_TOKENS_LOST} {family.note}".strip() if flags.tokens_lost else family.note,
        partial,
        offered,
        all(scan.in_reasoning(call.start) for call in calls),
        round(sure * _discount(scan, calls), 2),
    )


def _json_leak(scan: Scan) -> Leak | None:
    calls: list[LeakedCall] = []
    shapes: list[Shape] = []
    listed = alone = False
    pos = 0
    while len(calls) < MAX_CALLS and not scan.spent() and (opener := _OPENER.search(scan.text, pos)):
        start = opener.start()
        read = scan.json_at(start)
        if read is None:
            pos = start + 1
            continue
        pos = max(read.resume, start + 1)
        if not _may_call(scan, start, calls):
            continue
        whole = _is_alone(scan, start, read.end)
        for shape, call in _calls_of(scan, start, read, whole):
            listed = listed or isinstance(read.value, list)
            alone = alone or whole
            shapes.append(shape)
            calls.append(call)
    if not calls:
        return None
    kind: Kind = "json" if scan.fence_at(calls[0].start) is None else "fenced-json"
    family, vllm, sglang = _json_parsers(shapes, listed, kind)
    flags = flags_for(family, vllm, sglang, scan, calls)
    partial = not all(call.complete for call in calls)
    sure = 0.9 if alone else 0.75
    if any(shape.style in ("flat", "keyed") for shape in shapes):
        sure -= 0.15
    sure *= 0.9 if partial else 1.0
    inside = all(scan.in_reasoning(call.start) for call in calls)
    if scan.in_inline_code(calls[0].start):
        sure *= 0.8
    return Leak(kind, family, tuple(calls), flags.vllm, flags.sglang, _BARE_NOTE, partial, True, inside, round(sure, 2))


def _may_call(scan: Scan, start: int, calls: list[LeakedCall]) -> bool:
    """Whether JSON that begins here can be a call: first in its fence, and not assigned to a variable."""
    fence = scan.fence_at(start)
    if fence is not None:
        last = calls[-1].end if calls and calls[-1].start >= fence.body else None
        follows = last is not None and _ONLY_SEPARATORS.fullmatch(scan.text, last, start) is not None
        return follows or scan.leads_fence(start)
    before = scan.text[max(0, start - 40) : start].rstrip()
    # The final channel of gpt-oss is the answer, whose tokens may be left in the text.
    return not before or (before[-1] not in "=(" and not before.endswith("final<|message|>"))


def _is_alone(scan: Scan, start: int, end: int) -> bool:
    """Whether the JSON is the whole visible text or the whole fence."""
    fence = scan.fence_at(start)
    first, last = (fence.body, fence.body_end) if fence else scan.visible
    return scan.skip(first) >= start and not scan.text[end:last].strip()


def _calls_of(scan: Scan, start: int, read: Read, alone: bool) -> list[tuple[Shape, LeakedCall]]:
    found = []
    for shape in shapes_in(read.value, scan.tools):
        if not shape.offered or not usable(shape, alone):
            continue
        call = call_from(shape, scan, start, read.end, read)
        # Broken JSON is a malformed call only if it has arguments and is not the explanation of a format.
        if not call.complete and not read.cut and (read.explained or not shape.arguments):
            continue
        if not call.complete and shape.style == "flat":
            continue
        found.append((shape, call))
    return found


def _json_parsers(shapes: list[Shape], listed: bool, kind: Kind) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """The family and the candidate parsers that the keys of bare JSON suggest."""
    keys = {(shape.name_key, shape.style) for shape in shapes}
    if keys == {("name", "parameters")}:
        return "llama3_json", ("llama3_json", "llama4_json"), ("llama3",)
    if keys == {("tool_name", "parameters")}:
        fenced = kind == "fenced-json"  # Command R's older prompt format, which no parser reads
        return "cohere_command", () if fenced else _COHERE, () if fenced else _COHERE[1:]
    if keys == {("name", "arguments")}:
        return None, ("xlam", "llama3_json") if listed else ("llama3_json", "llama4_json"), ("llama3",)
    return None, (), ()
