"""Catalogue entries about the way there: requests with tools, forced choices and results."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_ENABLE = {
    "vllm": "Start `vllm serve` with `--enable-auto-tool-choice --tool-call-parser NAME`; NAME follows the model "
    "family (hermes for Qwen 2.5 and Hermes, llama3_json for Llama 3, mistral, qwen3_coder, glm45, deepseek_v3, "
    "kimi_k2, openai for gpt-oss).",
    "sglang": "Start `sglang.launch_server` with `--tool-call-parser NAME` (qwen, llama3, mistral, deepseekv3, glm45, "
    "kimi_k2, gpt-oss …).",
    "llamacpp": "Start `llama-server` with `--jinja` (and without `--no-jinja`); add `--chat-template-file` with a "
    "template that knows tools where the model's own does not (`models/templates/` in the llama.cpp sources has many).",
    "lmdeploy": "Start `lmdeploy serve api_server` with `--tool-call-parser NAME` (qwen, qwen3coder, llama3, internlm, "
    "glm47, deepseek-v32).",
    "ollama": "Choose a model whose template takes tools: `ollama show MODEL` lists the capability `tools`; for a "
    "model of your own add the tools section to TEMPLATE in its Modelfile.",
    "lmstudio": "Load a model that LM Studio marks with native tool use (the hammer), and update the runtime.",
    "llama-cpp-python": "Start the server with `--chat_format chatml-function-calling`, or with functionary-v2 and a "
    "functionary model.",
    "koboldcpp": "Start it with `--jinja --jinja_tools`, so that the model's own template shows the tools.",
    "tabbyapi": "Set `prompt_template:` to one with tools and `tool_format:` to the model's format in config.yml.",
    "textgen-webui": "Load the model with a chat template that knows tools (Parameters > Instruction template).",
    "mlx": "Serve a model whose tokenizer template takes tools; mlx_lm.server otherwise only logs a line.",
    "localai": "Set the `function:` section and `use_tokenizer_template: true` in the model's YAML file.",
    "tgi": "Serve a model whose tokenizer config has a chat template with tools, or pass one with "
    "`--tokenizer-config-path`.",
    "litellm": "Set `supports_function_calling: true` under the model's `model_info`, use the provider prefix that "
    "passes tools on (`openai/` or `hosted_vllm/`), and take `drop_params: true` out of `litellm_settings`.",
    "openrouter": "Choose a model with `tools` in `supported_parameters` of GET /models; set "
    "`provider.require_parameters: true` so that no provider without them is used.",
    "groq": "Choose a model of the list in Groq's tool use documentation.",
    "gemini": "Choose a Gemini model; Gemma models on this API take no tools.",
}
_SOURCES = (
    "OpenAI API reference, chat completions: tools, tool_choice",
    "vllm-project/vllm docs/features/tool_calling.md",
    "ggml-org/llama.cpp docs/function-calling.md",
    "ollama/ollama server/routes.go (capability check)",
)

REJECTED = Diagnosis(
    code="tools.rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Requests with tools are refused",
    what="A request that offers one simple tool was refused with an error; the same endpoint answers plain chat.",
    why="A client with its tools switched on gets this error for every message. Refusing is honest: a client "
    "with tools switched off is not affected.",
    remedy="Switch tools off in the client, or serve a model that takes tools behind this endpoint.",
    remedies=_ENABLE,
    verify="A chat request with a `tools` list is answered with status 200.",
    sources=_SOURCES,
)
NOT_ENABLED = Diagnosis(
    code="tools.not-enabled",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="The server was started without tool calling",
    what="The request with tools was refused, and the server says that tool calling was not switched on when it "
    "was started.",
    why="Every message of a client with tools switched on fails, although the model may well be able to call tools: "
    "only a start option is missing.",
    remedy="Restart the server with the option that its error text names; until then switch tools off in the client.",
    remedies=_ENABLE,
    verify="A chat request with a `tools` list is answered with status 200 and a `tool_calls` member.",
    sources=_SOURCES,
)
IGNORED = Diagnosis(
    code="tools.ignored",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tools are accepted and never reach the model",
    what="Requests with tools are answered with success, but the model was never shown the tools: the prompt tokens "
    "do not grow with them, or the model cannot name what only their description says.",
    why="The model cannot call what it does not know. The client believes tools to be on, and the user gets made-up "
    "answers in prose, without any error.",
    remedy="Find what drops them: ask the server behind the gateway directly. If that works, let the gateway pass "
    "`tools` and `tool_choice` on; if not, the server's chat template has no place for tools, so use a template "
    "or a model that does. Until then switch tools off in the client.",
    remedies={
        **_ENABLE,
        "llamacpp": "The chat template has no tools section: start `llama-server --jinja --chat-template-file FILE` "
        "with one that has (`models/templates/` in the llama.cpp sources), or serve a model that was trained for "
        "tools; `GET /props` shows `chat_template_caps.supports_tools`.",
        "vllm": "The chat template has no tools section: pass one that has with `--chat-template FILE` "
        "(`examples/tool_chat_template_*.jinja` in the vLLM sources).",
    },
    verify="usage.prompt_tokens of a request with tools is clearly higher than without.",
    sources=(*_SOURCES, "Hugging Face transformers docs, chat templates: tool use"),
)
NOT_CALLED = Diagnosis(
    code="tools.not-called",
    severity=Severity.INFO,
    owner=Owner.MODEL,
    title="The model was shown the tools and did not call",
    what="The tools reached the model, and it answered a question that asks for the tool in prose, also when it was "
    "told outright to call it.",
    why="Nothing on the way is at fault, but with this model an agent will rarely get a call of its own accord.",
    remedy="Use a model that was trained for tool calling, or force the call with tool_choice where it is needed.",
    remedies={
        "ollama": "Try another model of the library's `tools` category; very small or heavily quantised ones "
        "decline often.",
        "llamacpp": "Try a model with a native tool format (see the list in llama.cpp docs/function-calling.md); with "
        "others the generic format is weaker.",
    },
    verify="The same question is answered with `tool_calls`.",
    sources=("OpenAI API reference, chat completions: tool_choice auto",),
)
CHOICE_IGNORED = Diagnosis(
    code="tools.choice-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="A forced tool_choice has no effect",
    what="A request with tool_choice `required`, or with one that names a tool, was answered with success and "
    "without the call that it demands; the model ended its answer by itself.",
    why="A client that relies on the forced call (for structured answers, for routing) waits for a call that does "
    "not come.",
    remedy="Do not rely on a forced tool_choice here: use `auto` and check for a call, or ask for structured output.",
    remedies={
        "ollama": "tool_choice is not read by Ollama's /v1 API; there is no switch for it.",
        "textgen-webui": "`required` is not enforced by this server; a named choice only filters the list.",
        "mlx": "mlx_lm.server does not read tool_choice.",
        "transformers": "`transformers serve` accepts tool_choice and does not read it.",
        "llamacpp": "llama-server reads tool_choice as a string only: in place of a named choice offer that one tool "
        "with `required`. Start it with `--jinja` and a template with tools, so that the grammar for the forced call "
        "is made; some formats leave room for prose before the call.",
        "vllm": "Set `--tool-call-parser` for the model; forced choices are then decoded under a schema.",
        "mistral": "Use `any` in place of `required`.",
        "litellm": "Take `drop_params: true` out of `litellm_settings`, or add tool_choice to "
        "`allowed_openai_params` of the model.",
        "openrouter": "Set `provider.require_parameters: true`, so that only providers that honour tool_choice are "
        "used.",
    },
    verify="A request with tool_choice `required` is answered with `tool_calls` whatever the question.",
    sources=(
        "OpenAI API reference, chat completions: tool_choice",
        "ollama/ollama openai/openai.go",
        "ggml-org/llama.cpp tools/server (tool_choice is parsed as a string)",
    ),
)
RESULT_REJECTED = Diagnosis(
    code="tools.result-rejected",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="A conversation with a tool result is refused",
    what="The conversation that hands back the result of a call (the assistant's turn with tool_calls, then a message "
    "of role `tool`) was refused, although requests with tools are answered.",
    why="An agent gets its first call and then an error: the loop ends after one step.",
    remedy="Let the server's chat template and the gateway take messages of role `tool`; until then switch tools "
    "off in "
    "the client.",
    remedies={
        "vllm": "Pass a chat template that knows the role tool: `--chat-template "
        "examples/tool_chat_template_*.jinja` of the vLLM sources.",
        "llamacpp": "Start `llama-server --jinja --chat-template-file FILE` with a template that has a tool role.",
        "llama-cpp-python": 'Its request schema refuses an assistant turn without text: send `content: ""` beside '
        "tool_calls, or use llama.cpp's own server.",
        "mistral": "Tool call ids must be 9 letters and digits, and a tool message must follow its call directly.",
        "gemini": "Send back `extra_content` of the call (the thought signature) unchanged.",
        "litellm": "Set `modify_params: true` in `litellm_settings`, so that the history is fitted to the backend.",
    },
    verify="The conversation is answered with status 200.",
    sources=(
        "OpenAI API reference, chat completions: tool messages",
        "vllm-project/vllm examples/tool_chat_template_*.jinja",
    ),
)
RESULT_IGNORED = Diagnosis(
    code="tools.result-ignored",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool results never reach the model",
    what="The conversation with a tool result was answered with success, but the answer knows nothing of the result: "
    "the prompt tokens do not grow with it, or the model can repeat the same sentence from a user message and not "
    "from the result.",
    why="The model answers without the result: agents go in circles or make the answer up, without any error.",
    remedy="Use a chat template that renders messages of role `tool`, and let the gateway pass them on unchanged.",
    remedies={
        "vllm": "Pass `--chat-template examples/tool_chat_template_*.jinja` of the model's family.",
        "llamacpp": "Start `llama-server --jinja --chat-template-file FILE` with a template that renders the role "
        "tool.",
        "ollama": "Add the tool role to TEMPLATE in the model's Modelfile.",
        "textgen-webui": "Choose an instruction template that renders the role tool; send the content as a string.",
    },
    verify="usage.prompt_tokens grows with the length of a tool result.",
    sources=("OpenAI API reference, chat completions: tool messages", "Hugging Face transformers docs, chat templates"),
)
