"""Streams whose joined text differs from the answer, whose finish reason is wrong, or with events of other kinds."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.fault import Fault, choices, on_chunks, on_reply


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


@on_chunks("`delta.content` is a JSON number where a token looks like one", "stream.text-differs", "shape.chunk")
def stream_number_tokens(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """A proxy parses tokens that look like numbers as numbers (cloudflare/ai issue 651)."""
    texts = [(chunk, _content(chunk).strip()) for chunk in chunks]
    return [_with_content(chunk, int(text)) if text.isdigit() and text.isascii() else chunk for chunk, text in texts]


@on_chunks("after the increments one more delta repeats the whole answer", "stream.text-differs")
def stream_answer_repeated(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """One more delta contains the whole answer (infiniflow/ragflow issue 15286)."""
    written = [place for place, chunk in enumerate(chunks) if _content(chunk)]
    if len(written) < 2:
        return chunks
    last = written[-1]
    again = _with_content(chunks[last], "".join(map(_content, chunks)))
    return [*chunks[: last + 1], again, *chunks[last + 1 :]]


@on_chunks("every delta contains all text so far", "stream.text-differs")
def stream_cumulative(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Every delta contains the answer so far."""
    made, text = [], ""
    for chunk in chunks:
        text += _content(chunk)
        made.append(_with_content(chunk, text) if _content(chunk) else chunk)
    return made


@on_chunks("every chunk with text is sent twice", "stream.text-differs")
def stream_doubled(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """A retry or a fan-out sends every piece of text twice."""
    return [item for chunk in chunks for item in ((chunk, chunk) if _content(chunk) else (chunk,))]


@on_chunks("every seventh chunk with text is dropped", "stream.text-differs")
def stream_chunks_lost(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """A proxy loses events."""
    made, seen = [], 0
    for chunk in chunks:
        seen += bool(_content(chunk))
        if not (_content(chunk) and seen % 7 == 0):
            made.append(chunk)
    return made


@on_chunks("streamed text comes in `delta.reasoning`, and `content` stays empty", "stream.text-differs")
def stream_text_in_reasoning(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """A reasoning parser treats the whole stream as reasoning (vllm-project/vllm issues 23429 and 40816)."""

    def move(choice: JSON) -> None:
        choice["delta"]["reasoning"] = choice["delta"].pop("content")

    return [_edited(chunk, move) if _content(chunk) else chunk for chunk in chunks]


@on_reply(
    "the text of answers is UTF-8 that was encoded twice, whole and streamed (=latin-1 or cp1252)",
    "stream.utf8",
    choices=("latin-1", "cp1252"),
)
def text_encoded_twice(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The bytes of UTF-8 are taken for Latin-1 and encoded again (langchain4j/langchain4j issue 3108)."""
    text = "".join(bytes([byte]).decode(fault.given, "ignore") or chr(byte) for byte in reply.text.encode())
    return replace(reply, text=text)


# Finish reasons and other events -----------------------------------------------------------------------


def _with_finish(chunks: list[Chunk], reason: str | None) -> list[Chunk]:
    """The chunks of a text stream with this finish reason everywhere; a stream with tool calls as it is."""
    if any(choice["delta"].get("tool_calls") for chunk in chunks for choice in choices(chunk.data)):
        return chunks
    return [_edited(chunk, lambda choice: choice.update(finish_reason=reason)) for chunk in chunks]


@on_chunks("a chunk with an empty delta and finish_reason `stop` follows every chunk with text", "stream.finish-reason")
def finish_after_every_chunk(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """A translating gateway ends the choice after every piece (open-webui/open-webui issue 16377)."""
    made = []
    for chunk in chunks:
        made.append(chunk)
        if _content(chunk):
            made.append(_edited(chunk, lambda choice: choice.update(delta={}, finish_reason="stop")))
    return made


@on_chunks('finish_reason is "" in every chunk of a text stream, even in the last', "stream.finish-reason")
def finish_empty(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """The finish reason is an empty string in every chunk."""
    return _with_finish(chunks, "")


@on_chunks("no chunk of a text stream has a finish reason; `[DONE]` comes", "stream.finish-reason")
def finish_missing(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """No chunk has a finish reason."""
    return _with_finish(chunks, None)


@on_chunks('there are events {"type": "ping"} between the chunks', "stream.foreign-events")
def stream_foreign_events(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """A proxy keeps the stream alive with events of its own."""
    made = []
    for place, chunk in enumerate(chunks):
        made.append(chunk)
        if place % 9 == 2:
            made.append(Chunk(chunk.at, {"type": "ping"}))
    return made


@on_chunks("the second half of the chunks with text is dropped; the stream ends as usual", "stream.text-differs")
def stream_end_lost(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """The connection of the model ends early, and the gateway ends the stream properly."""
    written = [place for place, chunk in enumerate(chunks) if _content(chunk)]
    lost = set(written[len(written) // 2 :]) if len(written) > 8 else set()
    return [chunk for place, chunk in enumerate(chunks) if place not in lost]


@on_chunks("streamed text ends with <|im_end|>", "stream.text-differs")
def stream_token_left(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """A detokenizer leaves the end token in streams."""
    written = [place for place, chunk in enumerate(chunks) if _content(chunk)]
    if not written:
        return chunks
    made = list(chunks)
    text = _content(made[written[-1]]) + "<|im_end|>"
    made[written[-1]] = _edited(made[written[-1]], lambda choice: choice["delta"].update(content=text))
    return made


@on_reply(
    "complete streamed answers end with finish_reason length",
    "stream.finish-reason",
    "tools.finish-reason",
    stream=True,
)
def stream_finish_length(fault: Fault, call: Call, reply: Reply) -> Reply:
    """Complete streamed answers end as if the limit had cut them off."""
    return replace(reply, finish_reason="length")
