"""Parameters that are refused or have no effect: token limits, stop sequences, unknown ones."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, drop_fields, on_chat, on_prompt, on_reply
from probe.simulator.response import Response, send_json, send_text

_KNOWN = frozenset(
    "model messages stream stream_options temperature top_p max_tokens max_completion_tokens n seed stop tools "
    "tool_choice parallel_tool_calls response_format logprobs top_logprobs presence_penalty frequency_penalty "
    "logit_bias user reasoning_effort functions function_call store metadata service_tier modalities "
    "prediction".split()
)


# Accepted without effect -------------------------------------------------------------------------------


@on_prompt("neither max_tokens nor max_completion_tokens limits the answer", "params.max-tokens-ignored")
def max_tokens_ignored(fault: Fault, call: Call) -> None:
    """A gateway drops the limit."""
    drop_fields(call, "max_tokens", "max_completion_tokens")


@on_reply("answers that the token limit cuts off end with finish_reason stop", "params.cut-unreported")
def cut_unreported(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A gateway writes its own finish reason (BerriAI/litellm issue 25825)."""
    return replace(reply, finish_reason="stop") if reply.finish_reason == "length" else reply


@on_reply("the model thinks first, and stop sequences end its thinking", "params.stop-in-thinking")
def stop_in_thinking(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The engine looks for stop sequences in every token (vllm-project/vllm issue 14170)."""
    if reply.tool_calls or not reply.text:
        return reply
    if call.body.get("stop"):
        return replace(reply, text="", reasoning="The user wants ", finish_reason="stop")
    return replace(reply, reasoning="The user wants an answer, and I give it.")


@on_prompt("stop sequences have no effect", "params.stop-ignored")
def stop_ignored(fault: Fault, call: Call) -> None:
    """A gateway drops the stop sequences."""
    drop_fields(call, "stop")


# Refused by name ---------------------------------------------------------------------------------------


class _Refused(Fault):
    """A parameter that is refused wherever it is given; the members after `field` are those of the error."""

    field: ClassVar[str]
    message: ClassVar[str]
    kind: ClassVar[str] = "invalid_request_error"
    param: ClassVar[str | None] = None
    code: ClassVar[str | None] = None

    def on_chat(self, call: Call) -> Response | None:
        if self.field not in call.sent:
            return None
        return self.error(400, self.message, self.kind, self.param, self.code)


# OpenAI's reasoning models.
MaxTokensRejected = _Refused.variant(
    "max-tokens-rejected",
    "max_tokens is refused; max_completion_tokens is expected",
    yields=("params.max-tokens-rejected",),
    field="max_tokens",
    message="Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead.",
    param="max_tokens",
    code="unsupported_parameter",
)
# A strict server that is older than the parameter.
MaxCompletionTokensRejected = _Refused.variant(
    "max-completion-tokens-rejected",
    "max_completion_tokens is refused",
    yields=("params.max-completion-tokens-rejected",),
    field="max_completion_tokens",
    message="Unrecognized request argument supplied: max_completion_tokens",
)
# Databricks' strict JSON decoder.
StreamOptionsRejected = _Refused.variant(
    "stream-options-rejected",
    "stream_options is refused",
    yields=("params.unknown-rejected", "stream.no-usage"),
    field="stream_options",
    message='json: unknown field "stream_options"',
    kind="BAD_REQUEST",
)
# Cerebras and others list the parameter as unsupported.
ParallelRejected = _Refused.variant(
    "tool-parallel-rejected",
    "parallel_tool_calls is refused, by the Responses API too, where agents always send it",
    yields=("params.unknown-rejected", "responses.fields-rejected"),
    field="parallel_tool_calls",
    message="Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
    param="parallel_tool_calls",
    code="unsupported_parameter",
)
# DeepSeek's thinking mode knows no choice, not even the default (mozilla-ai/any-llm issue 1384).
ChoiceRejected = _Refused.variant(
    "tool-choice-rejected",
    "tool_choice is refused in every form, by the Responses API too",
    yields=("params.unknown-rejected", "responses.fields-rejected"),
    field="tool_choice",
    message="Thinking mode does not support this tool_choice",
)


@on_chat("logprobs is refused (an optional capability: harmless)")
def logprobs_rejected(fault: Fault, call: Call) -> Response | None:
    """Groq's refusal: a clear refusal of an optional capability is harmless."""
    if not call.body.get("logprobs") and "top_logprobs" not in call.body:
        return None
    return fault.error(400, "`logprobs` is not supported with this model", param="logprobs")


@on_chat(
    "an unknown parameter is refused (=openai, fastapi or serde: whose words)",
    "params.unknown-rejected",
    choices=("openai", "fastapi", "serde"),
)
def unknown_param_rejected(fault: Fault, call: Call) -> Response | None:
    """Strict validation of the body, in the words of OpenAI, FastAPI or Rust's serde."""
    unknown = next((key for key in call.body if key not in _KNOWN), None)
    if unknown is None:
        return None
    if fault.given == "fastapi":
        detail = {"type": "extra_forbidden", "loc": ["body", unknown], "msg": "Extra inputs are not permitted"}
        return send_json(422, {"detail": [{**detail, "input": call.body[unknown]}]})
    if fault.given == "serde":
        text = f"Failed to deserialize the JSON body into the target type: unknown field `{unknown}`"
        return send_text(422, text)
    return fault.error(400, f"Unrecognized request argument supplied: {unknown}")


@on_chat(
    "sampling parameters are refused (=temperature, top_p or pair: which)",
    "params.sampling-rejected",
    choices=("temperature", "top_p", "pair"),
)
def sampling_rejected(fault: Fault, call: Call) -> Response | None:
    """Models that sample in one way only, and models that accept one of two parameters (Claude Opus 4.1)."""
    if fault.given == "pair":
        if "temperature" not in call.body or "top_p" not in call.body:
            return None
        return fault.error(400, "`temperature` and `top_p` cannot both be specified for this model.")
    if fault.given not in call.body:
        return None
    message = f"Unsupported value: '{fault.given}' cannot be changed for this model; leave it out."
    return fault.error(400, message, param=fault.given, code="unsupported_value")


@on_chat("requests with temperature 0 are answered 500", "errors.shape", "params.sampling-rejected")
def temperature_zero_500(fault: Fault, call: Call) -> Response | None:
    """The sampler raises at a temperature of 0, and the server passes the exception on (labring/FastGPT issue 2027)."""
    if call.body.get("temperature") != 0:
        return None
    text = "`temperature` (=0) has to be a strictly positive float, otherwise your next token scores are invalid."
    return send_json(500, {"detail": text})


@on_chat(
    "requests with a certain parameter are refused without naming it (=seed, user, top_p …)",
    "params.unknown-rejected",
    value="seed",
)
def param_rejected_unnamed(fault: Fault, call: Call) -> Response | None:
    """A gateway that hides its backend's error text."""
    return fault.error(400, "The request could not be processed.") if fault.given in call.body else None
