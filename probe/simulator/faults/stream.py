"""Streams that are refused, buffered, cut, badly framed or that damage text."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice

from probe.simulator.call import Call, Chunk
from probe.simulator.fault import Fault, drop_fields, is_finished, on_chat, on_chunks, on_prompt, on_response, on_stream
from probe.simulator.response import Response, Write

# Refused, or not a stream ------------------------------------------------------------------------------


@on_chat("stream: true is refused", "stream.rejected", stream=True)
def stream_rejected(fault: Fault, call: Call) -> Response | None:
    """Kong's refusal."""
    return fault.error(400, "response streaming is not enabled for this LLM", param="stream")


@on_chat(
    "a chat request without `stream: true` is refused (=only or thinking: in which words)",
    "stream.required",
    choices=("only", "thinking"),
    stream=False,
)
def stream_required(fault: Fault, call: Call) -> Response | None:
    """A model that thinks, and is served as a stream alone (infiniflow/ragflow issue 5912)."""
    words = "The model answers in stream mode only. Set `stream` and try again."
    if fault.given == "thinking":
        words = "enable_thinking has to be false for non-streaming requests"
    return fault.error(400, words, code="invalid_parameter_error")


@on_prompt("stream: true is answered with one JSON object", "stream.not-sse")
def stream_not_sse(fault: Fault, call: Call) -> None:
    """A gateway that waits for the whole answer and forwards it as it is."""
    drop_fields(call, "stream", "stream_options")


@on_prompt("every chat request is answered by an event stream, even with `stream: false`", "stream.not-asked")
def stream_not_asked(fault: Fault, call: Call) -> None:
    """The server streams whatever the request says (kaito-project/kaito issue 1880)."""
    call.body = {**call.body, "stream": True}


@on_prompt("a chat request without `stream` is answered by an event stream", "stream.not-asked")
def stream_by_default(fault: Fault, call: Call) -> None:
    """The server streams unless the request says otherwise (unslothai/unsloth issue 6570)."""
    call.body = {"stream": True, **call.body}


@on_stream(
    "the stream is sent with another media type (=text/plain, application/json …)",
    "stream.content-type",
    value="text/plain",
)
def stream_content_type(fault: Fault, call: Call, response: Response) -> Response:
    """Events with another media type; strict readers refuse them (WHATWG HTML section 9.2)."""
    return response.with_header("Content-Type", fault.given)


# Buffers -----------------------------------------------------------------------------------------------


@on_stream("nothing arrives before the end of the generation", "stream.held", layer=1)
def stream_held(fault: Fault, call: Call, response: Response) -> Response:
    """A proxy that buffers whole responses: even the headers come at the end."""
    return response.held()


@on_stream("the answer is generated whole and then played back as a stream", "stream.replayed")
def stream_replayed(fault: Fault, call: Call, response: Response) -> Response:
    """Simulated streaming: the server generates the whole answer and then plays it back quickly."""
    return response.replayed(0.25)


@on_stream(
    "the stream is flushed every N bytes, in the middle of events (=N)", "stream.size-buffered", value="4096", layer=1
)
def stream_size_buffered(fault: Fault, call: Call, response: Response) -> Response:
    """A buffer that is flushed when it is full, even within an event."""
    size = max(int(fault.number), 1)
    flushed: list[tuple[float, bytes]] = []
    buffered = b""
    for write in response.writes:
        buffered += write.data
        while len(buffered) >= size:
            flushed.append((write.at, buffered[:size]))
            buffered = buffered[size:]
    return response.with_writes([*flushed, (response.finished_at(), buffered)])


@on_stream("events are collected and flushed every N seconds (=N)", "stream.coalesced", value="0.25", layer=1)
def stream_coalesced(fault: Fault, call: Call, response: Response) -> Response:
    """A timer that flushes whole events (HAProxy without http-no-delay)."""
    period = max(fault.number, 0.001)
    bursts: dict[int, bytes] = {}
    for write in response.writes:
        tick = int(write.at / period) + 1
        bursts[tick] = bursts.get(tick, b"") + write.data
    return response.with_writes((tick * period, data) for tick, data in sorted(bursts.items()))


@on_response(
    "with Accept-Encoding: gzip the stream is compressed and withheld until the end", "stream.compressed", layer=1
)
def stream_compressed(fault: Fault, call: Call, response: Response) -> Response:
    """Compression without flushing, applied only for clients that accept gzip."""
    accepted = (call.request.header("accept-encoding") or "").lower()
    if "gzip" not in accepted or not response.writes or response.status != 200:
        return response
    response = response.with_writes([(response.finished_at(), gzip.compress(response.body, 5))])
    return response.with_header("Content-Encoding", "gzip").with_header("Vary", "Accept-Encoding")


# Ends --------------------------------------------------------------------------------------------------


