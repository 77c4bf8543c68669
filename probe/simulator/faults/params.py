"""The two names of the length limit, refused or without effect."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault, without
from probe.simulator.script import Script, send_json, send_text


class MaxTokensRejected(Fault):
    """OpenAI's reasoning models."""

    name = "max-tokens-rejected"
    summary = "max_tokens is refused; max_completion_tokens is wanted"
    yields = ("params.max-tokens-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        if "max_tokens" not in call.body:
            return None
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return call.site.style.error(call, 400, message, "invalid_request_error", "max_tokens", "unsupported_parameter")


class MaxCompletionTokensRejected(Fault):
    """A strict server from before the name existed."""

    name = "max-completion-tokens-rejected"
    summary = "max_completion_tokens is refused"
    yields = ("params.max-completion-tokens-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        if "max_completion_tokens" not in call.body:
            return None
        message = "Unrecognized request argument supplied: max_completion_tokens"
        return call.site.style.error(call, 400, message, "invalid_request_error")


class MaxTokensIgnored(Fault):
    """The limit is dropped on the way."""

    name = "max-tokens-ignored"
    summary = "neither max_tokens nor max_completion_tokens limits the answer"
    yields = ("params.max-tokens-ignored",)

    def on_prompt(self, call: Call) -> None:
        without(call, "max_tokens", "max_completion_tokens")


# Stop sequences without effect, and parameters that are refused. -----------------------------------

_KNOWN = frozenset(
    "model messages stream stream_options temperature top_p max_tokens max_completion_tokens n seed stop "
    "tools tool_choice "
    "parallel_tool_calls response_format logprobs top_logprobs presence_penalty frequency_penalty logit_bias user "
    "reasoning_effort functions function_call store metadata service_tier modalities prediction".split()
)


class StopIgnored(Fault):
    """The sequences are dropped on the way."""

    name = "stop-ignored"
    summary = "stop sequences have no effect"
    yields = ("params.stop-ignored",)

    def on_prompt(self, call: Call) -> None:
        without(call, "stop")


class UnknownRejected(Fault):
    """Strict validation of the body (=fastapi for FastAPI's shape, =serde for Rust's)."""

    name = "unknown-param-rejected"
    summary = "a parameter the server does not know is refused (=openai, fastapi or serde: whose words)"
    yields = ("params.unknown-rejected",)
    value = "openai"
    choices = ("openai", "fastapi", "serde")

    def on_chat(self, call: Call) -> Script | None:
        odd = [key for key in call.body if key not in _KNOWN]
        if not odd:
            return None
        if self.given == "fastapi":
            detail = {"type": "extra_forbidden", "loc": ["body", odd[0]], "msg": "Extra inputs are not permitted"}
            return send_json(422, {"detail": [{**detail, "input": call.body[odd[0]]}]})
        if self.given == "serde":
            message = f"Failed to deserialize the JSON body into the target type: unknown field `{odd[0]}`"
            return send_text(422, message)
        message = f"Unrecognized request argument supplied: {odd[0]}"
        return call.site.style.error(call, 400, message, "invalid_request_error")


class StreamOptionsRejected(Fault):
    """Databricks' strict JSON decoder."""

    name = "stream-options-rejected"
    summary = "stream_options is refused"
    yields = ("params.unknown-rejected", "stream.no-usage")

    def on_chat(self, call: Call) -> Script | None:
        if "stream_options" not in call.body:
            return None
        return call.site.style.error(call, 400, 'json: unknown field "stream_options"', "BAD_REQUEST")


class ParallelRejected(Fault):
    """Cerebras and others list it as unsupported."""

    name = "tool-parallel-rejected"
    summary = "parallel_tool_calls is refused"
    yields = ("params.unknown-rejected",)

    def on_chat(self, call: Call) -> Script | None:
        if "parallel_tool_calls" not in call.body:
            return None
        message = "Unsupported parameter: 'parallel_tool_calls' is not supported with this model."
        return call.site.style.error(
            call, 400, message, "invalid_request_error", "parallel_tool_calls", "unsupported_parameter"
        )


class LogprobsRejected(Fault):
    """Groq's refusal; an optional capability that is honestly refused is no fault."""

    name = "logprobs-rejected"
    summary = "logprobs is refused (an optional capability: nothing wrong)"

    def on_chat(self, call: Call) -> Script | None:
        if not call.body.get("logprobs") and "top_logprobs" not in call.body:
            return None
        message = "`logprobs` is not supported with this model"
        return call.site.style.error(call, 400, message, "invalid_request_error", "logprobs")


# A parameter that is refused by a server that does not say which. ----------------------------------


class UnnamedRejected(Fault):
    """A gateway that hides its backend's words."""

    name = "param-rejected-unnamed"
    summary = "requests with a certain parameter are refused without naming it (=seed, user, top_p …)"
    yields = ("params.unknown-rejected",)
    value = "seed"

    def on_chat(self, call: Call) -> Script | None:
        if self.given not in call.body:
            return None
        return call.site.style.error(call, 400, "The request could not be processed.", "invalid_request_error")
