"""How models write tool calls when nothing parses them: one function a format.

The formats are those that vLLM's and SGLang's parsers read (vllm/tool_parsers, vllm/parser; sglang function_call),
LM Studio's default format, and harmony (openai/harmony).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

Named = Sequence[tuple[str, dict[str, Any]]]
"""(tool name, arguments) of every call."""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _object(name: str, arguments: dict[str, Any], key: str = "arguments") -> str:
    return _json({"name": name, key: arguments})


def _array(calls: Named, key: str = "arguments") -> str:
    return _json([{"name": name, key: arguments} for name, arguments in calls])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _python(value: Any) -> str:
    return repr(value)


def _pythonic(calls: Named) -> str:
    made = [f"{name}({', '.join(f'{key}={_python(value)}' for key, value in given.items())})" for name, given in calls]
    return f"[{', '.join(made)}]"


def _invokes(calls: Named, mark: str = "") -> str:
    made = []
    for name, given in calls:
        fields = "".join(
            f'<{mark}parameter name="{key}">{_plain(value)}</{mark}parameter>\n' for key, value in given.items()
        )
        made.append(f'<{mark}invoke name="{name}">\n{fields}</{mark}invoke>\n')
    return "".join(made)


def hermes(calls: Named) -> str:
    """Nous Hermes and Qwen 2.5."""
    return "\n".join(f"<tool_call>\n{_object(*call)}\n</tool_call>" for call in calls)


def mistral(calls: Named) -> str:
    """Mistral's array form."""
    return "[TOOL_CALLS]" + _array(calls)


def mistral_args(calls: Named) -> str:
    """Mistral's newer form with the name outside the JSON."""
    return "".join(f"[TOOL_CALLS]{name}[ARGS]{_json(given)}" for name, given in calls)


def llama3_json(calls: Named) -> str:
    """Llama 3.1 with its tag."""
    return "<|python_tag|>" + "; ".join(_object(*call, key="parameters") for call in calls)


def pythonic(calls: Named) -> str:
    """Llama 3.2 and others: a Python list of calls."""
    return _pythonic(calls)


def llama4_pythonic(calls: Named) -> str:
    """Llama 4."""
    return f"<|python_start|>{_pythonic(calls)}<|python_end|>"


def olmo3(calls: Named) -> str:
    """OLMo 3."""
    made = "\n".join(_pythonic([call])[1:-1] for call in calls)
    return f"<function_calls>{made}</function_calls>"


def lfm2(calls: Named) -> str:
    """Liquid's LFM2."""
    return f"<|tool_call_start|>{_pythonic(calls)}<|tool_call_end|>"


def qwen3_coder(calls: Named) -> str:
    """Qwen3-Coder's XML."""
    made = []
    for name, given in calls:
        fields = "".join(f"<parameter={key}>\n{_plain(value)}\n</parameter>\n" for key, value in given.items())
        made.append(f"<tool_call>\n<function={name}>\n{fields}</function>\n</tool_call>")
    return "\n".join(made)


def glm(calls: Named) -> str:
    """GLM 4.5 and later."""
    made = []
    for name, given in calls:
        fields = "".join(
            f"<arg_key>{key}</arg_key>\n<arg_value>{_plain(value)}</arg_value>\n" for key, value in given.items()
        )
        made.append(f"<tool_call>{name}\n{fields}</tool_call>")
    return "\n".join(made)


