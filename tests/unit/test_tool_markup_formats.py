"""Calls generated in every format, with text around them, are recognised by family, name and arguments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.tools.markup import FAMILIES, find_calls

NAMES = ("get_weather", "lookup-stock", "fs.read_file", "Search", "send2")
BAR, GAP = "\uff5c", "\u2581"
NS = "]<]minimax[>["

quick = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), include_characters="\n\t"), max_size=24)
scalars = st.one_of(texts, st.integers(-(10**9), 10**9), st.booleans(), st.none())
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=6)
keys = st.sampled_from(["city", "days", "query", "unit", "from_date"])
arguments = st.dictionaries(keys, values, min_size=1, max_size=4)
# What can stand between tags or Gemma's quotes without being taken for the end of it.
plain = st.text(
    st.characters(categories=("L", "N", "Zs"), include_characters=".,;:!?'\"(){}#&+-"), min_size=1, max_size=24
)
texts_only = st.dictionaries(keys, plain.map(str.strip).filter(bool), min_size=1, max_size=4)

WORDS = (
    "the weather in Paris is fine today and I would say that you can take a walk along the river, although "
    "it may rain later; let me know if you need anything else, for example the time or a map of the city. "
    "Sure! Of course. Well (as I said) it's 20 degrees: not bad, isn't it? tool call function name search JSON"
).split()
prose = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def named(name: str, args: dict[str, Any], key: str = "arguments") -> str:
    return dump({"name": name, key: args})


def tag(before: str, after: str, key: str = "arguments") -> Callable[[str, dict[str, Any]], str]:
    return lambda name, args: before + named(name, args, key) + after


def deepseek_v3(name: str, args: dict[str, Any]) -> str:
    head = f"<{BAR}tool{GAP}calls{GAP}begin{BAR}><{BAR}tool{GAP}call{GAP}begin{BAR}>function<{BAR}tool{GAP}sep{BAR}>"
    return f"{head}{name}\n```json\n{dump(args)}\n```<{BAR}tool{GAP}call{GAP}end{BAR}>"


JSON_FORMATS: dict[str, list[Callable[[str, dict[str, Any]], str]]] = {
    "hermes": [tag("<tool_call>\n", "\n</tool_call>"), tag("<tool_call>", "</tool_call>", "parameters")],
    "mistral": [
        tag("[TOOL_CALLS][", "]"),
        lambda n, a: f"[TOOL_CALLS]{n}[ARGS]{dump(a)}",
        lambda n, a: f"[TOOL_CALLS]{n}{dump(a)}",
        lambda n, a: f"[TOOL_CALLS]{n}[CALL_ID]a1b2c3d4e[ARGS]{dump(a)}",
    ],
    "llama3_json": [tag("<|python_tag|>", "", "parameters"), tag("<|python_tag|>", "<|eom_id|>")],
    "granite": [tag("<|tool_call|>[", "]"), tag("<tool_call>[", "]")],
    "granite_20b_fc": [tag("<function_call> ", "")],
    "jamba": [tag("<tool_calls>[", "]</tool_calls>")],
    "minimax_m1": [tag("<tool_calls>\n", "\n</tool_calls>")],
    "internlm": [tag("<|action_start|><|plugin|>\n", "<|action_end|>", "parameters")],
    "phi4_mini_json": [tag("functools[", "]")],
    "longcat": [tag("<longcat_tool_call>", "</longcat_tool_call>")],
    "lmstudio": [tag("[TOOL_REQUEST]", "[END_TOOL_REQUEST]")],
    "nemotron_toolcall": [tag("<TOOLCALL>[", "]</TOOLCALL>")],
    "gigachat3": [tag("function call<|role_sep|>\n", ""), tag("<|function_call|>", "</s>")],
    "inkling": [tag("<|content_invoke_tool_json|>", "<|end_message|>", "args")],
    "lfm2": [tag("<|tool_call_start|>[", "]<|tool_call_end|>")],
    "apertus": [lambda n, a: f"<|tools_prefix|>[{dump({n: a})}]<|tools_suffix|>"],
    "cohere_command": [
        lambda n, a: f"<|START_ACTION|>[{dump({'tool_call_id': '0', 'tool_name': n, 'parameters': a})}]<|END_ACTION|>"
    ],
    "deepseek_v3": [deepseek_v3],
    "deepseek_v31": [
        lambda n, a: (
            f"<{BAR}tool{GAP}call{GAP}begin{BAR}>{n}<{BAR}tool{GAP}sep{BAR}>{dump(a)}<{BAR}tool{GAP}call{GAP}end{BAR}>"
        )
    ],
    "deepseek_v32": [
        lambda n, a: (
            f'<{BAR}DSML{BAR}function_calls>\n<{BAR}DSML{BAR}invoke name="{n}">\n{dump(a)}\n'
            f"</{BAR}DSML{BAR}invoke>\n</{BAR}DSML{BAR}function_calls>"
        )
    ],
    "kimi_k2": [
        lambda n, a: f"<|tool_call_begin|>functions.{n}:0<|tool_call_argument_begin|>{dump(a)}<|tool_call_end|>",
        lambda n, a: f"functions.{n}:3{dump(a)}",
    ],
    "harmony": [
        lambda n, a: f"<|channel|>commentary to=functions.{n} <|constrain|>json<|message|>{dump(a)}<|call|>",
        lambda n, a: f"<|start|>assistant to=functions.{n}<|channel|>commentary json<|message|>{dump(a)}",
        lambda n, a: f"commentary to=functions.{n} json{dump(a)}",
    ],
    "solar_open": [
        lambda n, a: f"<|tool_call:begin|>x1<|tool_call:name|>{n}<|tool_call:args|>{dump(a)}<|tool_call:end|>"
    ],
    "plamo3": [
        lambda n, a: (
            f"<|plamo:begin_tool_name:plamo|>{n}<|plamo:end_tool_name:plamo|>"
            f"<|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>{dump(a)}"
        )
    ],
    "xai": [
        lambda n, a: f'<xai:function_call name="{n}">{dump(a)}</xai:function_call>',
        tag("<xai:function_call>", "</xai:function_call>"),
    ],
    "functionary": [lambda n, a: f"\n>>>{n}\n{dump(a)}"],
    "function_tag": [lambda n, a: f"<function={n}>{dump(a)}</function>"],
    "qwen_agent": [lambda n, a: f"✿FUNCTION✿: {n}\n✿ARGS✿: {dump(a)}"],
    "react": [lambda n, a: f"\nAction: {n}\nAction Input: {dump(a)}"],
}


def elements(args: dict[str, str], opening: str, closing: str) -> str:
    return "".join(opening.replace("K", key) + value + closing for key, value in args.items())


def invoked(before: str, after: str, prefix: str = "") -> Callable[[str, dict[str, str]], str]:
    def write(name: str, args: dict[str, str]) -> str:
        inside = elements(args, f'<{prefix}parameter name="K">', f"</{prefix}parameter>")
        return f'{before}<{prefix}invoke name="{name}">{inside}</{prefix}invoke>{after}'

    return write


def pairs(before: str, after: str, sep: str = "") -> Callable[[str, dict[str, str]], str]:
    return lambda n, a: before + n + sep + elements(a, "<arg_key>K</arg_key><arg_value>", "</arg_value>") + after


TEXT_FORMATS: dict[str, Callable[[str, dict[str, str]], str]] = {
    "beam": lambda n, a: (
        f" to={n}<|channel|>analysis <|constrain|>xml<|message|>"
        + elements(a, '<rfl:parameter name="K">\n', "\n</rfl:parameter>")
        + "<|call|>"
    ),
    "qwen3_coder": lambda n, a: (
        f"<tool_call>\n<function={n}>\n"
        + elements(a, "<parameter=K>\n", "\n</parameter>\n")
        + "</function>\n</tool_call>"
    ),
    "seed_oss": lambda n, a: (
        f"<seed:tool_call><function={n}>"
        + elements(a, "<parameter=K>", "</parameter>")
        + "</function></seed:tool_call>"
    ),
    "glm": pairs("<tool_call>", "</tool_call>"),
    "hy_v3": pairs("<tool_calls><tool_call>", "</tool_call></tool_calls>", "<tool_sep>"),
    "iquest_q1": pairs("<iquest_tool_call>", "</iquest_tool_call>"),
    "minimax_m2": invoked("<minimax:tool_call>", "</minimax:tool_call>"),
    "dots": invoked("<dots_function_call>", "</dots_function_call>"),
    "step3": invoked("<\uff5ctool_calls_begin\uff5c>function<\uff5ctool_sep\uff5c>", "", "steptml:"),
    "anthropic": invoked("<function_calls>", "</function_calls>"),
    "muse": invoked("<atem:function_calls>", "</atem:function_calls>", "atem:"),
    "minicpm5": lambda n, a: f'<function name="{n}">' + elements(a, '<param name="K">', "</param>") + "</function>",
    "minimax_m3": lambda n, a: (
        f'{NS}<tool_call>{NS}<invoke name="{n}">'
        + "".join(f"{NS}<{k}>{v}{NS}</{k}>" for k, v in a.items())
        + f"{NS}</invoke>{NS}</tool_call>"
    ),
    "kimi_k3": lambda n, a: (
        f'<|open|>tools<|sep|><|open|>call tool="{n}" index="1"<|sep|>'
        + elements(a, '<|open|>argument key="K" type="string"<|sep|>', "<|close|>argument<|sep|>")
        + "<|close|>call<|sep|><|close|>tools<|sep|>"
    ),
    "gemma4": lambda n, a: (
        f"<|tool_call>call:{n}{{" + ",".join(f'{k}:<|"|>{v}<|"|>' for k, v in a.items()) + "}<tool_call|>"
    ),
    "functiongemma": lambda n, a: (
        f"<start_function_call>call:{n}{{"
        + ",".join(f"{k}:<escape>{v}<escape>" for k, v in a.items())
        + "}<end_function_call>"
    ),
    "k2_horizon": lambda n, a: (
        f"<ifm|tool_call>{n}"
        + elements(a, "<ifm|arg_key>K</ifm|arg_key><ifm|arg_value>", "</ifm|arg_value>")
        + "</ifm|tool_call>"
    ),
    "deepseek_v4": lambda n, a: (
        f'<{BAR}DSML{BAR}tool_calls><{BAR}DSML{BAR}invoke name="{n}">'
        + elements(a, f'<{BAR}DSML{BAR}parameter name="K" string="true">', f"</{BAR}DSML{BAR}parameter>")
        + f"</{BAR}DSML{BAR}invoke></{BAR}DSML{BAR}tool_calls>"
    ),
    "deepseek_v41": lambda n, a: (
        f'<{BAR}DSML{BAR} calls><{BAR}DSML{BAR} invoke name="{n}">'
        + elements(a, f'<{BAR}DSML{BAR} parameter name="K" string="true">', f"</{BAR}DSML{BAR} parameter>")
        + f"</{BAR}DSML{BAR} invoke></{BAR}DSML{BAR} calls>"
    ),
    "gigachat35": lambda n, a: (
        f'<{BAR}GCML{BAR}tool_calls><{BAR}GCML{BAR}invoke name="{n}">'
        + elements(a, f'<{BAR}GCML{BAR}parameter name="K" string="true">', f"</{BAR}GCML{BAR}parameter>")
        + f"</{BAR}GCML{BAR}invoke></{BAR}GCML{BAR}tool_calls>"
    ),
}

PYTHON_FORMATS: dict[str, Callable[[str], str]] = {
    "pythonic": lambda call: f"\n[{call}]\n",
    "llama4_pythonic": lambda call: f"<|python_start|>[{call}]<|python_end|>",
    "olmo3": lambda call: f"<function_calls>\n{call}\n</function_calls>",
    "lfm2": lambda call: f"<|tool_call_start|>[{call}]<|tool_call_end|>",
    "llama3_json": lambda call: f"<|python_tag|>{call}",
    "tool_code": lambda call: f"\n```tool_code\n{call}\n```\n",
}

# Read from their own cases in the corpus: they need a schema, or stand for tokens that are gone.
IN_CORPUS_ONLY = {"named_tag", "labelled", "name_json"}


def schema_of(args: dict[str, Any]) -> dict[str, Any]:
    properties = {key: {"type": "string"} for key, value in args.items() if isinstance(value, str)}
    return {"type": "object", "properties": properties}


def test_every_family_has_a_generated_format() -> None:
    generated = set(JSON_FORMATS) | set(TEXT_FORMATS) | set(PYTHON_FORMATS) | IN_CORPUS_ONLY
    assert {family.id for family in FAMILIES} <= generated


@pytest.mark.parametrize("family", JSON_FORMATS)
@given(name=st.sampled_from(NAMES), args=arguments, before=prose, after=prose, data=st.data())
@quick
def test_json_formats(
    family: str, name: str, args: dict[str, Any], before: str, after: str, data: st.DataObject
) -> None:
    write = data.draw(st.sampled_from(JSON_FORMATS[family]))
    leak = find_calls(f"{before}\n{write(name, args)}\n{after}", NAMES)
    assert leak is not None and leak.family == family and leak.kind == "marker"
    assert [(call.name, call.arguments, call.complete) for call in leak.calls] == [(name, args, True)]


@pytest.mark.parametrize("family", TEXT_FORMATS)
@given(name=st.sampled_from(NAMES), args=texts_only, before=prose, after=prose)
@quick
def test_text_formats(family: str, name: str, args: dict[str, str], before: str, after: str) -> None:
    tools = [{"name": name, "parameters": schema_of(args)}]
    leak = find_calls(f"{before}\n{TEXT_FORMATS[family](name, args)}\n{after}", tools)
    assert leak is not None and leak.family == family
    assert [(call.name, call.arguments, call.complete) for call in leak.calls] == [(name, args, True)]


@pytest.mark.parametrize("family", PYTHON_FORMATS)
@given(args=arguments, before=prose)
@quick
def test_python_formats(family: str, args: dict[str, Any], before: str) -> None:
    call = "get_weather(" + ", ".join(f"{key}={value!r}" for key, value in args.items()) + ")"
    leak = find_calls(before + PYTHON_FORMATS[family](call), NAMES)
    assert leak is not None and leak.family == family
    assert [c.name for c in leak.calls] == ["get_weather"] and leak.calls[0].complete


@given(name=st.sampled_from(NAMES), args=arguments, before=prose, after=prose, fence=st.booleans(), data=st.data())
@settings(quick, max_examples=60)
def test_bare_json(name: str, args: dict[str, Any], before: str, after: str, fence: bool, data: st.DataObject) -> None:
    shapes: list[Any] = [
        {"name": name, "arguments": args},
        {"name": name, "parameters": args},
        {"type": "function", "function": {"name": name, "arguments": dump(args)}},
        {"tool_calls": [{"name": name, "arguments": args}]},
        {"tool": name, "tool_input": args},
        [{"name": name, "args": args}],
    ]
    shape = data.draw(st.sampled_from(shapes))
    body = json.dumps(shape, ensure_ascii=False, indent=data.draw(st.sampled_from([None, 2])))
    text = f"{before}\n```json\n{body}\n```\n{after}" if fence else f"{before}\n{body}\n{after}"
    leak = find_calls(text, NAMES)
    # A value that is the name of a type reads as the description of a parameter.
    described = all(
        isinstance(v, str) and (v.strip().lower() in TYPE_WORDS or v.startswith("<")) for v in args.values()
    )
    if described:
        return
    assert leak is not None and leak.kind == ("fenced-json" if fence else "json")
    assert [call.name for call in leak.calls] == [name]


TYPE_WORDS = {"string", "str", "number", "integer", "int", "float", "bool", "any", "list", "dict", "null", "..."}


@given(args=arguments, cut=st.integers(1, 60), family=st.sampled_from(sorted(JSON_FORMATS)))
@settings(quick, max_examples=60)
def test_a_cut_call_is_never_called_complete(args: dict[str, Any], cut: int, family: str) -> None:
    whole = JSON_FORMATS[family][0]("get_weather", args)
    closers = len(whole) - whole.rfind("}") - 1
    leak = find_calls(whole[: max(1, len(whole) - closers - cut)], NAMES)
    assert leak is None or leak.partial
