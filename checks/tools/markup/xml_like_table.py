"""Families that write calls as XML-like elements, the more specific wrapper first."""

from __future__ import annotations

from checks.tools.markup.leak import Family
from checks.tools.markup.xml_like import Dialect, assigned, element, key_value_calls, minimax_m3, xml_calls

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


XML: tuple[Family, ...] = (
    Family(
        id="muse",
        title="Muse ATEM elements",
        extract=xml_calls(_tagged("invoke", None, "atem:")),
        vllm=("muse_glimmer",),
        sglang=("muse",),
        note="",
        source="vLLM tool_parsers/muse_glimmer_tool_parser.py",
        hints=("<atem:",),
    ),
    Family(
        id="gigachat35",
        title="GigaChat 3.5 GCML",
        extract=xml_calls(*_bars("GCML")),
        vllm=(),
        sglang=("gigachat35",),
        note="vLLM 0.32 has no parser for it.",
        source="SGLang function_call/gigachat35_detector.py",
        hints=("GCML",),
    ),
    Family(
        id="deepseek_v41",
        title="DeepSeek V4.1 DSML (a blank before each tag name)",
        extract=xml_calls(*_bars("DSML", " ")),
        vllm=("deepseek_v41",),
        sglang=("deepseekv41",),
        note="",
        source="vLLM parser/deepseek_v41.py",
        hints=("DSML｜ ", "DSML| "),
    ),
    Family(
        id="deepseek_v4",
        title="DeepSeek V4 DSML",
        extract=xml_calls(*_bars("DSML")),
        vllm=("deepseek_v4",),
        sglang=("deepseekv4",),
        note="",
        source="vLLM parser/deepseek_v4.py",
        hints=("DSML｜tool_calls", "DSML|tool_calls"),
    ),
    Family(
        id="deepseek_v32",
        title="DeepSeek V3.2 DSML",
        extract=xml_calls(*_bars("DSML")),
        vllm=("deepseek_v32",),
        sglang=("deepseekv32",),
        note="",
        source="vLLM parser/deepseek_v32.py",
        hints=("DSML",),
    ),
    Family(
        id="step3",
        title="Step3 steptml",
        extract=xml_calls(_tagged("invoke", None, "steptml:")),
        vllm=("step3",),
        sglang=("step3",),
        note="",
        source="vLLM tool_parsers/step3_tool_parser.py",
        hints=("steptml:",),
    ),
    Family(
        id="minimax_m3",
        title="MiniMax M3 namespaced elements",
        extract=minimax_m3,
        vllm=("minimax_m3",),
        sglang=("minimax-m3",),
        note="",
        source="vLLM parser/minimax_m3.py",
        hints=("]<]minimax[>[",),
    ),
    Family(
        id="minimax_m2",
        title="MiniMax M2 invoke elements",
        extract=xml_calls(_tagged("invoke", "minimax:tool_call")),
        vllm=("minimax_m2",),
        sglang=("minimax-m2",),
        note="",
        source="vLLM tool_parsers/minimax_m2_tool_parser.py",
        hints=("minimax:tool_call",),
    ),
    Family(
        id="dots",
        title="dots invoke elements",
        extract=xml_calls(_tagged("invoke", "dots_function_call")),
        vllm=("dots",),
        sglang=("dots",),
        note="",
        source="vLLM tool_parsers/dots_tool_parser.py",
        hints=("<dots_function_call>",),
    ),
    Family(
        id="seed_oss",
        title="Seed-OSS",
        extract=xml_calls(
            Dialect(
                _QWEN.call,
                _QWEN.call_end,
                _QWEN.parameter,
                _QWEN.parameter_end,
                "<seed:tool_call>",
                "</seed:tool_call>",
            )
        ),
        vllm=("seed_oss",),
        sglang=(),
        note="SGLang 0.5.23 has no parser for it.",
        source="vLLM parser/seed_oss.py",
        hints=("<seed:tool_call>",),
    ),
    Family(
        id="iquest_q1",
        title="IQuest key and value elements",
        extract=key_value_calls("<iquest_tool_call>", "\\s*</iquest_tool_call>"),
        vllm=(),
        sglang=("iquest_q1",),
        note="vLLM 0.32 has no parser for it.",
        source="SGLang function_call/iquest_q1_detector.py",
        hints=("<iquest_tool_call>",),
    ),
    Family(
        id="k2_horizon",
        title="K2 Horizon ifm elements",
        extract=key_value_calls("<ifm\\|tool_call>", "\\s*</ifm\\|tool_call>"),
        vllm=("k2_horizon",),
        sglang=("k2_horizon",),
        note="",
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
        vllm=("hy_v3", "hy_v4"),
        sglang=("hunyuan",),
        note="hy_v3 where <tool_sep> stands behind the name.",
        source="vLLM tool_parsers/hy_v3_tool_parser.py",
        hints=("<tool_sep",),
    ),
    Family(
        id="glm",
        title="GLM key and value elements",
        extract=key_value_calls("<tool_call(?::[\\w\\-]{1,32})?>", "\\s*</tool_call(?::[\\w\\-]{1,32})?>"),
        vllm=("glm45", "glm47"),
        sglang=("glm45", "glm47"),
        note=(
            "glm45 for GLM-4.5 and 4.6, glm47 for GLM-4.7 and later. The same markup comes from Laguna "
            "(poolside_v1), Ling (ling3) and Hunyuan V4 (hy_v4)."
        ),
        source="vLLM parser/glm47_moe.py",
        hints=("<tool_call",),
    ),
    Family(
        id="qwen3_coder",
        title="Qwen3-Coder function elements",
        extract=xml_calls(_QWEN),
        vllm=("qwen3_coder", "qwen3_xml"),
        sglang=("qwen3_coder",),
        note="Also the markup of Qwen3.5, MiMo (mimo), Step-3.5 (step3p5) and Nemotron 3.",
        source="vLLM parser/qwen3.py",
        hints=("<function=", "<parameter="),
    ),
    Family(
        id="anthropic",
        title="Anthropic-like invoke elements",
        extract=xml_calls(_tagged("invoke", None), _tagged("invoke", None, "antml:")),
        vllm=(),
        sglang=(),
        note=(
            "No parser of vLLM or SGLang reads it as it stands. Where DeepSeek or MiniMax runs, its own "
            "tokens were dropped: use that model's parser."
        ),
        source="Anthropic docs, tool use prompt format",
        hints=("invoke",),
    ),
    Family(
        id="minicpm5",
        title="MiniCPM5 function elements",
        extract=xml_calls(Dialect(element("function"), "</function>", element("param"), "</param>")),
        vllm=("minicpm5",),
        sglang=("minicpm5",),
        note="",
        source="SGLang function_call/minicpm5_detector.py",
        hints=("<function name",),
    ),
)