def deepseek_v3(calls: Named) -> str:
    """DeepSeek V3 and R1."""
    made = "\n".join(
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n{_json(given)}\n```<｜tool▁call▁end｜>"
        for name, given in calls
    )
    return f"<｜tool▁calls▁begin｜>{made}<｜tool▁calls▁end｜>"


def deepseek_v31(calls: Named) -> str:
    """DeepSeek V3.1."""
    made = "".join(
        f"<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>{_json(given)}<｜tool▁call▁end｜>" for name, given in calls
    )
    return f"<｜tool▁calls▁begin｜>{made}<｜tool▁calls▁end｜>"


def _dsml(calls: Named, outer: str) -> str:
    made = []
    for name, given in calls:
        fields = "".join(
            f'<｜DSML｜parameter name="{key}" string="{str(isinstance(value, str)).lower()}">{_plain(value)}'
            f"</｜DSML｜parameter>\n"
            for key, value in given.items()
        )
        made.append(f'<｜DSML｜invoke name="{name}">\n{fields}</｜DSML｜invoke>\n')
    return f"<｜DSML｜{outer}>\n{''.join(made)}</｜DSML｜{outer}>"


def deepseek_v32(calls: Named) -> str:
    """DeepSeek V3.2."""
    return _dsml(calls, "function_calls")


def deepseek_v4(calls: Named) -> str:
    """DeepSeek V4."""
    return _dsml(calls, "tool_calls")


def deepseek_v41(calls: Named) -> str:
    """DeepSeek V4.1: a blank before each tag's name."""
    made = []
    for name, given in calls:
        fields = "".join(
            f'<｜DSML｜ parameter name="{key}" string="{str(isinstance(value, str)).lower()}">{_plain(value)}'
            f"</｜DSML｜ parameter>\n"
            for key, value in given.items()
        )
        made.append(f'<｜DSML｜ invoke name="{name}">\n{fields}</｜DSML｜ invoke>\n')
    return f"<｜DSML｜ calls>\n{''.join(made)}</｜DSML｜ calls>"


def kimi_k2(calls: Named) -> str:
    """Kimi K2."""
    made = "".join(
        f"<|tool_call_begin|>functions.{name}:{place}<|tool_call_argument_begin|>{_json(given)}<|tool_call_end|>"
        for place, (name, given) in enumerate(calls)
    )
    return f"<|tool_calls_section_begin|>{made}<|tool_calls_section_end|>"


def kimi_k3(calls: Named) -> str:
    """Kimi K3."""
    made = []
    for place, (name, given) in enumerate(calls, 1):
        fields = "".join(
            f'<|open|>argument key="{key}" type="{"string" if isinstance(value, str) else "object"}"<|sep|>'
            f"{_plain(value)}<|close|>argument<|sep|>"
            for key, value in given.items()
        )
        made.append(f'<|open|>call tool="{name}" index="{place}"<|sep|>{fields}<|close|>call<|sep|>')
    return f"<|open|>tools<|sep|>{''.join(made)}<|close|>tools<|sep|>"


def minimax(calls: Named) -> str:
    """MiniMax M2."""
    return f"<minimax:tool_call>\n{_invokes(calls)}</minimax:tool_call>"


def minimax_m3(calls: Named) -> str:
    """MiniMax M3: its token before every tag, and elements named after the arguments."""
    mark = "]<]minimax[>["
    made = []
    for name, given in calls:
        fields = "".join(f"{mark}<{key}>{_plain(value)}{mark}</{key}>\n" for key, value in given.items())
        made.append(f'{mark}<invoke name="{name}">\n{fields}{mark}</invoke>\n')
    return f"{mark}<tool_call>\n{''.join(made)}{mark}</tool_call>"


def harmony(calls: Named) -> str:
    """gpt-oss, when the channel markup is not parsed."""
    return "".join(
        f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{_json(given)}<|call|>"
        for name, given in calls
    )


def granite(calls: Named) -> str:
    """Granite 3.0."""
    return "<|tool_call|>" + _array(calls)


def granite31(calls: Named) -> str:
    """Granite 3.1."""
    return "<tool_call>" + _array(calls)


def granite_20b_fc(calls: Named) -> str:
    """Granite 20B function calling."""
    return "\n".join(f"<function_call> {_object(*call)}" for call in calls)


def jamba(calls: Named) -> str:
    """Jamba and Hunyuan A13B."""
    return f"<tool_calls>{_array(calls)}</tool_calls>"


def internlm(calls: Named) -> str:
    """InternLM 2."""
    return "".join(f"<|action_start|><|plugin|>\n{_object(*call, key='parameters')}<|action_end|>" for call in calls)


def phi(calls: Named) -> str:
    """Phi-4 mini."""
    return "functools" + _array(calls)


def gemma4(calls: Named) -> str:
    """Gemma 4."""
    quote = '<|"|>'
    made = []
    for name, given in calls:
        fields = ",".join(
            f"{key}:{quote}{value}{quote}" if isinstance(value, str) else f"{key}:{_json(value)}"
            for key, value in given.items()
        )
        made.append(f"<|tool_call>call:{name}{{{fields}}}<tool_call|>")
    return "".join(made)


def functiongemma(calls: Named) -> str:
    """FunctionGemma."""
    made = []
    for name, given in calls:
        fields = ",".join(
            f"{key}:<escape>{value}<escape>" if isinstance(value, str) else f"{key}:{_json(value)}"
            for key, value in given.items()
        )
        made.append(f"<start_function_call>call:{name}{{{fields}}}<end_function_call>")
    return "".join(made)


def seed(calls: Named) -> str:
    """Seed-OSS."""
    made = []
    for name, given in calls:
        fields = "".join(f"<parameter={key}>{_plain(value)}</parameter>\n" for key, value in given.items())
        made.append(f"<seed:tool_call>\n<function={name}>\n{fields}</function>\n</seed:tool_call>")
    return "\n".join(made)


def longcat(calls: Named) -> str:
    """LongCat."""
    return "\n".join(f"<longcat_tool_call>\n{_object(*call)}\n</longcat_tool_call>" for call in calls)


def step3(calls: Named) -> str:
    """Step-3."""
    made = []
    for name, given in calls:
        fields = "".join(
            f'<steptml:parameter name="{key}">{_plain(value)}</steptml:parameter>' for key, value in given.items()
        )
        made.append(
            f"<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke "
            f'name="{name}">{fields}</steptml:invoke><｜tool_call_end｜>'
        )
    return f"<｜tool_calls_begin｜>{''.join(made)}<｜tool_calls_end｜>"


def apertus(calls: Named) -> str:
    """Apertus: the name is the key."""
    return f"<|tools_prefix|>{_json([{name: given} for name, given in calls])}<|tools_suffix|>"


def cohere(calls: Named) -> str:
    """Command R7B and later."""
    made = [
        {"tool_call_id": str(place), "tool_name": name, "parameters": given}
        for place, (name, given) in enumerate(calls)
    ]
    return f"<|START_ACTION|>{_json(made)}<|END_ACTION|>"


def gigachat(calls: Named) -> str:
    """GigaChat 3."""
    return "".join(f"<|role_sep|>\n<|function_call|>{_object(*call)}" for call in calls)


def dots(calls: Named) -> str:
    """dots.llm."""
    return f"<dots_function_call>\n{_invokes(calls)}</dots_function_call>"


def lmstudio(calls: Named) -> str:
    """LM Studio's default format for models without tool support of their own."""
    return "".join(f"[TOOL_REQUEST]{_object(*call)}[END_TOOL_REQUEST]" for call in calls)


def functionary(calls: Named) -> str:
    """Functionary v3.1 (Llama 3.1)."""
    return "".join(f"<function={name}>{_json(given)}</function>" for name, given in calls)


def glm47(calls: Named) -> str:
    """GLM 4.7 and later: nothing between the tags."""
    made = []
    for name, given in calls:
        fields = "".join(
            f"<arg_key>{key}</arg_key><arg_value>{_plain(value)}</arg_value>" for key, value in given.items()
        )
        made.append(f"<tool_call>{name}{fields}</tool_call>")
    return "".join(made)


def hunyuan(calls: Named) -> str:
    """Hunyuan V3."""
    made = []
    for name, given in calls:
        fields = "".join(
            f"<arg_key>{key}</arg_key>\n<arg_value>{_plain(value)}</arg_value>\n" for key, value in given.items()
        )
        made.append(f"<tool_call>{name}<tool_sep>\n{fields}</tool_call>")
    return "<tool_calls>\n" + "\n".join(made) + "\n</tool_calls>"


def mistral_name(calls: Named) -> str:
    """Mistral's newer form as a chat template without `[ARGS]` has it."""
    return "".join(f"[TOOL_CALLS]{name}{_json(given)}" for name, given in calls)


def plamo3(calls: Named) -> str:
    """PLaMo 3."""
    made = "".join(
        f"<|plamo:begin_tool_request:plamo|><|plamo:begin_tool_name:plamo|>{name}<|plamo:end_tool_name:plamo|>"
        f"<|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>{_json(given)}"
        "<|plamo:end_tool_arguments:plamo|><|plamo:end_tool_request:plamo|>"
        for name, given in calls
    )
    return f"<|plamo:begin_tool_requests:plamo|>{made}<|plamo:end_tool_requests:plamo|>"


def _without_tokens(text: str, *pieces: str) -> str:
    """What a server hands on that decodes without special tokens."""
    for piece in pieces:
        text = text.replace(piece, "")
    return text


def kimi_k2_tokens_lost(calls: Named) -> str:
    """Kimi K2, its special tokens dropped."""
    return "".join(f"functions.{name}:{place}{_json(given)}" for place, (name, given) in enumerate(calls))


def kimi_k3_tokens_lost(calls: Named) -> str:
    """Kimi K3, its special tokens dropped."""
    return _without_tokens(kimi_k3(calls), "<|open|>", "<|sep|>", "<|close|>")


def plamo3_tokens_lost(calls: Named) -> str:
    """PLaMo 3, the special parts of its markers dropped."""
    return _without_tokens(
        plamo3(calls), "<|plamo:constrain|>", "<|plamo:msg|>", "<|plamo:begin_", "<|plamo:end_", ":plamo|>"
    )


def minimax_m3_tokens_lost(calls: Named) -> str:
    """MiniMax M3, its special token dropped."""
    return _without_tokens(minimax_m3(calls), "]<]minimax[>[")


def beam(calls: Named) -> str:
    """Beam."""
    made = []
    for name, given in calls:
        fields = "".join(
            f'<rfl:parameter name="{key}">\n{_plain(value)}\n</rfl:parameter>' for key, value in sorted(given.items())
        )
        made.append(f" to={name}<|channel|>analysis <|constrain|>xml<|message|>{fields}")
    return "<|end|><|start|>assistant".join(made) + "<|call|>"


def tool_code(calls: Named) -> str:
    """Gemma 3."""
    made = "\n".join(f"print({_pythonic([call])[1:-1]})" for call in calls)
    return f"```tool_code\n{made}\n```"


def default_api(calls: Named) -> str:
    """Gemini, where the call is left as the code that it writes."""
    return "\n".join(f"print(default_api.{_pythonic([call])[1:-1]})" for call in calls)


def python_in_a_sentence(calls: Named) -> str:
    """Llama 4 and others, that speak before they call."""
    return f"I will look that up: {_pythonic(calls)} and then tell you."


def action(calls: Named) -> str:
    """Models after an agent's prompt."""
    return "\n".join(f"Thought: I need a tool.\nAction: {_pythonic([call])[1:-1]}" for call in calls)


def call_line(calls: Named) -> str:
    """The same with another label."""
    return "\n".join(f"Call: {name}({_json(given)})" for name, given in calls)


def xai(calls: Named) -> str:
    """Grok."""
    made = []
    for name, given in calls:
        fields = "".join(f'<parameter name="{key}">{_plain(value)}</parameter>\n' for key, value in given.items())
        made.append(f'<xai:function_call name="{name}">\n{fields}</xai:function_call>')
    return "\n".join(made)


def bare_json5(calls: Named) -> str:
    """No markup, and JSON5: keys without quotes, strings in single quotes, a comma at the end."""
    return "\n".join(f"{{name: {name!r}, arguments: {given!r},}}" for name, given in calls)


def bare(calls: Named) -> str:
    """No markup at all: JSON that names a tool."""
    return _object(*calls[0]) if len(calls) == 1 else _array(calls)


FORMATS: dict[str, Callable[[Named], str]] = {
    "hermes": hermes,
    "mistral": mistral,
    "mistral-args": mistral_args,
    "llama3-json": llama3_json,
    "pythonic": pythonic,
    "llama4-pythonic": llama4_pythonic,
    "olmo3": olmo3,
    "lfm2": lfm2,
    "qwen3-coder": qwen3_coder,
    "glm": glm,
    "deepseek-v3": deepseek_v3,
    "deepseek-v31": deepseek_v31,
    "deepseek-v32": deepseek_v32,
    "deepseek-v4": deepseek_v4,
    "deepseek-v41": deepseek_v41,
    "kimi-k2": kimi_k2,
    "kimi-k3": kimi_k3,
    "minimax": minimax,
    "minimax-m3": minimax_m3,
    "harmony": harmony,
    "granite": granite,
    "granite31": granite31,
    "granite-20b-fc": granite_20b_fc,
    "jamba": jamba,
    "internlm": internlm,
    "phi": phi,
    "gemma4": gemma4,
    "functiongemma": functiongemma,
    "seed": seed,
    "longcat": longcat,
    "step3": step3,
    "apertus": apertus,
    "cohere": cohere,
    "gigachat": gigachat,
    "dots": dots,
    "lmstudio": lmstudio,
    "functionary": functionary,
    "glm47": glm47,
    "hunyuan": hunyuan,
    "mistral-name": mistral_name,
    "plamo3": plamo3,
    "kimi-k2-tokens-lost": kimi_k2_tokens_lost,
    "kimi-k3-tokens-lost": kimi_k3_tokens_lost,
    "plamo3-tokens-lost": plamo3_tokens_lost,
    "minimax-m3-tokens-lost": minimax_m3_tokens_lost,
    "beam": beam,
    "tool-code": tool_code,
    "default-api": default_api,
    "python-in-a-sentence": python_in_a_sentence,
    "action": action,
    "call-line": call_line,
    "xai": xai,
}
"""Every format with markup of its own, by the name that its fault carries after `tools-as-`."""
