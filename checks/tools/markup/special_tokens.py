"""Formats based on special tokens, also where the detokenizer dropped some of the tokens.

A server that decodes with `skip_special_tokens` returns only the text between the tokens (vLLM sets it to false in the
parsers that need them, for example tool_parsers/hermes_tool_parser.py).  The rest is read where it still names an
offered tool.
"""

from __future__ import annotations

import json
import re

from checks.tools.markup.call_shapes import call_list, gemma_value, is_placeholder
from checks.tools.markup.leak import MAX_CALLS, Arguments, Family, LeakedCall, calls_at
from checks.tools.markup.text_scan import Scan
from checks.tools.markup.wrapped_json import json_calls

_NAME = r"[^\W\d][\w.\-]{0,127}"
# For patterns that begin with a name: it is tried only where a name can begin and never in parts, so that a long run
# of letters costs one pass.
_WHOLE_NAME = r"(?<![\w.\-])(?P<name>[^\W\d][\w.\-]{0,127}+)"
_JSON_FENCE = re.compile(r"\s*```[ \t]*(?:json)?[ \t]*\n?")


def object_at(scan: Scan, pos: int) -> tuple[Arguments, int, bool] | None:
    """Arguments at an offset: a JSON object, also inside a JSON string or a fence."""
    if match := _JSON_FENCE.match(scan.text, pos):
        pos = match.end()
    pos = scan.skip(pos)
    if pos >= len(scan.text):
        return None, pos, False
    if scan.text[pos] not in '{"':
        return None
    read = scan.json_at(pos)
    if read is None:
        return None
    if isinstance(read.value, dict) and read.complete:
        return read.value, read.end, True
    if isinstance(read.value, str):
        return (read.value, read.end, read.complete) if read.value.lstrip().startswith("{") else None
    return scan.text[pos : read.end], read.end, False


def named(scan: Scan, head: re.Pattern[str], need_offered: bool = False) -> list[LeakedCall]:
    """Calls written as a head with the name, then a JSON object."""

    def read(match: re.Match[str]) -> LeakedCall | None:
        written = match.group("name")
        name = scan.tools.resolve(written)
        found = object_at(scan, match.end()) if name or not need_offered else None
        if found is None or not (name or (found[0] is not None and not is_placeholder(written))):
            return None
        return LeakedCall(name or written, found[0], match.start(), found[1], found[2])

    return calls_at(scan, head, read)


# DeepSeek's tokens as spelled by its template, llama.cpp (common/chat.cpp) and users.
_BAR, _GAP = r"[｜|]", r"(?:▁|_|\\_| )"
_DS_BEGIN = rf"<{_BAR}tool{_GAP}call{_GAP}begin{_BAR}>"
_DS_SEP = rf"<{_BAR}tool{_GAP}sep{_BAR}>"
_DS_V3 = re.compile(rf"(?:{_DS_BEGIN}\s{{0,4}})?function{_DS_SEP}\s{{0,4}}(?P<name>{_NAME})")
_DS_V31 = re.compile(rf"(?:{_DS_BEGIN}\s{{0,4}})?{_WHOLE_NAME}\s{{0,4}}{_DS_SEP}")
_DS_V3_BARE = re.compile(rf"(?<![\w])function(?P<name>{_NAME})\n(?=```)")


def deepseek_v3(scan: Scan) -> list[LeakedCall]:
    """`function<｜tool▁sep｜>NAME`, then the arguments in a json fence (V3, R1)."""
    calls = named(scan, _DS_V3)
    return calls or named(scan, _DS_V3_BARE, need_offered=True)


def deepseek_v31(scan: Scan) -> list[LeakedCall]:
    """`<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{..}` (V3.1)."""
    return [c for c in named(scan, _DS_V31) if c.name != "function"]


_KIMI = re.compile(
    r"(?:<\|tool_call_begin\|>\s{0,8}(?:functions\.)?|(?<![\w.])functions\.)(?P<name>" + _NAME + r"?):\d{1,6}"
    r"\s{0,8}(?:<\|tool_call_argument_begin\|>)?"
)


def kimi_k2(scan: Scan) -> list[LeakedCall]:
    """`functions.NAME:0` between tokens, then the arguments; all tokens may be missing."""
    marked = "<|tool_call" in scan.text
    return named(scan, _KIMI, need_offered=not marked)


