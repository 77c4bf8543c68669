"""Answers and chunks with a field that clients cannot read: one fault a field, made from a table."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from probe.simulator.call import JSON, Call, Chunk
from probe.simulator.fault import Fault, each_object, is_finished, on_chunks

_MISSING = object()


def _changed(payload: Any, path: str | None, value: Any) -> Any:
    """A chat completion or chunk with the field at that path changed; anything else as it is."""
    if path is None or not isinstance(payload, dict) or "choices" not in payload:
        return payload
    changed = copy.deepcopy(payload)
    _set(changed, path.split("."), value)
    return changed


def _set(holder: Any, path: list[str], value: Any) -> None:
    """Set or remove the field at a path; `[]` in the path means every element of a list."""
    name, rest = path[0], path[1:]
    if name == "[]":
        for item in holder if isinstance(holder, list) else ():
            _set(item, rest, value)
    elif not isinstance(holder, dict):
        return
    elif rest:
        _set(holder.get(name), rest, value)
    elif value is _MISSING:
        holder.pop(name, None)
    else:
        holder[name] = value(holder.get(name)) if callable(value) else value


class _Field(Fault):
    """One field of every answer or chunk deviates from the API.

    answer, chunk  the path of the field in whole answers and in chunks; None leaves those as they are
    last           only the chunk with the finish reason is changed
    put            the new value, a function of the old one, or `_MISSING` to remove the field
    """

    answer: ClassVar[str | None] = None
    chunk: ClassVar[str | None] = None
    last: ClassVar[bool] = False
    put: ClassVar[tuple[Any]] = (None,)

    def on_json(self, call: Call, payload: Any) -> Any:
        return _changed(payload, self.answer, self.put[0])

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return each_object(
            chunks,
            lambda data: data if self.last and not is_finished(data) else _changed(data, self.chunk, self.put[0]),
        )


def _parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


@on_chunks("the usage chunk of a stream has no `choices`", "shape.chunk")
def usage_without_choices(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """The chunk with the token counts has no list of choices."""

    def without(data: JSON) -> JSON:
        return {key: value for key, value in data.items() if key != "choices" or value}

    return each_object(chunks, without)


@on_chunks("between chunks with text is one whose choice has no `delta`", "shape.chunk")
def delta_missing_between(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Azure's content filter sends chunks of its own between those with text (microsoft/autogen issue 6465)."""
    third = chunks[2] if len(chunks) > 3 else None
    if third is None or not isinstance(third.data, dict):
        return chunks
    note: JSON = {"index": 0, "finish_reason": None, "content_filter_results": {}}
    return [*chunks[:3], replace(third, data={**third.data, "choices": [note]}), *chunks[3:]]


@dataclass(frozen=True)
class _Row:
    """One fault of the table; see `_Field` for its members."""

    name: str
    summary: str
    value: Any
    answer: str | None = None
    chunk: str | None = None
    last: bool = False

    @property
    def yields(self) -> tuple[str, ...]:
        places = (("shape.answer", self.answer), ("shape.chunk", self.chunk))
        return tuple(code for code, path in places if path is not None)


_MESSAGE = "choices.[].message"
_DELTA = "choices.[].delta"
_TABLE = (
    _Row("created-as-text", "`created` is a string", _as_text, "created", "created"),
    _Row("role-model", "the role of answers is `model`", "model", f"{_MESSAGE}.role"),
    _Row("content-as-parts", "whole answers have a list of parts as content", _parts, f"{_MESSAGE}.content"),
    _Row("usage-as-text", "token counts are strings", _as_text, "usage.prompt_tokens"),
    _Row("call-without-type", "calls have no `type`", _MISSING, f"{_MESSAGE}.tool_calls.[].type"),
    _Row("reasoning-as-object", "`reasoning` is an object", {"text": "hm"}, f"{_MESSAGE}.reasoning"),
    _Row("delta-null-at-end", "the last chunk has `delta: null`", None, chunk=_DELTA, last=True),
    _Row("delta-missing-at-end", "the last chunk has no `delta`", _MISSING, chunk=_DELTA, last=True),
    _Row("error-null", "every chunk has `error: null`", None, chunk="error"),
    _Row("object-missing", "chunks have no `object`", _MISSING, chunk="object"),
    _Row("index-missing", "choices of chunks have no `index`", _MISSING, chunk="choices.[].index"),
    _Row("role-empty", "the role of every delta is an empty string", "", chunk=f"{_DELTA}.role"),
)

FAULTS = tuple(
    type(
        f"Field_{row.name.replace('-', '_')}",
        (_Field,),
        {
            "name": row.name,
            "summary": row.summary,
            "answer": row.answer,
            "chunk": row.chunk,
            "last": row.last,
            "put": (row.value,),
            "yields": row.yields,
        },
    )
    for row in _TABLE
)
