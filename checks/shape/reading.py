"""Reading answers and chunks field by field, as clients with declared types do.  Pure.

What a field may hold is that of the published API (openai/openai-openapi, CreateChatCompletionResponse and
CreateChatCompletionStreamResponse) with what servers commonly add; what follows from a deviation is in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from checks.shape.table import Rule, rule_for
from checks.shared.fields import MISSING, values_at
from probe.api import Exchange, Severity, completion, count_at, member

#: Deviations of one answer that are counted: one in each chunk of the longest stream, and in some twice.
_MOST = 10_000
#: An answer of so many tokens holds text.
_TEXT_TOKENS = 5

_STRING = frozenset({"string", "empty string"})
_COUNT = frozenset({"integer", "zero"})
_ABSENT = frozenset({"missing", "null"})
_OBJECT = frozenset({"object", "empty object"})
_LIST = frozenset({"list", "empty list"})

#: What each field may hold.  ``usage`` and what only some answers have may be absent.
_ANSWER: Mapping[str, frozenset[str]] = {
    "choices": frozenset({"list"}),
    "id": _STRING,
    "object": _STRING,
    "created": _COUNT,
    "model": _STRING,
    "system_fingerprint": _STRING | _ABSENT,
    "service_tier": _STRING | _ABSENT,
    "usage": frozenset({"object"}) | _ABSENT,
    "usage.prompt_tokens": _COUNT,
    "usage.completion_tokens": _COUNT,
    "usage.total_tokens": _COUNT,
    "usage.prompt_tokens_details": _OBJECT | _ABSENT,
    "choices[].index": _COUNT,
    "choices[].finish_reason": _STRING,
    "choices[].message": frozenset({"object"}),
    "choices[].message.role": _STRING,
    "choices[].message.content": _STRING | _ABSENT,
    "choices[].message.refusal": _STRING | _ABSENT,
    "choices[].message.reasoning": _STRING | _ABSENT,
    "choices[].message.reasoning_content": _STRING | _ABSENT,
    "choices[].message.function_call": frozenset({"object"}) | _ABSENT,
    "choices[].message.tool_calls": _LIST | _ABSENT,
    "choices[].message.tool_calls[].id": frozenset({"string"}),
    "choices[].message.tool_calls[].type": frozenset({"string"}),
    "choices[].message.tool_calls[].function": frozenset({"object"}),
    "choices[].message.tool_calls[].function.name": frozenset({"string"}),
    "choices[].message.tool_calls[].function.arguments": frozenset({"string"}),
}
_CHUNK: Mapping[str, frozenset[str]] = {
    "id": _STRING,
    "object": _STRING,
    "created": _COUNT,
    "model": _STRING,
    "system_fingerprint": _STRING | _ABSENT,
    "service_tier": _STRING | _ABSENT,
    "error": frozenset({"missing", "object", "string"}),
    "usage": frozenset({"object"}) | _ABSENT,
    "usage.prompt_tokens": _COUNT,
    "usage.completion_tokens": _COUNT,
    "usage.total_tokens": _COUNT,
    "usage.prompt_tokens_details": _OBJECT | _ABSENT,
    "choices": _LIST,
    "choices[].index": _COUNT,
    "choices[].finish_reason": _STRING | _ABSENT,
    "choices[].delta": _OBJECT,
    "choices[].delta.role": _STRING | _ABSENT,
    "choices[].delta.content": _STRING | _ABSENT,
    "choices[].delta.refusal": _STRING | _ABSENT,
    "choices[].delta.reasoning": _STRING | _ABSENT,
    "choices[].delta.reasoning_content": _STRING | _ABSENT,
    "choices[].delta.function_call": frozenset({"object"}) | _ABSENT,
    "choices[].delta.tool_calls": _LIST | _ABSENT,
    "choices[].delta.tool_calls[].id": _STRING | _ABSENT,
    "choices[].delta.tool_calls[].type": _STRING | _ABSENT,
    "choices[].delta.tool_calls[].function": _OBJECT | _ABSENT,
    "choices[].delta.tool_calls[].function.name": _STRING | _ABSENT,
    "choices[].delta.tool_calls[].function.arguments": _STRING | _ABSENT,
}
#: The words that a field may hold, where the API lists them.
_WORDS: Mapping[str, frozenset[str]] = {
    "answer object": frozenset({"chat.completion", ""}),
    "chunk object": frozenset({"chat.completion.chunk"}),
    "role": frozenset({"assistant"}),
    "type": frozenset({"function"}),
    "finish_reason": frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"}),
}
#: What the first chunk must hold, and the first fragment of a call.
_FIRST_CHUNK = frozenset({"choices[].delta.role"})
_FIRST_FRAGMENT = frozenset(
    f"choices[].delta.tool_calls[].{name}" for name in ("id", "type", "function", "function.name")
)


@dataclass(frozen=True)
class Deviation:
    """A field that is not as clients expect it.

    Attributes:
        where: ``answer`` or ``chunk``.
        field: its path, ``[]`` for every element of a list.
        kind: what it holds instead: ``missing``, ``null``, ``string``, ``other`` …
        pointer: where it was seen first, in the exchange.
        value: what was there; ``MISSING`` for nothing.
        answer: ``text`` or ``tool``.
    """

    where: str
    field: str
    kind: str
    rule: Rule
    exchange: Exchange
    pointer: str
    value: Any
    answer: str = "text"
    count: int = 1


def kind_of(value: Any) -> str:
    """The kind of a JSON value, as the table of clients names it; ``missing`` for ``MISSING``."""
    if value is MISSING:
        return "missing"
    if isinstance(value, str):
        return "string" if value else "empty string"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "zero" if value == 0 else "negative" if value < 0 else "integer"
    if isinstance(value, float):
        return "fraction"
    if isinstance(value, list):
        return "list" if value else "empty list"
    return "object" if value else "empty object"


def is_chat(exchange: Exchange) -> bool:
    """Whether this is an answer to a request for a chat completion that carries no error."""
    asked = exchange.request.body
    response = exchange.response
    path = exchange.request.url.partition("?")[0]
    if not isinstance(asked, dict) or "messages" not in asked or not path.endswith("/chat/completions"):
        return False
    if response is None or response.cut or not 200 <= response.status < 300:
        return False
    if completion.is_stream(exchange):
        return True
    # What answers a malformed request is not an answer to a chat.
    sound = completion.is_completion(exchange) or not exchange.check.startswith("errors.")
    return sound and isinstance(response.json, dict) and exchange.error is None and not carries_error(exchange)


def carries_error(exchange: Exchange) -> bool:
    """Whether a successful answer holds an error in place of choices."""
    body = completion.body_of(exchange)
    return completion.has_error_body(exchange) or bool(member(body, "error") and not member(body, "choices"))


def deviations(exchanges: Sequence[Exchange]) -> list[Deviation]:
    """What deviates in the chat completions among the exchanges, each kind of deviation once."""
    found: dict[tuple[str, str, str, str], Deviation] = {}
    chats = [exchange for exchange in exchanges if is_chat(exchange)]
    for exchange in chats:
        seen = _stream(exchange) if completion.is_stream(exchange) else _whole(exchange)
        for item in islice(seen, _MOST):
            key = (item.where, item.field, item.kind, item.answer)
            known = found.setdefault(key, item)
            if known is not item:
                found[key] = replace(known, count=known.count + 1)
    wholes = sum(completion.is_completion(one) and not completion.is_stream(one) for one in chats)
    # Prompts from a cache are counted as 0 by some servers, so that one answer proves nothing.
    least = {"uncounted prompt": max(wholes, _SEVERAL), "thinking": _SEVERAL}
    return [item for item in found.values() if item.count >= least.get(item.kind, 1)]


def _whole(exchange: Exchange) -> Iterator[Deviation]:
    body = completion.body_of(exchange)
    asked = isinstance(exchange.request.body, dict) and exchange.request.body.get("tools")
    lost = asked and not completion.is_completion(exchange)
    answer = "tool" if lost or completion.message(exchange).get("tool_calls") else "text"
    yield from _envelope(exchange, answer)
    yield from _agreement(exchange, answer)
    for field, allowed in _ANSWER.items():
        for pointer, value in values_at(body, field, "/response/body"):
            kind = _deviation("answer", field, value, allowed, answer) or _of_message(exchange, field, value)
            if kind is None:
                continue
            rule = rule_for("answer", field, kind, value, answer, frozenset())
            if rule is None and kind == "object":  # calls that are no list were measured as {} beside a text
                rule = rule_for("answer", field, "empty object", value, "text", frozenset())
            if rule is not None:
                yield Deviation("answer", field, kind, rule, exchange, pointer, value, answer)


#: What clients do with an answer whose body is right (openai-node src/internal/parse.ts; Go encoding/json, serde_json).
_NO_JSON_TYPE = Rule(
    "answer", "Content-Type", Severity.ERROR, (), fails={"openai-node create": "returns the text and no object"}
)
_BYTE_ORDER_MARK = Rule(
    "answer",
    "body",
    Severity.WARNING,
    (),
    fails=dict.fromkeys(("go openai/openai-go", "go sashabaranov/go-openai", "rust async-openai"), "raises: no JSON"),
)


#: The published API has one id for all chunks (openai/openai-go, ChatCompletion.accumulateDelta compares them).
_ONE_ID = Rule("chunk", "id", Severity.WARNING, (), fails={"go openai/openai-go's accumulator": "drops the chunks"})
#: No library fails on counts of 0; agents that compact a conversation by its size never do (Cline, Roo Code, opencode).
_UNCOUNTED = Rule(
    "answer",
    "usage",
    Severity.WARNING,
    (),
    fails=dict.fromkeys(("all agents that compact conversations", "all budgets"), "0"),
)
#: Clients show thinking apart from the answer.
_TWICE = Rule(
    *("answer", "message.content", Severity.WARNING, ()),
    fails=dict.fromkeys(("all chat windows", "all clients that show thinking"), "show the answer twice"),
)
#: So many answers that are their own thinking are no accident.
_SEVERAL = 3


def _envelope(exchange: Exchange, answer: str) -> Iterator[Deviation]:
    """What is wrong around the JSON of a chat completion: its type, a byte order mark."""
    response = exchange.response
    if response is None or not completion.is_completion(exchange):
        return
    kind = response.media_type
    if "application/json" not in kind and not kind.endswith("+json"):
        where, value = "/response/headers/content-type", response.header("content-type")
        yield Deviation(
            "answer", "Content-Type", "string" if kind else "missing", _NO_JSON_TYPE, exchange, where, value
        )
    if response.content.startswith(b"\xef\xbb\xbf"):
        yield Deviation("answer", "body", "marked", _BYTE_ORDER_MARK, exchange, "/response/body", "U+FEFF", answer)


def _agreement(exchange: Exchange, answer: str) -> Iterator[Deviation]:
    """Counts of 0 for text that is there, and an answer that is sent as its own thinking as well."""
    text = completion.content_text(exchange)
    prompt, written = completion.usage(exchange)
    if text and written == 0:
        where = "/response/body/usage/completion_tokens"
        yield Deviation("answer", "usage.completion_tokens", "uncounted", _UNCOUNTED, exchange, where, 0)
    elif prompt == 0:
        where = "/response/body/usage/prompt_tokens"
        yield Deviation("answer", "usage.prompt_tokens", "uncounted prompt", _UNCOUNTED, exchange, where, 0)
    if text.strip() and completion.reasoning_of(exchange)[1].strip() == text.strip():
        pointer = "/response/body/choices/0/message/content"
        yield Deviation("answer", "choices[].message.content", "thinking", _TWICE, exchange, pointer, text, answer)


def _of_message(exchange: Exchange, field: str, value: Any) -> str | None:
    """What is wrong with a message as a whole: text that was counted and is not there, text together with a refusal."""
    message = completion.message(exchange)
    if message.get("tool_calls") or message.get("function_call"):
        return None
    text = completion.content_text(exchange)
    if field.endswith("message.content") and not text and not message.get("refusal"):
        hidden = count_at(completion.body_of(exchange), "usage", "completion_tokens_details", "reasoning_tokens") or 0
        written = (completion.usage(exchange)[1] or 0) - hidden
        shown = completion.reasoning_of(exchange)[1]
        cut = written + hidden >= (completion.token_limit(exchange) or written + hidden + 1)
        if completion.finish_reason(exchange) == "stop" and written >= _TEXT_TOKENS and not shown and not cut:
            return kind_of(value)
    if field.endswith("message.refusal") and text and value and value is not MISSING:
        return "string"
    return None


def _deviation(where: str, field: str, value: Any, allowed: frozenset[str], answer: str) -> str | None:
    """How a value deviates, or None where it does not."""
    kind = kind_of(value)
    if kind not in allowed:
        return kind
    if not isinstance(value, str):
        return None
    leaf = field.rpartition(".")[2]
    if leaf == "finish_reason" and answer == "text" and value == "tool_calls":
        return "other"  # a client waits for calls that are not there
    words = _WORDS.get(f"{where} {field}") or (_WORDS.get(leaf) if "." in field else None)
    if words is None or value in words:
        return None
    return "other" if value else kind


# Streams ----------------------------------------------------------------------------------


def _stream(exchange: Exchange) -> Iterator[Deviation]:
    stream = completion.read_stream(exchange)
    answer = "tool" if stream.calls else "text"
    bodies = [(chunk.index, chunk.body) for chunk in stream.chunks if is_chunk(chunk.body)]
    places = _places([body for _, body in bodies])
    names: dict[Any, str] = {}
    # An event with an error ended the others, whatever follows it.
    ended = stream.done and exchange.error is None and not stream.errors  # once: it is searched for in all events
    for (index, body), place in zip(bodies, places, strict=True):
        if body.get("choices") == [] and body.get("usage") is None:
            continue  # Azure begins with a chunk of content filters, whose other fields are empty
        pointer = f"/response/events/{index}/data"
        for field, allowed in _CHUNK.items():
            for where, value in values_at(body, field, pointer):
                kind = _chunk_deviation(field, value, allowed, place, ended, answer)
                # Loops over choices fail on a missing delta wherever it is.
                measured = place | {"last"} if field == "choices[].delta" else place
                rule = rule_for("chunk", field, kind, value, answer, measured) if kind else None
                if kind and rule is not None:
                    yield Deviation("chunk", field, kind, rule, exchange, where, value, answer)
        yield from _fragments(exchange, body, pointer, names)
    ids = {body["id"]: index for index, body in bodies if body.get("choices") and isinstance(body.get("id"), str)}
    ids.pop("", None)
    if len(ids) > 1:
        last = max(ids, key=ids.__getitem__)
        yield Deviation("chunk", "id", "changing", _ONE_ID, exchange, f"/response/events/{ids[last]}/data/id", last)


def is_chunk(body: Any) -> bool:
    """Whether a JSON value is a chunk of a chat completion, or means to be one."""
    return isinstance(body, dict) and ("choices" in body or "usage" in body)


def _places(bodies: Sequence[Any]) -> list[frozenset[str]]:
    """What each chunk is in its stream: first, last (with the finish reason), usage, empty, one (with content)."""
    filled = [number for number, body in enumerate(bodies) if member(body, "choices", 0) is not None]
    ends = [number for number in filled if member(bodies[number], "choices", 0, "finish_reason")]
    last = ends[-1] if ends else filled[-1] if filled else -1
    made = []
    for number, body in enumerate(bodies):
        names = set()
        if filled and number == filled[0]:
            names.add("first")
        if number == last or (not isinstance(body.get("choices"), list) and not body.get("usage")):
            names.add("last")
        if number not in filled and member(body, "usage") is not None:
            names.add("usage")
        elif number not in filled:
            names.add("empty")
        content = member(body, "choices", 0, "delta", "content")
        if content is not None:
            names.add("one")
        made.append(frozenset(names))
    return made


def _chunk_deviation(
    field: str, value: Any, allowed: frozenset[str], place: frozenset[str], ended: bool, answer: str
) -> str | None:
    """How a field of a chunk deviates; ``ended``: the stream came to its end, so that a finish reason is due."""
    if field == "choices" and value == []:
        return None  # the usage chunk, and the first chunk of Azure
    if field == "object" and "empty" in place and isinstance(value, str):
        return None  # openai-python's stream() leaves such an event out, as Azure sends it, and loses nothing by it
    if field.startswith("choices[].delta.tool_calls[].") and kind_of(value) in allowed:
        return None  # what each fragment must hold follows below
    if field == "choices[].finish_reason" and kind_of(value) in allowed | {"empty string"}:
        if "last" not in place:
            return None  # checks/stream judges where finish reasons are
        if not value or value is MISSING:
            return kind_of(value) if ended else None
    if field in _FIRST_CHUNK and "first" in place and kind_of(value) in ("missing", "null", "empty string"):
        return kind_of(value)
    if field == "choices[].delta.role" and value == "":
        return "empty string"
    if field == "choices[].index" and value == 1 and isinstance(value, int):
        return "other"  # a lone choice has the index 0
    return _deviation("chunk", field, value, allowed, answer)


def _fragments(exchange: Exchange, body: Any, pointer: str, names: dict[Any, str]) -> Iterator[Deviation]:
    """What the fragments of calls lack or repeat; ``names`` holds the name of each call so far, by index."""
    for where, call in values_at(body, "choices[].delta.tool_calls[].index", pointer):
        root = where.removesuffix("/index")
        number = call if isinstance(call, int) else root.rpartition("/")[2]
        place = frozenset({"later" if number in names else "first"})
        fragment = member(body, "choices", 0, "delta", "tool_calls", int(root.rpartition("/")[2]))
        if not isinstance(fragment, dict):
            continue
        for field in sorted(_FIRST_FRAGMENT):
            for at, value in values_at(fragment, field.removeprefix("choices[].delta.tool_calls[]."), root):
                kind = kind_of(value)
                if "later" in place and field.endswith("name") and value and value == names[number]:
                    kind = "repeated"
                elif "later" in place and kind == "missing":
                    continue
                elif kind in ("string", "object"):
                    if not field.endswith(".type") or value == "function":
                        continue
                    kind = "other"
                rule = rule_for("chunk", field, kind, value, "tool", place)
                if rule is not None:
                    yield Deviation("chunk", field, kind, rule, exchange, at, value, "tool")
        name = member(fragment, "function", "name")
        names.setdefault(number, name if isinstance(name, str) else "")
