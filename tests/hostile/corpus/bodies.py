"""Bodies: endless, enormous, wrongly measured, wrongly coded, and JSON that no parser likes."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from tests.hostile.scripts import HANG, KEEP, Act, Scene, chunk, hostile, opening, reply

MIB = 1024 * 1024
ENOUGH = 100 * MIB


def flood(piece: bytes, most: int = ENOUGH) -> Iterator[Act]:
    """The same piece again and again, as one chunk each."""
    for _ in range(most // len(piece)):
        yield chunk(piece)


@hostile("body-endless-zeros", heavy=True)
def endless(scene: Scene) -> Iterator[Act]:
    yield opening("application/json")
    yield from flood(b"\0" * 65536)


@hostile("body-endless-until-close", heavy=True)
def until_close(scene: Scene) -> Iterator[Act]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"
    for _ in range(ENOUGH // 65536):
        yield b" " * 65536


@hostile("body-one-line-of-100-mb", heavy=True)
def long_line(scene: Scene) -> Iterator[Act]:
    yield opening("text/event-stream")
    yield chunk(b"data: ")
    yield from flood(b"a" * 65536)
    yield chunk(b"")


@hostile("body-string-of-8-mb", heavy=True)
def long_string(scene: Scene) -> Iterator[Act]:
    text = scene.random.choice(["a", "<", "{", "é", "\U0001f600", "<tool_call>", "<think>", "```", '\\"', "0"])
    content = text * (7 * MIB // len(text.encode()))
    yield reply({"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]})
    yield KEEP


@hostile("body-one-byte-a-second", slow=True)
def trickle(scene: Scene) -> Iterator[Act]:
    yield opening("application/json")
    for byte in scene.valid.body:
        yield chunk(bytes([byte]))
        yield 1.0


@hostile("body-one-byte-chunks", heavy=True)
def crumbs(scene: Scene) -> Iterator[Act]:
    yield opening("application/json")
    piece = chunk(b"1") * 10_000
    for _ in range(400):
        yield piece
    yield chunk(b"")
    yield KEEP


@hostile("body-huge-length-then-silence", slow=True)
def promised(scene: Scene) -> Iterator[Act]:
    yield reply(scene.valid.body, length=10**18)
    yield HANG


LENGTHS: dict[str, str] = {
    "negative": "-5",
    "beyond-64-bits": "9" * 25,
    "no-number": "many",
    "signed": "+5",
    "hexadecimal": "0x10",
    "list-of-two": "5, 6",
    "empty": "",
}
for _name, _value in LENGTHS.items():

    @hostile(f"length-{_name}")
    def odd_length(scene: Scene, value: str = _value) -> Iterator[Act]:
        yield f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {value}\r\n\r\n".encode()
        yield scene.valid.body


@hostile("length-given-twice")
def two_lengths(scene: Scene) -> Iterator[Act]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n" + scene.valid.body


@hostile("length-and-chunked")
def length_and_chunked(scene: Scene) -> Iterator[Act]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield chunk(scene.valid.body) + chunk(b"")


@hostile("length-too-short")
def too_short(scene: Scene) -> Iterator[Act]:
    yield reply(scene.valid.body, length=max(0, len(scene.valid.body) - 7))
    yield KEEP


@hostile("length-too-long")
def too_long(scene: Scene) -> Iterator[Act]:
    yield reply(scene.valid.body, length=len(scene.valid.body) + 7)


CHUNKS: dict[str, bytes] = {
    "no-number": b"zz\r\nabc\r\n0\r\n\r\n",
    "negative": b"-5\r\nabc\r\n",
    "beyond-64-bits": b"f" * 40 + b"\r\nabc",
    "twenty-digits": b"0" * 19 + b"5\r\nabcde\r\n0\r\n\r\n",
    "no-line-end": b"5\r\nabcdeXX0\r\n\r\n",
    "empty-size": b"\r\n\r\n",
    "endless-size": b"1" * 200_000,
    "huge-extension": b"5;" + b"x" * 150_000 + b"\r\nabcde\r\n0\r\n\r\n",
    "endless-trailers": b"0\r\n" + b"X-Trailer: y\r\n" * 20_000,
}
for _name, _raw in CHUNKS.items():

    @hostile(f"chunk-{_name}")
    def odd_chunk(scene: Scene, raw: bytes = _raw) -> Iterator[Act]:
        yield opening("application/json")
        yield raw


def coded(body: bytes, coding: str) -> bytes:
    return reply(body, fields=(("Content-Encoding", coding),))


@hostile("gzip-bomb", heavy=True)
def gzip_bomb(scene: Scene) -> Iterator[Act]:
    machine = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    block = b"\0" * MIB
    packed = b"".join(machine.compress(block) for _ in range(400)) + machine.flush()
    yield coded(packed, "gzip")
    yield KEEP


@hostile("gzip-bomb-of-json", heavy=True)
def gzip_json(scene: Scene) -> Iterator[Act]:
    yield coded(gzip.compress(b"[" + b"[]," * (3 * MIB) + b"1]", 6), "gzip")
    yield KEEP


CODINGS: dict[str, Any] = {
    "gzip-that-is-plain": lambda body: (body, "gzip"),
    "gzip-twice": lambda body: (gzip.compress(gzip.compress(body)), "gzip, gzip"),
    "gzip-cut": lambda body: (gzip.compress(body)[:-9], "gzip"),
    "gzip-then-rubbish": lambda body: (gzip.compress(body) + b"\xff" * 5000, "gzip"),
    "gzip-wrong-check": lambda body: (gzip.compress(body)[:-8] + b"\0" * 8, "gzip"),
    "gzip-nothing": lambda body: (b"", "gzip"),
    "deflate-rubbish": lambda body: (b"\x01\x02\x03" * 900, "deflate"),
    "deflate-raw": lambda body: (zlib.compress(body)[2:-4], "deflate"),
    "brotli-not-offered": lambda body: (b"\x1b\xff\xff\x7f" * 9000, "br"),
    "zstd-not-offered": lambda body: (b"\x28\xb5\x2f\xfd" * 900, "zstd"),
    "coding-unknown": lambda body: (body, "x-" + "a" * 3000),
}
for _name, _make in CODINGS.items():

    @hostile(f"coding-{_name}")
    def odd_coding(scene: Scene, make: Any = _make) -> Iterator[Act]:
        yield coded(*make(scene.valid.body))
        yield KEEP


DEEP = 100_000
#: Whole bodies that are JSON, or nearly.
TEXTS: dict[str, bytes] = {
    "deep-arrays": b"[" * DEEP + b"]" * DEEP,
    "deep-objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep-and-open": b'{"choices":' * DEEP,
    "deep-900": b"[" * 900 + b"]" * 900,
    "nan": b'{"choices":[{"index":NaN,"message":{"role":"assistant","content":"x"}}],"usage":{"prompt_tokens":NaN}}',
    "infinity": b'{"choices":[{"index":-Infinity}],"usage":{"prompt_tokens":Infinity}}',
    "beyond-floats": b'{"choices":[{"index":1e999,"message":{"content":"x"}}],"usage":{"prompt_tokens":1e999}}',
    "5000-digits": b'{"usage":{"prompt_tokens":' + b"9" * 5000 + b"}}",
    "4000-digits": b'{"choices":[{"index":0,"message":{"role":"assistant","content":"x"}}],"usage":{"prompt_tokens":'
    + b"9" * 4000
    + b',"completion_tokens":-5}}',
    "duplicate-keys": b'{"choices":[],"choices":[{"message":{"content":"a","content":"b"}}],"choices":{}}',
    "surrogates": rb'{"id":"\ud800","model":"\udfff\ud800","choices":[{"index":0,"finish_reason":"\ud83d",'
    rb'"message":{"role":"\ude00","content":"\ud800 \udc00\ud800"}}]}',
    "nul": b'{"choices":[{"index":0,"message":{"role":"assistant","content":"a\\u0000b"}}],"model":"\\u0000"}',
    "raw-nul": b'{"choices":[{"message":{"content":"a\0b"}}]}',
    "bad-utf8": b'{"choices":[{"index":0,"message":{"role":"assistant","content":"\xff\xfe\xc0\x80\xed\xa0\x80"}}]}',
    "utf-16": '{"choices":[{"message":{"content":"x"}}]}'.encode("utf-16"),
    "byte-order-mark": b'\xef\xbb\xbf{"choices":[{"index":0,"message":{"role":"assistant","content":"x"}}]}',
    "two-values": b'{"choices":[]}{"choices":[]}',
    "null": b"null",
    "true": b"true",
    "number": b"-0",
    "string": b'"choices"',
    "empty-string": b'""',
    "empty-list": b"[]",
    "empty-object": b"{}",
    "nothing": b"",
    "space": b" \r\n\t " * 50_000,
    "list-of-lists": b"[[[[[]]]],{}]",
    "choices-null": b'{"choices":null}',
    "choices-object": b'{"choices":{"0":{"message":{"content":"x"}}}}',
    "choices-of-null": b'{"choices":[null]}',
    "choices-nested": b'{"choices":[[{"message":{"content":"x"}}]]}',
    "message-string": b'{"choices":[{"message":"x"}]}',
    "content-number": b'{"choices":[{"index":0,"message":{"role":"assistant","content":42},"finish_reason":7}]}',
    "content-blocks": b'{"choices":[{"index":0,"message":{"role":"assistant","content":[null,{"text":5},"x",[]]}}]}',
    "usage-strings": b'{"choices":[{"index":0,"message":{"role":"assistant","content":"x"}}],'
    b'"usage":{"prompt_tokens":"7","completion_tokens":[1]}}',
    "data-of-anything": b'{"object":"list","data":[null,1,"x",[],{"id":null},{"id":7},{"id":""},{"id":"\\u001b[31m"}]}',
    "error-of-anything": b'{"error":[[{"message":{"detail":[{"msg":null}]}}],true,7]}',
    "error-true": b'{"error":true,"message":{"a":1},"detail":[{"loc":[1,null],"msg":5}]}',
}
for _name, _body in TEXTS.items():

    @hostile(f"json-{_name}")
    def odd_json(scene: Scene, body: bytes = _body) -> Iterator[Act]:
        yield reply(body, status=scene.random.choice([200, 200, 200, 400, 500]))
        yield KEEP


@hostile("json-deep-inside-an-answer")
def deep_inside(scene: Scene) -> Iterator[Act]:
    whole = scene.valid.json
    text = json.dumps(whole if isinstance(whole, dict) else {"choices": []})
    deep = "[" * 700 + "]" * 700
    yield reply(text[:-1].encode() + f',"x":{deep},"usage":{deep},"system_fingerprint":{deep}}}'.encode())
    yield KEEP


MANY: dict[str, bytes] = {
    "empty-lists": b"[" + b"[]," * (2 * MIB) + b"1]",
    "small-objects": b"[" + b'{"a":1},' * (MIB - 10) + b"1]",
    "model-ids": b'{"data":[' + b'{"id":"m"},' * (7 * MIB // 11) + b'{"id":"n"}]}',
    "choices": b'{"choices":[' + b'{"message":{}},' * (7 * MIB // 15) + b"{}]}",
    "digits": b"[" + b"1," * (4 * MIB - 10) + b"1]",
    "keys": b"{" + b",".join(b'"%d":0' % number for number in range(700_000)) + b"}",
}
for _name, _body in MANY.items():

    @hostile(f"json-many-{_name}", heavy=True)
    def many(scene: Scene, body: bytes = _body) -> Iterator[Act]:
        yield reply(body)
        yield KEEP


@hostile("json-model-id-of-2-mb", heavy=True)
def long_id(scene: Scene) -> Iterator[Act]:
    if scene.request.method == "GET":
        yield reply({"object": "list", "data": [{"id": "m" * (2 * MIB), "object": "model"}]})
    else:
        yield scene.valid.wire()
    yield KEEP


@hostile("json-20000-model-ids")
def many_ids(scene: Scene) -> Iterator[Act]:
    if scene.request.method == "GET":
        ids = [f"model-{number}" for number in range(20_000)]
        yield reply({"object": "list", "data": [{"id": name, "object": "model"} for name in ids]})
    else:
        yield scene.valid.wire()
    yield KEEP
