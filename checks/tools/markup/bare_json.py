"""Formats without a marker, which count only where they name an offered tool."""

from __future__ import annotations

import re

from checks.tools.markup import special_tokens
from checks.tools.markup.call_shapes import call_list, typed
from checks.tools.markup.leak import Family, LeakedCall, calls_at
from checks.tools.markup.special_tokens import object_at
from checks.tools.markup.text_scan import Scan

_LINE_LIST = re.compile(r"^[ \t]{0,8}\[(?=\s{0,8}[^\W\d][\w.\-]{0,127}\s{0,4}\()", re.MULTILINE)
_IN_TAG = re.compile(
    r"<[a-z_|]{0,24}(?:tool|func|call|action)[a-z_|]{0,24}>\s{0,8}\[?(?=\s{0,8}[^\W\d][\w.\-]{0,127}\s{0,4}\()"
)
_FUNCTION_TAG = re.compile(r"<function\s{0,4}=\s{0,4}[\"']?(?P<name>[^\"'<>\n{}]{1,128}?)[\"']?\s{0,4}>(?=\s{0,8}\{)")
_FUNCTIONARY = re.compile(r">>>\s{0,4}(?P<name>[^\W\d][\w.\-]{0,127})\n(?=\s{0,8}\{)")
_REACT = re.compile(
    r"^[ \t*]{0,8}Action[*]{0,2}:[*]{0,2}[ \t]{0,8}"
    r"[`\"'\[]?(?P<name>[^\W\d][\w.\-]{0,127})[`\"'\]]?[ \t]{0,8}\n{1,3}"
    r"[ \t*]{0,8}Action[ _]Input[*]{0,2}:[*]{0,2}[ \t]{0,8}",
    re.MULTILINE,
)
_LABELLED = re.compile(
    r"^[ \t*]{0,8}(?:Tool|Function)(?:[ _](?:Name|Call))?[*]{0,2}:[*]{0,2}[ \t]{0,8}"
    r"[`\"'\[]?(?P<name>[^\W\d][\w.\-]{0,127})[`\"'\]]?[ \t]{0,8}\n{1,3}"
    r"[ \t*]{0,8}(?:Tool[ _])?(?:Input|Arguments|Parameters|Args)[*]{0,2}:[*]{0,2}\s{0,8}",
    re.MULTILINE | re.IGNORECASE,
)
_NAMED_ELEMENT = re.compile(
    r"<[\w:|]{1,32}[ \t]{1,4}(?:name|function|tool)[ \t]{0,4}=[ \t]{0,4}[\"']?"
    r"(?P<name>[^\W\d][\w.\-]{0,127})[\"']?[^<>\n]{0,80}>(?=\s{0,8}\{)"
)
_OWN_LINE = re.compile(
    r"^[ \t>*\-]{0,8}`{0,2}(?:functions\.)?(?P<name>[^\W\d][\w.\-]{0,127}+)(?:[ \t]{0,4}\(|:)[ \t]{0,4}(?=\{)",
    re.MULTILINE,
)
_LINE_END = re.compile(r"[ \t`);.]{0,8}(?:\n|\Z)")
_QWEN_AGENT = re.compile(
    r"✿FUNCTION✿[:：]?[ \t]{0,8}(?P<name>[^\W\d][\w.\-]{0,127})[ \t]{0,8}\n{0,3}✿ARGS✿[:：]?[ \t]{0,8}"
)
_TOKENS_BETWEEN = r"(?:\s{0,4}(?:<[^<>\n{}]{1,40}>|\[[A-Z_]{2,24}\]))"
_NAME_JSON = re.compile(
    r"(?<![\w.\-])(?:functions\.)?(?P<name>[^\W\d][\w.\-]{0,127}+)"
    rf"(?P<tokens>{_TOKENS_BETWEEN}{{0,3}})(?P<gap>[ \t]{{0,4}}\n?[ \t]{{0,8}})(?=\{{)"
)
_NAMED_TAG = re.compile(r"<(?P<name>[^\W\d][\w.\-]{0,127})>(?=\s{0,80}(?:<[^\W\d]|\{))")
_CHILD = re.compile(r"<(?P<key>[^\W\d][\w.\-]{0,127})>")


