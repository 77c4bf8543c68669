"""Parameters that are refused or have no effect: token limits, stop sequences, unknown ones."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, drop_fields
from probe.simulator.response import Response, send_json, send_text

_KNOWN = frozenset(
    "model messages stream stream_options temperature top_p max_tokens max_completion_tokens n seed stop tools "
    "tool_choice parallel_tool_calls response_format logprobs top_logprobs presence_penalty frequency_penalty "
    "logit_bias user reasoning_effort functions function_call store metadata service_tier modalities "
    "prediction".split()
)


# Accepted without effect -------------------------------------------------------------------------------


class MaxTokensIgnored(Fault):
    """A gateway drops the limit."""

    name = "max-tokens-ignored"
    summary = "neither max_tokens nor max_completion_tokens limits the answer"
    yields = ("params.max-tokens-ignored",)

    def on_prompt(self, call: Call) -> None:
        drop_fields(call, "max_tokens", "max_completion_tokens")


class CutUnreported(Fault):
    """A gateway writes its own finish reason (BerriAI/litellm issue 25825)."""

    name = "cut-unreported"
    summary = "answers that the token limit cuts off end with finish_reason stop"
    yields = ("params.cut-unreported",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, finish_reason="stop") if reply.finish_reason == "length" else reply


class StopInThinking(Fault):
    """The engine looks for stop sequences in every token (vllm-project/vllm issue 14170)."""

    name = "stop-in-thinking"
    summary = "the model thinks first, and stop sequences end its thinking"
    yields = ("params.stop-in-thinking",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if reply.tool_calls or not reply.text:
            return reply
        if call.body.get("stop"):
            return replace(reply, text="", reasoning="The user wants ", finish_reason="stop")
        return replace(reply, reasoning="The user wants an answer, and I give it.")


class StopIgnored(Fault):
    """A gateway drops the stop sequences."""

    name = "stop-ignored"
    summary = "stop sequences have no effect"
    yields = ("params.stop-ignored",)

    def on_prompt(self, call: Call) -> None:
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


class MaxTokensRejected(_Refused):
    """OpenAI's reasoning models."""

    name = "max-tokens-rejected"
    summary = "max_tokens is refused; max_completion_tokens is expected"
    yields = ("params.max-tokens-rejected",)
    field = param = "max_tokens"
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    code = "unsupported_parameter"


class MaxCompletionTokensRejected(_Refused):
    """A strict server that is older than the parameter."""

    name = "max-completion-tokens-rejected"
    summary = "max_completion_tokens is refused"
    yields = ("params.max-completion-tokens-rejected",)
    field = "max_completion_tokens"
    message = "Unrecognized request argument supplied: max_completion_tokens"


class StreamOptionsRejected(_Refused):
    """Databricks' strict JSON decoder."""

    name = "stream-options-rejected"
    summary = "stream_options is refused"
    yields = ("params.unknown-rejected", "stream.no-usage")
    field = "stream_options"
    message = 'json: unknown field "stream_options"'
    kind = "BAD_REQUEST"


class ParallelRejected(_Refused):
    """Cerebras and others list the parameter as unsupported."""

    name = "tool-parallel-rejected"
    summary = "parallel_tool_calls is refused, by the Responses API too, where agents always send it"
    yields = ("params.unknown-rejected", "responses.fields-rejected")
    field = param = "parallel_tool_calls"
    message = "Unsupported parameter: 'parallel_tool_calls' is not supported with this model."
    code = "unsupported_parameter"


class ChoiceRejected(_Refused):
    """DeepSeek's thinking mode knows no choice, not even the default (mozilla-ai/any-llm issue 1384)."""

    name = "tool-choice-rejected"
    summary = "tool_choice is refused in every form, by the Responses API too"
    yields = ("params.unknown-rejected", "responses.fields-rejected")
    field = "tool_choice"
    message = "Thinking mode does not support this tool_choice"


class LogprobsRejected(Fault):
    """Groq's refusal: a clear refusal of an optional capability is harmless."""

    name = "logprobs-rejected"
    summary = "logprobs is refused (an optional capability: harmless)"

    def on_chat(self, call: Call) -> Response | None:
        if not call.body.get("logprobs") and "top_logprobs" not in call.body:
            return None
        return self.error(400, "`logprobs` is not supported with this model", param="logprobs")


class UnknownRejected(Fault):
    """Strict validation of the body, in the words of OpenAI, FastAPI or Rust's serde."""

    name = "unknown-param-rejected"
    summary = "an unknown parameter is refused (=openai, fastapi or serde: whose words)"
    yields = ("params.unknown-rejected",)
    value = "openai"
    choices = ("openai", "fastapi", "serde")

    def on_chat(self, call: Call) -> Response | None:
        unknown = next((key for key in call.body if key not in _KNOWN), None)
        if unknown is None:
            return None
        if self.given == "fastapi":
            detail = {"type": "extra_forbidden", "loc": ["body", unknown], "msg": "Extra inputs are not permitted"}
            return send_json(422, {"detail": [{**detail, "input": call.body[unknown]}]})
        if self.given == "serde":
            text = f"Failed to deserialize the JSON body into the target type: unknown field `{unknown}`"
            return send_text(422, text)
        return self.error(400, f"Unrecognized request argument supplied: {unknown}")


class SamplingRejected(Fault):
    """Models that sample in one way only, and models that accept one of two parameters (Claude Opus 4.1)."""

    name = "sampling-rejected"
    summary = "sampling parameters are refused (=temperature, top_p or pair: which)"
    yields = ("params.sampling-rejected",)
    value = "temperature"
    choices = ("temperature", "top_p", "pair")

    def on_chat(self, call: Call) -> Response | None:
        if self.given == "pair":
            if "temperature" not in call.body or "top_p" not in call.body:
                return None
            return self.error(400, "`temperature` and `top_p` cannot both be specified for this model.")
        if self.given not in call.body:
            return None
        message = f"Unsupported value: '{self.given}' cannot be changed for this model; leave it out."
        return self.error(400, message, param=self.given, code="unsupported_value")


class TemperatureFails(Fault):
    """The sampler raises at a temperature of 0, and the server passes the exception on (labring/FastGPT issue 2027)."""

    name = "temperature-zero-500"
    summary = "requests with temperature 0 are answered 500"
    yields = ("errors.shape", "params.sampling-rejected")

    def on_chat(self, call: Call) -> Response | None:
        if call.body.get("temperature") != 0:
            return None
        text = "`temperature` (=0) has to be a strictly positive float, otherwise your next token scores are invalid."
        return send_json(500, {"detail": text})


class UnnamedRejected(Fault):
    """A gateway that hides its backend's error text."""

    name = "param-rejected-unnamed"
    summary = "requests with a certain parameter are refused without naming it (=seed, user, top_p …)"
    yields = ("params.unknown-rejected",)
    value = "seed"

    def on_chat(self, call: Call) -> Response | None:
        return self.error(400, "The request could not be processed.") if self.given in call.body else None
