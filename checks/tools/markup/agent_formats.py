"""Notations of agents' prompts and of models whose calls no marker introduces, or whose markers were lost.

They count only where they name an offered tool, Beam's and Grok's elements excepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from checks.tools.markup.call_shapes import call_list, is_placeholder, keywords, typed
from checks.tools.markup.leak import MAX_CALLS, Arguments, Family, LeakedCall, calls_at
from checks.tools.markup.special_tokens import gemma_calls, named, object_at
from checks.tools.markup.text_scan import Scan
from checks.tools.markup.wrapped_json import json_calls

_TOOL_FENCES = frozenset({"tool_code", "tool_call", "tool_calls", "tool", "function_call", "tool_use"})
_STATEMENT = re.compile(
    r"\s{0,200}(?:(?P<target>[^\W\d]\w{0,63})\s{0,4}=\s{0,4}(?!=))?(?P<print>print\s{0,4}\(\s{0,4})?"
    r"(?P<name>(?:default_api\.)?[^\W\d][\w.\-]{0,127})[ \t]{0,4}\("
)
_CLOSERS = re.compile(r"[ \t]{0,8}\)")
_HEADED = re.compile(r"^[ \t]{0,8}(?:<tool_code>[ \t]{0,8}\n?|tool_code[ \t]{0,8}\n)", re.MULTILINE)
_API_LINE = re.compile(r"^[ \t]{0,8}(?=(?:print\s{0,4}\(\s{0,4})?default_api\.[^\W\d])", re.MULTILINE)
_API_BRACES = re.compile(r"(?<!\w)(?:call:)?default_api[:.](?P<name>[^\W\d][\w.\-]{0,127})(?=\{)")


def _statements(scan: Scan, pos: int, end: int) -> tuple[list[LeakedCall], int]:
    """Calls in a row of Python statements: `NAME(..)`, `print(NAME(..))`, `x = NAME(..)`."""
    calls: list[LeakedCall] = []
    while len(calls) < MAX_CALLS and (match := _STATEMENT.match(scan.text, pos, end)):
        name = scan.tools.resolve(match.group("name").removesuffix(".call"))
        found = keywords(scan, match.end()) if name else None
        if name is None or found is None or found[1] > end:
            break
        calls.append(LeakedCall(name, found[0], match.start("name"), found[1], found[2]))
        pos = found[1]
        if match.group("print") and (closer := _CLOSERS.match(scan.text, pos, end)):
            pos = closer.end()
        while pos < end and scan.text[pos] in " \t;,":
            pos += 1
    return calls, pos


def tool_code(scan: Scan) -> list[LeakedCall]:
    """Calls as Gemini and Gemma write code: in a fence or tag `tool_code`, or with the module `default_api`.

    The statements may be wrapped in print(..).  They are in a fence labelled tool_code, after a line or tag of that
    name, or on lines that begin with `default_api.`.  Without the special tokens Gemini's form is
    `call:default_api:NAME{k:v}`.  Source: Gemma's prompting guide; google-gemini/gemini-cli issues on
    MALFORMED_FUNCTION_CALL.
    """
    calls: list[LeakedCall] = []
    for start, end in _code_places(scan):
        found, _ = _statements(scan, start, end)
        if not found:
            found, _ = call_list(scan, start, end)
        if not found:
            found, _ = json_calls(scan, scan.skip(start))
        calls += [call for call in found if scan.tools.resolve(call.name)]
        if len(calls) >= MAX_CALLS:
            break
    if calls:
        return calls
    braced = [call for call in gemma_calls(scan, _API_BRACES, True) if not scan.in_inline_code(call.start)]
    return braced or _printed(scan)


def _printed(scan: Scan) -> list[LeakedCall]:
    """Calls in print(..) that are the whole answer, each on the schema of its tool."""
    start = scan.skip(scan.visible[0])
    if not scan.text.startswith("print(", start):
        return []
    calls, end = _statements(scan, start, scan.visible[1])
    whole = not scan.text[end : scan.visible[1]].strip()
    return calls if whole and all(_sure(scan, call.name, call) for call in calls) else []


def _code_places(scan: Scan) -> Iterator[tuple[int, int]]:
    """Offsets (start, end) of code that its label or its module marks as calls."""
    fenced = [fence for fence in scan.fences if fence.info.split(" ")[0] in _TOOL_FENCES]
    for fence in fenced:
        yield fence.body, fence.body_end
    if fenced:
        return
    headed = [match for match in _HEADED.finditer(scan.text) if scan.fence_at(match.start()) is None]
    for match in headed[:MAX_CALLS]:
        yield match.end(), len(scan.text)
    if headed:
        return
    done = 0
    for match in _API_LINE.finditer(scan.text):
        if match.start() >= done and scan.fence_at(match.start()) is None:
            _, done = _statements(scan, match.end(), len(scan.text))
            yield match.end(), max(done, match.end())


_BEAM_HEAD = re.compile(
    r"(?<!\w)to=(?P<name>[^\s<]{1,128}+)(?:<\|channel\|>)?(?:analysis)?[ \t]{0,4}(?P<xml><\|constrain\|>xml|xml)?"
    r"[ \t]{0,4}(?P<message><\|message\|>)?(?=<rfl:parameter|\s{0,4}<\||\s{0,4}\Z)"
)
_BEAM_PARAMETER = re.compile(r'<rfl:parameter name="(?P<key>[^"<>\n]{1,128})">\n?')
_BEAM_END = "</rfl:parameter>"
_BEAM_STOPS = ("<|call|>", "<|end|>", "<|start|>")


def beam(scan: Scan) -> list[LeakedCall]:
    """Beam: ` to=NAME<|channel|>analysis <|constrain|>xml<|message|>` and `<rfl:parameter name="k">` elements.

    The special tokens may be missing.  Source: SGLang parser/beam.py.
    """
    calls: list[LeakedCall] = []
    heads = list(_BEAM_HEAD.finditer(scan.text))[:MAX_CALLS]
    for at, head in enumerate(heads):
        written = head.group("name")
        name = scan.tools.resolve(written) or scan.tools.resolve(written.removesuffix("analysis"))
        limit = heads[at + 1].start() if at + 1 < len(heads) else len(scan.text)
        values, end, whole = _beam_values(scan, name or written, head.end(), limit)
        if values or (head.group("xml") and name):
            whole = whole and any(scan.text.startswith(stop, scan.skip(end)) for stop in ("", *_BEAM_STOPS))
            calls.append(LeakedCall(name or written, values, head.start(), end, whole))
    return [call for call in calls if not is_placeholder(call.name)]


def _beam_values(scan: Scan, tool: str, pos: int, limit: int) -> tuple[dict[str, Any], int, bool]:
    values: dict[str, Any] = {}
    while len(values) < 256 and (opening := _BEAM_PARAMETER.match(scan.text, scan.skip(pos), limit)):
        stop = scan.find(_BEAM_END, opening.end())
        if not 0 <= stop < limit:
            values[opening.group("key")] = scan.text[opening.end() : limit]
            return values, limit, False
        key = opening.group("key")
        values[key] = typed(scan, tool, key, scan.text[opening.end() : stop])
        pos = stop + len(_BEAM_END)
    return values, pos, True


_ACTION = re.compile(
    r"^[ \t*]{0,8}(?:Tool |Function )?(?:Action|Call)[*]{0,2}:[*]{0,2}[ \t]{1,8}[`\"']?"
    r"(?P<name>[^\W\d][\w.\-]{0,127}+)[`\"']?[ \t]{0,4}(?P<open>[(\[]|(?=\{))",
    re.MULTILINE | re.IGNORECASE,
)
_BRACKETED = re.compile(r"[^\[\]\n]{0,2000}\]")


def action_call(scan: Scan) -> list[LeakedCall]:
    """`Action: NAME(k="v")`, `Action: NAME[{..}]`, `Action: NAME {..}`, and the same after `Call:`.

    Source: the ReAct paper's `Search[entity]`, and agent prompts based on it.
    """

    def read(match: re.Match[str]) -> LeakedCall | None:
        name = scan.tools.resolve(match.group("name"))
        found = _action_arguments(scan, match) if name and scan.fence_at(match.start()) is None else None
        return LeakedCall(name, found[0], match.start("name"), found[1], found[2]) if name and found else None

    return calls_at(scan, _ACTION, read)


def _action_arguments(scan: Scan, match: re.Match[str]) -> tuple[Arguments, int, bool] | None:
    at = scan.skip(match.end())
    if scan.text[at : at + 1] == "{":
        found = object_at(scan, at)
        if found is None:
            return None
        arguments, end, whole = found
        closer = scan.skip(end)
        return arguments, closer + 1 if scan.text[closer : closer + 1] in (")", "]") else end, whole
    if match.group("open") == "(":
        return keywords(scan, match.end())
    if match.group("open") == "[" and (inside := _BRACKETED.match(scan.text, match.end())):
        return inside.group()[:-1].strip(), inside.end(), True
    return None


_SENTENCE_LIST = re.compile(r"(?<![\w)\]=(\"'.])\[(?=[^\W\d][\w.\-]{0,127}\()")


def list_in_sentence(scan: Scan) -> list[LeakedCall]:
    """`I will call [get_weather(city="Paris")] now`: a Python list of calls within a line of prose.

    Only outside of code, with every name offered, every argument named and on the schema: examples in an explanation
    rarely meet all of this, and SGLang's parser reads even those as calls (function_call/pythonic_detector.py).
    """
    for match in _SENTENCE_LIST.finditer(scan.text):
        assigned = scan.text[max(0, match.start() - 20) : match.start()].rstrip().endswith(("=", "(", "return", "in"))
        if assigned or scan.fence_at(match.start()) is not None or scan.in_inline_code(match.start()):
            continue
        calls, end = call_list(scan, match.start())
        if not calls or scan.text[end - 1 : end] != "]":
            continue
        named = [(scan.tools.resolve(call.name), call) for call in calls]
        if all(name and call.complete and _sure(scan, name, call) for name, call in named):
            return calls
    return []


def _sure(scan: Scan, name: str, call: LeakedCall) -> bool:
    if scan.tools.schemas.get(name) is None:
        return isinstance(call.arguments, dict) and bool(call.arguments)
    return scan.tools.fits(name, call.arguments)


_K3_CALL = re.compile(r'call tool="(?P<name>[^"\n]{1,128})" index="\d{1,4}"')
_K3_ARGUMENT = re.compile(r'argument key="(?P<key>[^"\n]{1,128})" type="(?P<type>\w{1,16})"')


def kimi_k3_tokens_lost(scan: Scan) -> list[LeakedCall]:
    """Kimi K3 without `<|open|>`, `<|sep|>` and `<|close|>`: `call tool="NAME" index="1"argument key=..`."""
    calls: list[LeakedCall] = []
    heads = list(_K3_CALL.finditer(scan.text))[:MAX_CALLS]
    for at, head in enumerate(heads):
        limit = heads[at + 1].start() if at + 1 < len(heads) else len(scan.text)
        name = scan.tools.resolve(head.group("name"))
        values: dict[str, Any] = {}
        end, whole = head.end(), True
        while name and whole and len(values) < 256 and (opening := _K3_ARGUMENT.match(scan.text, end, limit)):
            stop = scan.find("argument", opening.end())
            whole = 0 <= stop < limit
            raw = scan.text[opening.end() : stop if whole else limit]
            values[opening.group("key")] = typed(scan, name, opening.group("key"), raw, opening["type"] == "string")
            end = stop + len("argument") if whole else limit
        if name:
            calls.append(LeakedCall(name, values, head.start(), end, whole))
    return calls


_PLAMO_PARTS_LOST = re.compile(r"tool_name(?P<name>[^\W\d][\w.\-]{0,127}?)tool_nametool_arguments(?:json)?(?=\{)")
_PLAMO_ALL_LOST = re.compile(r"(?<![\w.\-])(?P<name>[^\W\d][\w.\-]{0,127}?)json(?=\{)")


def plamo3_tokens_lost(scan: Scan) -> list[LeakedCall]:
    """PLaMo 3 without the special parts of its markers: `tool_nameNAMEtool_nametool_argumentsjson{..}`.

    The special parts: vLLM parser/plamo3.py.  Where the whole markers are special, `NAMEjson{..}` remains.
    """
    return named(scan, _PLAMO_PARTS_LOST, need_offered=True) or named(scan, _PLAMO_ALL_LOST, need_offered=True)


_INVOKE = re.compile(r"<invoke name=[\"']?(?P<name>[^\"'<>\n]{1,128})[\"']?[ \t]{0,4}>")
_CHILD = re.compile(r"<(?P<key>[^\W\d][\w.\-]{0,127})>")


def minimax_m3_tokens_lost(scan: Scan) -> list[LeakedCall]:
    """MiniMax M3 without its token: `<invoke name="NAME">` with children named after the arguments."""
    calls: list[LeakedCall] = []
    for opening in _INVOKE.finditer(scan.text):
        name = scan.tools.resolve(opening.group("name"))
        stop = scan.find("</invoke>", opening.end()) if name else -1
        values: dict[str, Any] = {}
        at = scan.skip(opening.end())
        while name and at < stop and len(values) < 64:
            child = _CHILD.match(scan.text, at, stop)
            key = child.group("key") if child else ""
            close = scan.find(f"</{key}>", at) if child else -1
            if child is None or key not in scan.tools.properties(name) or not 0 <= close < stop:
                break
            values[key] = typed(scan, name, key, scan.text[child.end() : close])
            at = scan.skip(close + len(key) + 3)
        if name and values and at >= stop:
            calls.append(LeakedCall(name, values, opening.start(), stop + len("</invoke>"), True))
        if len(calls) >= MAX_CALLS:
            break
    return calls


# In the table AGENTS comes before the formats of bare_json, BEAM before harmony, which it resembles, and MINIMAX_M3
# before Anthropic's elements.

BEAM = Family(
    id="beam",
    title="Beam rfl:parameter elements",
    extract=beam,
    vllm=("beam",),
    sglang=("beam",),
    source="SGLang parser/beam.py",
    hints=("<rfl:parameter", "<|constrain|>xml", "analysis xml"),
)
MINIMAX_M3 = Family(
    id="minimax_m3",
    title="MiniMax M3, tokens dropped",
    extract=minimax_m3_tokens_lost,
    vllm=("minimax_m3",),
    sglang=("minimax-m3",),
    source="vLLM parser/minimax_m3.py",
    hints=("<invoke",),
)
AGENTS: tuple[Family, ...] = (
    Family(
        id="tool_code",
        title="tool_code of Gemini and Gemma",
        extract=tool_code,
        sglang=("pythonic",),
        source="Gemma docs, function calling",
        hints=("```", "~~~", "tool_code", "default_api", "print("),
        bare=True,
    ),
    Family(
        id="kimi_k3",
        title="Kimi K3, tokens dropped",
        extract=kimi_k3_tokens_lost,
        vllm=("kimi_k3",),
        sglang=("kimi_k3",),
        source="SGLang function_call/kimik3_format.py",
        hints=("call tool=",),
        bare=True,
    ),
    Family(
        id="plamo3",
        title="PLaMo 3, tokens dropped",
        extract=plamo3_tokens_lost,
        vllm=("plamo3",),
        source="vLLM parser/plamo3.py",
        hints=("json{", "tool_arguments{"),
        bare=True,
    ),
    Family(
        id="react",
        title="Action or Call and the call on one line",
        extract=action_call,
        note="A prompt format: a gateway or a client wrote the tools into the prompt.",
        source="ReAct paper, and agent prompts based on it",
        hints=("ction", "all:", "CTION", "ALL:", "all*", "ALL*"),
        bare=True,
    ),
)
IN_A_SENTENCE: tuple[Family, ...] = (
    Family(
        id="pythonic",
        title="Python call list within a sentence",
        extract=list_in_sentence,
        sglang=("pythonic",),
        source="SGLang function_call/pythonic_detector.py",
        hints=("[",),
        bare=True,
    ),
)
