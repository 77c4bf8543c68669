"""Families that put JSON, or a list of Python calls, behind a marker."""

from __future__ import annotations

import re
from collections.abc import Callable

from checks.tools.markup.call_shapes import call_from, call_list, is_placeholder, shapes_in
from checks.tools.markup.leak import Family, LeakedCall
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


# Families that put JSON, or a list of Python calls, behind a marker. -------------------------------

JSON: tuple[Family, ...] = (
    Family(
        id="longcat",
        title="LongCat",
        extract=after_marker("<longcat_tool_call>"),
        vllm=("longcat",),
        sglang=(),
        note="",
        source="vLLM tool_parsers/longcat_tool_parser.py",
        hints=("<longcat_tool_call>",),
    ),
    Family(
        id="k2_horizon",
        title="K2 Horizon with JSON",
        extract=after_marker("<ifm|tool_call>", "<ifm|tool_calls>"),
        vllm=("k2_horizon",),
        sglang=("k2_horizon",),
        note="",
        source="SGLang function_call/k2_v3_detector.py",
        hints=("<ifm|tool_call",),
    ),
    Family(
        id="inkling",
        title="Inkling",
        extract=after_marker("<|content_invoke_tool_json|>"),
        vllm=("inkling",),
        sglang=("inkling",),
        note="",
        source="vLLM parser/inkling.py",
        hints=("<|content_invoke_tool_json|>",),
    ),
    Family(
        id="internlm",
        title="InternLM 2, Intern-S1",
        extract=after_marker("<|plugin|>", "<|action_start|>"),
        vllm=("internlm",),
        sglang=("interns1",),
        note="",
        source="SGLang function_call/internlm_detector.py",
        hints=("<|plugin|>", "<|action_start|>"),
    ),
    Family(
        id="apertus",
        title="Apertus",
        extract=after_marker("<|tools_prefix|>", keyed=True),
        vllm=("apertus",),
        sglang=("apertus2509",),
        note="",
        source="vLLM tool_parsers/apertus_tool_parser.py",
        hints=("<|tools_prefix|>",),
    ),
    Family(
        id="cohere_command",
        title="Cohere Command actions",
        extract=after_marker("<|START_ACTION|>"),
        vllm=("cohere_command3", "cohere_command4"),
        sglang=("cohere_command4",),
        note="",
        source="vLLM parser/cohere_command.py",
        hints=("<|START_ACTION|>",),
    ),
    Family(
        id="gigachat3",
        title="GigaChat 3",
        extract=after_marker("<|function_call|>", "function call<|role_sep|>"),
        vllm=("gigachat3",),
        sglang=("gigachat3",),
        note="",
        source="vLLM tool_parsers/gigachat3_tool_parser.py",
        hints=("<|function_call|>", "<|role_sep|>"),
    ),
    Family(
        id="lfm2",
        title="LFM2",
        extract=after_marker("<|tool_call_start|>", pythonic=True),
        vllm=("lfm2",),
        sglang=("lfm2",),
        note="",
        source="SGLang function_call/lfm2_detector.py",
        hints=("<|tool_call_start|>",),
    ),
    Family(
        id="llama4_pythonic",
        title="Llama 4 Python list",
        extract=after_marker("<|python_start|>", pythonic=True),
        vllm=("llama4_pythonic",),
        sglang=("pythonic",),
        note="vLLM wants examples/tool_chat_template_llama4_pythonic.jinja.",
        source="vLLM tool_parsers/llama4_pythonic_tool_parser.py",
        hints=("<|python_start|>",),
    ),
    Family(
        id="lmstudio",
        title="LM Studio default tool format",
        extract=after_marker("[TOOL_REQUEST]"),
        vllm=(),
        sglang=(),
        note=(
            "LM Studio uses it for models without tool support of their own; choose a model it lists as "
            "trained for tool use."
        ),
        source="LM Studio docs, Tool Use",
        hints=("[TOOL_REQUEST]",),
    ),
    Family(
        id="nemotron_toolcall",
        title="Nemotron TOOLCALL list",
        extract=after_marker("<TOOLCALL>"),
        vllm=(),
        sglang=(),
        note=(
            "vLLM takes the parser plugin that the model ships (--tool-parser-plugin); llama.cpp reads it with --jinja."
        ),
        source="llama.cpp common/chat.cpp (Nemotron v2)",
        hints=("<TOOLCALL>",),
    ),
    Family(
        id="granite",
        title="Granite 3.0",
        extract=after_marker("<|tool_call|>"),
        vllm=("granite",),
        sglang=(),
        note="",
        source="vLLM parser/granite.py",
        hints=("<|tool_call|>",),
    ),
    Family(
        id="granite",
        title="Granite 3.1 list",
        extract=after_marker("<tool_call>", first="["),
        vllm=("granite", "xlam"),
        sglang=("hermes", "qwen"),
        note="",
        source="vLLM parser/granite.py",
        hints=("<tool_call>",),
    ),
    Family(
        id="hermes",
        title="Hermes JSON in tool_call tags",
        extract=after_marker("<tool_call>", first="{"),
        vllm=("hermes", "qwen3_json", "granite4", "ernie45"),
        sglang=("qwen", "hermes"),
        note="",
        source="vLLM tool_parsers/hermes_tool_parser.py",
        hints=("<tool_call>",),
    ),
    Family(
        id="granite_20b_fc",
        title="Granite 20B function calling",
        extract=after_marker("<function_call>", first="{"),
        vllm=("granite-20b-fc",),
        sglang=(),
        note="",
        source="vLLM tool_parsers/granite_20b_fc_tool_parser.py",
        hints=("<function_call>",),
    ),
    Family(
        id="xai",
        title="xAI function_call around JSON",
        extract=after_marker("<xai:function_call>", first="{"),
        vllm=(),
        sglang=(),
        note="Grok writes it.",
        source="seen from Grok behind gateways",
        hints=("<xai:function_call>",),
    ),
    Family(
        id="jamba",
        title="JSON list in tool_calls tags",
        extract=after_marker("<tool_calls>", first="["),
        vllm=("jamba", "hunyuan_a13b"),
        sglang=(),
        note="",
        source="vLLM tool_parsers/jamba_tool_parser.py",
        hints=("<tool_calls>",),
    ),
    Family(
        id="minimax_m1",
        title="MiniMax M1 JSON lines",
        extract=after_marker("<tool_calls>", first="{"),
        vllm=(),
        sglang=(),
        note="vLLM had the parser minimax up to the releases that still shipped MiniMax M1's chat template.",
        source="vLLM tool_parsers/minimax_tool_parser.py",
        hints=("<tool_calls>",),
    ),
    Family(
        id="phi4_mini_json",
        title="functools list",
        extract=after_marker("functools", first="["),
        vllm=("phi4_mini_json",),
        sglang=(),
        note="FireFunction v2 writes the same; llama.cpp reads both with --jinja.",
        source="vLLM tool_parsers/phi4mini_tool_parser.py",
        hints=("functools[", "functools ["),
    ),
    Family(
        id="llama3_json",
        title="Llama 3 python tag",
        extract=after_marker("<|python_tag|>", pythonic=True),
        vllm=("llama3_json", "llama4_json"),
        sglang=("llama3",),
        note=("vLLM wants a matching --chat-template, such as examples/tool_chat_template_llama3.1_json.jinja."),
        source="vLLM tool_parsers/llama_tool_parser.py",
        hints=("<|python_tag|>",),
    ),
)
