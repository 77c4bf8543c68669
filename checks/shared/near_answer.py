"""Answers with a success status that hold the model's answer in a form that clients cannot read.  Pure.

The chat operation is there and the model has answered, so neither the URL nor the client is the cause.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

from probe.api import Exchange, Owner, completion, member, wording

#: The longest body that is looked at, in bytes: the answer to the first request is short.
_LONGEST = 65_536
#: Levels of wrappers around a completion.
_DEEPEST = 4


@dataclass(frozen=True)
class Near:
    """What the answer is, who makes it so, and what to change there."""

    what: str
    owner: Owner
    remedy: str


def near_answer(exchange: Exchange, code: str, prompt: str) -> Near | None:
    """How an answer misses being a chat completion, or None where the model's answer is not in it.

    Args:
        code: what the model was asked to repeat.
        prompt: what it was asked; a body that holds it is an echo of the request.
    """
    response = exchange.response
    if response is None or not 200 <= response.status < 300 or len(response.content) > _LONGEST:
        return None
    content = response.content
    if content[:2] == b"\x1f\x8b":
        return _compressed(content)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        utf_16 = _answer("encoded in UTF-16", "send JSON in UTF-8 (RFC 8259 section 8.1)")
        return utf_16 if b"c\0h\0o\0i\0c\0e\0s" in content else None
    text = content.decode("utf-8", "replace").lstrip("\ufeff").strip()
    if prompt in text:
        return None
    value = response.json
    if value is None:
        found = _not_json(text)
    elif isinstance(value, str):
        inner = _lenient(value)
        found = _answer("a JSON string that holds JSON", "encode the answer once") if _holds(inner) else None
    else:
        found = _wrapped(value)
    if found is None and code in text and not completion.is_stream(exchange):
        form = (
            f"JSON with the members {wording.listing(name[:40] for name in list(value)[:6])}"
            if isinstance(value, dict)
            else "plain text"
        )
        found = _answer(f"the model's answer as {form}", "answer in the shape of the OpenAI API: `choices[0].message`")
    return found


def _answer(what: str, remedy: str, owner: Owner = Owner.SERVER) -> Near:
    where = "the gateway" if owner is Owner.GATEWAY else "the server, or a gateway in front of it,"
    return Near(what, owner, f"Let {where} {remedy}.")


def _compressed(content: bytes) -> Near | None:
    try:
        text = zlib.decompressobj(31).decompress(content, _LONGEST)
    except zlib.error:
        return None
    if b'"choices"' not in text:
        return None
    remedy = "send `Content-Encoding: gzip` with what it compresses, or not compress it"
    return _answer("compressed with gzip, and no Content-Encoding says so", remedy, Owner.GATEWAY)


def _lenient(text: str) -> Any:
    """The JSON value of a text as Python reads it, with NaN and Infinity, or None."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _not_json(text: str) -> Near | None:
    """What keeps a body that holds a completion from being JSON."""
    if _wrapped(_lenient(text)) or _holds(_lenient(text)):
        what = "no JSON, since it holds NaN or Infinity, or a number beyond what clients can hold"
        return _answer(what, "send `null`, or a smaller number, in its place")
    start = text.find("{")
    if start < 0:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    before, after = text[:start].strip(), text[end:].strip()
    if isinstance(member(value, "choices", 0, "delta"), dict):
        remedy = "send one object for a request without `stream: true`, and events (`data: …`) for one with it"
        return _answer("the chunks of a stream as lines of JSON", remedy)
    if not _holds(value) and _wrapped(value) is None:
        return None
    if before:
        return _answer(f"JSON with {wording.quote(before, 40)} in front of it", "send the JSON alone")
    if after.startswith("{"):
        return _answer("several JSON objects one after another", "send one JSON object")
    return _answer(f"JSON with {wording.quote(after, 40)} after it", "send the JSON alone")


def _holds(value: Any) -> bool:
    """Whether a JSON value is a chat completion."""
    return isinstance(member(value, "choices", 0, "message"), dict)


def _wrapped(value: Any, path: str = "", depth: int = 0) -> Near | None:
    """The completion inside an envelope, a list or a member that holds JSON as text."""
    if depth and _holds(value):
        remedy = "send the completion itself, without an envelope, on the paths of the OpenAI API"
        return _answer(f"a chat completion inside {f'`{path}`' if path else 'a list'}", remedy, Owner.GATEWAY)
    if depth >= _DEEPEST:
        return None
    if isinstance(value, str) and depth and value.lstrip()[:1] == "{":
        return _wrapped(_lenient(value), path, depth + 1)
    pairs = (
        value.items()
        if isinstance(value, dict)
        else [("", item) for item in value[:2]]
        if isinstance(value, list)
        else ()
    )
    inner = (_wrapped(item, f"{path}.{name[:40]}".strip("."), depth + 1) for name, item in pairs)
    return next(filter(None, inner), None)
