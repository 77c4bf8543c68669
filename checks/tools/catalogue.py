"""The findings of the tools family."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_CALL = "OpenAI API reference, chat completions: message tool_calls"
_CHUNK = "OpenAI API reference, chat completion chunk: delta tool_calls"
_RESULT = "OpenAI API reference, chat completions: tool messages"
_PARSERS = (
    "vllm-project/vllm docs/features/tool_calling.md and vllm/tool_parsers",
    "sgl-project/sglang docs/advanced_features/tool_parser.ipynb and python/sglang/srt/function_call",
    "ggml-org/llama.cpp docs/function-calling.md",
)
_TOOLS = (
    "OpenAI API reference, chat completions: tools, tool_choice",
    "vllm-project/vllm docs/features/tool_calling.md",
    "ggml-org/llama.cpp docs/function-calling.md",
    "ollama/ollama server/routes.go (capability check)",
)

# Calls in the answer -------------------------------------------------------------------------------

PARSER_MISSING = Diagnosis(
    code="tools.parser-missing",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool calls returned as text (parser missing)",
    what="The model made a call in the markup it was trained on, and the server left all or part of it in the text "
    "instead of returning it in `tool_calls`.",
    why="The client displays the markup and runs nothing. The model and the tools work; the tool-call parser on the "
    "server is missing or does not match the model.",
    remedy="On the server that runs the model, enable the tool-call parser for this model's format (vLLM: "
    "`--enable-auto-tool-choice --tool-call-parser NAME`; SGLang: `--tool-call-parser NAME`; llama.cpp: `--jinja`).",
    verify="The same request returns `tool_calls`, finish_reason `tool_calls`, and no markup in `content`.",
    sources=_PARSERS,
)
TEXT_CALL = Diagnosis(
    code="tools.text-call",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool calls returned as plain JSON text",
    what="The text of the answer is a JSON object that calls the offered tool, without markup, and `tool_calls` is "
    "empty.",
    why="The client displays JSON and runs nothing. Either the server has no parser for this model's JSON calls, or "
    "the special tokens around them were dropped, or the prompt showed the tools in a format the model was not "
    "trained on.",
    remedy="On the server that runs the model, set the parser of the model's family and use the model's own chat "
    "template. For a model that was not trained for tools, turn tools off in the client.",
    verify="The same request returns `tool_calls`, and `content` is empty or prose.",
    sources=_PARSERS,
)
NOT_JSON = Diagnosis(
    code="tools.arguments-not-json",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool call arguments are not JSON",
    what="A structured call came back, and the string in `function.arguments` does not parse as JSON, although the "
    "answer was not cut off.",
    why="The client cannot run the call; most clients raise an error, some pass on an empty object.",
    remedy="Update the server, use the parser of the model's family, or send `strict: true` where it is supported. "
    "Otherwise use a stronger model.",
    verify="json.loads of every call's arguments succeeds.",
    sources=(_CALL,),
)
NOT_STRING = Diagnosis(
    code="tools.arguments-not-string",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool call arguments are not a string",
    what="`function.arguments` is a JSON object (or another value) where the API has a string that contains JSON.",
    why="Clients parse the string: typed ones (Go, Rust, Java, Swift) reject the whole answer as malformed, and "
    "Python's json.loads raises.",
    remedy='Serialise the arguments in the server or the gateway: `"arguments": "{\\"city\\": …}"`.',
    verify="The type of `function.arguments` is string.",
    sources=(_CALL, "huggingface/text-generation-inference releases (arguments as a string since 3.0)"),
)
OFF_SCHEMA = Diagnosis(
    code="tools.arguments-off-schema",
    severity=Severity.WARNING,
    owner=Owner.MODEL,
    title="Tool call does not match the offered tool",
    what="A structured call came back whose arguments do not match the tool's JSON Schema (a wrong type, a missing "
    "required member), or which names a tool that was not offered. Owner is the server where the model writes the same "
    "call right as text.",
    why="The client runs the tool with arguments it does not expect, or rejects the call.",
    remedy="Validate arguments in the client and return the error as the tool's result. Where the server can decode "
    "under a schema, enable it (`strict: true` in the tool's function); otherwise use a stronger model.",
    verify="The arguments validate against the tool's parameters.",
    sources=(_CALL, "JSON Schema draft 2020-12, validation"),
)
ID_MISSING = Diagnosis(
    code="tools.id-missing",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool call without an id",
    what="A structured call came back without a usable `id` (absent, null, empty, or not a string).",
    why="The result of a call is handed back under its id. Without one the client or the server rejects the next turn, "
    "and the results of several calls cannot be matched.",
    remedy="Give every call an id of its own in the server or the gateway (`call_` and random letters).",
    verify="Every call's id is a string that is not empty.",
    sources=(_CALL,),
)
ID_DUPLICATE = Diagnosis(
    code="tools.id-duplicate",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Several tool calls share one id",
    what="Two calls of one answer, or of two answers in one conversation, have the same id.",
    why="Results are matched by id: one result is used for both calls, or the server rejects the second.",
    remedy="Generate a new random id for every call in the server or the gateway.",
    verify="The ids of all calls differ, within one answer and from one answer to the next.",
    sources=(_CALL,),
)
FINISH = Diagnosis(
    code="tools.finish-reason",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Finish reason contradicts the tool calls",
    what="An answer with `tool_calls` ended with a finish_reason other than `tool_calls`, or an answer with "
    "finish_reason `tool_calls` has no call.",
    why="Clients that check the finish reason end the turn without running the call, or wait for a missing call.",
    remedy="Set finish_reason to `tool_calls` in the server or the gateway whenever the answer has calls that were not "
    "forced. In the client, check for `tool_calls` instead of the reason.",
    verify="The choice that has tool_calls has finish_reason `tool_calls`.",
    sources=("OpenAI API reference, chat completions: finish_reason",),
)
#: Everything that can be wrong with a call in an answer.
VALUES_ALTERED = Diagnosis(
    code="tools.values-altered",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Argument values changed after the model wrote them",
    what="The arguments of a call hold the right values in another form: numbers or booleans as strings, JSON that was "
    "encoded twice, HTML entities or doubled escapes, texts that were escaped, wrapped or cut or lost their tags, "
    "numbers with fewer digits. Where a model may have done it, it writes the same values right as text.",
    why="The client runs the tool with values that it does not expect, or refuses the call; the fault looks like the "
    "model's, and a stronger model does not help.",
    remedy="Update the server or the gateway: its tool-call parser has to pass on the values with the types of the "
    "tool's schema, and no filter, escape or limit of length may touch them. Try another parser for the same format.",
    verify="The arguments of the same request's call validate against the tool's parameters.",
    sources=(_CALL, "vllm-project/vllm pull request 54964; langchain-ai/deepagents issue 2954"),
)
NAME_ALTERED = Diagnosis(
    code="tools.name-altered",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool name changed after the model wrote it",
    what="A structured call names the offered tool with something added or changed: special tokens of the model's "
    "format, a prefix, another case or separator.",
    why="The client knows no tool of that name and refuses the call.",
    remedy="Update the server: its tool-call parser leaves parts of the model's format in the name. Use the parser of "
    "the model's family.",
    verify="The name in the same request's call is one of the offered names.",
    sources=(_CALL, "vllm-project/vllm issue 32587, ollama/ollama issue 12132"),
)
CALL_FAULTS = (
    *(PARSER_MISSING, TEXT_CALL, NOT_JSON, NOT_STRING, OFF_SCHEMA, VALUES_ALTERED, NAME_ALTERED),
    *(ID_MISSING, ID_DUPLICATE, FINISH),
)

STREAM_LEAK = Diagnosis(
    code="tools.stream-leak",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool calls returned as text only when streaming",
    what="Without streaming the call comes back in `tool_calls`; the same question streamed leaves it in the text.",
    why="Clients that stream (nearly all interactive ones) never see the call, while a test without streaming passes.",
    remedy="Update the server, or use a parser that supports streaming for this model. Until then turn streaming off "
    "for requests with tools.",
    verify="The streamed answer has deltas with tool_calls and no markup in its content.",
    sources=(_CHUNK, "vllm-project/vllm vllm/tool_parsers", "ollama/ollama releases, streaming tool calls"),
)
STREAM_INDEX = Diagnosis(
    code="tools.stream-index",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Streamed tool calls lack a usable index",
    what="The deltas of streamed calls have no `index`, or several calls share one.",
    why="Clients join deltas by index and read a missing one as 0: several calls are merged into one with a garbled "
    "name or garbled arguments.",
    remedy="Number the calls of one answer 0, 1, 2 … in `delta.tool_calls[].index`, in the server or the gateway. A "
    "client can join by id instead, or send `parallel_tool_calls: false`.",
    verify="Every delta of a call has an index, and each call its own.",
    sources=(_CHUNK,),
)
STREAM_FRAGMENTS = Diagnosis(
    code="tools.stream-fragments",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Streamed tool call fragments do not join",
    what="Joined as the API defines it (the fragments of each index appended), the deltas of a streamed call give "
    "wrong arguments, or a wrong name or id: fragments are lost, sent twice, or repeated in full.",
    why="Clients append the fragments; the result is not JSON, or names a tool that does not exist.",
    remedy="Send the id and the name once and every fragment of the arguments exactly once, in the server or the "
    "gateway. Until then turn streaming off for requests with tools.",
    verify="The joined arguments parse as JSON, and the name is that of an offered tool.",
    sources=(_CHUNK, "openai/openai-python src/openai/lib/streaming (accumulate_delta)"),
)

# Requests with tools, forced choices and results -----------------------------------------------------

REJECTED = Diagnosis(
    code="tools.rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Requests with tools rejected",
    what="A request that offers tools was rejected with an error; the same endpoint answers plain chat.",
    why="A client with tools turned on gets this error for every message; one with tools turned off is not affected.",
    remedy="Turn tools off in the client, or serve a model that supports tools.",
    verify="A chat request with a `tools` list is answered with status 200.",
    sources=_TOOLS,
)
NOT_ENABLED = Diagnosis(
    code="tools.not-enabled",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Server started without tool calling",
    what="The request with tools was rejected, and the error says that the server was started without tool calling.",
    why="Every message of a client with tools turned on fails, although the model may be able to call tools: only a "
    "start option is missing.",
    remedy="Restart the server with the option that its error text names. Until then turn tools off in the client.",
    verify="A chat request with a `tools` list is answered with status 200 and a `tool_calls` member.",
    sources=_TOOLS,
)
IGNORED = Diagnosis(
    code="tools.ignored",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tools accepted but never shown to the model",
    what="Requests with tools are answered with success, but the model was not shown the tools: the prompt tokens do "
    "not grow with them, or the model cannot name what is only in their description.",
    why="The model cannot call tools it does not know. The client treats tools as enabled, and the user gets invented "
    "answers in prose without any error.",
    remedy="Send the request directly to the server behind the gateway. If that works, let the gateway pass `tools` "
    "and `tool_choice` on; if not, use a chat template or a model that supports tools. Until then turn tools off in "
    "the client.",
    verify="usage.prompt_tokens of a request with tools is clearly higher than without.",
    sources=(*_TOOLS, "Hugging Face transformers docs, chat templates: tool use"),
)
NOT_CALLED = Diagnosis(
    code="tools.not-called",
    severity=Severity.INFO,
    owner=Owner.MODEL,
    title="Model does not call the offered tools",
    what="The tools reached the model, and it answered a question that asks for the tool in prose, even when "
    "instructed to call it.",
    why="The endpoint works, but with this model an agent will rarely get a call unless it forces one.",
    remedy="Use a model that was trained for tool calling, or force the call with tool_choice where it is needed.",
    verify="The same question is answered with `tool_calls`.",
    sources=("OpenAI API reference, chat completions: tool_choice auto",),
)
CHOICE_IGNORED = Diagnosis(
    code="tools.choice-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Forced tool_choice has no effect",
    what="A request with tool_choice `required`, or with one that names a tool, was answered with success and a "
    "complete answer, but without the call it demands.",
    why="A client that relies on the forced call (for structured answers or routing) waits for a call that does not "
    "come.",
    remedy="Do not rely on a forced tool_choice: use `auto` and check for a call, or request structured output.",
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
    title="Conversation with a tool result rejected",
    what="The conversation that hands back the result of a call (the assistant message with tool_calls, then a message "
    "of role `tool`) was rejected, although requests with tools are answered.",
    why="An agent gets its first call and then an error: the loop ends after one step.",
    remedy="Use a chat template and a gateway that accept messages of role `tool`. Until then turn tools off in the "
    "client.",
    verify="The conversation is answered with status 200.",
    sources=(_RESULT, "vllm-project/vllm examples/tool_chat_template_*.jinja"),
)
RESULT_IGNORED = Diagnosis(
    code="tools.result-ignored",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool results never reach the model",
    what="The conversation with a tool result was answered with success, but the answer does not use the result: the "
    "prompt tokens do not grow with it, or the model can repeat the same sentence from a user message and not from the "
    "result.",
    why="The model answers without the result: agents repeat calls or invent the answer, without any error.",
    remedy="Use a chat template that renders messages of role `tool`, and let the gateway pass them on unchanged.",
    verify="usage.prompt_tokens grows with the length of a tool result.",
    sources=(_RESULT, "Hugging Face transformers docs, chat templates"),
)

# What has to be sent back --------------------------------------------------------------------------

ECHO_REQUIRED = Diagnosis(
    code="tools.echo-required",
    severity=Severity.WARNING,
    owner=Owner.CLIENT,
    title="Field of the call must be sent back",
    what="A conversation with a tool result is answered when the assistant message is sent back exactly as it came, "
    "and rejected when a field that is not in the API's own schema is left out.",
    why="Clients that build the history from the id, the name and the arguments alone get an error after every tool "
    "call. Clients that send the message back whole work.",
    remedy="Use a client that sends assistant messages back whole, or set it to keep the field that the detail names "
    "(opencode: `interleaved`; pydantic-ai keeps it by itself). LangChain's ChatOpenAI drops it.",
    verify="The second request of a tool conversation is answered with status 200.",
    sources=(
        "ai.google.dev, Gemini API, OpenAI compatibility: thought signatures; langchain-ai/langchain issue 37347",
        "api-docs.deepseek.com, thinking mode with tool calls; anomalyco/opencode issue 24497",
    ),
)
HISTORY_REJECTED = Diagnosis(
    code="tools.history-rejected",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Own answer rejected in the history",
    what="A history that agents send was rejected: an assistant message exactly as the endpoint wrote it, accepted "
    "without one of its fields; or a conversation with tool turns from which `tools` was left out.",
    why="Clients that send messages back whole get an error at the second turn of a conversation; agents that ask for "
    "a summary without offering their tools get one as soon as the conversation has a tool call.",
    remedy="Update the server so that it accepts the fields that it writes, and tool turns without `tools`; until then "
    "let the client leave the field out of the history, or offer the tools in every request.",
    verify="A conversation that holds the answer as it came is answered with status 200.",
    sources=(
        "lmstudio-ai/lmstudio-bug-tracker issue 1318",
        "BerriAI/litellm docs, Anthropic: modify_params adds a dummy tool where tools is left out",
        "OpenAI API reference, chat completions: messages",
    ),
)

# What agents offer and send ------------------------------------------------------------------------

NO_ARGUMENTS = Diagnosis(
    code="tools.no-arguments",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool without parameters fails",
    what="A tool without parameters was refused, or was called with arguments that are not a JSON object: an empty "
    "text, or null.",
    why="Clients parse the arguments as JSON, and an empty text raises an error in json.loads; the agent cannot run "
    "the tool, or cannot offer it at all.",
    remedy="Update the server or the gateway: its tool-call parser has to return `{}` for a call without arguments. "
    "Until then give the tool one optional parameter.",
    verify="The call of a tool without parameters has the arguments `{}`.",
    sources=(_CALL, "QwenLM/qwen-code issue 6249, BerriAI/litellm issue 5063"),
)
SCHEMA_REJECTED = Diagnosis(
    code="tools.schema-rejected",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="JSON Schema keyword in a tool rejected",
    what="A tool was refused because of one JSON Schema keyword in its parameters, without which it is accepted, or "
    "because of its definition in every form that was tried.",
    why="Schemas that are generated from types (Pydantic, Zod, MCP servers) use these keywords. One such tool makes "
    "every request of the agent fail.",
    remedy="Update the server or the gateway, or turn off its conversion of schemas. Until then let the client inline "
    "references and leave the keyword out.",
    verify="A request with a tool that uses the keyword is answered with status 200.",
    sources=(
        "OpenAI API reference, chat completions: tools[].function.parameters",
        "BerriAI/litellm issue 26692",
        "modelcontextprotocol.io, specification: Tool inputSchema",
    ),
)
NAME_REJECTED = Diagnosis(
    code="tools.name-rejected",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool name rejected",
    what="A tool was refused because of its name, which the API allows: letters, digits, underscores and hyphens, at "
    "most 64 characters.",
    why="Tools of MCP servers have hyphens and long names. One such tool makes every request of the agent fail.",
    remedy="Update the server or the gateway. Until then rename the tool in the client, with underscores and fewer "
    "characters.",
    verify="A request with a tool of that name is answered with status 200.",
    sources=("OpenAI API reference, chat completions: tools[].function.name",),
)
NONE_IGNORED = Diagnosis(
    code="tools.none-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title='tool_choice "none" has no effect',
    what='A request with `tool_choice: "none"` was answered with a tool call.',
    why="Agents send `none` to get a summary or a final answer, and run a tool instead, or loop.",
    remedy="Update the server or the gateway so that it applies tool_choice. Until then leave `tools` out of requests "
    "that must not call one.",
    verify='The same request with `tool_choice: "none"` is answered with text.',
    sources=("OpenAI API reference, chat completions: tool_choice",),
)
HELD_WITH_TOOLS = Diagnosis(
    code="tools.held-with-tools",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Streamed text held back with tools",
    what="The text of a streamed answer arrives while it is written; with `tools` in the request the same text arrives "
    "only at the end.",
    why="Agents offer tools in every request, so their users wait for whole answers; an idle timer in between may cut "
    "the silent connection.",
    remedy="Update the server, or use a tool-call parser that streams text (one that waits for the end to look for a "
    "call cannot); in a gateway turn off the emulation of tool calls for a backend that has its own.",
    verify="The first words of a streamed answer arrive as early with `tools` as without.",
    sources=("vllm-project/vllm vllm/tool_parsers: extract_tool_calls_streaming", "OpenAI API reference, streaming"),
)
CALL_CUT = Diagnosis(
    code="tools.call-cut",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Truncated tool call reported as complete",
    what="The token limit cut a tool call off, and the finish reason says that the call is complete.",
    why="The client runs a call with half of its arguments, or fails to parse them, and does not learn that a higher "
    "limit would help.",
    remedy="Update the server: an answer that the token limit cut off has the finish reason `length`, with or without "
    "calls. Until then raise the client's token limit.",
    verify="A call that the token limit cuts off has the finish reason `length`.",
    sources=("OpenAI API reference, chat completions: finish_reason", "vllm-project/vllm issue 58228"),
)
NULL_REJECTED = Diagnosis(
    code="content.null-rejected",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Tool calls without text rejected",
    what="A conversation in which the assistant message has tool_calls and `content: null`, or no `content`, was "
    'rejected, and accepted with `content: ""` or null.',
    why="The API returns null for a call, and clients send the message back unchanged: the tool loop breaks after the "
    "first call.",
    remedy='Let the server accept null content in assistant messages with tool_calls, or replace it by "" in a gateway '
    "or the client.",
    verify="The conversation with `content: null` and tool_calls is answered with status 200.",
    sources=(
        "OpenAI API reference, chat completions: assistant message, content is optional with tool_calls",
        "abetlen/llama-cpp-python llama_cpp/llama_types.py",
    ),
)
ORDER_REJECTED = Diagnosis(
    code="roles.order-rejected",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Order of messages rejected",
    what="A conversation was refused because of the order of its messages, which agents send: a user message after a "
    "tool result, two user messages in a row, a second or a late system message, an assistant message at the end.",
    why="An agent works for a few turns and then gets an error for every request of the conversation.",
    remedy="Use a chat template without a check for alternating roles, or a newer one for this model. Until then let "
    "the client merge neighbouring messages of one role, send one system message at the beginning, the user's last.",
    verify="A conversation with the messages in this order is answered with status 200.",
    sources=(
        "aaif-goose/goose issue 5998, zed-industries/zed issue 37021",
        "Hugging Face, chat templates of Mistral and Gemma: roles must alternate",
        "ericc-ch/copilot-api pull request 261, anomalyco/opencode pull request 25725: no last turn of the assistant",
        "OpenAI API reference, chat completions: messages",
    ),
)