_HARMONY = re.compile(
    r"(?P<role>(?:<\|start\|>)?assistant\s{0,4})?"
    r"(?P<chan>(?:<\|channel\|>)?(?:commentary|analysis|final)\s{0,4})?"
    r"(?<!\w)to=(?P<name>[^\W\d][\w.\-]{0,127})"
)
_HARMONY_HEADER = re.compile(r"[^{}\n]{0,120}(?:\n[ \t]*)?(?=\{|\Z)")
_HARMONY_WORDS = re.compile(r"<\|[a-z]{1,12}\|>|\b(?:json|code|commentary|analysis|final)\b")
_HARMONY_TAIL = ("json", "code")


def harmony(scan: Scan) -> list[LeakedCall]:
    """gpt-oss calls: a message with `to=functions.NAME` in its header.

    The recipient comes before or after the channel (llama.cpp common/chat.cpp reads both), the prefix `functions.` may
    be missing (SGLang function_call/gpt_oss_detector.py), and the tokens too:
    `commentary to=functions.get_weather json{"city":"Paris"}`.
    """
    tokens = any(t in scan.text for t in ("<|channel|>", "<|message|>", "<|constrain|>", "<|start|>"))

    def read(match: re.Match[str]) -> LeakedCall | None:
        name, offered = _harmony_name(scan, match.group("name"))
        prefixed = match.group("name").startswith("functions.")
        header = _HARMONY_HEADER.match(scan.text, match.end())
        stray = _HARMONY_WORDS.sub(" ", header.group()).split() if header else ()
        if header is None or len(stray) > 1 or not (offered or prefixed):
            return None
        found = object_at(scan, header.end())
        if found is None or not (found[0] is not None or (offered and tokens and not stray)):
            return None
        return LeakedCall(name, found[0], match.start(), found[1], found[2])

    return calls_at(scan, _HARMONY, read)


def _harmony_name(scan: Scan, written: str) -> tuple[str, bool]:
    """The tool's name; without the tokens it may end in the content type."""
    name = scan.tools.resolve(written)
    for tail in _HARMONY_TAIL:
        if name is None and written.endswith(tail):
            name = scan.tools.resolve(written[: -len(tail)])
    return (name, True) if name else (written.removeprefix("functions."), False)


_GEMMA = re.compile(rf"(?:<\|tool_call>|<tool_call\|>|<call>)\s{{0,4}}:?(?:call)?:?(?P<name>{_NAME})(?=\{{)")
_FUNCTION_GEMMA = re.compile(rf"<start_function_call>\s{{0,4}}(?:call)?:?(?P<name>{_NAME})(?=\{{)")
_GEMMA_BARE = re.compile(rf"(?<![\w])call:(?P<name>{_NAME})(?=\{{)")


def gemma_calls(scan: Scan, head: re.Pattern[str], need_offered: bool) -> list[LeakedCall]:
    """Calls written as a head with the name, then an object in Gemma's format."""

    def read(match: re.Match[str]) -> LeakedCall | None:
        name = scan.tools.resolve(match.group("name"))
        if need_offered and not name:
            return None
        value, end, closed = gemma_value(scan.text, match.end())
        arguments = value if closed else scan.text[match.end() : end]
        return LeakedCall(name or match.group("name"), arguments, match.start(), end, closed)

    return [call for call in calls_at(scan, head, read) if not is_placeholder(call.name)]


def gemma4(scan: Scan) -> list[LeakedCall]:
    """`<|tool_call>call:NAME{k:<|"|>v<|"|>}<tool_call|>`, or `call:NAME{..}` without the tokens."""
    return gemma_calls(scan, _GEMMA, False) or gemma_calls(scan, _GEMMA_BARE, True)


def functiongemma(scan: Scan) -> list[LeakedCall]:
    """`<start_function_call>call:NAME{k:<escape>v<escape>}<end_function_call>`."""
    return gemma_calls(scan, _FUNCTION_GEMMA, False)


