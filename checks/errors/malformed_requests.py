"""A small sample of malformed chat requests.

Each case breaks one rule of one field of the request.  The sample is drawn with a fixed seed, so that two runs
can be compared.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SEED = 20_482


@dataclass(frozen=True)
class Case:
    """One malformed request: what is wrong, and its raw body (some are not JSON)."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Field:
    """A request field: its JSON type, and the bounds of a number."""

    kind: str
    least: float | None = None
    most: float | None = None


#: Request fields that every server of this API reads (OpenAI API reference, create chat completion).
FIELDS: Mapping[str, Field] = {
    "messages": Field("array"),
    "max_tokens": Field("integer", least=1),
    "temperature": Field("number", 0, 2),
    "top_p": Field("number", 0, 1),
    "presence_penalty": Field("number", -2, 2),
    "stop": Field("string or array"),
    "stream": Field("boolean"),
    "tools": Field("array"),
    "response_format": Field("object"),
}
_WRONG: Mapping[str, Any] = {
    "array": {"0": "x"},
    "integer": "many",
    "number": "hot",
    "string or array": {"at": "end"},
    "boolean": "perhaps",
    "object": "json",
}


def broken(valid: Mapping[str, Any]) -> list[Case]:
    """Every case that follows from the fields.

    Args:
        valid: a small chat request with one user message.
    """
    cases = []

    def add(name: str, **changes: Any) -> None:
        cases.append(Case(name, json.dumps({**valid, **changes}).encode()))

    for name, field in FIELDS.items():
        add(f"{name} of the wrong type", **{name: _WRONG[field.kind]})
        if field.least is not None:
            add(f"{name} below its minimum", **{name: field.least - 5})
        if field.most is not None:
            add(f"{name} above its maximum", **{name: field.most + 50})
    add("messages contains a string", messages=["Hello"])
    add("messages is empty", messages=[])
    add("a message without a role", messages=[{"content": "Hello"}])
    add("a message with an unknown role", messages=[{"role": "narrator", "content": "Hello"}])
    add("content is a number", messages=[{"role": "user", "content": 7}])
    add("content contains a block of an unknown type", messages=[{"role": "user", "content": [{"type": "smell"}]}])
    return cases


def unparsable(valid: Mapping[str, Any]) -> list[Case]:
    """Bodies that are not a JSON object."""
    whole = json.dumps(valid).encode()
    return [
        Case("a truncated body", whole[: len(whole) // 2]),
        Case("a body that is a list", b"[]"),
    ]


def sample(valid: Mapping[str, Any], size: int) -> list[Case]:
    """``size`` cases: those that are not a JSON object, the missing field, and a selection of the others."""
    without = {name: value for name, value in valid.items() if name != "messages"}
    fixed = [*unparsable(valid), Case("no messages", json.dumps(without).encode())]
    rest = broken(valid)
    return fixed + random.Random(SEED).sample(rest, max(0, min(len(rest), size - len(fixed))))
