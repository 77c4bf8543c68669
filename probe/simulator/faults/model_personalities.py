"""Models of other characters behind a healthy server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from probe.simulator.call import Call, Chunk, Reply
from probe.simulator.fault import Fault, choices, deltas, on_reply
from probe.simulator.model.prompt import clip


@on_reply(
    "the model reasons first, in a field of its own (=reasoning_content or reasoning)",
    value="reasoning_content",
    personality="reasoning",
)
def reasoning_model(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A reasoning model: the reasoning is in a field of its own and counts towards the token limit."""
    return replace(reply, reasoning_field=fault.given)


@on_reply(
    "the model reasons first, between <think> tags in the text", "reasoning.tags-in-text", personality="reasoning"
)
def think_tags(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A reasoning model without a reasoning parser: the reasoning is in the text."""
    if not reply.reasoning:
        return reply
    closed = "" if reply.finish_reason == "length" and not reply.text else "\n</think>\n\n"
    return replace(reply, reasoning="", text=f"<think>\n{reply.reasoning}{closed}{reply.text}")


@on_reply(
    "every text begins with an empty pair of <think> tags (=once: one answer alone has it)",
    "reasoning.tags-in-text",
    choices=("always", "once"),
)
def empty_think_tags(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A thinking model with thinking switched off in its template (Qwen 3), behind a server without a parser."""
    fault.count += bool(reply.text)
    if not reply.text or (fault.given == "once" and fault.count != 3):
        return reply
    return replace(reply, text=f"<think>\n\n</think>\n\n{reply.text}", completion_tokens=reply.completion_tokens + 4)


# The reasoning parser is not applied to streams.
ThinkTagsStreamed = think_tags.variant(
    "think-tags-streamed",
    "the model reasons first: in a field of its own, and in streams between <think> tags in the text",
    yields=("stream.text-differs",),
    stream=True,
)
# The reasoning parser is applied to streams alone.
ThinkTagsWhole = think_tags.variant(
    "think-tags-whole",
    "the model reasons first: in streams in a field of its own, otherwise between <think> tags in the text",
    yields=("stream.text-differs",),
    stream=False,
)


class HiddenReasoning(Fault):
    """A reasoning model whose reasoning is not sent: only time and token counts show it."""

    name = "hidden-reasoning"
    summary = "the model reasons first and the reasoning is not sent"
    personality = "reasoning"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return [chunk for chunk in chunks if not any("reasoning_content" in delta for delta in deltas(chunk.data))]

    def on_json(self, call: Call, payload: Any) -> Any:
        for choice in choices(payload):
            choice["message"].pop("reasoning_content", None)
        return payload


# Text without sense up to the limit.
Weak = Fault.variant(
    "weak-model", "a very small model: it ignores instructions and writes nonsense up to the limit", personality="weak"
)
# Uses the newest question and a short system message, and nothing else.
Small = Fault.variant(
    "small-model",
    "a small model: it repeats what a question says, and uses no tools, results, pictures or earlier turns",
    yields=("tools.not-called",),
    personality="small",
)
# Uses the newest question and nothing else.
Copies = Fault.variant(
    "copying-model",
    "a small model: as small-model, and it uses no system message either",
    yields=("tools.not-called",),
    personality="copies",
)


@on_reply(
    "the model ends every text after N tokens (=N), unless the server takes ignore_eos and it is set", value="400"
)
def short_answers(fault: Fault, call: Call, reply: Reply) -> Reply:
    """Ends every text by itself, as trained models do, unless the server is told to go on (vLLM: `ignore_eos`)."""
    goes_on = fault.style.name in ("vllm", "sglang", "llamacpp") and call.body.get("ignore_eos") is True
    most = int(fault.number)
    if goes_on or call.body.get("response_format") or reply.tool_calls or reply.completion_tokens <= most:
        return reply
    text = clip(reply.text, max(0, most - reply.reasoning_tokens))
    return replace(reply, text=text, completion_tokens=most, finish_reason="stop")


# Right answers with many words around them.
Chatty = Fault.variant(
    "chatty-model", "the model wraps every right answer in friendly prose and Markdown", personality="chatty"
)
