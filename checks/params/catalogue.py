"""The catalogue entries of the params family."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_REFERENCE = "OpenAI API reference, create chat completion: request body"

MAX_TOKENS_REJECTED = Diagnosis(
    code="params.max-tokens-rejected",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="max_tokens is refused",
    what="A request with `max_tokens` was refused; without it, or with `max_completion_tokens`, it is answered.",
    why="Most clients send `max_tokens`, and get an error for every request until they are set to the other name.",
    remedy="Let the client send `max_completion_tokens`, or no limit.",
    verify="A request with the name that the client sends is answered with status 200.",
    sources=(_REFERENCE, "vercel/ai: OpenAI fixture `unsupported_parameter` for max_tokens"),
)
MAX_COMPLETION_TOKENS_REJECTED = Diagnosis(
    code="params.max-completion-tokens-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="max_completion_tokens is refused",
    what="A request with `max_completion_tokens` was refused.",
    why="Newer clients send this name; they have to be set to `max_tokens`.",
    remedy="Let the client send `max_tokens`.",
    verify="A request with the name that the client sends is answered with status 200.",
    sources=(_REFERENCE, "vllm-project/vllm vllm/entrypoints/openai/protocol.py"),
)
MAX_TOKENS_IGNORED = Diagnosis(
    code="params.max-tokens-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="The limit of the answer's length has no effect",
    what="A request with `max_tokens` was answered with far more tokens than that.",
    why="Answers cost more time and money than the client allows; a model that does not stop fills its whole context.",
    remedy="Let the gateway pass the limit on to the server; set a limit in the server as well.",
    verify="With `max_tokens: 16` a long answer ends with finish_reason `length` and 16 completion tokens.",
    sources=(_REFERENCE, "BerriAI/litellm docs: drop_params"),
)
STOP_IGNORED = Diagnosis(
    code="params.stop-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Stop sequences have no effect",
    what="A request with `stop` was answered with a text that holds a stop sequence and goes on after it.",
    why="Agents and completion tools that cut answers with stop sequences get text that was not to be written, and pay "
    "for it.",
    remedy="Let the gateway pass `stop` on to the server; or let the client cut the text itself.",
    verify='Counting with `stop: ["7"]` ends before the 7.',
    sources=(_REFERENCE,),
)
UNKNOWN_REJECTED = Diagnosis(
    code="params.unknown-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Parameters are refused",
    what="Requests were refused because of a parameter: one that the server does not know, or an optional one of the "
    "API. A refused `stream_options` is a warning, since most clients send it with every stream.",
    why="A client that sends such a parameter gets an error in place of an answer until it is set not to.",
    remedy="Take the named parameters out of the client's requests, or let a gateway drop them.",
    verify="A request with the named parameters is answered with status 200.",
    sources=(_REFERENCE, "BerriAI/litellm docs: drop_params", "huggingface/transformers src/transformers/cli/serving"),
)
