"""The diagnoses of the params family."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_REFERENCE = "OpenAI API reference, create chat completion: request body"
_LIMIT_ACCEPTED = "A request with the parameter that the client sends is answered with status 200."

MAX_TOKENS_REJECTED = Diagnosis(
    code="params.max-tokens-rejected",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="max_tokens rejected",
    what="A request with `max_tokens` was refused; without it, or with `max_completion_tokens`, it is answered.",
    why="Most clients send `max_tokens` and get an error for every request until they are configured otherwise.",
    remedy="Configure the client to send `max_completion_tokens`, or no limit.",
    verify=_LIMIT_ACCEPTED,
    sources=(_REFERENCE, "vercel/ai: OpenAI fixture `unsupported_parameter` for max_tokens"),
)
MAX_COMPLETION_TOKENS_REJECTED = Diagnosis(
    code="params.max-completion-tokens-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="max_completion_tokens rejected",
    what="A request with `max_completion_tokens` was refused.",
    why="Newer clients send this name and have to be configured to send `max_tokens`.",
    remedy="Configure the client to send `max_tokens`.",
    verify=_LIMIT_ACCEPTED,
    sources=(_REFERENCE, "vllm-project/vllm vllm/entrypoints/openai/protocol.py"),
)
MAX_TOKENS_IGNORED = Diagnosis(
    code="params.max-tokens-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Output token limit has no effect",
    what="A request with `max_tokens`, or with `max_completion_tokens`, was answered with far more tokens than the "
    "limit.",
    why="Answers cost more time and money than the client allows; a model that does not stop fills its whole context.",
    remedy="Let the gateway forward the limit to the server; set a limit in the server as well.",
    verify="With `max_tokens: 16` a long answer ends with finish_reason `length` and 16 completion tokens.",
    sources=(_REFERENCE, "BerriAI/litellm docs: drop_params", "abetlen/llama-cpp-python issue 1907"),
)
CUT_UNREPORTED = Diagnosis(
    code="params.cut-unreported",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Truncated answers reported as complete",
    what="An answer that the token limit cut off ends with finish_reason `stop` and not `length`.",
    why="Clients take half an answer for a whole one: they neither continue it nor raise the limit.",
    remedy="Let the server or the gateway pass the model's own reason on: `length` where the token limit ended the "
    "answer. Until then compare `usage.completion_tokens` with the limit in the client.",
    verify="With `max_tokens: 16` a long answer ends with finish_reason `length`.",
    sources=(_REFERENCE, "BerriAI/litellm issue 25825", "UKGovernmentBEIS/inspect_ai issue 5143"),
)
DEFAULT_LIMIT = Diagnosis(
    code="params.default-limit",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Answers without a limit cut short",
    what="A request without `max_tokens` was answered with a text that ends after few tokens with finish_reason "
    "`length`.",
    why="Many clients send no limit, as the API allows, and get answers and calls that are cut in the middle.",
    remedy="Raise the server's own limit for requests without one (llama.cpp: `-n`, mlx_lm.server: `--max-tokens`, a "
    "gateway: its default for `max_tokens`). Until then set a limit in the client.",
    verify="Without `max_tokens` a count to 100 is complete and ends with finish_reason `stop`.",
    sources=(_REFERENCE, "vllm-project/vllm-metal pull request 56", "huggingface/text-generation-inference issue 2421"),
)
STOP_IGNORED = Diagnosis(
    code="params.stop-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Stop sequences not obeyed",
    what="A request with `stop` was answered with a text that contains a stop sequence, at its end or with more text "
    "after it.",
    why="Agents and completion tools that end answers with stop sequences get, and pay for, unwanted text.",
    remedy="Let the gateway forward `stop` to the server, or let the client truncate the text itself.",
    verify='Counting with `stop: ["7"]` ends before the 7.',
    sources=(_REFERENCE,),
)
LOGPROBS_IGNORED = Diagnosis(
    code="params.logprobs-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Log probabilities dropped without an error",
    what="A request with `logprobs: true` was answered with status 200 and without them in the form of the API.",
    why="Programs that score or rank answers read `choices[0].logprobs.content` and fail on null, with no error that "
    "names the cause.",
    remedy="Switch log probabilities on in the server if it has them and let the gateway forward `logprobs` and "
    "`top_logprobs`, or use another endpoint for programs that need them.",
    verify="With `logprobs: true` the answer's `choices[0].logprobs.content` has one entry a token.",
    sources=(_REFERENCE, "InternLM/lmdeploy issue 2802"),
)
STOP_IN_THINKING = Diagnosis(
    code="params.stop-in-thinking",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Stop sequences end the thinking",
    what="With `stop` the answer ends inside the model's thinking and has no text; without it the same question is "
    "answered.",
    why="Clients that send stop sequences get empty answers whenever the model thinks of one of them.",
    remedy="Update the server so that stop sequences are looked for in the answer alone, switch the model's thinking "
    "off for such requests, or send no stop sequences.",
    verify='Counting to 30 with `stop: ["7"]` brings the numbers before the 7.',
    sources=(_REFERENCE, "vllm-project/vllm issue 14170"),
)
SAMPLING_REJECTED = Diagnosis(
    code="params.sampling-rejected",
    severity=Severity.WARNING,
    owner=Owner.CLIENT,
    title="Sampling parameters rejected",
    what="Requests were refused because of `temperature`, of `top_p`, or because both were sent together.",
    why="Most clients send a temperature with every request, and many let the user set both; each such request fails.",
    remedy="Configure the client not to send the named parameters, or only one of the two if the pair is refused.",
    verify="A request with the parameters that the client sends is answered with status 200.",
    sources=(
        _REFERENCE,
        "OpenAI documentation: reasoning models support the default temperature only",
        "cline/cline#341",
        "QwenLM/qwen-code#921",
    ),
)
UNKNOWN_REJECTED = Diagnosis(
    code="params.unknown-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Optional parameters rejected",
    what="Requests were refused because of a parameter: one that the server does not know, or an optional one of the "
    "API. A refused `stream_options`, or `tool_choice: auto`, is a warning, since many clients always send it.",
    why="Clients that send such a parameter get an error until they are configured not to send it.",
    remedy="Remove the named parameters from the client's requests, or let a gateway drop them.",
    verify="A request with the named parameters is answered with status 200.",
    sources=(_REFERENCE, "BerriAI/litellm docs: drop_params", "huggingface/transformers src/transformers/cli/serving"),
)
