"""Models of other characters behind a healthy server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from probe.simulator.call import Call, Chunk, Reply
from probe.simulator.fault import Fault, choices, deltas


class Reasoning(Fault):
    """A reasoning model: the reasoning is in a field of its own and counts towards the token limit."""

    name = "reasoning-model"
    summary = "the model reasons first, in a field of its own (=reasoning_content or reasoning)"
    value = "reasoning_content"
    personality = "reasoning"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, reasoning_field=self.given)


class ThinkTags(Fault):
    """A reasoning model without a reasoning parser: the reasoning is in the text."""

    name = "think-tags"
    summary = "the model reasons first, between <think> tags in the text"
    personality = "reasoning"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not reply.reasoning:
            return reply
        closed = "" if reply.finish_reason == "length" and not reply.text else "\n</think>\n\n"
        return replace(reply, reasoning="", text=f"<think>\n{reply.reasoning}{closed}{reply.text}")


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


class Weak(Fault):
    """Text without sense up to the limit."""

    name = "weak-model"
    summary = "a very small model: it ignores instructions and writes nonsense up to the limit"
    personality = "weak"


class Small(Fault):
    """Uses the newest question and a short system message, and nothing else."""

    name = "small-model"
    summary = "a small model: it repeats what a question says, and uses no tools, results, pictures or earlier turns"
    yields = ("tools.not-called",)
    personality = "small"


class Copies(Fault):
    """Uses the newest question and nothing else."""

    name = "copying-model"
    summary = "the same, and it uses no system message either"
    yields = ("tools.not-called",)
    personality = "copies"


class Chatty(Fault):
    """Right answers with many words around them."""

    name = "chatty-model"
    summary = "the model wraps every right answer in friendly prose and Markdown"
    personality = "chatty"
