"""Calls that are well formed in a whole answer and broken in a streamed one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.fault import Fault, deltas, named_calls
from probe.simulator.markup import hermes


class StreamLeak(Fault):
    """The parser is not run on streams (koboldcpp and older servers)."""

    name = "tool-stream-leak"
    summary = "streamed tool calls stay in the text; whole answers are well formed"
    yields = ("tools.stream-leak",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return reply.leaked(hermes(named_calls(reply))) if call.stream and reply.tool_calls else reply


def _each_call(chunks: list[Chunk], change: Any) -> list[Chunk]:
    made = []
    for chunk in chunks:
        data = json.loads(json.dumps(chunk.data))
        chunk = replace(chunk, data=data)
        for delta in deltas(chunk):
            if delta.get("tool_calls"):
                delta["tool_calls"] = [part for part in (change(part) for part in delta["tool_calls"]) if part]
        made.append(chunk)
    return made


class NoIndex(Fault):
    """Deltas without `index` (Gemini, Mistral): parallel calls run together in clients that join by it."""

    name = "tool-stream-index"
    summary = "streamed tool calls have no index"
    yields = ("tools.stream-index",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return _each_call(chunks, lambda part: {key: value for key, value in part.items() if key != "index"})


class IndexZero(Fault):
    """Every call says it is the first."""

    name = "tool-stream-index-zero"
    summary = "all streamed tool calls have index 0"
    yields = ("tools.stream-index",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return _each_call(chunks, lambda part: {**part, "index": 0})


class Fragments(Fault):
    """Fragments that do not add up to the call."""

    name = "tool-stream-fragments"
    summary = "fragments of streamed calls do not join (=lost, repeated or late)"
    yields = ("tools.stream-fragments",)
    value = "lost"
    choices = ("lost", "repeated", "late")

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return getattr(self, "_" + (self.given or "lost"))(chunks)  # type: ignore[no-any-return]

    def _lost(self, chunks: list[Chunk]) -> list[Chunk]:
        """The second fragment of every call is missing."""
        seen: dict[int, int] = {}

        def drop(part: JSON) -> JSON | None:
            if not part["function"].get("arguments"):
                return part
            seen[part["index"]] = seen.get(part["index"], 0) + 1
            return None if seen[part["index"]] == 2 else part

        return _each_call(chunks, drop)

    def _repeated(self, chunks: list[Chunk]) -> list[Chunk]:
        """Every fragment carries all the arguments so far, with name and id."""
        so_far: dict[int, JSON] = {}

        def grow(part: JSON) -> JSON:
            known = so_far.setdefault(
                part["index"], {"id": part.get("id"), "name": part["function"].get("name"), "arguments": ""}
            )
            known["arguments"] += part["function"].get("arguments", "")
            function = {"name": known["name"], "arguments": known["arguments"]}
            return {"index": part["index"], "id": known["id"], "type": "function", "function": function}

        return _each_call(chunks, grow)

    def _late(self, chunks: list[Chunk]) -> list[Chunk]:
        """Name and id come only with the last fragment of the call."""
        last: dict[int, int] = {}
        heads: dict[int, JSON] = {}
        counter = iter(range(len(chunks) * 4))
        for chunk in chunks:
            for delta in deltas(chunk):
                for part in delta.get("tool_calls") or []:
                    last[part["index"]] = next(counter)
        counter = iter(range(len(chunks) * 4))

        def shift(part: JSON) -> JSON | None:
            place, index = next(counter), part["index"]
            if "id" in part:
                heads[index] = part
            function = {"arguments": part["function"].get("arguments", "")}
            if place < last[index]:
                return {"index": index, "function": function} if function["arguments"] else None
            head = heads[index]
            return {
                "index": index,
                "id": head["id"],
                "type": "function",
                "function": {"name": head["function"]["name"], **function},
            }

        return _each_call(chunks, shift)
