"""Streams whose joined text is not the answer, or whose finish reason is missing or misplaced."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.fault import Fault


def _choice(chunk: Chunk) -> JSON | None:
    """The first choice of a chunk, or None."""
    data = chunk.data
    found = data.get("choices") if isinstance(data, dict) else None
    return found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else None


def _content(chunk: Chunk) -> str:
    choice = _choice(chunk)
    delta = choice.get("delta") if choice else None
    text = delta.get("content") if isinstance(delta, dict) else None
    return text if isinstance(text, str) else ""


def _edited(chunk: Chunk, edit: Callable[[JSON], None]) -> Chunk:
    """The chunk with its first choice changed; as it was where it has none."""
    if _choice(chunk) is None:
        return chunk
    data = copy.deepcopy(chunk.data)
    assert isinstance(data, dict)
    edit(data["choices"][0])
    return replace(chunk, data=data)


class NumberTokens(Fault):
    """A JSON reader on the way turns tokens that look like numbers into numbers (cloudflare/ai issue 651)."""

    name = "stream-number-tokens"
    summary = "`delta.content` is a JSON number where a token looks like one"
    yields = ("stream.text-differs", "shape.chunk")

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        def edit(choice: JSON) -> None:
            text = choice["delta"].get("content")
            if isinstance(text, str) and text.strip().isdigit() and text.strip().isascii():
                choice["delta"]["content"] = int(text)

        return [_edited(chunk, edit) if _content(chunk) else chunk for chunk in chunks]


class Repeated(Fault):
    """One more delta holds the whole answer (infiniflow/ragflow issue 15286)."""

    name = "stream-answer-repeated"
    summary = "after the increments one more delta repeats the whole answer"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        written = [place for place, chunk in enumerate(chunks) if _content(chunk)]
        if len(written) < 2:
            return chunks
        text = "".join(_content(chunks[place]) for place in written)
        last = written[-1]
        again = _edited(chunks[last], lambda choice: choice["delta"].update(content=text))
        return [*chunks[: last + 1], again, *chunks[last + 1 :]]


class Cumulative(Fault):
    """Every delta holds the answer so far."""

    name = "stream-cumulative"
    summary = "every delta holds all text so far"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        made, text = [], ""
        for chunk in chunks:
            if piece := _content(chunk):
                text += piece
                so_far = text
                chunk = _edited(chunk, lambda choice, so_far=so_far: choice["delta"].update(content=so_far))  # type: ignore[misc]
            made.append(chunk)
        return made


class Doubled(Fault):
    """A retry or a fan-out sends every piece of text twice."""

    name = "stream-doubled"
    summary = "every chunk with text is sent twice"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return [item for chunk in chunks for item in ((chunk, chunk) if _content(chunk) else (chunk,))]


class Lost(Fault):
    """A hop loses events."""

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
    """A reasoning parser takes the whole stream for thoughts (vllm-project/vllm issues 23429 and 40816)."""

    name = "stream-text-in-reasoning"
    summary = "streamed text comes in `delta.reasoning`, and `content` stays empty"
    yields = ("stream.text-differs",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        def edit(choice: JSON) -> None:
            choice["delta"]["reasoning"] = choice["delta"].pop("content", None)

        return [_edited(chunk, edit) if _content(chunk) else chunk for chunk in chunks]


def _with_finish(chunks: list[Chunk], word: Callable[[Any], Any]) -> list[Chunk]:
    return [
        _edited(chunk, lambda choice: choice.update(finish_reason=word(choice.get("finish_reason"))))
        for chunk in chunks
    ]


class FinishAfterEveryChunk(Fault):
    """A translation closes the choice after every piece (open-webui/open-webui issue 16377)."""

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
    summary = 'finish_reason is "" in every chunk of a text stream, the last too'
    yields = ("stream.finish-reason",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return chunks if _calls(chunks) else _with_finish(chunks, lambda word: "")


class FinishMissing(Fault):
    """No chunk has a finish reason."""

    name = "finish-missing"
    summary = "no chunk of a text stream has a finish reason; `[DONE]` comes"
    yields = ("stream.finish-reason",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return chunks if _calls(chunks) else _with_finish(chunks, lambda word: None)


class ForeignEvents(Fault):
    """A hop keeps the stream alive with events of its own."""

    name = "stream-foreign-events"
    summary = 'events {"type": "ping"} stand between the chunks'
    yields = ("stream.foreign-events",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        made = []
        for place, chunk in enumerate(chunks):
            made.append(chunk)
            if place % 9 == 2:
                made.append(Chunk(chunk.at, {"type": "ping"}))
        return made


def _calls(chunks: list[Chunk]) -> bool:
    return any((_choice(chunk) or {}).get("delta", {}).get("tool_calls") for chunk in chunks)


class EncodedTwice(Fault):
    """The bytes of UTF-8 are taken for Latin-1 and encoded again (langchain4j/langchain4j issue 3108)."""

    name = "text-encoded-twice"
    summary = "the text of answers is UTF-8 that was encoded twice, whole and streamed (=latin-1, cp1252)"
    yields = ("stream.utf8",)
    value = "latin-1"
    choices = ("latin-1", "cp1252")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        coding = self.given or "latin-1"
        shown = "".join(bytes([byte]).decode(coding, "ignore") or chr(byte) for byte in reply.text.encode())
        return replace(reply, text=shown)