@on_chunks("the stream ends without [DONE]", "stream.no-done")
def stream_no_done(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """transformers serve sends no terminator."""
    return [chunk for chunk in chunks if chunk.data != "[DONE]"]


class Truncated(Fault):
    """The backend died in the middle of the answer; a proxy in front may hide it."""

    name = "stream-truncated"
    summary = "the stream stops half-way (=clean: a proper end; cut: no last chunk; mid-chunk; reset)"
    yields = ("stream.truncated",)
    value = "clean"
    choices = ("clean", "cut", "mid-chunk", "reset")

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        call.notes["truncated"] = True
        last = next((place for place, chunk in enumerate(chunks) if is_finished(chunk.data)), len(chunks))
        return chunks[: max(1, (last + 1) * 3 // 5)]

    def on_response(self, call: Call, response: Response) -> Response:
        if self.given == "clean" or not call.notes.get("truncated"):
            return response
        return replace(response, end=self.given)  # type: ignore[arg-type]


@on_response("a stream breaks off when another request for an answer arrives", "stream.interrupted")
def stream_interrupted(fault: Fault, call: Call, response: Response) -> Response:
    """A server for one answer at a time that ends the running one for the next request (llama-cpp-python)."""
    if call.operation != "chat" or response.status != 200:
        return response
    fault.count += 1
    if not response.is_stream:
        return response
    mine, planned = fault.count, response.writes

    def writes() -> Iterator[Write]:
        for write in planned:
            if fault.count != mine:
                raise ConnectionResetError("another request has arrived")
            yield write

    return replace(response, writes=planned[:1], more=lambda: islice(writes(), 1, None))


class NoUsage(Fault):
    """`include_usage` has no effect."""

    name = "stream-no-usage"
    summary = "stream_options.include_usage has no effect"
    yields = ("stream.no-usage",)

    def on_prompt(self, call: Call) -> None:
        drop_fields(call, "stream_options")

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


@on_chunks(
    "the token counts of streams are 0 (=all, or =completion alone)", "stream.no-usage", choices=("all", "completion")
)
def stream_usage_zero(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """The streaming path does not count."""
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    if fault.given == "completion":
        zero = {"completion_tokens": 0}
    return [
        replace(chunk, data={**chunk.data, "usage": {**chunk.data["usage"], **zero}})
        if isinstance(chunk.data, dict) and chunk.data.get("usage")
        else chunk
        for chunk in chunks
    ]


@on_chunks("after a few tokens an error object comes inside the stream (=N tokens)", "stream.error-in-band", value="3")
def stream_error_in_band(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """The generation fails after the status line was sent."""
    kept = chunks[: min(1 + int(fault.number), max(len(chunks) - 2, 1))]
    message = "Internal server error: the inference backend stopped responding"
    return [*kept, Chunk(kept[-1].at, {"error": {"message": message, "type": "server_error", "code": 500}})]


class NeverEnds(Fault):
    """A proxy or server that keeps the connection busy: after the answer, empty chunks follow without an end."""

    name = "stream-never-ends"
    summary = "after the finish reason empty chunks follow without end, and no [DONE]"
    yields = ("stream.no-done",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        kept = [chunk for chunk in chunks if isinstance(chunk.data, dict)]
        call.notes["last"] = kept[-1].data if kept else None
        return kept

    def on_stream(self, call: Call, response: Response) -> Response:
        last = call.notes.get("last")
        if last is None:
            return response
        choice = {"index": 0, "delta": {}, "finish_reason": None}
        frame = self.style.frame(Chunk(0.0, {**last, "choices": [choice], "usage": None}))
        end = response.end_at
        return replace(response, more=lambda: (Write(end + 0.25 * number, frame) for number in count(1)))


# Framing of events (WHATWG HTML section 9.2) -----------------------------------------------------------


def _data(frame: bytes) -> bytes:
    return frame.removeprefix(b"data: ").rstrip(b"\n")


def _json_lines(frame: bytes) -> bytes:
    """JSON lines, as Ollama's own API sends them."""
    return _data(frame) + b"\n" if frame.startswith(b"data:") else frame


def _no_blank_line(frame: bytes) -> bytes:
    """No empty line ends an event, so that all of them are one."""
    return frame.rstrip(b"\n") + b"\n"


def _split_json(frame: bytes) -> bytes:
    """One JSON text in two events."""
    data = _data(frame)
    if not data.startswith(b"{"):
        return frame
    middle = len(data) // 2
    return b"data: " + data[:middle] + b"\n\ndata: " + data[middle:] + b"\n\n"


def _double_encoded(frame: bytes) -> bytes:
    """The JSON text as a JSON string."""
    data = _data(frame)
    if not data.startswith(b"{"):
        return frame
    return b"data: " + json.dumps(data.decode("utf-8", "replace"), ensure_ascii=False).encode() + b"\n\n"


def _double_prefix(frame: bytes) -> bytes:
    """A proxy frames what is framed already."""
    return b"data: " + frame if frame.startswith(b"data:") else frame


_FRAMINGS = {
    "json-lines": _json_lines,
    "no-blank-line": _no_blank_line,
    "split-json": _split_json,
    "double-encoded": _double_encoded,
    "double-prefix": _double_prefix,
}


@on_stream(
    "events are framed wrongly (=json-lines, no-blank-line, split-json, double-encoded, double-prefix)",
    "stream.framing",
    choices=tuple(_FRAMINGS),
)
def stream_framing(fault: Fault, call: Call, response: Response) -> Response:
    """The bytes are not an event stream that clients can read."""
    return response.with_each_write(_FRAMINGS[fault.given])


# Characters outside ASCII ------------------------------------------------------------------------------


def _replaced(frame: bytes) -> bytes:
    """Each token decoded by itself, with characters cut in half: U+FFFD instead of each."""
    return "".join(char if ord(char) < 128 else "\ufffd\ufffd" for char in frame.decode()).encode()


def _invalid(frame: bytes) -> bytes:
    """Start bytes of UTF-8 sequences without the rest."""
    return b"".join(char.encode() if ord(char) < 128 else bytes([0xC0 | (ord(char) & 0x1F)]) for char in frame.decode())


@on_stream(
    "characters outside ASCII are damaged in streams (=replaced or invalid)",
    "stream.utf8",
    choices=("replaced", "invalid"),
)
def stream_utf8(fault: Fault, call: Call, response: Response) -> Response:
    """Characters of several bytes are damaged."""
    return response.with_each_write(_replaced if fault.given == "replaced" else _invalid)
