"""Stop sequences without effect, and parameters that are refused."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.edit import without
from probe.simulator.fault import Fault
from probe.simulator.script import Script, send_json, send_text

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


FAULTS = (StopIgnored, UnknownRejected, StreamOptionsRejected, ParallelRejected, LogprobsRejected)
