"""Right answers with something twisted: an odd value at any place of the JSON, any edit of the bytes.

A twist is plain data, so that a property test can shrink it and a seed can repeat it.
Positions are shares of the whole, from 0 up to 1, since an answer's length is not known
before it is made.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.hostile.scripts import KEEP, Act
from tests.hostile.valid import Valid

Path = tuple[str | int, ...]
#: Put in place of a value: take the member or element out.
GONE = object()


@dataclass(frozen=True)
class Put:
    """Another value at one place of the JSON answer, or of one event of a stream (or of every event)."""

    at: float
    value: Any
    event: float = 0.0
    every: bool = False


@dataclass(frozen=True)
class Edit:
    """One edit of bytes: flip, cut, insert, duplicate, swap or end, of so many bytes."""

    kind: str
    at: float
    size: int = 1
    data: bytes = b""


@dataclass(frozen=True)
class Edited:
    """Edits one after the other: of the body, framed rightly again, or of all that goes over the wire."""

    edits: tuple[Edit, ...]
    body_only: bool = True


@dataclass(frozen=True)
class Framed:
    """The right body, cut into chunks of these sizes in turn, each written by itself."""

    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Right:
    """The right answer."""


Twist = Put | Edited | Framed | Right
EDITS = ("flip", "cut", "insert", "duplicate", "swap", "end")


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value in a JSON value, the whole (an empty path) first."""
    yield path
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for name, item in children:
        yield from places(item, (*path, name))


def put(whole: Any, path: Path, value: Any) -> Any:
    """A copy of a JSON value with another value at the path."""
    if not path:
        return None if value is GONE else value
    step, *rest = path
    if isinstance(whole, dict):
        changed: dict[Any, Any] = {**whole, step: put(whole[step], tuple(rest), value)}
        if not rest and value is GONE:
            del changed[step]
        return changed
    listed = list(whole)
    if not rest and value is GONE:
        del listed[int(step)]
    else:
        listed[int(step)] = put(whole[step], tuple(rest), value)
    return listed


def _pick(share: float, count: int) -> int:
    return min(int(share * count), count - 1)


def _placed(whole: Any, at: float, value: Any) -> bytes:
    found = list(places(whole))
    return json.dumps(put(whole, found[_pick(at, len(found))], value)).encode()


def edited(data: bytes, edit: Edit) -> bytes:
    """The bytes after one edit."""
    if not data:
        return edit.data if edit.kind == "insert" else data
    at = _pick(edit.at, len(data))
    end = min(len(data), at + max(1, edit.size))
    before, piece, after = data[:at], data[at:end], data[end:]
    if edit.kind == "flip":
        return before + bytes(byte ^ (1 << (edit.size + place) % 8) for place, byte in enumerate(piece)) + after
    if edit.kind == "cut":
        return before + after
    if edit.kind == "insert":
        return before + edit.data + piece + after
    if edit.kind == "duplicate":
        return before + piece * 2 + after
    if edit.kind == "swap":
        other = after[: len(piece)]
        return before + other + piece + after[len(other) :]
    assert edit.kind == "end", edit.kind
    return before


def _with(valid: Valid, *pieces: bytes) -> Valid:
    return Valid(valid.status, valid.fields, pieces, valid.streamed)


def _put_in(valid: Valid, twist: Put) -> Valid:
    if not valid.streamed:
        return _with(valid, _placed(valid.json, twist.at, twist.value))
    try:
        events = valid.events
    except ValueError:  # a style whose streams hold more than JSON
        return valid
    chosen = _pick(twist.event, max(1, len(events)))
    pieces = []
    for number, event in enumerate(events):
        data = json.dumps(event).encode() if event != "[DONE]" else b"[DONE]"
        if number == chosen or (twist.every and event != "[DONE]"):
            data = _placed(event, twist.at, twist.value)
        pieces.append(b"data: " + data + b"\n\n")
    return _with(valid, *pieces)


