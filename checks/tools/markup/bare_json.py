"""Notations without a marker of their own: they count only where they name an offered tool."""

from __future__ import annotations

import re

from checks.tools.markup import special_tokens
from checks.tools.markup.call_shapes import call_list, typed
from checks.tools.markup.leak import Family, LeakedCall
from checks.tools.markup.special_tokens import object_at
from checks.tools.markup.text_scan import MAX_CALLS, Scan

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
    """`[get_weather(city="Paris")]` on lines of its own (vLLM tool_parsers/pythonic_tool_parser.py).

    Or the calls stand in a pair of tags, or the whole visible text is nothing but calls, with the
    brackets lost. Inside a fence only if it is all that the fence holds: a list in the middle of a
    program is code.
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
    """Whether the list is followed by nothing, a new line or a token, not by more of an expression."""
    rest = scan.text[end : end + 40].lstrip(" \t")
    return not rest or rest[0] in "\n\r<"


def _headed(scan: Scan, head: re.Pattern[str], plain: bool = False) -> list[LeakedCall]:
    """Calls whose head names an offered tool; plain: a line of text may stand for the arguments."""
    calls: list[LeakedCall] = []
    match = head.search(scan.text)
    while match is not None and len(calls) < MAX_CALLS:
        name = scan.tools.resolve(match.group("name"))
        end = match.end()
        found = object_at(scan, end) if name else None
        if name and found is not None and (found[0] is not None or plain):
            arguments, end, whole = found
            calls.append(LeakedCall(name, arguments, match.start(), end, whole))
        elif name and plain:
            stop = scan.text.find("\n", end)
            stop = len(scan.text) if stop < 0 else stop
            calls.append(LeakedCall(name, scan.text[end:stop].strip(), match.start(), stop, True))
            end = stop
        match = head.search(scan.text, max(end, match.end()))
    return calls


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
    """What weak models make of a prompt with tools: the name under a label, or in an attribute.

    `Tool: NAME` and `Arguments: {..}` on two lines, `<tool name="NAME">{..}`, or a line that holds
    nothing but `NAME({..})` or `NAME: {..}`. The object must fit the tool's schema, and on a line of
    its own the call must end the line, so that a sentence which plans a call is none.
    """
    for head in (_LABELLED, _NAMED_ELEMENT, _OWN_LINE):
        calls = [c for c in _headed(scan, head) if c.complete and _could_be(scan, c, head is not _OWN_LINE)]
        if head is _OWN_LINE:
            calls = [c for c in calls if _LINE_END.match(scan.text, c.end) and not _set_apart(scan, c)]
        if calls:
            return calls
    return []


def _could_be(scan: Scan, call: LeakedCall, sure: bool) -> bool:
    """Whether the arguments fit; sure: a label vouches for the call of a tool whose schema is not known."""
    unknown = scan.tools.schemas.get(call.name) is None
    return scan.tools.fits(call.name, call.arguments) or (sure and unknown and isinstance(call.arguments, dict))


def _set_apart(scan: Scan, call: LeakedCall) -> bool:
    return scan.fence_at(call.start) is not None or scan.in_reasoning(call.start)


def qwen_agent(scan: Scan) -> list[LeakedCall]:
    """`✿FUNCTION✿: NAME` and `✿ARGS✿: {..}` (QwenLM/Qwen-Agent, qwen_fncall_prompt.py)."""
    return _headed(scan, _QWEN_AGENT)


def name_json(scan: Scan) -> list[LeakedCall]:
    """An offered name directly before a JSON object: what is left when special tokens are dropped.

    `get_weather{"city": "Paris"}` may have been Mistral's or DeepSeek V3.1's; on two lines it is
    GLM-4's or Functionary's own notation. Up to three tokens that are not known may stand
    between, so that a format newer than this table is still seen. The object must be what fits
    the tool, or stand at the start of a line: `search {` is also how a program looks.
    """
    calls: list[LeakedCall] = []
    match = _NAME_JSON.search(scan.text)
    while match is not None and len(calls) < MAX_CALLS:
        end = match.end()
        call = _name_json_call(scan, match)
        if call is not None:
            calls.append(call)
            end = call.end
        match = _NAME_JSON.search(scan.text, max(end, match.end()))
    return calls


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
    # Off the schema, or the schema is not known: `get_weather {"temp": 21}` may be a result.
    glued = not match.group("gap")
    known = set(read.value) & set(scan.tools.properties(name))
    unknown = scan.tools.schemas.get(name) is None
    alone = not scan.text[read.end :].strip()
    if not leads or not (known or (read.value and (glued or unknown)) or (not read.value and alone)):
        return None
    return LeakedCall(name, read.value, match.start(), read.end, True)


def named_tag(scan: Scan) -> list[LeakedCall]:
    """`<get_weather><city>Paris</city></get_weather>`: tags named after the tool and its arguments.

    The notation that Cline and Roo Code teach in their prompts. Every child must be an argument
    of the tool's schema, and the required ones must be there.
    """
    calls: list[LeakedCall] = []
    match = _NAMED_TAG.search(scan.text)
    while match is not None and len(calls) < MAX_CALLS:
        name = scan.tools.resolve(match.group("name"))
        if name is not None:
            stop = scan.find(f"</{match.group('name')}>", match.end())
            call = _children(scan, name, match, stop) if stop >= 0 else None
            if call is not None:
                calls.append(call)
        match = _NAMED_TAG.search(scan.text, match.end())
    return calls


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


# Notations without a marker of their own, and what special tokens leave when they are dropped. -----

BARE: tuple[Family, ...] = (
    Family(
        id="qwen_agent",
        title="Qwen-Agent prompt format",
        extract=qwen_agent,
        vllm=(),
        sglang=(),
        note=("A prompt format of Qwen-Agent; a server that uses the model's own chat template gets hermes markup."),
        source="QwenLM/Qwen-Agent",
        hints=("✿FUNCTION✿",),
    ),
    Family(
        id="function_tag",
        title="Llama 3.1 custom function tags",
        extract=function_tag,
        vllm=(),
        sglang=(),
        note=(
            "llama.cpp reads it with --jinja (Functionary 3.1); vLLM's llama templates ask for JSON "
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
        vllm=(),
        sglang=(),
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
        note="",
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
        note="",
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
        note="",
        source="vLLM parser/gemma4.py",
        hints=("call:",),
        bare=True,
    ),
    Family(
        id="react",
        title="ReAct",
        extract=react,
        vllm=(),
        sglang=(),
        note=(
            "A prompt format, not a chat template's: the tools were written into the prompt by a gateway or a client."
        ),
        source="LangChain, ReAct agent prompt",
        hints=("Action",),
        bare=True,
    ),
    Family(
        id="labelled",
        title="Name under a label, arguments as JSON",
        extract=labelled,
        vllm=(),
        sglang=(),
        note=(
            "The model knows no call format, or its chat template does not show the tools in the format it was taught."
        ),
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
        note="",
        source="vLLM tool_parsers/pythonic_tool_parser.py",
        hints=("(",),
        bare=True,
    ),
    Family(
        id="named_tag",
        title="Tags named after the tool",
        extract=named_tag,
        vllm=(),
        sglang=(),
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
        note="",
        source="SGLang function_call/mistral_detector.py",
        hints=("{",),
        bare=True,
    ),
)
