"""Formats with calls as XML-like elements.

They differ only in how a call and a parameter open and close.  A ``Dialect`` holds these four patterns for one reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from checks.tools.markup.call_shapes import call_from, is_placeholder, shapes_in, typed
from checks.tools.markup.leak import MAX_CALLS, Arguments, Family, LeakedCall, calls_at
from checks.tools.markup.text_scan import Scan

_ATTR = r"""[ \t]{0,4}=[ \t]{0,4}(?P<q>["']?)(?P<name>[^"'<>\n]{1,128})(?P=q)[^<>\n]{0,80}>"""
_STRING_ATTR = re.compile(r'string\s{0,4}=\s{0,4}"?(true|false)')
_CDATA = re.compile(r"\s*<!\[CDATA\[(.*)\]\]>\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family writes a call: patterns with a group `name`, and literal closing tags.

    ``wrapper``: a literal that must precede the call (or None); ``wrapper_end`` ends its scope.
    """

    call: re.Pattern[str]
    call_end: str
    parameter: re.Pattern[str] | None
    parameter_end: str
    wrapper: str | None = None
    wrapper_end: str = ""
    json_body: bool = True


def element(tag: str) -> re.Pattern[str]:
    """A pattern for `<tag name="X">`, with the quotes and further attributes optional."""
    return re.compile(f"<{tag}[ \t\n]{{1,8}}name{_ATTR}")


def assigned(tag: str) -> re.Pattern[str]:
    """A pattern for `<tag=X>` (Qwen3-Coder, Seed-OSS)."""
    return re.compile(rf"""<{tag}\s{{0,4}}=\s{{0,4}}["']?(?P<name>[^"'<>\n]{{1,128}}?)["']?\s{{0,4}}>""")


def _value(scan: Scan, tool: str, opening: re.Match[str], raw: str) -> Any:
    key = opening.group("name").strip()
    if cdata := _CDATA.fullmatch(raw):
        return cdata.group(1)
    flag = _STRING_ATTR.search(opening.group())
    return typed(scan, tool, key, raw, None if flag is None else flag.group(1) == "true")


def _parameters(scan: Scan, dialect: Dialect, tool: str, start: int, end: int) -> tuple[dict[str, Any], bool]:
    """Parameters between two offsets, and whether the last one was closed."""
    values: dict[str, Any] = {}
    closed = True
    if dialect.parameter is None:
        return values, closed
    opening = dialect.parameter.search(scan.text, start, end)
    while opening is not None and len(values) < 256:
        following = dialect.parameter.search(scan.text, opening.end(), end)
        limit = following.start() if following else end
        stop = scan.find(dialect.parameter_end, opening.end())
        closed = 0 <= stop < limit
        if not closed:
            stop = limit
        raw = scan.text[opening.end() : stop]
        values[opening.group("name").strip()] = _value(scan, tool, opening, raw)
        opening = following
    return values, closed


def read_calls(scan: Scan, dialect: Dialect, start: int, end: int) -> list[LeakedCall]:
    """Read the calls of a dialect between two offsets."""
    calls: list[LeakedCall] = []
    opening = dialect.call.search(scan.text, start, end)
    while opening is not None and len(calls) < MAX_CALLS:
        following = dialect.call.search(scan.text, opening.end(), end)
        limit = following.start() if following else end
        stop = scan.find(dialect.call_end, opening.end())
        closed = 0 <= stop < limit
        if not closed:
            stop = limit
        written = opening.group("name").strip()
        name = scan.tools.resolve(written) or written
        arguments, whole = _body(scan, dialect, name, opening.end(), stop)
        at = scan.skip(opening.end())
        # `<function=NAME>{..}` belongs to another family: a body has elements or is empty.
        foreign = not arguments and at < stop and scan.text[at] != "<"
        if not (foreign or is_placeholder(name)) and (closed or arguments or scan.tools.resolve(name)):
            finish = stop + len(dialect.call_end) if closed else stop
            calls.append(LeakedCall(name, arguments, opening.start(), finish, closed and whole))
        opening = following
    return calls


def _body(scan: Scan, dialect: Dialect, tool: str, start: int, stop: int) -> tuple[Arguments, bool]:
    at = scan.skip(start)
    if dialect.json_body and at < stop and scan.text[at] == "{":
        read = scan.json_at(at)
        if read is not None and isinstance(read.value, dict):
            if read.complete and read.end <= stop:
                return read.value, True
            return scan.text[at:stop], False
    values, whole = _parameters(scan, dialect, tool, start, stop)
    return values, whole


def xml_calls(*dialects: Dialect) -> Callable[[Scan], list[LeakedCall]]:
    """An extractor for the dialects of a family: the first that finds a call with arguments, or else any call."""

    def extract(scan: Scan) -> list[LeakedCall]:
        without: list[LeakedCall] = []
        for dialect in dialects:
            if dialect.wrapper is None:
                calls = read_calls(scan, dialect, 0, len(scan.text))
            else:
                calls = _wrapped(scan, dialect)
            if any(call.arguments for call in calls):
                return calls
            without = without or calls
        return without

    return extract


def _wrapped(scan: Scan, dialect: Dialect) -> list[LeakedCall]:
    calls: list[LeakedCall] = []
    wrapper = dialect.wrapper or ""
    pos = scan.find(wrapper, 0)
    while pos >= 0 and len(calls) < MAX_CALLS:
        start = pos + len(wrapper)
        end = scan.find(dialect.wrapper_end, start) if dialect.wrapper_end else -1
        following = scan.find(wrapper, start)
        limit = min((p for p in (end, following) if p >= 0), default=len(scan.text))
        found = read_calls(scan, dialect, start, limit)
        if not found and dialect.json_body:
            found = _json_inside(scan, start, limit)
        calls += found
        pos = following
    return calls


def _json_inside(scan: Scan, start: int, limit: int) -> list[LeakedCall]:
    """`<wrapper>{"name": .., "arguments": ..}</wrapper>`, which some XML formats allow too."""
    at = scan.skip(start)
    if at >= limit or scan.text[at] not in "{[":
        return []
    read = scan.json_at(at)
    if read is None:
        return []
    return [call_from(s, scan, at, read.end, read) for s in shapes_in(read.value, scan.tools)]


_ARG_PAIR = re.compile(
    r"<(?P<ns>(?:ifm\|)?)arg_key(?P<sfx>(?::[\w\-]{1,32})?)>(?P<key>[^<]{0,256})</(?P=ns)arg_key(?P=sfx)>\s*"
    r"(?:<(?P=ns)arg_type(?P=sfx)>(?P<type>[^<]{0,64})</(?P=ns)arg_type(?P=sfx)>\s*)?"
    r"<(?P=ns)arg_value(?P=sfx)>"
)


def key_value_calls(opener: str, closer: str, separator: str = "") -> Callable[[Scan], list[LeakedCall]]:
    """An extractor for `<opener>NAME<arg_key>k</arg_key><arg_value>v</arg_value><closer>`.

    opener, closer, separator: regular expressions; the separator is between name and pairs (Hunyuan's `<tool_sep>`),
    where GLM has a newline or nothing (vLLM parser/glm47_moe.py).  Without any pair the name must be an offered one.
    """
    head = re.compile(rf"{opener}\s{{0,8}}(?P<name>[^\W\d][\w.\-/:]{{0,127}})\s{{0,8}}(?P<sep>{separator})")
    close = re.compile(closer)
    return lambda scan: calls_at(scan, head, lambda match: _pairs(scan, match, close, bool(separator)))


def _pairs(scan: Scan, head: re.Match[str], close: re.Pattern[str], separated: bool) -> LeakedCall | None:
    name = scan.tools.resolve(head.group("name")) or head.group("name")
    pos = scan.skip(head.end())
    values: dict[str, Any] = {}
    cut = False
    while not cut and len(values) < 256 and (pair := _ARG_PAIR.match(scan.text, pos)):
        tag = f"</{pair.group('ns')}arg_value{pair.group('sfx')}>"
        stop = scan.find(tag, pair.end())
        cut = stop < 0
        raw = scan.text[pair.end() :] if cut else scan.text[pair.end() : stop]
        key = pair.group("key").strip()
        is_text = pair.group("type") == "string" if pair.group("type") else None
        values[key] = typed(scan, name, key, raw, is_text)
        pos = len(scan.text) if cut else scan.skip(stop + len(tag))
    end = close.match(scan.text, pos)
    offered = scan.tools.resolve(name) is not None
    begun = scan.text.startswith(("<arg_key", "<ifm|arg_key"), pos)
    if is_placeholder(name) or not (values or (offered and (end or begun or separated or pos >= len(scan.text)))):
        return None
    return LeakedCall(name, values, head.start(), end.end() if end else pos, end is not None and not cut)


_M3 = "]<]minimax[>["
_M3_TAG = re.compile(r"\]<\]minimax\[>\[\s{0,4}<(?P<close>/?)(?P<tag>[^<>\s]{1,128})(?P<attr>[^<>]{0,200})>")
_M3_NAME = re.compile(r"""name\s{0,4}=\s{0,4}["']?([^"'<>\s]{1,128})""")


def minimax_m3(scan: Scan) -> list[LeakedCall]:
    """MiniMax M3's calls, with a special token before every tag.

    Parameters are elements named after the argument and may be nested; list items are `<item>` (vLLM
    parser/minimax_m3.py).
    """
    calls: list[LeakedCall] = []
    name = ""
    start = 0
    stack: list[tuple[str, dict[str, Any] | None, int]] = []
    values: dict[str, Any] = {}
    for match in _M3_TAG.finditer(scan.text):
        tag, closes = match.group("tag"), bool(match.group("close"))
        if tag == "invoke" and not closes:
            found = _M3_NAME.search(match.group("attr"))
            name, start, stack, values = (found.group(1) if found else ""), match.start(), [], {}
        elif tag == "invoke" and name:
            calls.append(LeakedCall(name, values, start, match.end(), not stack))
            name = ""
        elif name and not closes and len(stack) < 16:
            stack.append((tag, None, match.end()))
        elif name and closes and stack and stack[-1][0] == tag:
            _, children, begin = stack.pop()
            value: Any = children
            if children is None:
                value = typed(scan, name, tag, scan.text[begin : match.start()])
            elif set(children) == {"item"}:
                value = children["item"]
            if stack:
                parent, inside, begin = stack[-1]
                inside = {} if inside is None else inside
                if tag == "item":
                    inside.setdefault("item", []).append(value)
                else:
                    inside[tag] = value
                stack[-1] = (parent, inside, begin)
            else:
                values[tag] = value
        if len(calls) >= MAX_CALLS:
            break
    if name:
        calls.append(LeakedCall(name, values, start, len(scan.text), False))
    return [c for c in calls if not is_placeholder(c.name)]


#: The families below are ordered with the more specific wrapper first.
_QWEN = Dialect(assigned("function"), "</function>", assigned("parameter"), "</parameter>", json_body=False)


def _bars(kind: str, gap: str = "") -> tuple[Dialect, ...]:
    """DSML-like dialects: the same tags with the full-width bar, and with the ASCII bar."""
    return tuple(
        Dialect(
            element(f"{bar}{kind}{bar}{gap}invoke"),
            f"</{literal}{kind}{literal}{gap}invoke>",
            element(f"{bar}{kind}{bar}{gap}parameter"),
            f"</{literal}{kind}{literal}{gap}parameter>",
        )
        for bar, literal in (("｜", "｜"), (r"\|", "|"))
    )


def _tagged(call: str, wrapper: str | None, prefix: str = "") -> Dialect:
    """`<wrapper><prefix:invoke name=..><prefix:parameter name=..>`."""
    return Dialect(
        call=element(f"{prefix}{call}"),
        call_end=f"</{prefix}{call}>",
        parameter=element(f"{prefix}parameter"),
        parameter_end=f"</{prefix}parameter>",
        wrapper=f"<{wrapper}>" if wrapper else None,
        wrapper_end=f"</{wrapper}>" if wrapper else "",
    )


_XAI = Dialect(element("xai:function_call"), "</xai:function_call>", element("parameter"), "</parameter>")

XML: tuple[Family, ...] = (
    Family(
        id="muse",
        title="Muse ATEM elements",
        extract=xml_calls(_tagged("invoke", None, "atem:")),
        vllm=("muse", "muse_glimmer"),
        sglang=("muse",),
        source="vLLM tool_parsers/muse_glimmer_tool_parser.py",
        hints=("<atem:",),
    ),
    Family(
        id="gigachat35",
        title="GigaChat 3.5 GCML",
        extract=xml_calls(*_bars("GCML")),
        sglang=("gigachat35",),
        source="SGLang function_call/gigachat35_detector.py",
        hints=("GCML",),
    ),
    Family(
        id="deepseek_v41",
        title="DeepSeek V4.1 DSML (a blank before each tag name)",
        extract=xml_calls(*_bars("DSML", " ")),
        vllm=("deepseek_v41",),
        sglang=("deepseekv41",),
        source="vLLM parser/deepseek_v41.py",
        hints=("DSML｜ ", "DSML| "),
    ),
    Family(
        id="deepseek_v4",
        title="DeepSeek V4 DSML",
        extract=xml_calls(*_bars("DSML")),
        vllm=("deepseek_v4", "deepseek_v32"),
        sglang=("deepseekv4", "deepseekv32"),
        source="vLLM parser/deepseek_v4.py",
        hints=("DSML｜tool_calls", "DSML|tool_calls"),
    ),
    Family(
        id="deepseek_v32",
        title="DeepSeek V3.2 DSML",
        extract=xml_calls(*_bars("DSML")),
        vllm=("deepseek_v32", "deepseek_v4"),
        sglang=("deepseekv32", "deepseekv4"),
        source="vLLM parser/deepseek_v32.py",
        hints=("DSML",),
    ),
    Family(
        id="step3",
        title="Step3 steptml",
        extract=xml_calls(_tagged("invoke", None, "steptml:")),
        vllm=("step3",),
        sglang=("step3",),
        source="vLLM tool_parsers/step3_tool_parser.py",
        hints=("steptml:",),
    ),
    Family(
        id="minimax_m3",
        title="MiniMax M3 namespaced elements",
        extract=minimax_m3,
        vllm=("minimax_m3",),
        sglang=("minimax-m3",),
        source="vLLM parser/minimax_m3.py",
        hints=("]<]minimax[>[",),
    ),
    Family(
        id="minimax_m2",
        title="MiniMax M2 invoke elements",
        extract=xml_calls(_tagged("invoke", "minimax:tool_call")),
        vllm=("minimax_m2",),
        sglang=("minimax-m2",),
        source="vLLM tool_parsers/minimax_m2_tool_parser.py",
        hints=("minimax:tool_call",),
    ),
    Family(
        id="dots",
        title="dots invoke elements",
        extract=xml_calls(_tagged("invoke", "dots_function_call")),
        vllm=("dots",),
        sglang=("dots",),
        source="vLLM tool_parsers/dots_tool_parser.py",
        hints=("<dots_function_call>",),
    ),
    Family(
        id="seed_oss",
        title="Seed-OSS",
        extract=xml_calls(replace(_QWEN, wrapper="<seed:tool_call>", wrapper_end="</seed:tool_call>", json_body=True)),
        vllm=("seed_oss",),
        source="vLLM parser/seed_oss.py",
        hints=("<seed:tool_call>",),
    ),
    Family(
        id="iquest_q1",
        title="IQuest key and value elements",
        extract=key_value_calls("<iquest_tool_call>", "\\s*</iquest_tool_call>"),
        sglang=("iquest_q1",),
        source="SGLang function_call/iquest_q1_detector.py",
        hints=("<iquest_tool_call>",),
    ),
    Family(
        id="k2_horizon",
        title="K2 Horizon ifm elements",
        extract=key_value_calls("<ifm\\|tool_call>", "\\s*</ifm\\|tool_call>"),
        vllm=("k2_horizon",),
        sglang=("k2_horizon",),
        source="SGLang function_call/k2_v3_detector.py",
        hints=("<ifm|tool_call>",),
    ),
    Family(
        id="hy_v3",
        title="Hunyuan key and value elements",
        extract=key_value_calls(
            "<tool_call(?::[\\w\\-]{1,32})?>",
            "\\s*</tool_call(?::[\\w\\-]{1,32})?>",
            "<tool_sep(?::[\\w\\-]{1,32})?>",
        ),
        vllm=("hy_v3",),
        sglang=("hunyuan",),
        source="vLLM tool_parsers/hy_v3_tool_parser.py",
        hints=("<tool_sep",),
    ),
    Family(
        id="glm",
        title="GLM key and value elements",
        extract=key_value_calls("<tool_call(?::[\\w\\-]{1,32})?>", "\\s*</tool_call(?::[\\w\\-]{1,32})?>"),
        vllm=("hy_v4", "glm45", "glm47", "poolside_v1", "ling3"),
        sglang=("hunyuan", "glm45", "glm47", "poolside_v1", "ling3"),
        source="vLLM parser/glm47_moe.py",
        hints=("<tool_call",),
    ),
    Family(
        id="qwen3_coder",
        title="Qwen3-Coder function elements",
        extract=xml_calls(_QWEN),
        vllm=("qwen3_coder", "qwen3_xml", "mimo", "step3p5", "step5"),
        sglang=("qwen3_coder", "step3p5", "mimo", "nanbeige"),
        note="Also the markup of Qwen3.5 and Nemotron 3.",
        source="vLLM parser/qwen3.py",
        hints=("<function=", "<parameter="),
    ),
    Family(
        id="xai",
        title="xAI function_call elements",
        extract=xml_calls(_XAI, replace(_XAI, parameter=element("xai:parameter"), parameter_end="</xai:parameter>")),
        note="Grok writes it.",
        source="seen from Grok behind gateways",
        hints=("<xai:function_call",),
    ),
    Family(
        id="anthropic",
        title="Anthropic-like invoke elements",
        extract=xml_calls(_tagged("invoke", None), _tagged("invoke", None, "antml:")),
        vllm=("minimax_m2",),
        note="Where DeepSeek or MiniMax runs, its own tokens were dropped: use that model's parser.",
        source="Anthropic docs, tool use prompt format",
        hints=("invoke",),
    ),
    Family(
        id="minicpm5",
        title="MiniCPM5 function elements",
        extract=xml_calls(Dialect(element("function"), "</function>", element("param"), "</param>")),
        vllm=("minicpm5",),
        sglang=("minicpm5",),
        source="SGLang function_call/minicpm5_detector.py",
        hints=("<function name",),
    ),
)