_MISTRAL = re.compile(
    rf"\[TOOL_CALLS\]?\s{{0,4}}(?P<name>{_NAME})"
    r"(?:\s{0,4}\[CALL_ID\]\s{0,4}[\w\-]{1,64})?\s{0,4}(?:\[ARGS\]?)?(?=\s{0,8}[\{\"]|\s{0,8}\Z)"
)
_MISTRAL_BARE = re.compile(
    rf"{_WHOLE_NAME}(?:\s{{0,4}}\[CALL_ID\]\s{{0,4}}[\w\-]{{1,64}})?\s{{0,4}}\[ARGS\](?=\s{{0,8}}[\{{\"])"
)


def mistral(scan: Scan) -> list[LeakedCall]:
    """`[TOOL_CALLS][{..}]`, `[TOOL_CALLS]NAME[ARGS]{..}` or `[TOOL_CALLS]NAME{..}`.

    A `[CALL_ID]` may be between name and arguments.  Source: SGLang function_call/mistral_detector.py, vLLM
    tool_parsers/mistral_tool_parser.py.
    """
    calls: list[LeakedCall] = []
    pos = 0
    while len(calls) < MAX_CALLS and (pos := scan.text.find("[TOOL_CALLS]", pos)) >= 0:
        found, pos = json_calls(scan, pos + len("[TOOL_CALLS]"))
        calls += [c for c in found if not is_placeholder(c.name)]
    return calls or named(scan, _MISTRAL) or named(scan, _MISTRAL_BARE, need_offered=True)


_PLAMO = re.compile(
    rf"<\|plamo:begin_tool_name:plamo\|>\s{{0,4}}(?P<name>{_NAME})\s{{0,4}}<\|plamo:end_tool_name:plamo\|>\s{{0,4}}"
    r"(?:<\|plamo:begin_tool_arguments:plamo\|>)?(?:<\|plamo:constrain\|>json)?(?:<\|plamo:msg\|>)?"
)
_SOLAR = re.compile(rf"<\|tool_call:name\|>\s{{0,4}}(?P<name>{_NAME})\s{{0,4}}<\|tool_call:args\|>")


def plamo3(scan: Scan) -> list[LeakedCall]:
    """PLaMo 3: name and arguments each between separate tokens (vLLM parser/plamo3.py)."""
    return named(scan, _PLAMO)


def solar_open(scan: Scan) -> list[LeakedCall]:
    """Solar Open: `<|tool_call:name|>NAME<|tool_call:args|>{..}`."""
    return named(scan, _SOLAR)


# Some hosts merge the two openings: `<|open|>toolscall tool=..` (can1357/oh-my-pi issue 8495).
_K3_CALL = re.compile(r"<\|open\|>(?:tools)?call\s(?P<attrs>[^<>]{0,400})<\|sep\|>")
_K3_ARGUMENT = re.compile(r"<\|open\|>argument\s(?P<attrs>[^<>]{0,400})<\|sep\|>")
_K3_ATTR = re.compile(r'(\w{1,32})="([^"]{0,300})"')


def kimi_k3(scan: Scan) -> list[LeakedCall]:
    """Kimi K3's XTML: `<|open|>call tool="NAME" index="1"<|sep|>` with argument elements.

    Source: SGLang function_call/kimik3_detector.py.
    """
    calls: list[LeakedCall] = []
    openings = list(_K3_CALL.finditer(scan.text))[:MAX_CALLS]
    for at, opening in enumerate(openings):
        limit = openings[at + 1].start() if at + 1 < len(openings) else len(scan.text)
        stop = scan.text.find("<|close|>call", opening.end(), limit)
        name = dict(_K3_ATTR.findall(opening.group("attrs"))).get("tool", "")
        values: dict[str, object] = {}
        whole = stop >= 0
        for argument in _K3_ARGUMENT.finditer(scan.text, opening.end(), stop if whole else limit):
            attrs = dict(_K3_ATTR.findall(argument.group("attrs")))
            close = scan.find("<|close|>argument", argument.end())
            whole = whole and 0 <= close < limit
            raw = scan.text[argument.end() : close if 0 <= close < limit else limit]
            value: object = raw
            if attrs.get("type", "string") != "string":
                try:
                    value = json.loads(raw)
                except (ValueError, RecursionError):
                    whole = False
            values[attrs.get("key", "")] = value
        if name and not is_placeholder(name):
            calls.append(LeakedCall(name, values, opening.start(), stop if stop >= 0 else limit, whole))
    return calls