def performed(twist: Twist, valid: Valid) -> Iterator[Act]:
    """What goes over the wire for a right answer and a twist."""
    if isinstance(twist, Put):
        yield _put_in(valid, twist).wire()
        yield KEEP
    elif isinstance(twist, Framed):
        yield valid.head(("Transfer-Encoding", "chunked"))
        body, number = valid.body, 0
        while body:
            size = max(1, twist.sizes[number % len(twist.sizes)]) if number < 400 else len(body)
            yield b"%x\r\n%b\r\n" % (len(body[:size]), body[:size])
            body, number = body[size:], number + 1
        yield b"0\r\n\r\n"
        yield KEEP
    elif isinstance(twist, Edited) and twist.body_only:
        body = valid.body
        for edit in twist.edits:
            body = edited(body, edit)
        yield _with(valid, body).wire()
        yield KEEP
    elif isinstance(twist, Edited):
        wire = valid.wire()
        for edit in twist.edits:
            wire = edited(wire, edit)
        yield wire  # and the end of the connection, since a length in it may be wrong now
    else:
        yield valid.wire()
        yield KEEP


# By a seed ---------------------------------------------------------------------------------------------

_TEXTS = (
    "", "x", "\0", "\ud800", "\u202e", "\x1b[2J", "<b>", "[DONE]", "null", "a" * 20_000, "é\U0001f600", "{",
    "${API_KEY}", "%s", "{0}", "stop", "tool_calls", "assistant", "data: x\n\n", "<tool_call>", "<think>",
    "```json\n{}\n```", "sk-" + "a" * 40,
)  # fmt: skip
_NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63, -(2**64), 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"), 1e-320)


def _deep(levels: int, inner: Any) -> Any:
    for level in range(levels):
        inner = [inner] if level % 2 else {"a": inner}
    return inner


def random_value(rng: random.Random, depth: int = 3) -> Any:
    """Any JSON value, odd ones before all; NaN, halves of surrogate pairs and huge numbers too."""
    kind = rng.randrange(8 if depth else 5)
    if kind == 0:
        return rng.choice([None, True, False, GONE]) if depth == 3 else rng.choice([None, True, False])
    if kind == 1:
        return rng.choice(_NUMBERS)
    if kind in (2, 3):
        return rng.choice(_TEXTS)
    if kind == 4:
        return "".join(chr(rng.randrange(1, 0x2FFF)) for _ in range(rng.randrange(20)))
    if kind == 5:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 6:
        return {rng.choice(_TEXTS[:12]): random_value(rng, depth - 1) for _ in range(rng.randrange(4))}
    return _deep(rng.choice([5, 50, 190, 300]), rng.choice(["x", None, 1]))


def random_edit(rng: random.Random) -> Edit:
    """Any edit of bytes."""
    kind = rng.choice(EDITS[:-1] * 3 + EDITS[-1:])
    size = rng.choice([1, 1, 2, 3, 8, 40, 300])
    data = rng.choice(
        [rng.randbytes(rng.randrange(1, 12)), b"\n\n", b"\r", b"\0", b'"', b"}", b"data: ", b"\xff", b"[" * 99]
    )
    return Edit(kind, rng.random(), size, data)


def random_twist(rng: random.Random, kinds: str = "peEf") -> Twist:
    """Any twist: a value put somewhere (p), edits of the body (e) or the wire (E), other chunk borders (f)."""
    kind = rng.choice(kinds)
    if kind == "p":
        return Put(rng.random(), random_value(rng), rng.random(), rng.random() < 0.3)
    if kind in "eE":
        edits = tuple(random_edit(rng) for _ in range(rng.choice([1, 1, 2, 3, 6])))
        return Edited(edits, body_only=kind == "e")
    return Framed(tuple(rng.choice([1, 2, 3, 7, 50, 700]) for _ in range(rng.randrange(1, 5))))
