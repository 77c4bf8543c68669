"""Streams whose joined text differs from the answer, whose finish reason is wrong, or with events of other kinds."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.fault import Fault, choices


def _content(chunk: Chunk) -> str:
    """The text in the first choice of a chunk."""
    listed = choices(chunk.data)
    text = listed[0]["delta"].get("content") if listed else None
    return text if isinstance(text, str) else ""


def _edited(chunk: Chunk, edit: Callable[[JSON], None]) -> Chunk:
    """A copy of the chunk after `edit(first choice)`; the chunk itself where it has none."""
    data = copy.deepcopy(chunk.data)
    listed = choices(data)
    if not listed:
        return chunk
    edit(listed[0])
    return replace(chunk, data=data)


def _with_content(chunk: Chunk, text: Any) -> Chunk:
    return _edited(chunk, lambda choice: choice["delta"].update(content=text))


# Text --------------------------------------------------------------------------------------------------


class NumberTokens(Fault):
    """A proxy parses tokens that look like numbers as numbers (cloudflare/ai issue 651)."""

    name = "stream-number-tokens"
    summary = "`delta.content` is a JSON number where a token looks like one"
    yields = ("stream.text-differs", "shape.chunk")

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        texts = [(chunk, _content(chunk).strip()) for chunk in chunks]
        return [
            _with_content(chunk, int(text)) if text.isdigit() and text.isascii() else chunk for chunk, text in texts
        ]


class Repeated(Fault):
    """One more delta contains the whole answer (infiniflow/ragflow issue 15286)."""

    name = "stream-answer-repeated"
    summary = "after the increments one more delta repeats the whole answer"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        written = [place for place, chunk in enumerate(chunks) if _content(chunk)]
        if len(written) < 2:
            return chunks
        last = written[-1]
        again = _with_content(chunks[last], "".join(map(_content, chunks)))
        return [*chunks[: last + 1], again, *chunks[last + 1 :]]


class Cumulative(Fault):
    """Every delta contains the answer so far."""

    name = "stream-cumulative"
    summary = "every delta contains all text so far"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        made, text = [], ""
        for chunk in chunks:
            text += _content(chunk)
            made.append(_with_content(chunk, text) if _content(chunk) else chunk)
        return made


class Doubled(Fault):
    """A retry or a fan-out sends every piece of text twice."""

    name = "stream-doubled"
    summary = "every chunk with text is sent twice"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return [item for chunk in chunks for item in ((chunk, chunk) if _content(chunk) else (chunk,))]


class Lost(Fault):
    """A proxy loses events."""

    name = "stream-chunks-lost"
    summary = "every seventh chunk with text is dropped"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        made, seen = [], 0
        for chunk in chunks:
            seen += bool(_content(chunk))
            if not (_content(chunk) and seen % 7 == 0):
                made.append(chunk)
        return made


class InReasoning(Fault):
    """A reasoning parser treats the whole stream as reasoning (vllm-project/vllm issues 23429 and 40816)."""

    name = "stream-text-in-reasoning"
    summary = "streamed text comes in `delta.reasoning`, and `content` stays empty"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        def move(choice: JSON) -> None:
            choice["delta"]["reasoning"] = choice["delta"].pop("content")

        return [_edited(chunk, move) if _content(chunk) else chunk for chunk in chunks]


class EncodedTwice(Fault):
    """The bytes of UTF-8 are taken for Latin-1 and encoded again (langchain4j/langchain4j issue 3108)."""

    name = "text-encoded-twice"
    summary = "the text of answers is UTF-8 that was encoded twice, whole and streamed (=latin-1 or cp1252)"
    yields = ("stream.utf8",)
    value = "latin-1"
    choices = ("latin-1", "cp1252")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        text = "".join(bytes([byte]).decode(self.given, "ignore") or chr(byte) for byte in reply.text.encode())
        return replace(reply, text=text)


# Finish reasons and other events -----------------------------------------------------------------------


def _with_finish(chunks: list[Chunk], reason: str | None) -> list[Chunk]:
    """The chunks of a text stream with this finish reason everywhere; a stream with tool calls as it is."""
    if any(choice["delta"].get("tool_calls") for chunk in chunks for choice in choices(chunk.data)):
        return chunks
    return [_edited(chunk, lambda choice: choice.update(finish_reason=reason)) for chunk in chunks]


class FinishAfterEveryChunk(Fault):
    """A translating gateway ends the choice after every piece (open-webui/open-webui issue 16377)."""

    name = "finish-after-every-chunk"
    summary = "a chunk with an empty delta and finish_reason `stop` follows every chunk with text"
    yields = ("stream.finish-reason",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        made = []
        for chunk in chunks:
            made.append(chunk)
            if _content(chunk):
                made.append(_edited(chunk, lambda choice: choice.update(delta={}, finish_reason="stop")))
        return made


class FinishEmpty(Fault):
    """The finish reason is an empty string in every chunk."""

    name = "finish-empty"
    summary = 'finish_reason is "" in every chunk of a text stream, even in the last'
    yields = ("stream.finish-reason",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return _with_finish(chunks, "")


class FinishMissing(Fault):
    """No chunk has a finish reason."""

    name = "finish-missing"
    summary = "no chunk of a text stream has a finish reason; `[DONE]` comes"
    yields = ("stream.finish-reason",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return _with_finish(chunks, None)


class ForeignEvents(Fault):
    """A proxy keeps the stream alive with events of its own."""

    name = "stream-foreign-events"
    summary = 'there are events {"type": "ping"} between the chunks'
    yields = ("stream.foreign-events",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        made = []
        for place, chunk in enumerate(chunks):
            made.append(chunk)
            if place % 9 == 2:
                made.append(Chunk(chunk.at, {"type": "ping"}))
        return made


class EndLost(Fault):
    """The connection of the model ends early, and the gateway ends the stream properly."""

    name = "stream-end-lost"
    summary = "the second half of the chunks with text is dropped; the stream ends as usual"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        written = [place for place, chunk in enumerate(chunks) if _content(chunk)]
        lost = set(written[len(written) // 2 :]) if len(written) > 8 else set()
        return [chunk for place, chunk in enumerate(chunks) if place not in lost]


class TokenLeft(Fault):
    """A detokenizer leaves the end token in streams."""

    name = "stream-token-left"
    summary = "streamed text ends with <|im_end|>"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        written = [place for place, chunk in enumerate(chunks) if _content(chunk)]
        if not written:
            return chunks
        made = list(chunks)
        text = _content(made[written[-1]]) + "<|im_end|>"
        made[written[-1]] = _edited(made[written[-1]], lambda choice: choice["delta"].update(content=text))
        return made


class LengthForAll(Fault):
    """Complete streamed answers end as if the limit had cut them off."""

    name = "stream-finish-length"
    summary = "complete streamed answers end with finish_reason length"
    yields = ("stream.finish-reason", "tools.finish-reason")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return replace(reply, finish_reason="length") if call.stream else reply