def pythonic(scan: Scan) -> list[LeakedCall]:
    """`[get_weather(city="Paris")]` on separate lines (vLLM tool_parsers/pythonic_tool_parser.py).

    Also calls between a pair of tags, or a text of calls alone without the brackets.  Inside a fence the list must be
    all of its content: a list in the middle of a program is code.
    """
    for match in _IN_TAG.finditer(scan.text):
        calls, end = call_list(scan, match.end())
        closed = scan.text.startswith(("</", "<|", "]"), scan.skip(end))
        if calls and closed and _all_offered(scan, calls) and not scan.in_inline_code(match.start()):
            return calls
    for match in _LINE_LIST.finditer(scan.text):
        if scan.fence_at(match.start()) is not None and not scan.leads_fence(match.end() - 1):
            continue
        calls, end = call_list(scan, match.end() - 1)
        if calls and _all_offered(scan, calls) and _ends_line(scan, end):
            return calls
    start, end = scan.visible
    if end - start < 100_000 and scan.text[start:end].rstrip().endswith(")"):
        calls, stop = call_list(scan, start, end)
        if calls and scan.skip(stop) >= end and _all_offered(scan, calls) and calls[-1].complete:
            return calls
    return []


def _all_offered(scan: Scan, calls: list[LeakedCall]) -> bool:
    return all(scan.tools.resolve(call.name) for call in calls)


def _ends_line(scan: Scan, end: int) -> bool:
    """Whether the list is followed by nothing, a line feed or a token, rather than the rest of an expression."""
    rest = scan.text[end : end + 40].lstrip(" \t")
    return not rest or rest[0] in "\n\r<"


def _headed(scan: Scan, head: re.Pattern[str], plain: bool = False) -> list[LeakedCall]:
    """Calls whose head names an offered tool; ``plain``: the arguments may be a line of text."""

    def read(match: re.Match[str]) -> LeakedCall | None:
        name = scan.tools.resolve(match.group("name"))
        found = object_at(scan, match.end()) if name else None
        if name and found is not None and (found[0] is not None or plain):
            return LeakedCall(name, found[0], match.start(), found[1], found[2])
        if not (name and plain):
            return None
        stop = scan.text.find("\n", match.end())
        stop = len(scan.text) if stop < 0 else stop
        return LeakedCall(name, scan.text[match.end() : stop].strip(), match.start(), stop, True)

    return calls_at(scan, head, read)


def function_tag(scan: Scan) -> list[LeakedCall]:
    """`<function=NAME>{..}</function>` of Llama 3.1 and Functionary 3.1 (llama.cpp common/chat.cpp)."""
    return _headed(scan, _FUNCTION_TAG)


def functionary(scan: Scan) -> list[LeakedCall]:
    """`>>>NAME` and the arguments on the next line (Functionary 3.2; llama.cpp common/chat.cpp)."""
    return _headed(scan, _FUNCTIONARY)


def react(scan: Scan) -> list[LeakedCall]:
    """`Action: NAME` and `Action Input: ..` on the next line (the ReAct prompt of LangChain)."""
    return _headed(scan, _REACT, plain=True)


def labelled(scan: Scan) -> list[LeakedCall]:
    """Formats that weak models invent: the name after a label or in an attribute.

    `Tool: NAME` and `Arguments: {..}` on two lines, `<tool name="NAME">{..}`, or a line with only `NAME({..})` or
    `NAME: {..}`.  The object must fit the tool's schema, and a call on one line must end it, so that a sentence about
    a planned call does not count.
    """
    for head in (_LABELLED, _NAMED_ELEMENT, _OWN_LINE):
        calls = [c for c in _headed(scan, head) if c.complete and _could_be(scan, c, head is not _OWN_LINE)]
        if head is _OWN_LINE:
            calls = [c for c in calls if _LINE_END.match(scan.text, c.end) and not _set_apart(scan, c)]
        if calls:
            return calls
    return []


