"""Rate limits, used-up quotas, models that are still loading, and prompts that are cut without an error."""

from __future__ import annotations

from typing import Any

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_chat, on_prompt, on_request
from probe.simulator.model.answering import prompt_tokens
from probe.simulator.model.prompt import clip
from probe.simulator.response import Response, send_html, send_json


def _is_early(fault: Fault) -> bool:
    """Whether this request is one of the first N that are refused; with `always` all of them are."""
    fault.count += 1
    return fault.given == "always" or fault.count <= fault.number


@on_request(
    "the first N requests get 429 with Retry-After (=N, or =always)",
    "limits.rate-limited",
    value="2",
    choices=("always",),
)
def rate_limited(fault: Fault, call: Call) -> Response | None:
    """A rate limit with Retry-After."""
    if not _is_early(fault):
        return None
    message = (
        f"Rate limit reached for model `{call.site.model}` on requests per min (RPM): Limit 30, Used 30, "
        f"Requested 1. Please try again in 1s."
    )
    refusal = fault.error(429, message, "requests", code="rate_limit_exceeded")
    for name, text in (
        ("Retry-After", "1"),
        ("x-ratelimit-limit-requests", "30"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "1s"),
    ):
        refusal = refusal.with_header(name, text)
    return refusal


@on_chat("every chat request gets 429 insufficient_quota", "limits.quota")
def quota(fault: Fault, call: Call) -> Response | None:
    """The account has no credit left; waiting does not help."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return fault.error(429, message, "insufficient_quota", code="insufficient_quota")


@on_request("the first N requests get 503 while the model loads", "limits.loading", value="2")
def loading_503(fault: Fault, call: Call) -> Response | None:
    """The server is still reading the weights; waiting helps."""
    refusal = fault.error(503, "Loading model", "unavailable_error", code=503).with_header("Retry-After", "1")
    return refusal if _is_early(fault) else None


@on_request(
    "the first N requests get 503 without Retry-After while the model is being started", "limits.loading", value="2"
)
def loading_silent(fault: Fault, call: Call) -> Response | None:
    """A proxy that starts the server of a model at the first request for it, and does not say how long it takes."""
    refusal = send_json(503, {"error": "The model is currently loading", "estimated_time": 2.0})
    return refusal if _is_early(fault) else None


@on_chat("some chat requests are answered with 529: every Nth, twice in a row", "limits.overloaded", value="6")
def overloaded(fault: Fault, call: Call) -> Response | None:
    """A server without capacity, in the words of Anthropic."""
    fault.count += 1
    if fault.count % int(fault.number) not in (0, 1) or fault.count == 1:
        return None
    return send_json(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})


@on_request("the first N requests get 429 from a server whose queue is full", "limits.overloaded", value="2")
def overloaded_429(fault: Fault, call: Call) -> Response | None:
    """A server whose queue is full answers 429, though the client has no limit (TGI, Cerebras)."""
    refusal = send_json(429, {"error": "The request timed out waiting in the queue", "error_type": "overloaded"})
    return refusal if _is_early(fault) else None


@on_chat(
    "every fourth chat request gets 200 with an error of code 429 (=choices, bare or flat: its form)",
    "errors.success-status",
    "limits.rate-limited",
    choices=("choices", "bare", "flat"),
)
def rate_limited_200(fault: Fault, call: Call) -> Response | None:
    """A gateway that forwards the rate limit of its provider with status 200."""
    fault.count += 1
    if fault.count % 4:
        return None
    error = {"code": 429, "message": "Provider is throttling"}
    forms = {"choices": {"id": None, "choices": None, "error": error}, "bare": {"error": {"code": 429}}}
    return send_json(200, forms.get(fault.given, error))


@on_request("bodies above N bytes are refused with 413", "limits.body-size", value="1024")
def body_size(fault: Fault, call: Call) -> Response | None:
    """A limit on the size of request bodies, in the words of nginx."""
    if len(call.request.body) <= fault.number:
        return None
    return send_html(413, "<html><body><h1>Payload Too Large</h1></body></html>\n")


@on_request(
    "bodies above 32 kB are refused with 400 (=400 or 500), and the text says why; or by a firewall (=403)",
    "limits.body-size",
    choices=("400", "500", "403"),
)
def body_size_400(fault: Fault, call: Call) -> Response | None:
    """A limit on the size of request bodies that an application reports with a status of its own, or a firewall."""
    if len(call.request.body) <= 32_768:
        return None
    if fault.given == "403":
        return send_html(403, "<html><head><title>403 Forbidden</title></head></html>\n")
    text = "Payload exceeded the maximum allowed size" if fault.given == "400" else "request entity too large"
    return send_json(int(fault.given or 400), {"error": {"message": text}})


class ContextSmall(Fault):
    """A server that was started with a small context, and says so in its list and its refusals, in vLLM's words."""

    name = "context-small"
    summary = "the context holds N tokens, and the model list says so (=N)"
    yields = ("limits.context-small",)
    value = "2048"

    def on_json(self, call: Call, payload: Any) -> Any:
        if call.operation != "models" or "data" not in payload:
            return payload
        return {**payload, "data": [{**item, "max_model_len": int(self.number)} for item in payload["data"]]}

    def on_chat(self, call: Call) -> Response | None:
        tokens, limit = prompt_tokens(call.body), int(self.number)
        message = (
            f"This model's maximum context length is {limit} tokens. However, your request has {tokens} input tokens."
        )
        return None if tokens <= limit else self.error(400, message)


@on_prompt(
    "a prompt of more than N tokens loses its beginning without an error (=N)", "limits.context-silent", value="2048"
)
def context_silent(fault: Fault, call: Call) -> None:
    """As Ollama does it: the oldest turns are dropped first, then the beginning of the last one."""
    messages = [dict(turn) for turn in call.messages]

    def excess() -> int:
        return prompt_tokens({**call.body, "messages": messages}) - int(fault.number)

    while len(messages) > 1 and excess() > 0:
        oldest = next((place for place, turn in enumerate(messages[:-1]) if turn.get("role") != "system"), 0)
        del messages[oldest]
    if messages and isinstance(messages[-1].get("content"), str) and excess() > 0:
        text = messages[-1]["content"]
        messages[-1]["content"] = text[len(clip(text, excess())) :]
    call.body = {**call.body, "messages": messages}
