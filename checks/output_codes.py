"""The diagnoses of structured output."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_SOURCES = (
    "OpenAI API reference, chat completions: response_format",
    "OpenAI guide, Structured Outputs: JSON mode, refusals, supported schemas",
)
OBJECT_REJECTED = Diagnosis(
    code="output.json-object-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="JSON mode is refused",
    what='A request with `response_format: {"type": "json_object"}` was refused; the same request without it is '
    "answered.",
    why="A client that asks for JSON mode gets this error; everything else works.",
    remedy="Leave JSON mode off in the client, or use json_schema where the capability json_schema is `works`.",
    remedies={
        "lmstudio": "Send `json_schema` in place of `json_object`; LM Studio takes `json_schema` and `text` only.",
        "tgi": 'Send `{"type": "json_object", "value": SCHEMA}`, the form this server reads.',
        "litellm": "Set `drop_params: true` under `litellm_settings` to drop it for deployments without JSON mode.",
    },
    sources=(*_SOURCES, "lmstudio-ai/lmstudio-bug-tracker issues 189 and 307"),
)
OBJECT_IGNORED = Diagnosis(
    code="output.json-object-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="JSON mode is accepted and has no effect",
    what='`response_format: {"type": "json_object"}` was accepted, the model ended its answer by itself, and the '
    "answer is no JSON object.",
    why="A client that parses the answer fails now and then, on whichever answer comes as prose or in a code fence.",
    remedy="Switch JSON mode off in the client and let it extract JSON from text, or serve the model with a server "
    "that constrains the output.",
    remedies={
        "tabbyapi": "Ask for type `json` or for `json_schema`; `json_object` is not acted upon.",
        "transformers": "`transformers serve` logs and drops response_format; use vLLM, SGLang or llama.cpp for it.",
        "mlx": "mlx_lm.server drops response_format; use a server with constrained output.",
        "textgen-webui": "Send a grammar in `grammar_string`; response_format is not acted upon.",
        "openrouter": "Set `provider.require_parameters: true`, so that only providers with JSON mode are used.",
        "litellm": "Switch off `drop_params` to see which deployment does not take response_format.",
    },
    sources=_SOURCES,
)
SCHEMA_REJECTED = Diagnosis(
    code="output.schema-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Structured output by JSON schema is refused",
    what='A request with `response_format: {"type": "json_schema"}` and a small strict schema was refused.',
    why="A client that asks for structured output gets this error; everything else works.",
    remedy="Leave structured output off in the client, or use JSON mode where the capability json_object is `works`.",
    remedies={
        "deepseek": "Use `json_object` and describe the shape in the prompt; this API has no json_schema.",
        "llama-cpp-python": 'Send `{"type": "json_object", "schema": SCHEMA}`; this server has no json_schema type.',
        "tgi": 'Send `{"type": "json_schema", "value": {"name": NAME, "schema": SCHEMA}}`, the form this server reads.',
        "groq": "Choose a model that its documentation lists for structured outputs.",
        "litellm": "Set `drop_params: true` under `litellm_settings` to drop it for deployments without it.",
    },
    sources=_SOURCES,
)
SCHEMA_IGNORED = Diagnosis(
    code="output.schema-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="A JSON schema is accepted and not obeyed",
    what="A strict JSON schema was accepted, the model ended its answer by itself, and the answer does not fit the "
    "schema.",
    why="A client that relies on structured output gets text or objects it cannot use, without an error.",
    remedy="Switch structured output off in the client, or serve the model with a server that constrains the output "
    "to the schema.",
    remedies={
        "vllm": "vLLM obeys response_format without a flag (its old `guided_*` fields have no effect): look for a "
        "gateway in front of it that drops the parameter.",
        "sglang": "Start it with `--grammar-backend xgrammar`; `none` switches constrained output off.",
        "transformers": "`transformers serve` logs and drops response_format; use vLLM, SGLang or llama.cpp for it.",
        "mlx": "mlx_lm.server drops response_format; use a server with constrained output.",
        "textgen-webui": "Send a grammar in `grammar_string`; response_format is not acted upon.",
        "koboldcpp": "A schema it cannot turn into a grammar is dropped; simplify the schema.",
        "openrouter": "Set `provider.require_parameters: true`, so that only providers that take a schema are used.",
    },
    sources=_SOURCES,
)
