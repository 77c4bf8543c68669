"""Streams that end too early, without their last words, or with an error."""

from __future__ import annotations

from dataclasses import replace

from probe.simulator.call import Call, Chunk
from probe.simulator.edit import finish_reasons, without
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class NoDone(Fault):
    """transformers serve sends no terminator."""

    name = "stream-no-done"
    summary = "the stream ends without [DONE]"
    yields = ("stream.no-done",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return [chunk for chunk in chunks if chunk.data != "[DONE]"]


class Truncated(Fault):
    """The rest of the answer is missing: the backend died, and the hop in front may hide it."""

    name = "stream-truncated"
    summary = "the stream stops half-way (=clean: a proper end; cut: no last chunk; mid-chunk; reset)"
    yields = ("stream.truncated",)
    value = "clean"
    choices = ("clean", "cut", "mid-chunk", "reset")

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        last = next((place for place, chunk in enumerate(chunks) if finish_reasons(chunk)), len(chunks))
        call.notes["truncated"] = True
        return chunks[: max(1, (last + 1) * 3 // 5)]

    def on_script(self, call: Call, script: Script) -> Script:
        if self.given == "clean" or not call.notes.get("truncated"):
            return script
        return replace(script, end=self.given)  # type: ignore[arg-type]


class NoUsage(Fault):
    """`include_usage` has no effect."""

    name = "stream-no-usage"
    summary = "stream_options.include_usage has no effect"
    yields = ("stream.no-usage",)

    def on_prompt(self, call: Call) -> None:
        without(call, "stream_options")

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        kept = []
        for chunk in chunks:
            data = chunk.data
            if isinstance(data, dict) and "usage" in data:
                data = {key: value for key, value in data.items() if key != "usage"}
                if not data.get("choices"):
                    continue
            kept.append(replace(chunk, data=data))
        return kept


class ErrorInBand(Fault):
    """The generation fails after the status line was sent."""

    name = "stream-error-in-band"
    summary = "after a few tokens an error object comes inside the stream (=N tokens)"
    yields = ("stream.error-in-band",)
    value = "3"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        kept = chunks[: min(1 + int(self.number), max(len(chunks) - 2, 1))]
        error = {
            "message": "Internal server error: the inference backend stopped responding",
            "type": "server_error",
            "code": 500,
        }
        return [*kept, Chunk(kept[-1].at, {"error": error})]


FAULTS = (NoDone, Truncated, NoUsage, ErrorInBand)
