"""Rate limits, spent quotas and servers that are still loading."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.model import prompt_tokens
from probe.simulator.script import Script
from probe.simulator.standin.prompt import clip


class RateLimited(Fault):
    """The first requests are turned away with Retry-After; `always` never lets one through."""

    name = "rate-limited"
    summary = "the first N requests get 429 with Retry-After (=N, or =always)"
    yields = ("limits.rate-limited",)
    value = "2"
    choices = ("always",)

    def __init__(self, given: str | None = None) -> None:
        super().__init__(given)
        self.left = float("inf") if self.given == "always" else self.number

    def on_request(self, call: Call) -> Script | None:
        if self.left <= 0:
            return None
        self.left -= 1
        message = (
            f"Rate limit reached for model `{call.site.model}` on requests per min (RPM): Limit 30, Used 30, "
            f"Requested 1. "
            "Please try again in 1s."
        )
        refusal = call.site.style.error(call, 429, message, "requests", code="rate_limit_exceeded")
        for name, text in (
            ("Retry-After", "1"),
            ("x-ratelimit-limit-requests", "30"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "1s"),
        ):
            refusal = refusal.with_header(name, text)
        return refusal


class Quota(Fault):
    """The account has no money left: waiting does not help."""

    name = "quota"
    summary = "every chat request gets 429 insufficient_quota"
    yields = ("limits.quota",)

    def on_chat(self, call: Call) -> Script | None:
        message = "You exceeded your current quota, please check your plan and billing details."
        return call.site.style.error(call, 429, message, "insufficient_quota", code="insufficient_quota")


class Loading(Fault):
    """A server that is still reading the weights; waiting helps."""

    name = "loading-503"
    summary = "the first N requests get 503 while the model loads (harmless when waited out)"
    value = "2"

    def __init__(self, given: str | None = None) -> None:
        super().__init__(given)
        self.left = self.number

    def on_request(self, call: Call) -> Script | None:
        if self.left <= 0:
            return None
        self.left -= 1
        refusal = call.site.style.error(call, 503, "Loading model", "unavailable_error", code=503)
        return refusal.with_header("Retry-After", "1")


# Prompts that are too long lose their beginning without a word. ------------------------------------


class ContextSilent(Fault):
    """Ollama's way: the oldest turns go first, then the beginning of what is left."""

    name = "context-silent"
    summary = "a prompt of more than N tokens silently loses its beginning"
    yields = ("limits.context-silent",)
    value = "2048"

    def on_prompt(self, call: Call) -> None:
        limit = int(self.number)
        messages = [dict(turn) for turn in call.messages]
        while len(messages) > 1 and prompt_tokens({**call.body, "messages": messages}) > limit:
            oldest = next((place for place, turn in enumerate(messages[:-1]) if turn.get("role") != "system"), 0)
            del messages[oldest]
        over = prompt_tokens({**call.body, "messages": messages}) - limit
        if over > 0 and messages and isinstance(messages[-1].get("content"), str):
            text = messages[-1]["content"]
            messages[-1]["content"] = text[len(clip(text, over)) :]
        call.body = {**call.body, "messages": messages}
