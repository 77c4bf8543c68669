"""How models write tool calls when no parser reads them: one entry a format.

The formats are those that the parsers of vLLM (vllm/tool_parsers) and SGLang (function_call) read, LM Studio's default
format, and harmony (openai/harmony).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

Calls = Sequence[tuple[str, dict[str, Any]]]
"""(tool name, arguments) of every call."""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _quoted(mark: str) -> Callable[[Any], str]:
    return lambda value: f"{mark}{value}{mark}" if isinstance(value, str) else _json(value)


@dataclass(frozen=True, slots=True)
class Format:
    """The markup of one family of models. In the templates `$name` and the like are replaced.

    whole      around all calls: `$calls`, joined by `between`
    call       one call: `$name`, `$place` (from 0), `$number` (from 1), `$json` (the arguments as a JSON object),
               `$object` (name and arguments as one JSON object), `$python` (a Python call), `$fields`
    field      one argument: `$key`, `$value`, `$string` (whether it is one: true or false), `$type` (string or object);
               joined by `field_between`, in the order of the keys where `ordered`
    value      how an argument's value is written
    arguments  the key of the arguments in `$object`
    lost       pieces that are then removed: special tokens of a server that decodes without them
    """

    call: str
    whole: str = "$calls"
    between: str = ""
    field: str = ""
    field_between: str = ""
    value: Callable[[Any], str] = _text
    arguments: str = "arguments"
    ordered: bool = False
    lost: tuple[str, ...] = ()

    def write(self, calls: Calls) -> str:
        """The calls in this markup."""
        written = [self._call(place, name, given) for place, (name, given) in enumerate(calls)]
        text = self.whole.replace("$calls", self.between.join(written))
        for piece in self.lost:
            text = text.replace(piece, "")
        return text

    def _call(self, place: int, name: str, given: dict[str, Any]) -> str:
        fields = (
            _filled(
                self.field,
                key=key,
                value=self.value(value),
                string=str(isinstance(value, str)).lower(),
                type="string" if isinstance(value, str) else "object",
            )
            for key, value in (sorted(given.items()) if self.ordered else given.items())
        )
        return _filled(
            self.call,
            name=name,
            place=str(place),
            number=str(place + 1),
            json=_json(given),
            object=_json({"name": name, self.arguments: given}),
            python=f"{name}({', '.join(f'{key}={value!r}' for key, value in given.items())})",
            fields=self.field_between.join(fields),
        )


def _filled(template: str, **values: str) -> str:
    """The template with its placeholders replaced; what is put in is not searched again."""
    pieces = template.split("$")
    made = [pieces[0]]
    for piece in pieces[1:]:
        name = next(name for name in values if piece.startswith(name))
        made.append(values[name] + piece[len(name) :])
    return "".join(made)


def _invoke(whole: str) -> Format:
    return Format(
        '<invoke name="$name">\n$fields</invoke>\n', whole, field='<parameter name="$key">$value</parameter>\n'
    )


def _dsml(outer: str, blank: str = "") -> Format:
    """DeepSeek's tags; `blank` comes before the name of each."""
    return Format(
        f'<｜DSML｜{blank}invoke name="$name">\n$fields</｜DSML｜{blank}invoke>\n',
        f"<｜DSML｜{blank}{outer}>\n$calls</｜DSML｜{blank}{outer}>",
        field=f'<｜DSML｜{blank}parameter name="$key" string="$string">$value</｜DSML｜{blank}parameter>\n',
    )


def _array(before: str, after: str = "") -> Format:
    return Format("$object", f"{before}[$calls]{after}", ", ")


_M3 = "]<]minimax[>["
_PLAMO_REQUEST = (
    "<|plamo:begin_tool_request:plamo|><|plamo:begin_tool_name:plamo|>$name<|plamo:end_tool_name:plamo|>"
    "<|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>$json"
    "<|plamo:end_tool_arguments:plamo|><|plamo:end_tool_request:plamo|>"
)

