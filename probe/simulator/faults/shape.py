"""Answers that clients cannot read: with one field that deviates, made from a table, or whole in another form."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from probe.simulator.call import JSON, Call, Chunk
from probe.simulator.fault import Fault, each_object, is_finished, on_chunks, on_response
from probe.simulator.response import Response, to_json

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
    _Field.variant(
        row.name,
        row.summary,
        yields=row.yields,
        answer=row.answer,
        chunk=row.chunk,
        last=row.last,
        put=(row.value,),
    )
    for row in _TABLE
)


# Answers in another form -----------------------------------------------------------------------------


def _number(body: bytes) -> bytes:
    return body[:-1] + b',"logprob_mean":NaN}'


def _lines(body: bytes) -> bytes:
    answer = json.loads(body)
    text = answer["choices"][0]["message"]["content"]
    parts = [{"role": "assistant"}, {"content": text[:3]}, {"content": text[3:]}]
    return b"".join(to_json({**answer, "choices": [{"index": 0, "delta": part}]}) + b"\n" for part in parts)


def _of_another_api(body: bytes) -> bytes:
    text = json.loads(body)["choices"][0]["message"]["content"]
    return to_json({"success": True, "result": {"response": text}, "errors": []})


def _in(**envelope: Any) -> Callable[[bytes], bytes]:
    """An envelope with the completion in place of None."""
    return lambda body: to_json({
        name: json.loads(body) if value is None else value for name, value in envelope.items()
    })  # fmt: skip


#: What becomes of the body of a completion, by the word that follows the fault's name.
_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "nan": _number,
    "result": _in(result=None, success=True),
    "data": _in(code=0, message="success", data=None),
    "response": _in(response=None),
    "list": lambda body: b"[" + body + b"]",
    "lines": _lines,
    "prefix": lambda body: b")]}',\n" + body,
    "twice": lambda body: body + b"\n" + body,
    "suffix": lambda body: body + b"\n<!-- served in 12 ms -->",
    "string": lambda body: to_json(body.decode()),
    "inner-string": lambda body: to_json({"statusCode": 200, "body": body.decode()}),
    "gzip": gzip.compress,
    "other-api": _of_another_api,
    "empty": lambda body: b"",
}


@on_response(
    f"completions come in a form that clients cannot read (={', '.join(_FORMS)})", "shape.answer", choices=tuple(_FORMS)
)
def shape_near_answer(fault: Fault, call: Call, response: Response) -> Response:
    """Every completion that is not streamed comes in another form."""
    if call.operation != "chat" or response.status != 200 or response.is_stream:
        return response
    return response.with_body(_FORMS[fault.given](response.body))


@on_response(
    "every chat request is answered with status 200 and an error, or a page (=error or page)",
    "errors.success-status",
    choices=("error", "page"),
    operation="chat",
)
def errors_chat_200(fault: Fault, call: Call, response: Response) -> Response:
    """A gateway that answers every chat request with an error and status 200; its model list is right."""
    if fault.given == "page":
        return response.with_body(b"<!doctype html><title>Back soon</title>").with_header("Content-Type", "text/html")
    return response.with_body(to_json({"error": {"message": "it did not work out", "type": "unexpected"}}))


class _Envelope(Fault):
    """Something around the JSON of whole answers that some clients cannot read."""

    yields = ("shape.answer",)
    media_type: ClassVar[str | None] = "application/json"
    before: ClassVar[bytes] = b""

    def on_response(self, call: Call, response: Response) -> Response:
        if call.operation != "chat" or response.status != 200 or response.is_stream:
            return response
        return response.with_body(self.before + response.body).with_header("Content-Type", self.media_type)


# As of a proxy that sets one type for everything; openai-node gives its caller the text.
WrongType = _Envelope.variant(
    "shape-content-type", "whole answers have the content type text/plain", media_type="text/plain; charset=utf-8"
)
# RFC 8259 section 8.1: a parser may ignore a byte order mark, and some do not.
ByteOrderMark = _Envelope.variant(
    "shape-byte-order-mark", "whole answers begin with a byte order mark", before=b"\xef\xbb\xbf"
)