_OLMO_OPEN, _OLMO_CLOSE = "<function_calls>", "</function_calls>"


def olmo3(scan: Scan) -> list[LeakedCall]:
    """`<function_calls>` around Python calls, one per line (vLLM tool_parsers/olmo3_tool_parser.py)."""
    calls: list[LeakedCall] = []
    pos = 0
    while len(calls) < MAX_CALLS and (pos := scan.text.find(_OLMO_OPEN, pos)) >= 0:
        found, end = call_list(scan, pos + len(_OLMO_OPEN))
        closed = scan.text.startswith(_OLMO_CLOSE, scan.skip(end))
        calls += [c for c in found if closed or scan.tools.resolve(c.name)]
        pos = max(end, pos + 1)
    return [c for c in calls if not is_placeholder(c.name)]


TOKENS: tuple[Family, ...] = (
    Family(
        id="plamo3",
        title="PLaMo 3",
        extract=plamo3,
        vllm=("plamo3",),
        source="vLLM parser/plamo3.py",
        hints=("<|plamo:",),
    ),
    Family(
        id="solar_open",
        title="Solar Open",
        extract=solar_open,
        note="llama.cpp reads it with --jinja; vLLM needs the parser plugin that the model ships.",
        source="llama.cpp common/chat.cpp",
        hints=("<|tool_call:name|>",),
    ),
    Family(
        id="kimi_k3",
        title="Kimi K3 XTML",
        extract=kimi_k3,
        vllm=("kimi_k3",),
        sglang=("kimi_k3",),
        source="SGLang function_call/kimik3_detector.py",
        hints=("<|open|>",),
    ),
    Family(
        id="kimi_k2",
        title="Kimi K2",
        extract=kimi_k2,
        vllm=("kimi_k2",),
        sglang=("kimi_k2",),
        source="SGLang function_call/kimik2_detector.py",
        hints=("<|tool_call_begin|>",),
    ),
    Family(
        id="deepseek_v3",
        title="DeepSeek V3, R1",
        extract=deepseek_v3,
        vllm=("deepseek_v3",),
        sglang=("deepseekv3",),
        note="vLLM needs examples/tool_chat_template_deepseekv3.jinja or _deepseekr1.jinja as --chat-template.",
        source="SGLang function_call/deepseekv3_detector.py",
        hints=("sep｜>", "sep|>"),
    ),
    Family(
        id="deepseek_v31",
        title="DeepSeek V3.1",
        extract=deepseek_v31,
        vllm=("deepseek_v31",),
        sglang=("deepseekv31",),
        note="vLLM needs examples/tool_chat_template_deepseekv31.jinja as --chat-template.",
        source="SGLang function_call/deepseekv31_detector.py",
        hints=("sep｜>", "sep|>"),
    ),
    Family(
        id="functiongemma",
        title="FunctionGemma",
        extract=functiongemma,
        vllm=("functiongemma",),
        source="vLLM tool_parsers/functiongemma_tool_parser.py",
        hints=("<start_function_call>",),
    ),
    Family(
        id="gemma4",
        title="Gemma 4",
        extract=gemma4,
        vllm=("gemma4",),
        sglang=("gemma4",),
        source="vLLM parser/gemma4.py",
        hints=("<|tool_call>", "<tool_call|>", "<call>"),
    ),
    Family(
        id="mistral",
        title="Mistral",
        extract=mistral,
        vllm=("mistral",),
        sglang=("mistral",),
        note="With a Mistral repository vLLM also needs --tokenizer-mode mistral.",
        source="vLLM tool_parsers/mistral_tool_parser.py",
        hints=("[TOOL_CALLS", "[ARGS]"),
    ),
    Family(
        id="harmony",
        title="gpt-oss harmony",
        extract=harmony,
        vllm=("openai",),
        sglang=("gpt-oss",),
        note="Recent vLLM releases choose it for gpt-oss models.",
        source="llama.cpp common/chat.cpp (GPT-OSS)",
        hints=("to=",),
    ),
    Family(
        id="olmo3",
        title="Olmo 3 Python calls",
        extract=olmo3,
        vllm=("olmo3",),
        sglang=("pythonic",),
        source="vLLM tool_parsers/olmo3_tool_parser.py",
        hints=("<function_calls>",),
    ),
)
