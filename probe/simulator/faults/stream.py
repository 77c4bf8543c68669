"""Streams that are held back, replayed or bunched by a buffer."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

from probe.simulator.call import Call, Chunk
from probe.simulator.fault import Fault, each_frame, finish_reasons, is_events, joined, without
from probe.simulator.script import Script


class Held(Fault):
    """Everything comes at the end, the headers too: a proxy that buffers responses."""

    name = "stream-held"
    summary = "nothing arrives before the end of the generation"
    yields = ("stream.held",)
    layer = 1

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        end = script.finished_at()
        return replace(joined(script, [(end, script.body)]), head_at=end)


class Replayed(Fault):
    """The server generates the whole answer and then plays it back quickly (fake streaming)."""

    name = "stream-replayed"
    summary = "the answer is generated whole and then played back as a stream"
    yields = ("stream.replayed",)

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        end, first = script.finished_at(), script.writes[0].at
        writes = [replace(write, at=end + (write.at - first) * 0.25) for write in script.writes]
        return replace(script, writes=writes, end_at=writes[-1].at, head_at=script.writes[0].at)


class SizeBuffered(Fault):
    """A buffer that is passed on when it is full, wherever the event happens to be."""

    name = "stream-size-buffered"
    summary = "the stream is flushed every N bytes, in the middle of events (=N)"
    yields = ("stream.size-buffered",)
    value = "4096"
    layer = 1

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        size = max(int(self.number), 1)
        made: list[tuple[float, bytes]] = []
        held = b""
        for write in script.writes:
            held += write.data
            while len(held) >= size:
                made.append((write.at, held[:size]))
                held = held[size:]
        made.append((script.finished_at(), held))
        return replace(joined(script, made), head_at=made[0][0])


class Coalesced(Fault):
    """A timer that flushes whole events now and then (HAProxy without http-no-delay)."""

    name = "stream-coalesced"
    summary = "events are bunched and flushed every N seconds (=N)"
    yields = ("stream.coalesced",)
    value = "0.25"
    layer = 1

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        period = max(self.number, 0.001)
        bursts: dict[int, list[bytes]] = {}
        for write in script.writes:
            bursts.setdefault(int(write.at / period) + 1, []).append(write.data)
        made = [(tick * period, b"".join(parts)) for tick, parts in sorted(bursts.items())]
        return replace(joined(script, made), head_at=made[0][0])


class Compressed(Fault):
    """A compressor without flushing, which acts only when the client says that it takes gzip."""

    name = "stream-compressed"
    summary = "with Accept-Encoding: gzip the stream is compressed and withheld until the end"
    yields = ("stream.compressed",)
    layer = 1

    def on_script(self, call: Call, script: Script) -> Script:
        accepts = (call.request.header("accept-encoding") or "").lower()
        if "gzip" not in accepts or not script.writes or script.status != 200:
            return script
        end = script.finished_at()
        script = replace(joined(script, [(end, gzip.compress(script.body, 5))]), head_at=end)
        return script.with_header("Content-Encoding", "gzip").with_header("Vary", "Accept-Encoding")


# Streams that end too early, without their last words, or with an error. ---------------------------


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


# Streams whose events are not framed as the standard has it (WHATWG HTML section 9.2). -------------


def _data(frame: bytes) -> bytes:
    return frame.removeprefix(b"data: ").rstrip(b"\n")


def _json_lines(frame: bytes) -> bytes:
    """Bare JSON lines, as Ollama's own API sends them."""
    return _data(frame) + b"\n" if frame.startswith(b"data:") else frame


def _no_blank_line(frame: bytes) -> bytes:
    """No empty line ends an event, so all of them are one."""
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
    """A proxy frames what was framed already."""
    return b"data: " + frame if frame.startswith(b"data:") else frame


_KINDS = {
    "json-lines": _json_lines,
    "no-blank-line": _no_blank_line,
    "split-json": _split_json,
    "double-encoded": _double_encoded,
    "double-prefix": _double_prefix,
}


class Framing(Fault):
    """The bytes are no event stream that a client could read."""

    name = "stream-framing"
    summary = "events are framed wrongly (=json-lines, no-blank-line, split-json, double-encoded, double-prefix)"
    yields = ("stream.framing",)
    value = "json-lines"
    choices = tuple(_KINDS)

    def on_script(self, call: Call, script: Script) -> Script:
        return each_frame(script, _KINDS[self.given or "json-lines"]) if is_events(script) else script


# Streams that are refused or not delivered as streams. ---------------------------------------------


class Rejected(Fault):
    """Kong's refusal."""

    name = "stream-rejected"
    summary = "stream: true is refused"
    yields = ("stream.rejected",)

    def on_chat(self, call: Call) -> Script | None:
        if not call.stream:
            return None
        return call.site.style.error(
            call, 400, "response streaming is not enabled for this LLM", "invalid_request_error", "stream"
        )


class NotSse(Fault):
    """A gateway that waits for the whole answer and forwards it as it is."""

    name = "stream-not-sse"
    summary = "stream: true is answered with one JSON object"
    yields = ("stream.not-sse",)

    def on_prompt(self, call: Call) -> None:
        without(call, "stream", "stream_options")


class ContentType(Fault):
    """Events under another media type; strict readers refuse them (WHATWG HTML section 9.2)."""

    name = "stream-content-type"
    summary = "the stream is sent as another media type (=text/plain, application/json …)"
    yields = ("stream.content-type",)
    value = "text/plain"

    def on_script(self, call: Call, script: Script) -> Script:
        return script.with_header("Content-Type", self.given) if is_events(script) else script


# Streams that spoil what is not ASCII. -------------------------------------------------------------


def _halved(frame: bytes) -> bytes:
    """Each token decoded by itself, with characters cut in half: U+FFFD in place of every one."""
    return "".join(char if ord(char) < 128 else "\ufffd\ufffd" for char in frame.decode()).encode()


def _latin1(frame: bytes) -> bytes:
    """Latin-1 bytes (or `?`) under a UTF-8 name: no valid UTF-8."""
    return b"".join(char.encode() if ord(char) < 128 else bytes([0xC0 | (ord(char) & 0x1F)]) for char in frame.decode())


class Utf8(Fault):
    """Characters of several bytes do not survive."""

    name = "stream-utf8"
    summary = "characters outside ASCII are mangled in streams (=replaced or invalid)"
    yields = ("stream.utf8",)
    value = "replaced"
    choices = ("replaced", "invalid")

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        return each_frame(script, _halved if self.given == "replaced" else _latin1)


class NotAsked(Fault):
    """The server streams whatever is asked (kaito-project/kaito issue 1880)."""

    name = "stream-not-asked"
    summary = "every chat request is answered by an event stream, with `stream: false` too"
    yields = ("stream.not-asked",)

    def on_prompt(self, call: Call) -> None:
        call.body = {**call.body, "stream": True}


class NotAskedByDefault(Fault):
    """The server streams unless it is told not to (unslothai/unsloth issue 6570)."""

    name = "stream-by-default"
    summary = "a chat request that leaves `stream` out is answered by an event stream"
    yields = ("stream.not-asked",)

    def on_prompt(self, call: Call) -> None:
        if "stream" not in call.body:
            call.body = {**call.body, "stream": True}
