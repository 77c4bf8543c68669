"""Shapes that differ between good servers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from probe.simulator.call import JSON, Call, Chunk
from probe.simulator.edit import deltas, finish_reasons
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class WholeCalls(Fault):
    """Each tool call in one delta (Groq, Ollama, xAI)."""

    name = "tool-stream-whole"
    summary = "each streamed tool call comes whole in one delta"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        whole: dict[int, JSON] = {}
        kept: list[Chunk] = []
        for chunk in chunks:
            parts = [part for delta in deltas(chunk) for part in delta.get("tool_calls") or []]
            fresh = []
            for part in parts:
                known = whole.get(part["index"])
                if known is None:
                    whole[part["index"]] = part
                    fresh.append(part)
                else:
                    known["function"]["arguments"] += part["function"].get("arguments") or ""
            if not parts or fresh:
                kept.append(chunk)
        return kept


class UsageOnFinish(Fault):
    """Token counts on the chunk with the finish reason, none after it (Cerebras)."""

    name = "usage-on-finish"
    summary = "the token counts of a stream stand on its finish chunk"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        counts = [chunk.data["usage"] for chunk in chunks if isinstance(chunk.data, dict) and chunk.data.get("usage")]
        kept = []
        for chunk in chunks:
            data = chunk.data
            if isinstance(data, dict):
                if not data.get("choices"):
                    continue
                data = {key: value for key, value in data.items() if key != "usage"}
                if counts and finish_reasons(chunk):
                    data["usage"] = counts[-1]
            kept.append(replace(chunk, data=data))
        return kept


class EmptyFirst(Fault):
    """Azure's first chunk has no choices."""

    name = "empty-first-chunk"
    summary = "the first chunk of a stream has an empty list of choices"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        first: JSON = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
        return [Chunk(chunks[0].at, first), *chunks]


class RoleOrder(Fault):
    """Templates that insist on the order of the roles."""

    name = "strict-role-order"
    summary = "user and assistant must alternate and system come first, else 400"

    def on_chat(self, call: Call) -> Script | None:
        roles = [str(turn.get("role")) for turn in call.messages]
        if any(role in ("system", "developer") for role in roles[1:]) and roles[0] != "system":
            return call.site.style.error(call, 400, "System message must be at the beginning.", "BadRequestError")
        spoken = [role for role in roles if role in ("user", "assistant")]
        if any(one == two == "user" for one, two in pairwise(spoken)):
            message = "Conversation roles must alternate user/assistant/user/assistant/..."
            return call.site.style.error(call, 400, message, "BadRequestError")
        return None


FAULTS = (WholeCalls, UsageOnFinish, EmptyFirst, RoleOrder)
