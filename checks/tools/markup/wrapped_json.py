"""Formats with JSON, or a list of Python calls, after a marker."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from checks.tools.markup.call_shapes import call_from, call_list, is_placeholder, shapes_in
from checks.tools.markup.leak import MAX_CALLS, Family, LeakedCall
from checks.tools.markup.text_scan import Scan

_FENCED = re.compile(r"\s*```[ \t]*(?:json|xml|python|tool_code)?[ \t]*\n?")
_BETWEEN = re.compile(r"[\s,;]*")
_NAME_FIRST = re.compile(r'\s*\{\s*"name"\s*:\s*"([^"\\<>{}\n]{1,128})"')


def json_calls(scan: Scan, pos: int, keyed: bool = False) -> tuple[list[LeakedCall], int]:
    """The calls in a row of JSON values at ``pos``, whether offered or not, and the offset after the last value.

    ``keyed``: the objects are `{NAME: {..}}` with any NAME, as Apertus writes them.
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
    """The start of a call with an offered name, the rest of which is missing."""
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
    """An extractor for JSON (``pythonic``: or Python calls) after any of these markers.

    ``first``: the characters that the JSON may begin with, to separate families with the same marker.
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
                # Without brackets only a call of an offered tool counts: `print(x)` is code.
                if head != "[":
                    found = [c for c in found if scan.tools.resolve(c.name)]
            calls += [c for c in found if not is_placeholder(c.name)]
            pos = max(pos, end)
        return calls

    return extract


def _after(id: str, title: str, *markers: str, hints: tuple[str, ...] = (), **more: Any) -> Family:
    """A family with JSON after a marker; the markers are its hints."""
    how = {name: more.pop(name) for name in ("first", "keyed", "pythonic") if name in more}
    return Family(id, title, after_marker(*markers, **how), hints=hints or markers, **more)


JSON: tuple[Family, ...] = (
    _after(
        "longcat",
        "LongCat",
        "<longcat_tool_call>",
        vllm=("longcat",),
        source="vLLM tool_parsers/longcat_tool_parser.py",
    ),
    _after(
        "k2_horizon",
        "K2 Horizon with JSON",
        "<ifm|tool_call>",
        "<ifm|tool_calls>",
        vllm=("k2_horizon",),
        sglang=("k2_horizon",),
        source="SGLang function_call/k2_v3_detector.py",
        hints=("<ifm|tool_call",),
    ),
    _after(
        "inkling",
        "Inkling",
        "<|content_invoke_tool_json|>",
        vllm=("inkling",),
        sglang=("inkling",),
        source="vLLM parser/inkling.py",
    ),
    _after(
        "internlm",
        "InternLM 2, Intern-S1",
        "<|plugin|>",
        "<|action_start|>",
        vllm=("internlm",),
        sglang=("interns1",),
        source="SGLang function_call/internlm_detector.py",
    ),
    _after(
        "apertus",
        "Apertus",
        "<|tools_prefix|>",
        keyed=True,
        vllm=("apertus",),
        sglang=("apertus2509",),
        source="vLLM tool_parsers/apertus_tool_parser.py",
    ),
    _after(
        "cohere_command",
        "Cohere Command actions",
        "<|START_ACTION|>",
        vllm=("cohere_command3", "cohere_command4"),
        sglang=("cohere_command4",),
        source="vLLM parser/cohere_command.py",
    ),
    _after(
        "gigachat3",
        "GigaChat 3",
        "<|function_call|>",
        "function call<|role_sep|>",
        vllm=("gigachat3",),
        sglang=("gigachat3",),
        source="vLLM tool_parsers/gigachat3_tool_parser.py",
        hints=("<|function_call|>", "<|role_sep|>"),
    ),
    _after(
        "lfm2",
        "LFM2",
        "<|tool_call_start|>",
        pythonic=True,
        vllm=("lfm2",),
        sglang=("lfm2",),
        source="SGLang function_call/lfm2_detector.py",
    ),
    _after(
        "llama4_pythonic",
        "Llama 4 Python list",
        "<|python_start|>",
        pythonic=True,
        vllm=("llama4_pythonic",),
        sglang=("pythonic",),
        note="vLLM needs examples/tool_chat_template_llama4_pythonic.jinja.",
        source="vLLM tool_parsers/llama4_pythonic_tool_parser.py",
    ),
    _after(
        "lmstudio",
        "LM Studio default tool format",
        "[TOOL_REQUEST]",
        note="LM Studio uses it for models without native tool support; load a model with native tool use.",
        source="LM Studio docs, Tool Use",
    ),
    _after(
        "nemotron_toolcall",
        "Nemotron TOOLCALL list",
        "<TOOLCALL>",
        note="vLLM needs the model's parser plugin (--tool-parser-plugin); llama.cpp reads it with --jinja.",
        source="llama.cpp common/chat.cpp (Nemotron v2)",
    ),
    _after("granite", "Granite 3.0", "<|tool_call|>", vllm=("granite",), source="vLLM parser/granite.py"),
    _after(
        "granite",
        "Granite 3.1 list",
        "<tool_call>",
        first="[",
        vllm=("granite", "xlam"),
        sglang=("hermes", "qwen"),
        source="vLLM parser/granite.py",
    ),
    _after(
        "hermes",
        "Hermes JSON in tool_call tags",
        "<tool_call>",
        first="{",
        vllm=("hermes", "qwen3_json", "granite4", "ernie45"),
        sglang=("qwen", "hermes"),
        source="vLLM tool_parsers/hermes_tool_parser.py",
    ),
    _after(
        "granite_20b_fc",
        "Granite 20B function calling",
        "<function_call>",
        first="{",
        vllm=("granite-20b-fc",),
        source="vLLM tool_parsers/granite_20b_fc_tool_parser.py",
    ),
    _after(
        "xai",
        "xAI function_call around JSON",
        "<xai:function_call>",
        first="{",
        note="Grok writes it.",
        source="seen from Grok behind gateways",
    ),
    _after(
        "jamba",
        "JSON list in tool_calls tags",
        "<tool_calls>",
        first="[",
        vllm=("jamba", "hunyuan_a13b"),
        source="vLLM tool_parsers/jamba_tool_parser.py",
    ),
    _after(
        "minimax_m1",
        "MiniMax M1 JSON lines",
        "<tool_calls>",
        first="{",
        note="vLLM had the parser minimax while it shipped MiniMax M1's chat template.",
        source="vLLM tool_parsers/minimax_tool_parser.py",
    ),
    _after(
        "phi4_mini_json",
        "functools list",
        "functools",
        first="[",
        vllm=("phi4_mini_json",),
        note="FireFunction v2 writes the same; llama.cpp reads both with --jinja.",
        source="vLLM tool_parsers/phi4mini_tool_parser.py",
        hints=("functools[", "functools ["),
    ),
    _after(
        "llama3_json",
        "Llama 3 python tag",
        "<|python_tag|>",
        pythonic=True,
        vllm=("llama3_json", "llama4_json"),
        sglang=("llama3",),
        note="vLLM needs a matching --chat-template, such as examples/tool_chat_template_llama3.1_json.jinja.",
        source="vLLM tool_parsers/llama_tool_parser.py",
    ),
)
