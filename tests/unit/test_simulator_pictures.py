"""The stand-in model sees pictures and fills schemas."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

import jsonschema
import pytest

from probe.simulator.model import pictures
from probe.simulator.model.answering import answer, prompt_tokens
from tests.unit.test_simulator_model import ask, user

# JSON ----------------------------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "population": {"type": "integer"},
        "kind": {"enum": ["KK-1", "ZZ-2"]},
        "inner": {"$ref": "#/$defs/part"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        "score": {"type": ["number", "null"], "minimum": 5},
        "shape": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"w": {"type": "integer"}}}]},
    },
    "required": ["city", "population", "kind", "inner", "tags", "score", "shape"],
    "additionalProperties": False,
    "$defs": {
        "part": {
            "type": "object",
            "properties": {"code": {"type": "string"}, "ok": {"type": "boolean"}},
            "required": ["code", "ok"],
        }
    },
}


@pytest.mark.parametrize("personality", ["plain", "weak", "chatty", "reasoning"])
@pytest.mark.parametrize(
    "question",
    ["Give Paris and its population 2100000. kind ZZ-2, code is RR-7712, tags red and blue", "Hello", "Count to 3"],
)
def test_schema_is_obeyed(question: str, personality: str) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
    reply = answer({"messages": [user(question)], "response_format": form}, personality)
    jsonschema.validate(json.loads(reply.text), SCHEMA)


def test_schema_is_filled_from_the_prompt() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    question = "Give Paris and its population 2100000. kind ZZ-2, code is RR-7712, tags red and blue"
    made = json.loads(ask(question, response_format=form))
    assert (made["city"], made["population"], made["kind"]) == ("Paris", 2100000, "ZZ-2")
    assert made["inner"]["code"] == "RR-7712"
    assert made["tags"] == ["red", "blue"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Return a JSON object with keys name and age for Alice, who is 30.", {"name": "Alice", "age": 30}),
        ('Reply in JSON with a field "code" set to "XX-81".', {"code": "XX-81"}),
        ('Return exactly this JSON: {"ok": true}', {"ok": True}),
    ],
)
@pytest.mark.parametrize("form", [{"type": "json_object"}, {"type": "text"}])
def test_json_without_a_schema(question: str, expected: Any, form: Any) -> None:
    assert json.loads(ask(question, response_format=form)) == expected


# Pictures ------------------------------------------------------------------------------------------------

COLOURS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode(size: int, kind: int, lines: list[bytes], palette: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", size, size, 8, kind, 0, 0, 0)
    extra = chunk(b"PLTE", palette) if palette else b""
    data = chunk(b"IDAT", zlib.compress(b"".join(lines)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + data + chunk(b"IEND", b"")


def quadrants(size: int, filters: int = 0, alpha: bool = False) -> bytes:
    names = [["red", "green"], ["blue", "yellow"]]
    step = 4 if alpha else 3
    above = bytes(size * step)
    lines = []
    for y in range(size):
        pixels = [COLOURS[names[2 * y // size][2 * x // size]] for x in range(size)]
        raw = b"".join(bytes(pixel) + (b"\xff" if alpha else b"") for pixel in pixels)
        lines.append(bytes([filters]) + filtered(filters, raw, above, step))
        above = raw
    return encode(size, 6 if alpha else 2, lines)


def filtered(kind: int, raw: bytes, above: bytes, step: int) -> bytes:
    made = bytearray()
    for place, value in enumerate(raw):
        left = raw[place - step] if place >= step else 0
        corner = above[place - step] if place >= step else 0
        up = above[place]
        guess = {0: 0, 1: left, 2: up, 3: (left + up) // 2}.get(kind)
        if guess is None:
            estimate = left + up - corner
            guess = min((left, up, corner), key=lambda one: abs(estimate - one))
        made.append((value - guess) & 255)
    return bytes(made)


def data_uri(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("filters", range(5))
def test_png_filters(filters: int, alpha: bool) -> None:
    assert pictures.layout(quadrants(32, filters, alpha)) == [["red", "green"], ["blue", "yellow"]]


def test_png_palette_and_grey() -> None:
    palette = bytes(COLOURS["blue"]) + bytes(COLOURS["yellow"])
    assert pictures.layout(encode(16, 3, [b"\0" + b"\0" * 8 + b"\1" * 8] * 16, palette)) == [["blue", "yellow"]]
    black_above_white = [b"\0" + b"\0" * 16] * 8 + [b"\0" + b"\xff" * 16] * 8
    assert pictures.layout(encode(16, 0, black_above_white)) == [["black"], ["white"]]
    with pytest.raises(pictures.NotReadable):
        pictures.layout(b"\x89PNG nothing")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What colours are the four quadrants, in reading order? Only the colour names.", "red, green, blue, yellow"),
        ("Which quadrant is blue?", "bottom-left"),
        ("What colour is the bottom-right corner?", "yellow"),
        ("What colour is the upper right part?", "green"),
        ("Name the colours of the quadrants clockwise from the top left.", "red, green, yellow, blue"),
    ],
)
@pytest.mark.parametrize("size", [64, 400])
def test_pictures(question: str, expected: str, size: int) -> None:
    picture = {"type": "image_url", "image_url": {"url": data_uri(quadrants(size))}}
    assert ask(user([{"type": "text", "text": question}, picture])) == expected


def test_a_picture_costs_prompt_tokens() -> None:
    parts = [{"type": "text", "text": "What is in here?"}]
    picture = {"type": "image_url", "image_url": {"url": data_uri(quadrants(64))}}
    alone = prompt_tokens({"messages": [user(parts)]})
    assert prompt_tokens({"messages": [user([*parts, picture])]}) >= alone + 85