FORMATS: dict[str, Format] = {
    # Nous Hermes, Qwen 2.5
    "hermes": Format("<tool_call>\n$object\n</tool_call>", between="\n"),
    "mistral": _array("[TOOL_CALLS]"),
    # Mistral's newer form, with the name outside the JSON
    "mistral-args": Format("[TOOL_CALLS]$name[ARGS]$json"),
    # Llama 3.1
    "llama3-json": Format("$object", "<|python_tag|>$calls", "; ", arguments="parameters"),
    # Llama 3.2 and others: a Python list of calls
    "pythonic": Format("$python", "[$calls]", ", "),
    "llama4-pythonic": Format("$python", "<|python_start|>[$calls]<|python_end|>", ", "),
    "olmo3": Format("$python", "<function_calls>$calls</function_calls>", "\n"),
    # Liquid
    "lfm2": Format("$python", "<|tool_call_start|>[$calls]<|tool_call_end|>", ", "),
    "qwen3-coder": Format(
        "<tool_call>\n<function=$name>\n$fields</function>\n</tool_call>",
        between="\n",
        field="<parameter=$key>\n$value\n</parameter>\n",
    ),
    # GLM 4.5 and later
    "glm": Format(
        "<tool_call>$name\n$fields</tool_call>",
        between="\n",
        field="<arg_key>$key</arg_key>\n<arg_value>$value</arg_value>\n",
    ),
    # DeepSeek V3 and R1
    "deepseek-v3": Format(
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>$name\n```json\n$json\n```<｜tool▁call▁end｜>",
        "<｜tool▁calls▁begin｜>$calls<｜tool▁calls▁end｜>",
        "\n",
    ),
    "deepseek-v31": Format(
        "<｜tool▁call▁begin｜>$name<｜tool▁sep｜>$json<｜tool▁call▁end｜>",
        "<｜tool▁calls▁begin｜>$calls<｜tool▁calls▁end｜>",
    ),
    "deepseek-v32": _dsml("function_calls"),
    "deepseek-v4": _dsml("tool_calls"),
    "deepseek-v41": _dsml("calls", " "),
    "kimi-k2": Format(
        "<|tool_call_begin|>functions.$name:$place<|tool_call_argument_begin|>$json<|tool_call_end|>",
        "<|tool_calls_section_begin|>$calls<|tool_calls_section_end|>",
    ),
    "kimi-k3": Format(
        '<|open|>call tool="$name" index="$number"<|sep|>$fields<|close|>call<|sep|>',
        "<|open|>tools<|sep|>$calls<|close|>tools<|sep|>",
        field='<|open|>argument key="$key" type="$type"<|sep|>$value<|close|>argument<|sep|>',
    ),
    # MiniMax M2
    "minimax": _invoke("<minimax:tool_call>\n$calls</minimax:tool_call>"),
    # A token before every tag, and elements named after the arguments
    "minimax-m3": Format(
        f'{_M3}<invoke name="$name">\n$fields{_M3}</invoke>\n',
        f"{_M3}<tool_call>\n$calls{_M3}</tool_call>",
        field=f"{_M3}<$key>$value{_M3}</$key>\n",
    ),
    # gpt-oss
    "harmony": Format("<|channel|>commentary to=functions.$name <|constrain|>json<|message|>$json<|call|>"),
    # Granite 3.0, 3.1 and 20B function calling
    "granite": _array("<|tool_call|>"),
    "granite31": _array("<tool_call>"),
    "granite-20b-fc": Format("<function_call> $object", between="\n"),
    # Jamba, Hunyuan A13B
    "jamba": _array("<tool_calls>", "</tool_calls>"),
    # InternLM 2
    "internlm": Format("<|action_start|><|plugin|>\n$object<|action_end|>", arguments="parameters"),
    # Phi-4 mini
    "phi": _array("functools"),
    "gemma4": Format(
        "<|tool_call>call:$name{$fields}<tool_call|>", field="$key:$value", field_between=",", value=_quoted('<|"|>')
    ),
    "functiongemma": Format(
        "<start_function_call>call:$name{$fields}<end_function_call>",
        field="$key:$value",
        field_between=",",
        value=_quoted("<escape>"),
    ),
    # Seed-OSS
    "seed": Format(
        "<seed:tool_call>\n<function=$name>\n$fields</function>\n</seed:tool_call>",
        between="\n",
        field="<parameter=$key>$value</parameter>\n",
    ),
    "longcat": Format("<longcat_tool_call>\n$object\n</longcat_tool_call>", between="\n"),
    "step3": Format(
        '<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="$name">$fields</steptml:invoke>'
        "<｜tool_call_end｜>",
        "<｜tool_calls_begin｜>$calls<｜tool_calls_end｜>",
        field='<steptml:parameter name="$key">$value</steptml:parameter>',
    ),
    # The name is the key
    "apertus": Format('{"$name": $json}', "<|tools_prefix|>[$calls]<|tools_suffix|>", ", "),
    # Command R7B and later
    "cohere": Format(
        '{"tool_call_id": "$place", "tool_name": "$name", "parameters": $json}',
        "<|START_ACTION|>[$calls]<|END_ACTION|>",
        ", ",
    ),
    "gigachat": Format("<|role_sep|>\n<|function_call|>$object"),
    # dots.llm
    "dots": _invoke("<dots_function_call>\n$calls</dots_function_call>"),
    # LM Studio's default for models without tool support of their own
    "lmstudio": Format("[TOOL_REQUEST]$object[END_TOOL_REQUEST]"),
    # Functionary 3.1
    "functionary": Format("<function=$name>$json</function>"),
    # GLM 4.7 and later: nothing between the tags
    "glm47": Format(
        "<tool_call>$name$fields</tool_call>", field="<arg_key>$key</arg_key><arg_value>$value</arg_value>"
    ),
    # Hunyuan V3
    "hunyuan": Format(
        "<tool_call>$name<tool_sep>\n$fields</tool_call>",
        "<tool_calls>\n$calls\n</tool_calls>",
        "\n",
        field="<arg_key>$key</arg_key>\n<arg_value>$value</arg_value>\n",
    ),
    # Mistral's newer form by a chat template without `[ARGS]`
    "mistral-name": Format("[TOOL_CALLS]$name$json"),
    "plamo3": Format(_PLAMO_REQUEST, "<|plamo:begin_tool_requests:plamo|>$calls<|plamo:end_tool_requests:plamo|>"),
    "beam": Format(
        " to=$name<|channel|>analysis <|constrain|>xml<|message|>$fields",
        "$calls<|call|>",
        "<|end|><|start|>assistant",
        field='<rfl:parameter name="$key">\n$value\n</rfl:parameter>',
        ordered=True,
    ),
    # Gemma 3
    "tool-code": Format("print($python)", "```tool_code\n$calls\n```", "\n"),
    # Gemini, where the call is left as the code that it writes
    "default-api": Format("print(default_api.$python)", between="\n"),
    # Llama 4 and others that write a sentence around the call
    "python-in-a-sentence": Format("$python", "I will look that up: [$calls] and then tell you.", ", "),
    # Models that follow an agent's prompt, with either label
    "action": Format("Thought: I need a tool.\nAction: $python", between="\n"),
    "call-line": Format("Call: $name($json)", between="\n"),
    # Grok
    "xai": Format(
        '<xai:function_call name="$name">\n$fields</xai:function_call>',
        between="\n",
        field='<parameter name="$key">$value</parameter>\n',
    ),
    "kimi-k2-tokens-lost": Format("functions.$name:$place$json"),
}
FORMATS |= {
    f"{name}-tokens-lost": replace(FORMATS[name], lost=lost)
    for name, lost in {
        "kimi-k3": ("<|open|>", "<|sep|>", "<|close|>"),
        "plamo3": ("<|plamo:constrain|>", "<|plamo:msg|>", "<|plamo:begin_", "<|plamo:end_", ":plamo|>"),
        "minimax-m3": (_M3,),
    }.items()
}
"""Every format with markup of its own, by the name that its fault has after `tools-as-`."""


def write(name: str, calls: Calls) -> str:
    """The calls in the format of that name."""
    return FORMATS[name].write(calls)


def bare(calls: Calls) -> str:
    """JSON without markup: an object for one call, an array for several."""
    return Format("$object", "$calls" if len(calls) == 1 else "[$calls]", ", ").write(calls)


def bare_json5(calls: Calls) -> str:
    """JSON5 without markup: keys without quotes, strings in single quotes, a trailing comma."""
    return "\n".join(f"{{name: {name!r}, arguments: {given!r},}}" for name, given in calls)
