"""Right answers with one wrong thing in them: odd values at every place, tool calls no client expects."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.hostile.corpus.bodies import MIB
from tests.hostile.corpus.streams import ODD, every_letter_escaped
from tests.hostile.scripts import KEEP, Act, Scene, chunk, hostile, opening, reply, streamed


def call(**changes: Any) -> dict[str, Any]:
    """A tool call with changes; a change of ``name`` or ``arguments`` is one of its function."""
    function: dict[str, Any] = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    for name in ("name", "arguments"):
        if name in changes:
            function[name] = changes.pop(name)
    return {"id": "call_1", "type": "function", "function": function, **changes}


HUGE_ARGUMENTS = '{"city": "' + "a" * MIB + '"}'
DEEP_ARGUMENTS = "[" * 20_000 + "]" * 20_000
#: Lists of tool calls that no client expects.
CALLS: dict[str, list[Any]] = {
    **{f"id-{number}": [call(id=odd)] for number, odd in enumerate(ODD)},
    **{f"name-{number}": [call(name=odd)] for number, odd in enumerate(ODD)},
    **{f"arguments-{number}": [call(arguments=odd)] for number, odd in enumerate(ODD)},
    **{f"index-{number}": [call(index=odd), call(index=odd, id="call_2")] for number, odd in enumerate(ODD)},
    "index-missing": [call(), call(id="call_2"), call(id=None)],
    "type-odd": [call(type=odd) for odd in ODD],
    "function-odd": [{"id": "c", "type": "function", "function": odd} for odd in ODD],
    "not-an-object": ODD,
    "arguments-huge": [call(arguments=HUGE_ARGUMENTS)],
    "arguments-deep": [call(arguments=DEEP_ARGUMENTS)],
    "arguments-nan": [call(arguments='{"city": NaN, "n": 1e999}')],
    "arguments-surrogate": [call(arguments='{"city": "\\ud800"}', name="get_weather", id="\ud800")],
    "name-of-a-path": [call(name="../../etc/passwd"), call(name="get_weather; rm -rf /", id="$(reboot)")],
    "name-of-markup": [call(name="<script>alert(1)</script>", id='"><img src=x onerror=alert(1)>')],
    "very-many": [call(id=f"call_{number}", index=number) for number in range(5_000)],
    "same-id": [call(index=number) for number in range(300)],
}


def with_calls(calls: list[Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70},
    }


def wants_tools(scene: Scene) -> bool:
    return b'"tools"' in scene.request.body


for _name, _calls in CALLS.items():

    @hostile(f"tool-call-{_name}")
    def tool_calls(scene: Scene, calls: list[Any] = _calls) -> Iterator[Act]:
        if not wants_tools(scene):
            yield scene.valid.wire()
            yield KEEP
        elif scene.valid.streamed:
            events = [{"choices": [{"index": 0, "delta": {"tool_calls": [item]}}]} for item in calls[:400]]
            last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
            yield from streamed(*events, last, b"[DONE]")
        else:
            yield reply(with_calls(calls))
            yield KEEP


#: How a key may be written where it is thrown back.
FORMS: dict[str, Any] = {
    "plain": lambda key: key,
    "in-a-word": lambda key: f"x{key}y",
    "url-encoded": lambda key: quote(key, safe=""),
    "every-letter-url-encoded": lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64-of-the-header": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "base64-of-user-and-key": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "base64-for-urls": lambda key: base64.urlsafe_b64encode(f"k:{key}".encode()).decode().rstrip("="),
    "hexadecimal": lambda key: key.encode().hex(),
    "json-in-json": lambda key: json.dumps({"authorization": f"Bearer {key}"}),
    "html-numbers": lambda key: "".join(f"&#{ord(letter)};" for letter in key),
    "upper-and-lower": lambda key: f"{key} {key.upper()} {key.lower()}",
    "but-for-a-letter": lambda key: f"{key[:-1]} {key[1:]}",
    "in-part": lambda key: f"{key[:24]}*** ***{key[-20:]}",
    "backwards": lambda key: key[::-1],
    "zero-width-between": "\u200b".join,
    "full-width": lambda key: "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in key),
    "wrapped": lambda key: "\n".join(key[at : at + 7] for at in range(0, len(key), 7)),
    "tags-between": lambda key: "<wbr>".join(key[at : at + 5] for at in range(0, len(key), 5)),
    "base64-twice": lambda key: base64.b64encode(base64.b64encode(key.encode())).decode(),
    "base64-in-lines": lambda key: base64.encodebytes(b"a message of more than one line with " + key.encode()).decode(),
    "base64-of-utf-16": lambda key: base64.b64encode(key.encode("utf-16")).decode(),
    "hexadecimal-with-colons": lambda key: key.encode().hex(":"),
    "octal": lambda key: "".join(f"\\{byte:03o}" for byte in key.encode()),
    "quoted-printable": lambda key: "".join(f"={byte:02X}" for byte in key.encode()),
}
for _name, _form in FORMS.items():

    @hostile(f"throws-back-the-key-{_name}")
    def reflected(scene: Scene, form: Any = _form) -> Iterator[Act]:
        said = form(scene.secret)
        fields = (("X-Seen", quote(said, safe=" =+/-_:")), ("Set-Cookie", f"k={quote(said, safe='')}"))
        if scene.random.random() < 0.5:
            whole = scene.valid.json
            if isinstance(whole, dict):
                whole = {**whole, "id": said, "system_fingerprint": said, said: said, "debug": {"headers": [said]}}
                yield reply(whole, fields=fields)
                yield KEEP
                return
        status = scene.random.choice([400, 401, 403, 500])
        yield reply(
            {"error": {"message": f"Incorrect key {said} given", "type": said, "code": said}}, status, fields=fields
        )
        yield KEEP


@hostile("throws-back-the-key-in-escapes")
def in_escapes(scene: Scene) -> Iterator[Act]:
    said = every_letter_escaped(scene.secret)
    yield reply(f'{{"error":{{"message":{said},"type":{said},"code":{said}}}, {said}: 1}}'.encode(), 401)
    yield KEEP


@hostile("throws-back-the-key-compressed")
def compressed(scene: Scene) -> Iterator[Act]:
    import gzip

    body = json.dumps({"error": {"message": f"no such key: {scene.secret}"}}).encode()
    yield reply(gzip.compress(body), 401, fields=(("Content-Encoding", "gzip"),))
    yield KEEP


@hostile("throws-back-the-key-as-the-name-of-a-model")
def model_of_the_key(scene: Scene) -> Iterator[Act]:
    said = scene.secret
    if scene.request.method == "GET":
        names = (said, f"org/{said}", f"{said}-7b")
        yield reply({"object": "list", "data": [{"id": name, "object": "model", "owned_by": said} for name in names]})
    elif isinstance(scene.valid.json, dict):
        yield reply({**scene.valid.json, "model": said}, scene.valid.status)
    else:
        yield scene.valid.wire()
    yield KEEP


@hostile("throws-back-the-whole-request")
def echo(scene: Scene) -> Iterator[Act]:
    request = scene.request
    lines = [f"{request.method} {request.target}", *(f"{name}: {value}" for name, value in request.headers)]
    text = "\r\n".join(lines).encode() + b"\r\n\r\n" + request.body
    yield reply(text, scene.random.choice([200, 404, 500]), "text/plain")
    yield KEEP


@hostile("throws-back-the-key-chunk-by-chunk")
def in_chunks(scene: Scene) -> Iterator[Act]:
    yield opening("text/plain")
    for letter in f"no entry for {scene.secret} here":
        yield chunk(letter.encode())
    yield chunk(b"")
    yield KEEP


@hostile("steers-the-terminal")
def steering(scene: Scene) -> Iterator[Act]:
    said = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066<script>alert(1)</script>|`**x**`\r\n::error::x\x00"
    whole = scene.valid.json
    if isinstance(whole, dict) and "choices" in whole:
        yield reply({**whole, "model": said, "id": said, "system_fingerprint": said})
    else:
        yield reply({"error": {"message": said * 30, "type": said}}, 400, fields=(("Server", "x\ty"),))
    yield KEEP
