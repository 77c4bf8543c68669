"""Models of other characters behind a server without fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.fault import Fault, deltas


class Reasoning(Fault):
    """Thinks first, in a field of its own (=reasoning_content, reasoning), and uses up small limits doing so."""

    name = "reasoning-model"
    summary = "the model thinks first, in a field of its own (=reasoning_content or reasoning)"
    value = "reasoning_content"
    personality = "reasoning"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, notes={**reply.notes, "reasoning_field": self.given})


class ThinkTags(Fault):
    """Thinks first, in the text."""

    name = "think-tags"
    summary = "the model thinks first, between <think> tags in the text"
    personality = "reasoning"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not reply.reasoning:
            return reply
        closed = "" if reply.finish_reason == "length" and not reply.text else "\n</think>\n\n"
        return replace(reply, reasoning="", text=f"<think>\n{reply.reasoning}{closed}{reply.text}")


class HiddenReasoning(Fault):
    """Thinks first and does not show it: only time and tokens tell."""

    name = "hidden-reasoning"
    summary = "the model thinks first and does not show it"
    personality = "reasoning"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return [chunk for chunk in chunks if not any("reasoning_content" in delta for delta in deltas(chunk))]

    def on_response(self, call: Call, payload: JSON) -> Any:
        for choice in payload.get("choices") or [] if isinstance(payload, dict) else []:
            (choice.get("message") or {}).pop("reasoning_content", None)
        return payload


class Weak(Fault):
    """Prose without sense up to the limit."""

    name = "weak-model"
    summary = "a very small model: it ignores instructions and writes nonsense up to the limit"
    personality = "weak"


class Small(Fault):
    """Follows the newest question and a short system message, and makes nothing of anything else."""

    name = "small-model"
    summary = "a small model: it repeats what a question says, and uses no tools, results, pictures or earlier turns"
    yields = ("tools.not-called",)
    personality = "small"


class Copies(Fault):
    """Follows the newest question, and makes nothing of anything else."""

    name = "copying-model"
    summary = "the same, and it uses no system message either"
    yields = ("tools.not-called",)
    personality = "copies"


class Chatty(Fault):
    """Right, with many words around it."""

    name = "chatty-model"
    summary = "the model wraps every right answer in friendly prose and markdown"
    personality = "chatty"
