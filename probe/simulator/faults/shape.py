"""Answers and chunks with a field that clients cannot read: one fault a field, made from a table."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

from probe.simulator.call import JSON, Call, Chunk
from probe.simulator.fault import Fault

_MISSING = object()


def _set(holder: Any, path: list[str], value: Any) -> None:
    """Put a value where a path leads, or take the member away; `[]` goes to every element of a list."""
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
    """One field of every answer or chunk is not as the API has it.

    answer, chunk    the path of the field in whole answers and in chunks; None leaves those alone
    last             only the chunk with the finish reason
    """

    answer: ClassVar[str | None] = None
    chunk: ClassVar[str | None] = None
    last: ClassVar[bool] = False
    put: ClassVar[tuple[Any]] = (None,)

    def on_response(self, call: Call, payload: JSON) -> Any:
        if self.answer is None or "choices" not in payload:
            return payload
        changed = copy.deepcopy(payload)
        _set(changed, self.answer.split("."), self.put[0])
        return changed

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        if self.chunk is None:
            return chunks
        return [Chunk(chunk.at, self._changed(chunk.data)) for chunk in chunks]

    def _changed(self, data: JSON | str) -> JSON | str:
        if isinstance(data, str) or self.chunk is None or "choices" not in data:
            return data
        ends = bool(data["choices"]) and data["choices"][0].get("finish_reason")
        if self.last and not ends:
            return data
        changed = copy.deepcopy(data)
        _set(changed, self.chunk.split("."), self.put[0])
        return changed


def _parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


class UsageWithoutChoices(Fault):
    """The chunk with the token counts has no list of choices."""

    name = "usage-without-choices"
    summary = "the usage chunk of a stream has no `choices`"
    yields = ("shape.chunk",)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        made = []
        for chunk in chunks:
            if isinstance(chunk.data, dict) and chunk.data.get("choices") == []:
                chunk = Chunk(chunk.at, {name: value for name, value in chunk.data.items() if name != "choices"})
            made.append(chunk)
        return made


@dataclass(frozen=True)
class _Row:
    """A line of the table; the members are those of ``_Field``."""

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
