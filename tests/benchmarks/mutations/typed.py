"""Typed clients, which were not run: what their published types say of a wrong JSON type.

Only deserialisation is judged, and only of the fields below, which were read in the sources that `SOURCES` names:

- Go, sashabaranov/go-openai: structs read by `encoding/json`. null and missing fields leave the zero value; another
  JSON type, and a fraction where an integer is declared, is an error.
- Go, openai/openai-go: its own decoder marks a field of a wrong type as invalid and goes on, numbers and booleans
  become strings; a string field that holds a list or an object stays empty.
- Rust, 64bit/async-openai: serde structs. A field that is not an `Option` must be there and must not be null, and enums
  take the listed words only.
- Java, openai/openai-java: fields are read when their accessor is called; `choices`, `message` or `delta` are required
  there, `content` is optional, and Jackson's coercion of scalars is switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.mutations.outcomes import NOTHING, OK
from tests.benchmarks.mutations.table import Mutation, served_documents

GO = "go sashabaranov/go-openai"
GO_OFFICIAL = "go openai/openai-go"
RUST = "rust async-openai"
JAVA = "java openai-java"
_KOTLIN = "openai-java-core/src/main/kotlin/com/openai"
#: Column: where the types and the decoder were read, as repository@commit and path.
SOURCES: dict[str, tuple[str, ...]] = {
    GO: (
        "sashabaranov/go-openai@bd612cebceb5 chat.go",
        "sashabaranov/go-openai@ef12477c30d6 chat_stream.go",
        "sashabaranov/go-openai@c85f781a2ba6 common.go",
    ),
    GO_OFFICIAL: ("openai/openai-go@017f4db8b774 internal/apijson/decoder.go",),
    RUST: (
        "64bit/async-openai@096f4b86051f async-openai/src/types/chat/chat_.rs",
        "64bit/async-openai@009d8f0a45ea async-openai/src/client.rs",
        "64bit/async-openai@4da7305d3867 async-openai/src/types/shared/function_call.rs",
        "64bit/async-openai@1a8a656faa03 async-openai/src/types/shared/prompt_tokens_details.rs",
    ),
    JAVA: (
        f"openai/openai-java@0767a2b50d85 {_KOTLIN}/models/chat/completions/ChatCompletionChunk.kt",
        f"openai/openai-java@208f14483202 {_KOTLIN}/models/chat/completions/ChatCompletion.kt",
        f"openai/openai-java@135ab88fa0c1 {_KOTLIN}/models/chat/completions/ChatCompletionMessage.kt",
        f"openai/openai-java@94c1701f75c9 {_KOTLIN}/core/Values.kt",
        f"openai/openai-java@24440dda73d3 {_KOTLIN}/core/ObjectMappers.kt",
    ),
}


class Refused(Exception):
    """A value that the type does not take; the text names the field and what is wrong."""


#: Checks a value at a path, raises Refused.
Type = Callable[[Any, str], None]


@dataclass(frozen=True)
class Field:
    """A field of a struct: its type, and whether it may be missing or null."""

    type: Type
    optional: bool = True


def _string(value: Any, path: str) -> None:
    if not isinstance(value, str):
        raise Refused(f"{path} is not a string")


def _integer(value: Any, path: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(f"{path} is not an integer")


def _unsigned(value: Any, path: str) -> None:
    _integer(value, path)
    if value < 0:
        raise Refused(f"{path} is negative")


def _words(*words: str) -> Type:
    def check(value: Any, path: str) -> None:
        _string(value, path)
        if value not in words:
            raise Refused(f"{path} is {value!r}, not one of {', '.join(words)}")

    return check


def _list(item: Field) -> Type:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise Refused(f"{path} is not a list")
        for element in value:
            _check(item, element, f"{path}[]", present=True)

    return check


def _struct(fields: Mapping[str, Field]) -> Type:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise Refused(f"{path or 'the answer'} is not an object")
        for name, field in fields.items():
            _check(field, value.get(name), f"{path}.{name}" if path else name, present=name in value)

    return check


def _check(field: Field, value: Any, path: str, *, present: bool) -> None:
    if value is not None:
        field.type(value, path)
    elif not field.optional:
        raise Refused(f"{path} is {'null' if present else 'missing'}")


def _either(first: Type, second: Type) -> Type:
    def check(value: Any, path: str) -> None:
        try:
            first(value, path)
        except Refused as error:
            if not isinstance(value, list):
                raise error
            second(value, path)

    return check


def _anything(value: Any, path: str) -> None:
    """Every value is taken."""


def _go() -> tuple[Type, Type]:
    text, number = Field(_string), Field(_integer)
    function = Field(_struct({"name": text, "arguments": text}))
    call = Field(_struct({"index": number, "id": text, "type": text, "function": function}))
    shared = {
        "role": text,
        "refusal": text,
        "reasoning_content": text,
        "function_call": function,
        "tool_calls": Field(_list(call)),
    }
    counts = {"prompt_tokens": number, "completion_tokens": number, "total_tokens": number}
    details = Field(_struct({"audio_tokens": number, "cached_tokens": number}))
    usage = Field(_struct({**counts, "prompt_tokens_details": details}))
    top = {"id": text, "object": text, "created": number, "model": text, "system_fingerprint": text, "usage": usage}
    parts = _list(Field(_struct({"type": text, "text": text})))
    message = Field(_struct({**shared, "content": Field(_either(_string, parts))}))
    logprobs = Field(_struct({"content": Field(_list(Field(_anything)))}))
    choice = {"index": number, "finish_reason": text, "logprobs": logprobs}
    whole = _struct({**top, "choices": Field(_list(Field(_struct({**choice, "message": message}))))})
    delta = Field(_struct({**shared, "content": text}))
    chunk = _struct({**top, "choices": Field(_list(Field(_struct({**choice, "delta": delta}))))})
    return whole, chunk


def _rust() -> tuple[Type, Type]:
    def needed(type: Type) -> Field:
        return Field(type, optional=False)

    role = _words("system", "user", "assistant", "tool", "function")
    finish = Field(_words("stop", "length", "tool_calls", "content_filter", "function_call"))
    function = _struct({"name": needed(_string), "arguments": needed(_string)})
    call = _struct({"type": needed(_words("function")), "id": needed(_string), "function": needed(function)})
    part = _struct({"name": Field(_string), "arguments": Field(_string)})
    call_part = _struct(
        {
            "index": needed(_unsigned),
            "id": Field(_string),
            "type": Field(_words("function")),
            "function": Field(part),
        }
    )
    logprobs = Field(_struct({"content": Field(_list(Field(_anything)))}))
    counts = {name: needed(_unsigned) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    usage = Field(_struct({**counts, "prompt_tokens_details": Field(_struct({}))}))
    top = {
        "id": needed(_string),
        "created": needed(_unsigned),
        "model": needed(_string),
        "object": needed(_string),
        "service_tier": Field(_words("auto", "default", "flex", "scale", "priority")),
        "system_fingerprint": Field(_string),
        "usage": usage,
    }
    text = {"content": Field(_string), "refusal": Field(_string)}
    message = _struct(
        {
            **text,
            "role": needed(role),
            "tool_calls": Field(_list(needed(call))),
            "annotations": Field(_list(Field(_anything))),
            "function_call": Field(function),
        }
    )
    delta = _struct(
        {**text, "role": Field(role), "tool_calls": Field(_list(needed(call_part))), "function_call": Field(part)}
    )
    choice = {"index": needed(_unsigned), "finish_reason": finish, "logprobs": logprobs}
    whole_choice = _struct({**choice, "message": needed(message)})
    chunk_choice = _struct({**choice, "delta": needed(delta)})
    whole = _struct({**top, "choices": needed(_list(needed(whole_choice)))})
    chunk = _struct({**top, "choices": needed(_list(needed(chunk_choice)))})
    return whole, chunk


def _java() -> tuple[Type, Type]:
    content = Field(_struct({"content": Field(_string)}), optional=False)

    def root(message: str) -> Type:
        choice = Field(_struct({message: content}), optional=False)
        return _struct({"choices": Field(_list(choice), optional=False)})

    return root("message"), root("delta")


def _lenient(document: Any, name: str) -> str:
    """openai-go's own decoder: `ok`, or `nothing` where the text or the call stays empty."""
    if not isinstance(document, dict):
        return OK
    choices = document.get("choices")
    if choices is not None and not isinstance(choices, list):
        return NOTHING
    for choice in choices or []:
        message = choice.get(name)
        shown = [message.get("content")] if isinstance(message, dict) else []
        calls = message.get("tool_calls") if isinstance(message, dict) else None
        for call in calls if isinstance(calls, list) else []:
            function = call.get("function")
            if isinstance(function, dict):
                shown += [function.get("name"), function.get("arguments")]
        if any(isinstance(value, dict | list) and value for value in shown):
            return NOTHING
    return OK


_TYPES: dict[str, tuple[Type, Type]] = {GO: _go(), RUST: _rust(), JAVA: _java()}


def derive(mutation: Mutation) -> dict[str, str]:
    """The outcomes of the typed clients by column: `ok`, `raises: …` or `nothing`."""
    streamed = mutation.kind.streamed
    made = served_documents(mutation)
    row = {}
    for column, (whole, chunk) in _TYPES.items():
        try:
            for document in made:
                if document is None and column == GO:
                    continue  # encoding/json leaves a struct as it is for null
                (chunk if streamed else whole)(document, "")
            row[column] = OK
        except Refused as error:
            row[column] = f"raises: {error}"
    seen = {_lenient(document, "delta" if streamed else "message") for document in made}
    row[GO_OFFICIAL] = NOTHING if NOTHING in seen else OK
    return row
