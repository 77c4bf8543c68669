"""Catalogue entries about the way back: calls in the text, and what is wrong with structured ones."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_CALL = "OpenAI API reference, chat completions: message tool_calls"
_CHUNK = "OpenAI API reference, chat completion chunk: delta tool_calls"

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
    verify="The joined arguments parse as JSON, and the name is that of an offered tool.",
    sources=(_CHUNK, "openai/openai-python src/openai/lib/streaming (accumulate_delta)"),
)


# Catalogue entries about the way there: requests with tools, forced choices and results. -----------

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
    verify="usage.prompt_tokens grows with the length of a tool result.",
    sources=("OpenAI API reference, chat completions: tool messages", "Hugging Face transformers docs, chat templates"),
)