def _could_be(scan: Scan, call: LeakedCall, sure: bool) -> bool:
    """Whether the arguments fit; ``sure``: a label makes a call of a tool without a schema credible."""
    unknown = scan.tools.schemas.get(call.name) is None
    return scan.tools.fits(call.name, call.arguments) or (sure and unknown and isinstance(call.arguments, dict))


def _set_apart(scan: Scan, call: LeakedCall) -> bool:
    return scan.fence_at(call.start) is not None or scan.in_reasoning(call.start)


def qwen_agent(scan: Scan) -> list[LeakedCall]:
    """`✿FUNCTION✿: NAME` and `✿ARGS✿: {..}` (QwenLM/Qwen-Agent, qwen_fncall_prompt.py)."""
    return _headed(scan, _QWEN_AGENT)


def name_json(scan: Scan) -> list[LeakedCall]:
    """An offered name directly before a JSON object, as it remains when special tokens are dropped.

    `get_weather{"city": "Paris"}` may come from Mistral or DeepSeek V3.1; on two lines it is the format of GLM-4 or
    Functionary.  Up to three unknown tokens may be in between, so that newer formats are found too.  The object must
    fit the tool or be at the start of a line: `search {` is also program code.
    """
    return calls_at(scan, _NAME_JSON, lambda match: _name_json_call(scan, match))


def _name_json_call(scan: Scan, match: re.Match[str]) -> LeakedCall | None:
    name = scan.tools.resolve(match.group("name"))
    read = scan.json_at(match.end()) if name else None
    if name is None or read is None or not isinstance(read.value, dict):
        return None
    before = scan.text[max(0, match.start() - 40) : match.start()].rstrip(" \t")
    leads = not before or before[-1] in "\n>]}" or scan.leads_fence(match.start())
    if scan.fence_at(match.start()) is not None and not scan.leads_fence(match.start()):
        return None
    if not read.complete:
        known = set(read.value) & set(scan.tools.properties(name))
        if not (read.cut and leads and known):
            return None
        return LeakedCall(name, scan.text[match.end() : read.end], match.start(), read.end, False)
    if scan.tools.fits(name, read.value) and (leads or "\n" not in match.group("gap")):
        return LeakedCall(name, read.value, match.start(), read.end, True)
    # Off the schema or without one: `get_weather {"temp": 21}` may be a result.
    glued = not match.group("gap")
    known = set(read.value) & set(scan.tools.properties(name))
    unknown = scan.tools.schemas.get(name) is None
    alone = not scan.text[read.end :].strip()
    if not leads or not (known or (read.value and (glued or unknown)) or (not read.value and alone)):
        return None
    return LeakedCall(name, read.value, match.start(), read.end, True)


def named_tag(scan: Scan) -> list[LeakedCall]:
    """`<get_weather><city>Paris</city></get_weather>`: tags named after the tool and its arguments.

    The format in the prompts of Cline and Roo Code.  Every child must be an argument of the tool's schema, and the
    required ones must be present.
    """

    def read(match: re.Match[str]) -> LeakedCall | None:
        name = scan.tools.resolve(match.group("name"))
        stop = scan.find(f"</{match.group('name')}>", match.end()) if name is not None else -1
        return _children(scan, name, match, stop) if name is not None and stop >= 0 else None

    return calls_at(scan, _NAMED_TAG, read)


