"""Right answers grown to the limits: thousands of pieces, megabytes in one field, numbers of a million digits; and
compressions, chunks and fields that never end."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile.corpus.bodies import MIB
from tests.hostile.corpus.streams import flood
from tests.hostile.scripts import KEEP, Act, Scene, chunk, hostile, opening, reply

MOST = 8 * MIB
PIECE = "a" * 300


def _delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields}]}


def _call(**function: Any) -> dict[str, Any]:
    return _delta(tool_calls=[{"index": 0, "id": "c", "type": "function", "function": function}])


def _message(text: Any = "x", **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **fields}, "finish_reason": "stop"}
    return {"choices": [choice]}


#: The chunk of each event of a stream of 4,000.
STREAMS: dict[str, Callable[[int], dict[str, Any]]] = {
    "text-of-a-field": lambda n: _delta(x=PIECE),
    "list-of-a-field": lambda n: _delta(content="a", x=[1] * 14),
    "names-of-fields": lambda n: _delta(**{f"x{n}_{k}": "a" for k in range(14)}),
    "text-after-a-space": lambda n: _delta(content=f" {PIECE}"),
    "parts": lambda n: _delta(content=[{"type": "text", "text": "ab"}] * 10),
    "thinking": lambda n: _delta(reasoning_content=PIECE, reasoning=PIECE[:10]),
    "arguments": lambda n: _call(name=None if n else "get_weather", arguments=PIECE),
    "names-of-a-call": lambda n: _call(name=f"{n}{PIECE}"),
    "calls": lambda n: _delta(tool_calls=[{"index": n, "id": f"c{n}", "function": {"name": "f", "arguments": "{}"}}]),
    "choices": lambda n: {"choices": [{}] * 60},
    "usages": lambda n: {**_delta(content="a"), "usage": {"prompt_tokens": n, "completion_tokens": n}},
    "errors": lambda n: {"error": {"message": f"{n} {PIECE[:500]}", "code": 429}},
    "cumulative-text": lambda n: _delta(content="word " * (n % 200)),
    "nested": lambda n: _delta(content="a", x=json.loads("[" * 60 + "]" * 60)),
}
for _name, _make in STREAMS.items():

    @hostile(f"pieces-stream-{_name}", heavy=True)
    def big_stream(scene: Scene, make: Callable[[int], Any] = _make) -> Iterator[Act]:
        """To a request for a stream, and now and then to one for a whole answer."""
        of_chat = isinstance(scene.valid.json, dict) and "choices" in scene.valid.json
        if not (scene.valid.streamed or (of_chat and scene.random.random() < 0.5)):
            yield scene.valid.wire()
            yield KEEP
            return
        yield opening()
        for start in range(0, 4_000, 200):
            yield chunk(b"".join(b"data: %b\n\n" % json.dumps(make(n)).encode() for n in range(start, start + 200)))
        yield chunk(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
        yield chunk(b"")
        yield KEEP


#: What a whole answer has in place of its own fields.
WHOLE: dict[str, Callable[[], dict[str, Any]]] = {
    "choices": lambda: {"choices": [{"index": n, "message": {"content": "x"}} for n in range(30_000)]},
    "text": lambda: _message("word " * (MOST // 6)),
    "braces": lambda: _message('{"a": ' * (MOST // 10)),
    "parts": lambda: _message([{"type": "text", "text": "a"}] * 39_000),
    "fields": lambda: {f"f{n}": n for n in range(100_000)},
    "thinking": lambda: _message(reasoning_content="think " * (MOST // 7)),
    "name-of-a-model": lambda: {"model": "m" * (MOST - 2_000)},
    "usage-1e308": lambda: {"usage": dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), 1e308)},
    "usage-negative": lambda: {"usage": dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), -7)},
    "usage-2-to-53": lambda: {"usage": dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), 2**53)},
    "usage-strings": lambda: {"usage": {"prompt_tokens": "5", "completion_tokens": "nan", "total_tokens": None}},
}
for _name, _more in WHOLE.items():

    @hostile(f"pieces-whole-{_name}", heavy=True)
    def big_whole(scene: Scene, more: Callable[[], dict[str, Any]] = _more) -> Iterator[Act]:
        whole = scene.valid.json
        yield reply({**whole, **more()}) if isinstance(whole, dict) and "choices" in whole else scene.valid.wire()
        yield KEEP


ERRORS: dict[str, Callable[[], bytes]] = {
    "message": lambda: json.dumps({"error": {"message": "tools are not supported; " * (MOST // 26)}}).encode(),
    "list": lambda: json.dumps({"detail": [{"loc": ["body", n], "msg": "extra"} for n in range(14_000)]}).encode(),
    "titles": lambda: b"<html><title>" * (MOST // 14),
    "float-of-digits": lambda: b'{"error": {"code": ' + b"1" * MIB + b'.0, "message": "x"}}',
    "fraction": lambda: b'{"error": {"code": 0.' + b"1" * (MOST - 100) + b', "message": "x"}}',
    "exponent": lambda: b'{"error": {"code": 1e' + b"9" * (MOST - 100) + b', "message": "x"}}',
    "integer": lambda: b'{"error": {"code": ' + b"1" * MIB + b', "message": "x"}}',
    "same-name": lambda: b'{"error": {' + b",".join(b'"message": "m%d"' % n for n in range(100_000)) + b"}}",
}
for _name, _error in ERRORS.items():

    @hostile(f"pieces-error-{_name}", heavy=True)
    def big_error(scene: Scene, content: Callable[[], bytes] = _error) -> Iterator[Act]:
        if scene.request.method == "GET":
            yield scene.valid.wire()
        else:
            yield reply(content(), scene.random.choice([200, 400, 404, 500]))
        yield KEEP


def _bomb() -> bytes:
    return gzip.compress(gzip.compress(b"\0" * (100 * MIB), 1))


CODINGS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip-twice": ("gzip, gzip", _bomb),
    "gzip-twice-said-once": ("gzip", _bomb),
    "deflate": ("deflate", lambda: zlib.compress(b"\0" * (100 * MIB), 1)),
    "deflate-raw": ("deflate", lambda: zlib.compress(b"\0" * (100 * MIB), 1)[2:-4]),
    "br": ("br", lambda: b"\x5b\xff\xff\xff" + b"\0" * 1_000),
    "zstd": ("zstd", lambda: b"\x28\xb5\x2f\xfd" + b"\xff" * 1_000),
    "members": ("gzip", lambda: gzip.compress(b"") * 400_000),
    "words": (", ".join(["gzip"] * 10_000), lambda: gzip.compress(b"{}")),
}
for _name, (_said, _coded) in CODINGS.items():

    @hostile(f"pieces-coding-{_name}", heavy=True)
    def coding(scene: Scene, said: str = _said, make: Callable[[], bytes] = _coded) -> Iterator[Act]:
        yield reply(make(), fields=(("Content-Encoding", said),))
        yield KEEP


#: How a chunked body goes on: what comes first, what is repeated, and how often.
ENDLESS: dict[str, tuple[bytes, bytes, int]] = {
    "extensions": (b"", b"1;" + b"a" * 15_000 + b"\r\n1\r\n", 4_000),
    "extension": (b"1;", b"a" * 65_536, 2_000),
    "size": (b"", b"0" * 65_536, 2_000),
    "trailers": (b"2\r\n{}\r\n0\r\n", b"X-A: y\r\n" * 4_000, 2_000),
}
for _name, (_first, _again, _times) in ENDLESS.items():

    @hostile(f"pieces-chunk-{_name}", heavy=True)
    def endless(scene: Scene, first: bytes = _first, again: bytes = _again, times: int = _times) -> Iterator[Act]:
        yield opening("application/json") + first
        for _ in range(times):
            yield again


HEADS = {"fields-100000": b"X-A: y\r\n" * 100_000, "field-10-mb": b"X-A: " + b"a" * (10 * MIB) + b"\r\n"}
for _name, _fields in HEADS.items():

    @hostile(f"pieces-head-{_name}", heavy=True)
    def head(scene: Scene, fields: bytes = _fields) -> Iterator[Act]:
        yield b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 2\r\n\r\n{}"


FLOODS = {"retry": b"retry: 9\n\n", "ids": b"id: " + b"x" * 50 + b"\n\n", "marks": b"\xef\xbb\xbf", "done": b"[DONE]",
          "names": b"data\n", "half-done": b"data: [DONE\n\n"}  # fmt: skip
for _name, _event in FLOODS.items():

    @hostile(f"pieces-events-of-{_name}", heavy=True)
    def flood_of_events(scene: Scene, event: bytes = _event) -> Iterator[Act]:
        yield from flood(scene, event)
