"""The two names of the length limit, refused or without effect."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.edit import without
from probe.simulator.fault import Fault
from probe.simulator.script import Script


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


FAULTS = (MaxTokensRejected, MaxCompletionTokensRejected, MaxTokensIgnored)