def _children(scan: Scan, name: str, opening: re.Match[str], stop: int) -> LeakedCall | None:
    end = stop + len(f"</{opening.group('name')}>")
    at = scan.skip(opening.end())
    if scan.text[at : at + 1] == "{":
        read = scan.json_at(at)
        if read is None or not isinstance(read.value, dict) or read.end > stop:
            return None
        return LeakedCall(name, read.value, opening.start(), end, read.complete)
    values: dict[str, object] = {}
    while at < stop and len(values) < 64:
        child = _CHILD.match(scan.text, at, stop)
        if child is None or child.group("key") not in scan.tools.properties(name):
            return None
        close = f"</{child.group('key')}>"
        finish = scan.find(close, child.end())
        if not 0 <= finish < stop:
            return None
        values[child.group("key")] = typed(scan, name, child.group("key"), scan.text[child.end() : finish])
        at = scan.skip(finish + len(close))
    if not values or not set(scan.tools.required(name)) <= set(values):
        return None
    return LeakedCall(name, values, opening.start(), end, True)


BARE: tuple[Family, ...] = (
    Family(
        id="qwen_agent",
        title="Qwen-Agent prompt format",
        extract=qwen_agent,
        note="A prompt format of Qwen-Agent; a server that uses the model's own chat template gets hermes markup.",
        source="QwenLM/Qwen-Agent",
        hints=("✿FUNCTION✿",),
    ),
    Family(
        id="function_tag",
        title="Llama 3.1 custom function tags",
        extract=function_tag,
        note=(
            "llama.cpp reads it with --jinja (Functionary 3.1); vLLM's llama templates use JSON "
            "instead: examples/tool_chat_template_llama3.1_json.jinja with llama3_json."
        ),
        source="llama.cpp common/chat.cpp",
        hints=("<function=", "<function ="),
        bare=True,
    ),
    Family(
        id="functionary",
        title="Functionary 3.2",
        extract=functionary,
        note="llama.cpp reads it with --jinja.",
        source="llama.cpp common/chat.cpp",
        hints=(">>>",),
        bare=True,
    ),
    Family(
        id="kimi_k2",
        title="Kimi K2, tokens dropped",
        extract=special_tokens.kimi_k2,
        vllm=("kimi_k2",),
        sglang=("kimi_k2",),
        source="SGLang function_call/kimik2_detector.py",
        hints=("functions.",),
        bare=True,
    ),
    Family(
        id="deepseek_v3",
        title="DeepSeek V3, tokens dropped",
        extract=special_tokens.deepseek_v3,
        vllm=("deepseek_v3",),
        sglang=("deepseekv3",),
        source="SGLang function_call/deepseekv3_detector.py",
        hints=("function",),
        bare=True,
    ),
    Family(
        id="gemma4",
        title="Gemma 4, tokens dropped",
        extract=special_tokens.gemma4,
        vllm=("gemma4",),
        sglang=("gemma4",),
        source="vLLM parser/gemma4.py",
        hints=("call:",),
        bare=True,
    ),
    Family(
        id="react",
        title="ReAct",
        extract=react,
        note="A prompt format: a gateway or a client wrote the tools into the prompt.",
        source="LangChain, ReAct agent prompt",
        hints=("Action",),
        bare=True,
    ),
    Family(
        id="labelled",
        title="Name under a label, arguments as JSON",
        extract=labelled,
        note="The model has no call format, or its chat template shows the tools in another format.",
        source="seen from small models without a tool template",
        hints=("{",),
        bare=True,
    ),
    Family(
        id="pythonic",
        title="Python call list",
        extract=pythonic,
        vllm=("pythonic", "llama4_pythonic", "olmo3"),
        sglang=("pythonic",),
        source="vLLM tool_parsers/pythonic_tool_parser.py",
        hints=("(",),
        bare=True,
    ),
    Family(
        id="named_tag",
        title="Tags named after the tool",
        extract=named_tag,
        note="A prompt format of coding agents; no server parses it.",
        source="Cline system prompt",
        hints=("</",),
        bare=True,
    ),
    Family(
        id="name_json",
        title="Name and JSON, tokens dropped",
        extract=name_json,
        vllm=("mistral", "deepseek_v31"),
        sglang=("mistral", "deepseekv31"),
        source="SGLang function_call/mistral_detector.py",
        hints=("{",),
        bare=True,
    ),
)
