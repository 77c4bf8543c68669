"""Event streams with every field malformed.  A request that wants no stream gets a right answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.corpus.bodies import MIB
from tests.hostile.scripts import KEEP, Act, Scene, chunk, hostile, opening, streamed


def delta(content: Any = "x", **choice: Any) -> dict[str, Any]:
    """A chunk object of one choice."""
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": content}, **choice}]}


#: Bodies of event streams, as they stand on the wire.
RAW: dict[str, bytes] = {
    "no-colon": b"data\n\n" * 500,
    "no-blank-lines": b'data: {"choices":[{"delta":{"content":"x"}}]}\n' * 200,
    "blank-lines-only": b"\n" * 2000,
    "carriage-returns": b'data: {"choices":[{"delta":{"content":"x"}}]}\r\r' * 40,
    "mixed-line-ends": b'data: {"choices":[]}\r\n\ndata: {}\r\rdata: []\n\r\n',
    "byte-order-marks": b"\xef\xbb\xbf" * 50 + b'data: {"choices":[]}\n\n' + b"\xef\xbb\xbf" * 50,
    "unknown-fields": b"dota: x\nDATA: y\ndata : z\n data: w\nfoo\n\n" * 100,
    "retry-huge": b"retry: 99999999999999999999999999\nid: \0\0\nevent: \xff\xfe\ndata: {}\n\n" * 20,
    "retry-other-digits": "retry: ٣²①\ndata: {}\n\n".encode() * 5,
    "invalid-utf8": b'data: {"choices":[{"delta":{"content":"\xff\xc3\x28\xed\xa0\x80"}}]}\n\n' * 30,
    "nul": b'data: {"choices":[{"delta":{"content":"\0"}}]}\0\n\n\0\n\n',
    "done-first": b"data: [DONE]\n\n" + b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n' * 5,
    "done-often": b"data: [DONE]\n\n" * 3000,
    "done-in-a-comment": b": [DONE]\n\n" * 50,
    "done-never-closed": b"data: [DONE]",
    "deep": b"data: " + b"[" * 50_000 + b"\n\n",
    "deep-complete": b'data: {"choices":' + b"[" * 600 + b"]" * 600 + b"}\n\n",
    "nan": b'data: {"choices":[{"index":NaN,"delta":{"content":"x"}}],"usage":{"prompt_tokens":Infinity}}\n\n' * 9,
    "surrogates": rb'data: {"choices":[{"index":0,"delta":{"content":"\ud800","role":"\udfff"}}]}' + b"\n\n",
    "split-over-data-lines": b'data: {"choices":\ndata: [{"delta":\ndata: {"content":"x"}}]}\n\n' * 20,
    "one-json-body": b'{"choices":[{"index":0,"message":{"role":"assistant","content":"x"}}]}',
    "html": b"<html><body>data: no</body></html>",
    "json-lines": b'{"choices":[{"delta":{"content":"x"}}]}\n' * 50,
    "nothing": b"",
    "errors": b'event: error\ndata: {"error":null}\n\ndata: {"error":[]}\n\ndata: {"error":{"message":{"a":[]}}}\n\n',
    "error-lists": b'data: [{"error":{"message":"a"}}]\n\ndata: [[["x"]]]\n\ndata: "error"\n\n',
}
for _name, _body in RAW.items():

    @hostile(f"stream-{_name}")
    def raw(scene: Scene, body: bytes = _body) -> Iterator[Act]:
        if not scene.valid.streamed:
            yield scene.valid.wire()
        else:
            yield opening()
            for start in range(0, len(body), 700):
                yield chunk(body[start : start + 700])
            yield chunk(b"")
        yield KEEP


ODD: list[Any] = [
    None, True, -1, 0.5, 2**63, -(2**70), 10**400, "0", "", "x" * 3000, [], [None], {}, {"a": {}}, "\u202e\x1b[31m",
]  # fmt: skip

#: Where an odd value is put: each makes a chunk of it.
PLACES: dict[str, Any] = {
    "chunk": lambda odd: odd,
    "choices": lambda odd: {"choices": odd},
    "choice": lambda odd: {"choices": [odd]},
    "index": lambda odd: {"choices": [{"index": odd, "delta": {"content": "x"}}]},
    "delta": lambda odd: {"choices": [{"index": 0, "delta": odd}]},
    "role": lambda odd: {"choices": [{"index": 0, "delta": {"role": odd, "content": ""}}]},
    "content": delta,
    "reasoning": lambda odd: {"choices": [{"index": 0, "delta": {"reasoning_content": odd, "reasoning": odd}}]},
    "finish-reason": lambda odd: delta(finish_reason=odd),
    "usage": lambda odd: {"choices": [], "usage": odd},
    "prompt-tokens": lambda odd: {"choices": [], "usage": {"prompt_tokens": odd, "completion_tokens": odd}},
    "id-and-model": lambda odd: {**delta(), "id": odd, "model": odd, "created": odd},
    "logprobs": lambda odd: delta(logprobs={"content": odd}),
    "error": lambda odd: {"error": odd},
    "tool-calls": lambda odd: {"choices": [{"index": 0, "delta": {"tool_calls": odd}}]},
    "tool-call": lambda odd: {"choices": [{"index": 0, "delta": {"tool_calls": [odd]}}]},
}
for _name, _make in PLACES.items():

    @hostile(f"stream-odd-{_name}")
    def odd_place(scene: Scene, make: Any = _make) -> Iterator[Act]:
        if scene.valid.streamed:
            yield from streamed(*(make(odd) for odd in ODD), delta("end", finish_reason="stop"), b"[DONE]")
        else:
            yield scene.valid.wire()
            yield KEEP


FLOODS: dict[str, bytes] = {
    "empty-events": b"data:\n\n",
    "small-events": b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n',
    "comments": b":\n\n",
    "newlines": b"\n",
    "data-lines": b"data:a\n",
    "stray-lines": b"x\n",
    "numbers": b"data:1\n\n",
    "tool-calls": b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}\n\n',
}


def flood(scene: Scene, event: bytes) -> Iterator[Act]:
    """12 MiB of one event in answer to a request for a stream; any other request gets a valid answer."""
    if not scene.valid.streamed:
        yield scene.valid.wire()
        yield KEEP
        return
    yield opening()
    piece = event * (65536 // len(event))
    for _ in range(12 * MIB // len(piece)):
        yield chunk(piece)
    yield chunk(b"")
    yield KEEP


for _name, _event in FLOODS.items():

    @hostile(f"stream-flood-of-{_name}", heavy=True)
    def flood_of_events(scene: Scene, event: bytes = _event) -> Iterator[Act]:
        yield from flood(scene, event)


@hostile("stream-endless-heartbeat", slow=True)
def heartbeat(scene: Scene) -> Iterator[Act]:
    if not scene.valid.streamed:
        yield scene.valid.wire()
        yield KEEP
        return
    yield opening()
    for _ in range(500):
        yield chunk(b": still here\n\n")
        yield 0.05


@hostile("stream-goes-on-after-done", slow=True)
def after_done(scene: Scene) -> Iterator[Act]:
    if not scene.valid.streamed:
        yield scene.valid.wire()
        yield KEEP
        return
    yield opening()
    yield chunk(scene.valid.body)
    for _ in range(500):
        yield chunk(b'data: {"choices":[{"delta":{"content":"more"}}]}\n\n')
        yield 0.02


@hostile("stream-says-the-key-in-pieces")
def key_in_pieces(scene: Scene) -> Iterator[Act]:
    secret = scene.secret
    half = len(secret) // 2
    if scene.valid.streamed:
        pieces = ["Your key is ", secret[:half], secret[half:], " and again ", *secret]
        yield from streamed(*(delta(piece) for piece in pieces), delta("", finish_reason="stop"), b"[DONE]")
    else:
        yield scene.valid.wire()
        yield KEEP


@hostile("stream-tool-call-says-the-key-in-pieces")
def key_in_arguments(scene: Scene) -> Iterator[Act]:
    if not scene.valid.streamed:
        yield scene.valid.wire()
        yield KEEP
        return
    pieces = ['{"city": "', *scene.secret, '"}']
    calls = [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}]
    calls += [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
    events = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in calls]
    yield from streamed(*events, delta("", finish_reason="tool_calls"), b"[DONE]")


def every_letter_escaped(text: str) -> str:
    """JSON text of a string in which every character is a \\u escape."""
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in text) + '"'


@hostile("stream-says-the-key-in-escapes")
def key_in_escapes(scene: Scene) -> Iterator[Act]:
    if scene.valid.streamed:
        text = json.dumps(delta("SECRET", finish_reason="stop"))
        yield from streamed(text.replace('"SECRET"', every_letter_escaped(scene.secret)).encode(), b"[DONE]")
    else:
        yield scene.valid.wire()
        yield KEEP
