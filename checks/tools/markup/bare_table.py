"""Notations without a marker of their own, and what special tokens leave when they are dropped."""

from __future__ import annotations

from checks.tools.markup import bare_json, special_tokens
from checks.tools.markup.leak import Family

BARE: tuple[Family, ...] = (
    Family(
        id="function_tag",
        title="Llama 3.1 custom function tags",
        extract=bare_json.function_tag,
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
        id="tool_code",
        title="Gemma 3 tool_code fence",
        extract=bare_json.tool_code,
        vllm=("pythonic",),
        sglang=("pythonic",),
        note="vLLM: with examples/tool_chat_template_gemma3_pythonic.jinja as --chat-template.",
        source="Gemma docs, function calling",
        hints=("```", "~~~"),
        bare=True,
    ),
    Family(
        id="functionary",
        title="Functionary 3.2",
        extract=bare_json.functionary,
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
        vllm=("gemma4", "functiongemma"),
        sglang=("gemma4",),
        note="",
        source="vLLM parser/gemma4.py",
        hints=("call:",),
        bare=True,
    ),
    Family(
        id="react",
        title="ReAct",
        extract=bare_json.react,
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
        extract=bare_json.labelled,
        vllm=(),
        sglang=(),
        note=(
            "No parser reads it: the model knows no call format, or its chat template does not show the tools "
            "in the format it was taught."
        ),
        source="seen from small models without a tool template",
        hints=("{",),
        bare=True,
    ),
    Family(
        id="pythonic",
        title="Python call list",
        extract=bare_json.pythonic,
        vllm=("pythonic", "llama4_pythonic", "olmo3", "lfm2"),
        sglang=("pythonic", "lfm2"),
        note="pythonic for Llama 3.2 and ToolACE, llama4_pythonic for Llama 4.",
        source="vLLM tool_parsers/pythonic_tool_parser.py",
        hints=("(",),
        bare=True,
    ),
    Family(
        id="named_tag",
        title="Tags named after the tool",
        extract=bare_json.named_tag,
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
        extract=bare_json.name_json,
        vllm=("mistral", "deepseek_v31"),
        sglang=("mistral", "deepseekv31"),
        note="Special tokens were probably dropped: the parser is that of the model's own family.",
        source="SGLang function_call/mistral_detector.py",
        hints=("{",),
        bare=True,
    ),
)
