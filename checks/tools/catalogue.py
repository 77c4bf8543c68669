"""Catalogue entries about the way back: calls in the text, and what is wrong with structured ones."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_CALL = "OpenAI API reference, chat completions: message tool_calls"
_CHUNK = "OpenAI API reference, chat completion chunk: delta tool_calls"

_PARSERS = {
    "vllm": "Start `vllm serve` with `--enable-auto-tool-choice --tool-call-parser NAME`; the finding names the value "
    "for the markup that leaked. gpt-oss and Mistral tokenizers choose it by themselves.",
    "sglang": "Start `sglang.launch_server` with `--tool-call-parser NAME`; the finding names the value for the markup "
    "that leaked.",
    "llamacpp": "Start `llama-server` with `--jinja`; it derives the format from the chat template, so the template "
    "must "
    "be the model's own or one of its family (`--chat-template-file`).",
    "lmdeploy": "Start `lmdeploy serve api_server` with `--tool-call-parser` qwen, qwen3coder, llama3, internlm, glm47 "
    "or deepseek-v32, whichever the model's family is.",
    "ollama": "Use the library's own TEMPLATE for the model (`ollama show --modelfile MODEL`): Ollama derives the "
    "parser "
    "from it; a template without a tools section leaves calls in the text.",
    "lmstudio": "Load a model with native tool use and update the runtime; LM Studio leaves calls it cannot parse in "
    "`content`.",
    "textgen-webui": "Use the model's own chat template: the format of the calls is guessed from it.",
    "llama-cpp-python": "Start the server with `--chat_format chatml-function-calling`: its generic handler does not "
    "parse calls.",
    "koboldcpp": "Start it with `--jinja --jinja_tools`.",
    "tabbyapi": "Set `tool_format:` in config.yml to the model's format.",
    "mlx": "Update mlx-lm: the parser is chosen from the tokenizer's template.",
    "localai": "Set `function.parallel_calls`, `function.json_regex_match` or `use_tokenizer_template: true` in the "
    "model's YAML file, to fit the model's format.",
    "tgi": "Update TGI, and serve a model whose template has a tools section.",
    "litellm": "LiteLLM passes the text on: set the parser on the server behind it.",
}
_PARSER_SOURCES = (
    "vllm-project/vllm docs/features/tool_calling.md and vllm/tool_parsers",
    "sgl-project/sglang docs/advanced_features/tool_parser.ipynb and python/sglang/srt/function_call",
    "ggml-org/llama.cpp docs/function-calling.md",
)

PARSER_MISSING = Diagnosis(
    code="tools.parser-missing",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Calls are left in the text as markup",
    what="The model made a call in the markup it was trained with, and the server left it (or a part of it) in the "
    "text instead of returning it in `tool_calls`.",
    why="The client shows the markup to the user and runs nothing. The model and the tools work; only the parser on "
    "the server is missing, or is the wrong one for this model.",
    remedy="Switch on the tool-call parser for this model's format on the server that runs the model (vLLM: "
    "`--enable-auto-tool-choice --tool-call-parser NAME`; SGLang: `--tool-call-parser NAME`; llama.cpp: `--jinja`).",
    remedies=_PARSERS,
    verify="The same request returns `tool_calls`, finish_reason `tool_calls`, and no markup in `content`.",
    sources=_PARSER_SOURCES,
)
TEXT_CALL = Diagnosis(
    code="tools.text-call",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Calls are left in the text as plain JSON",
    what="The answer's text is a JSON object that calls the offered tool, without any markup around it, and "
    "`tool_calls` is empty.",
    why="The client shows JSON to the user and runs nothing. Either the server has no parser for this model's JSON "
    "calls, or the special tokens around them were dropped, or the model was shown the tools in a way it was not "
    "trained for and improvised.",
    remedy="Set the parser of the model's family on the server that runs the model, and use the model's own chat "
    "template; with a model that was not trained for tools, switch tools off in the client.",
    remedies={
        **_PARSERS,
        "vllm": "Start `vllm serve` with `--enable-auto-tool-choice --tool-call-parser llama3_json` (Llama 3: "
        "`name` and `parameters`) or the parser of the model's family, together with its "
        "`--chat-template examples/tool_chat_template_*.jinja`.",
        "sglang": "Start `sglang.launch_server` with `--tool-call-parser llama3` (Llama 3) or that of the model's "
        "family.",
    },
    verify="The same request returns `tool_calls`, and `content` is empty or plain words.",
    sources=_PARSER_SOURCES,
)
NOT_JSON = Diagnosis(
    code="tools.arguments-not-json",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="The arguments of a call are no JSON",
    what="A structured call came back, and the string in `function.arguments` does not parse as JSON, although the "
    "answer was not cut off.",
    why="The client cannot run the call; most raise an error, some pass an empty object on.",
    remedy="Let the server constrain or check what its parser returns (a newer server version, the parser of the "
    "model's family, `strict: true` where it is supported), or use a stronger model.",
    remedies={
        "vllm": "Use the parser of the model's family, or tool_choice `required`, which decodes under the tool's "
        "schema.",
        "sglang": "Use the parser of the model's family, or tool_choice `required`, which decodes under the tool's "
        "schema.",
        "llamacpp": "Update llama.cpp and use the model's own template with `--jinja`: the grammar then admits only "
        "JSON.",
        "groq": "Groq refuses such calls with `tool_use_failed`; a gateway in between must not repair them into text.",
    },
    verify="json.loads of every call's arguments succeeds.",
    sources=(_CALL,),
)
NOT_STRING = Diagnosis(
    code="tools.arguments-not-string",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="The arguments of a call are not a string",
    what="`function.arguments` holds a JSON object (or another value) where the API has a string with JSON in it.",
    why="Clients parse the string: typed ones (Go, Rust, Java, Swift) reject the whole answer as malformed, and "
    "Python's json.loads raises.",
    remedy='Serialise the arguments on the server or in the gateway: `"arguments": "{\\"city\\": …}"`.',
    remedies={
        "tgi": "Update to TGI 3 or newer: older versions return an object.",
        "litellm": "Update LiteLLM; the backend's native API returns objects and the translation must serialise them.",
        "ollama": "Use the /v1 API: the native /api/chat returns arguments as an object.",
    },
    verify="The type of `function.arguments` is string.",
    sources=(_CALL, "huggingface/text-generation-inference releases (arguments as a string since 3.0)"),
)
OFF_SCHEMA = Diagnosis(
    code="tools.arguments-off-schema",
    severity=Severity.WARNING,
    owner=Owner.MODEL,
    title="A call does not fit the tool that was offered",
    what="A structured call came back whose arguments do not fit the tool's JSON Schema (a wrong type, a required "
    "member missing), or which names a tool that was not offered.",
    why="The client runs the tool with arguments it does not expect, or refuses the call.",
    remedy="Validate arguments in the client and hand the error back as the tool's result. Where the server can decode "
    "under a schema, switch it on (`strict: true` in the tool's function); else use a stronger model.",
    remedies={
        "vllm": "Use the parser of the model's family: XML formats (qwen3_coder, glm45, minimax_m2) know types only "
        "from "
        "the schema. tool_choice `required` decodes under the schema.",
        "sglang": "Use the parser of the model's family; tool_choice `required` decodes under the schema.",
        "llamacpp": "Use the model's own template with `--jinja`, so that the grammar follows the schema.",
        "openrouter": "Choose a provider with `structured_outputs` in `supported_parameters`, and send `strict: true`.",
    },
    verify="The arguments validate against the tool's parameters.",
    sources=(_CALL, "JSON Schema draft 2020-12, validation"),
)
ID_MISSING = Diagnosis(
    code="tools.id-missing",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="A call has no id",
    what="A structured call came back without a usable `id` (absent, null, empty, or no string).",
    why="The result of a call is handed back under its id. Clients send null or nothing, and either they or the "
    "server refuse the next turn; results of several calls cannot be told apart.",
    remedy="Let the server or the gateway give every call an id of its own (`call_` and random letters).",
    remedies={
        "gemini": "Gemini's compatible API may return an empty id: make one up in the client and send it back in "
        "both places.",
        "tgi": "Update TGI; old versions number calls or leave the id out.",
        "litellm": "Update LiteLLM: it fills in missing ids of its backends.",
    },
    verify="Every call's id is a string that is not empty.",
    sources=(_CALL,),
)
ID_DUPLICATE = Diagnosis(
    code="tools.id-duplicate",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Several calls share one id",
    what="Two calls of one answer, or of two answers in one conversation, carry the same id.",
    why="Results are matched by id: one result is taken for both calls, or the server refuses the second.",
    remedy="Let the server or the gateway draw a fresh random id for every call.",
    remedies={
        "vllm": "Update vLLM; ids are random (`chatcmpl-tool-…`) or counted over the conversation (Kimi K2).",
        "tgi": "TGI numbers its calls from 0 in every answer: make the ids unique in the client.",
    },
    verify="The ids of all calls differ, within one answer and from one answer to the next.",
    sources=(_CALL,),
)
FINISH = Diagnosis(
    code="tools.finish-reason",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="The finish reason does not tell of the call",
    what="An answer with `tool_calls` ended with a finish_reason other than `tool_calls`, or one with finish_reason "
    "`tool_calls` holds no call.",
    why="Clients that look at the finish reason end the turn and never run the call, or wait for one that is not "
    "there.",
    remedy="Set finish_reason to `tool_calls` whenever the answer holds calls of the model's own choice, on the "
    "server or "
    "in the gateway; in the client, look for `tool_calls` rather than at the reason.",
    remedies={
        "gemini": "Gemini's compatible API answers `stop` to a call in streams: look for tool_calls instead.",
        "litellm": "Update LiteLLM; it maps the backend's reason to `tool_calls` where calls are present.",
        "ollama": "Update Ollama: /v1 answers `tool_calls` since 0.4.",
    },
    verify="The choice that holds tool_calls has finish_reason `tool_calls`.",
    sources=("OpenAI API reference, chat completions: finish_reason",),
)
STREAM_LEAK = Diagnosis(
    code="tools.stream-leak",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Calls leak into the text only when streaming",
    what="Without streaming the call comes back in `tool_calls`; the same question streamed leaves it in the text.",
    why="Clients that stream (nearly all interactive ones) never see the call, while a test without streaming passes.",
    remedy="Update the server, or use a parser that supports streaming for this model; until then switch streaming off "
    "for requests with tools.",
    remedies={
        "vllm": "Update vLLM, or change `--tool-call-parser` to one with a streaming implementation of the same format "
        "(`qwen3_xml` in place of `qwen3_coder`, for example).",
        "sglang": "Update SGLang; the streaming detector of this format misses the call.",
        "llamacpp": "Update llama.cpp: calls are streamed since the chat parsers of mid-2025, with `--jinja`.",
        "ollama": "Update Ollama: calls are parsed in streams since 0.8.",
        "litellm": "Ask the server behind LiteLLM with streaming: if the call is structured there, update LiteLLM.",
    },
    verify="The streamed answer has deltas with tool_calls and no markup in its content.",
    sources=(_CHUNK, "vllm-project/vllm vllm/tool_parsers", "ollama/ollama releases, streaming tool calls"),
)
STREAM_INDEX = Diagnosis(
    code="tools.stream-index",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Streamed calls do not carry a usable index",
    what="The deltas of streamed calls have no `index`, or several calls share one.",
    why="Clients join deltas by index, and read a missing one as 0: several calls run together into one with a garbled "
    "name or garbled arguments.",
    remedy="Number the calls of one answer 0, 1, 2 … in `delta.tool_calls[].index`, on the server or in the gateway; a "
    "client can fall back to the id, or take one call at a time with `parallel_tool_calls: false`.",
    remedies={
        "gemini": "Gemini's compatible API sends no index: join by id or by order of arrival.",
        "mistral": "Mistral's API sends every call whole and without an index: append instead of joining.",
        "litellm": "Update LiteLLM; it numbers the calls of backends that do not.",
        "vllm": "Update vLLM, or set `parallel_tool_calls: false` in the client.",
    },
    verify="Every delta of a call has an index, and each call its own.",
    sources=(_CHUNK,),
)
STREAM_FRAGMENTS = Diagnosis(
    code="tools.stream-fragments",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Streamed calls do not join to the call that was made",
    what="Joined as the API has it (the pieces of each index appended to each other), the deltas of a streamed call "
    "give "
    "other arguments, or another name or id, than a call should have: pieces are lost, sent twice, or repeated whole.",
    why="Clients append the pieces; what they get is no JSON, or the name of a tool that does not exist.",
    remedy="Send the id and the name once, and every piece of the arguments exactly once, on the server or in the "
    "gateway; "
    "until then switch streaming off for requests with tools.",
    remedies={
        "vllm": "Update vLLM, or use another `--tool-call-parser` of the same format: streaming parsers differ.",
        "llama-cpp-python": "Its streams repeat id and name in every delta: use llama.cpp's own server.",
        "litellm": "Ask the server behind LiteLLM with streaming: if the pieces are right there, update LiteLLM.",
    },
    verify="The joined arguments parse as JSON, and the name is that of an offered tool.",
    sources=(_CHUNK, "openai/openai-python src/openai/lib/streaming (accumulate_delta)"),
)


# Catalogue entries about the way there: requests with tools, forced choices and results. -----------

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
