"""The mutations: what is changed in a healthy answer, and the bytes that are served for it.

A mutation changes one field (a JSON path, `[]` for every element of a list) of a whole answer or of some chunks of a
stream, or it changes the events of a stream.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.benchmarks.mutations.healthy import (
    DONE,
    SITUATIONS,
    TEXT,
    USAGE,
    Situation,
    answer,
    chunk,
    chunks,
    event,
    usage_chunk,
)

#: The field is left out.
MISSING: Final = "<missing>"
PARTS = [{"type": "text", "text": TEXT}]
ERROR = {"message": "upstream failed", "type": "server_error", "code": 502}


@dataclass(frozen=True)
class Mutation:
    """One deviation from a healthy answer.

    situation: name of the healthy answer. field: the JSON path that is changed, or "" where the events are.
    deviation: its kind, as a rule names it. value: the JSON value sent in the field's place, or MISSING.
    chunks: which chunks are changed: all, first, later, last, one (a single content chunk) or usage; "" in whole
    answers. text: the text that a client should show where it is not the healthy one. allowed: the published API, or
    the standard of event streams, has it so.
    """

    situation: str
    field: str
    deviation: str
    value: Any = None
    chunks: str = ""
    text: str = TEXT
    allowed: bool = False

    @property
    def kind(self) -> Situation:
        """The healthy answer that is changed."""
        return SITUATIONS[self.situation]

    @property
    def asks_usage(self) -> bool:
        """Whether the client has to ask for the usage chunk, because that chunk is what is changed."""
        return self.chunks == "usage"

    @property
    def where(self) -> str:
        """answer, chunk or stream, as a rule names it."""
        if not self.kind.streamed:
            return "answer"
        return "chunk" if self.field else "stream"

    @property
    def name(self) -> str:
        """A name that is unique in the table."""
        plain = self.deviation in PLAIN_KINDS or not self.field
        shown = "" if plain else f" {json.dumps(self.value)}"
        chunk_part = f" in {self.chunks}" if self.chunks else ""
        return f"{self.situation}: {self.field or 'events'} {self.deviation}{shown}{chunk_part}"


#: The kinds that say it all; the value need not be shown.
PLAIN_KINDS = ("missing", "null", "empty string", "empty list", "empty object")


def kind_of(value: Any) -> str:
    """The name of a deviation by the value alone: missing, null, boolean, zero, integer, negative, fraction,
    empty string, string, empty list, list, empty object, object."""
    if value == MISSING:
        return "missing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        if not value:
            return "zero"
        return "fraction" if value % 1 else "negative" if value < 0 else "integer"
    name = "string" if isinstance(value, str) else "list" if isinstance(value, list) else "object"
    return name if value else f"empty {name}"


# ---------------------------------------------------------------------------------------------------------------------
# Fields.  Each line: a field and the values sent in its place; the deviation is the kind of the value.  A pair names
# the deviation: `("other", value)` is a wrong value of the right type, `("allowed", value)` is no deviation: the API
# has it so, or it is an extra field that many servers send.

Value = Any
TOP: dict[str, list[Value]] = {
    "id": [MISSING, None, "", 7],
    "object": [MISSING, None, "", ("other", "text_completion"), ("other", "chat.completion.chunk")],
    "created": [MISSING, None, "1760000000", 1760000000.5, -1],
    "model": [MISSING, None, "", ("other", "another-model"), 7],
    "error": [None, ERROR, ""],
    "system_fingerprint": [("allowed", None), ("allowed", "fp_1"), 7],
    "service_tier": [("allowed", None), ("allowed", "default"), ("other", "on_demand")],
    "x_vendor": [("allowed", {"trace": [1, 2]})],
    "choices": [MISSING, None, {}, []],
}
COUNT: list[Value] = [MISSING, None, "20", 20.5]
USAGE_FIELDS: dict[str, list[Value]] = {
    "usage": [MISSING, None, {}, [], "20"],
    "usage.prompt_tokens": COUNT,
    "usage.completion_tokens": COUNT,
    "usage.total_tokens": COUNT,
    "usage.prompt_tokens_details": [None, {}, 3],
}
CHOICE: dict[str, list[Value]] = {
    "index": [MISSING, None, "0", ("other", 1)],
    "finish_reason": [MISSING, None, "", ("other", "eos_token"), ("other", "error"), ("other", "STOP"), 0],
    "logprobs": [MISSING, {}],
}
MESSAGE: dict[str, list[Value]] = {
    "role": [MISSING, None, "", ("other", "model"), ("other", "tool")],
    "refusal": [MISSING, "", "I cannot.", {}],
    "annotations": [None, ("allowed", [])],
    "reasoning": [("allowed", "Let me see."), ("allowed", None), {"text": "Let me see."}],
    "reasoning_content": [("allowed", "Let me see."), ("allowed", None), {"text": "Let me see."}],
    "function_call": [None, {}],
    "audio": [("allowed", None)],
}
CALL: dict[str, list[Value]] = {
    "id": [MISSING, None, "", 7],
    "type": [MISSING, None, "", ("other", "tool")],
    "index": [0],
    "function": [MISSING, None],
    "function.name": [MISSING, None, ""],
    "function.arguments": [MISSING, None, "", 7, {"city": "Paris", "days": 3}],
}
CALL_FIRST: dict[str, list[Value]] = {
    **{field: values for field, values in CALL.items() if field not in ("index", "function.arguments")},
    "function.arguments": [MISSING, None, {}],
}
CALL_LATER: dict[str, list[Value]] = {
    "id": [None, "", ("repeated", "call_a1"), ("other", "call_z9")],
    "type": [None, "", ("repeated", "function")],
    "function.name": [None, "", ("repeated", "get_weather")],
}


def _values(values: list[Value]) -> Iterator[tuple[str, Any, bool]]:
    for value in values:
        if not isinstance(value, tuple):
            yield kind_of(value), value, False
        elif value[0] == "allowed":
            yield kind_of(value[1]), value[1], True
        else:
            yield value[0], value[1], False


def _fields(
    situation: str, prefix: str, fields: dict[str, list[Value]], which: str = "", text: str = TEXT
) -> Iterator[Mutation]:
    for field, values in fields.items():
        for deviation, value, allowed in _values(values):
            yield Mutation(situation, prefix + field, deviation, value, which, text, allowed)


def _whole() -> Iterator[Mutation]:
    for name in ("text", "tool"):
        yield from _fields(name, "", {**TOP, **USAGE_FIELDS})
        yield from _fields(name, "choices[].", {**CHOICE, "message": [MISSING, None, ""]})
        yield from _fields(name, "choices[].message.", MESSAGE)
    calls: dict[str, list[Value]] = {"tool_calls": [None, [], {}]}
    yield from _fields("text", "choices[].message.", calls)
    content: dict[str, list[Value]] = {"content": [PARTS, {"text": TEXT}, True]}
    yield from _fields("text", "choices[].message.", content)
    yield from _fields("text", "choices[].message.", {"content": [42]}, text="42")
    yield from _fields("text", "choices[].message.", {"content": [4.5]}, text="4.5")
    yield from _fields("text", "choices[].message.", {"content": [MISSING, None, ""]})
    yield from _fields("tool", "choices[].message.", {"content": [MISSING, "", ("allowed", "I look it up."), []]})
    yield from _fields("tool", "choices[].message.tool_calls[].", CALL)
    yield from _fields("two-tools", "choices[].message.tool_calls[].", {"id": [MISSING, "", ("same", "call_a1")]})
    yield from _fields("two-tools", "choices[].", {"finish_reason": [("other", "stop")]})
    yield from _fields("tool", "choices[].", {"finish_reason": [("other", "stop"), ("other", "function_call")]})


def _streamed() -> Iterator[Mutation]:
    for name in ("text-stream", "tool-stream"):
        top = {field: values for field, values in TOP.items() if field not in ("choices", "object")}
        top["object"] = [MISSING, None, "", ("other", "text_completion"), ("other", "chat.completion")]
        yield from _fields(name, "", top, "all")
        yield from _fields(name, "", {"choices": [MISSING, None, [], {}]}, "last")
        yield from _fields(name, "", {"choices": [[]]}, "all")
        yield from _fields(name, "", {"usage": [("allowed", None), USAGE, {}]}, "all")
        yield from _fields(name, "", {"usage": [USAGE]}, "last")
        logprobs: list[Value] = [("allowed", MISSING), {}]
        yield from _fields(name, "choices[].", {"index": CHOICE["index"], "logprobs": logprobs}, "all")
        yield from _fields(name, "choices[].", {"finish_reason": [MISSING, ""]}, "first")
        yield from _fields(name, "choices[].", {"finish_reason": CHOICE["finish_reason"]}, "last")
        yield from _fields(name, "choices[].", {"finish_reason": [None, ""]}, "all")
        yield from _fields(name, "choices[].", {"delta": [MISSING, None, ""]}, "last")
        yield from _fields(name, "choices[].", {"delta": [MISSING, None]}, "first")
        roles = MESSAGE["role"]
        yield from _fields(name, "choices[].delta.", {"role": roles}, "first")
        yield from _fields(name, "choices[].delta.", {"role": [("repeated", "assistant"), None, ""]}, "all")
        others = {field: values for field, values in MESSAGE.items() if field not in ("role", "refusal")}
        yield from _fields(name, "choices[].delta.", {**others, "refusal": [("allowed", None), "", {}]}, "first")
        # What the first chunk does not hold in this situation, and the published API has in others.
        usual = ("allowed", "" if name == "tool-stream" else None)
        yield from _fields(name, "choices[].delta.", {"content": [MISSING, usual, []]}, "first")
        yield from _fields(name, "choices[].delta.", {"content": [None, ""]}, "last")
    calls: dict[str, list[Value]] = {"tool_calls": [None, [], {}]}
    yield from _fields("text-stream", "choices[].delta.", calls, "all")
    yield from _fields("tool-stream", "choices[].delta.", {"tool_calls": [None, []]}, "first")
    piece = {"content": [42, True, {"text": "42"}, [{"type": "text", "text": "42"}]]}
    yield from _fields("text-stream", "choices[].delta.", piece, "one")
    yield from _fields("text-stream", "choices[].delta.", {"content": [0]}, "one")
    yield from _fields("text-stream", "", USAGE_FIELDS, "usage")
    yield from _fields("text-stream", "", {"choices": [MISSING, None, {}]}, "usage")
    yield from _fields("tool-stream", "", {"choices": [MISSING, None]}, "usage")
    calls_path = "choices[].delta.tool_calls[]."
    yield from _fields("tool-stream", calls_path, CALL_FIRST, "first")
    yield from _fields("tool-stream", calls_path, CALL_LATER, "later")
    yield from _fields("tool-stream", calls_path, {"function.arguments": [7, {}]}, "later")
    yield from _fields("tool-stream", calls_path, {"index": [MISSING, None, "0", ("from 1", 1)]}, "all")
    yield from _fields("two-tools-stream", calls_path, {"index": [MISSING, None, ("same", 0), ("from 1", 1)]}, "all")
    yield from _fields("two-tools-stream", calls_path, {"id": [("same", "call_a1")]}, "first")


# ---------------------------------------------------------------------------------------------------------------------
# Events: what is changed in the stream as a whole.

Events = list[str]


def _events(situation: Situation) -> Events:
    return [event(data) for data in chunks(situation)]


def _finish_first(situation: Situation) -> Events:
    events = _events(situation)
    return [*events[:-2], events[-1], events[-2], DONE]


def _merged_finish(situation: Situation) -> Events:
    made = chunks(situation)
    made[-2]["choices"][0]["finish_reason"] = situation.finish
    return [*(event(data) for data in made[:-1]), DONE]


def _finish_everywhere(situation: Situation) -> Events:
    made = chunks(situation)
    for data in made:
        data["choices"][0]["finish_reason"] = situation.finish
    return [*(event(data) for data in made), DONE]


def _other_ids(situation: Situation) -> Events:
    made = chunks(situation)
    for number, data in enumerate(made):
        data["id"] = f"chatcmpl-{number}"
    return [*(event(data) for data in made), DONE]


def _one_event_calls(situation: Situation) -> Events:
    """All of the content in one chunk together with the role, as servers without incremental parsing send it."""
    whole = answer(situation)["choices"][0]["message"]
    delta = {key: value for key, value in whole.items() if key != "refusal"}
    for number, call in enumerate(delta.get("tool_calls", [])):
        call["index"] = number
    return [event(chunk(delta)), event(chunk({}, situation.finish)), DONE]


def _between(extra: str) -> Callable[[Situation], Events]:
    def build(situation: Situation) -> Events:
        events = _events(situation)
        return [*events[:2], extra, *events[2:], DONE]

    return build


def _before(extra: str) -> Callable[[Situation], Events]:
    return lambda situation: [extra, *_events(situation), DONE]


def _after(*extra: str) -> Callable[[Situation], Events]:
    return lambda situation: [*_events(situation), *extra]


_AZURE_FIRST = {**chunk({}), "id": "", "object": "", "created": 0, "model": "", "choices": []}
EVENTS: dict[str, Callable[[Situation], Events]] = {
    "no finish chunk": lambda situation: [*_events(situation)[:-1], DONE],
    "finish chunk before the last content": _finish_first,
    "finish chunk twice": lambda situation: [*_events(situation), _events(situation)[-1], DONE],
    "finish reason in every chunk": _finish_everywhere,
    "finish reason in the last content chunk": _merged_finish,
    "all content in one chunk": _one_event_calls,
    "no [DONE]": _after(),
    "[DONE] twice": _after(DONE, DONE),
    "chunk after [DONE]": _after(DONE, event(usage_chunk())),
    "ids differ between chunks": _other_ids,
    "usage chunk not asked for": _after(event(usage_chunk()), DONE),
    "first chunk without choices": _before(event(_AZURE_FIRST)),
    "error chunk": _between(event({"error": ERROR})),
    "error chunk with a string": _between(event({"error": "upstream failed"})),
    "comment lines": _between(": keep-alive\n\n"),
    "event names": lambda situation: [f"event: message\n{part}" for part in _events(situation)] + [DONE],
    "event name ping": _between('event: ping\ndata: {"type": "ping"}\n\n'),
    "foreign event {type: ping}": _between(event({"type": "ping"})),
    "empty object as an event": _between(event({})),
    "null as an event": _between("data: null\n\n"),
    "empty data line": _between("data:\n\n"),
    "text that is not JSON as an event": _between("data: ping\n\n"),
    "no space after data:": lambda situation: [
        part.replace("data: ", "data:", 1) for part in [*_events(situation), DONE]
    ],
    "CRLF line ends": lambda situation: [part.replace("\n", "\r\n") for part in [*_events(situation), DONE]],
    "no role chunk": lambda situation: [*_events(situation)[1:], DONE],
}


_ALLOWED_EVENTS = ("all content in one chunk", "comment lines", "no space after data:", "CRLF line ends")


def _streams() -> Iterator[Mutation]:
    for name in ("text-stream", "tool-stream"):
        for deviation in EVENTS:
            yield Mutation(name, "", deviation, allowed=deviation in _ALLOWED_EVENTS)
    yield Mutation("two-tools-stream", "", "all content in one chunk", allowed=True)


def all_mutations() -> tuple[Mutation, ...]:
    """Every mutation, in a fixed order."""
    return (*_whole(), *_streamed(), *_streams())


HEALTHY = "none"


def controls() -> tuple[Mutation, ...]:
    """The healthy answers, on which no client may fail; the streams with and without a usage chunk."""
    plain = tuple(Mutation(name, "", HEALTHY, allowed=True) for name in SITUATIONS)
    streams = (name for name, situation in SITUATIONS.items() if situation.streamed)
    return (*plain, *(Mutation(name, "", HEALTHY, None, "usage", allowed=True) for name in streams))


# ---------------------------------------------------------------------------------------------------------------------
# Bytes.


def change(holder: Any, path: list[str], value: Any) -> int:
    """Set or remove the field at a path, in place; how often it was there to be changed."""
    step, rest = path[0], path[1:]
    key = step.removesuffix("[]")
    if not isinstance(holder, dict):
        return 0
    if rest:
        inner = holder.get(key)
        if step.endswith("[]"):
            return sum(change(item, rest, value) for item in inner) if isinstance(inner, list) else 0
        if inner is None and key == "function":
            # A later fragment of a call: the field is added.
            inner = holder.setdefault(key, {})
        return change(inner, rest, value)
    if value == MISSING:
        return 0 if holder.pop(key, MISSING) == MISSING else 1
    holder[key] = copy.deepcopy(value)
    return 1


def _wanted(made: list[dict[str, Any]], mutation: Mutation) -> list[dict[str, Any]]:
    """The chunks that a mutation changes."""
    if mutation.chunks == "all":
        return made
    if mutation.chunks in ("last", "usage"):
        return [made[-1]]
    if mutation.chunks == "one":
        wanted = "0" if mutation.deviation == "zero" else "42"
        return [data for data in made if data["choices"] and data["choices"][0]["delta"].get("content") == wanted]
    if "tool_calls[]" in mutation.field:
        calls = [data for data in made if data["choices"] and "tool_calls" in data["choices"][0]["delta"]]
        first = mutation.chunks == "first"
        return [data for data in calls if ("id" in data["choices"][0]["delta"]["tool_calls"][0]) is first]
    return made[:1] if mutation.chunks == "first" else made[1:]


def documents(mutation: Mutation) -> list[Any]:
    """The JSON values that are served: the answer alone, or the chunks in order.  Raises ValueError where the
    mutation changes nothing."""
    situation = mutation.kind
    if not situation.streamed:
        made = [answer(situation)]
    else:
        made = chunks(situation)
        if mutation.asks_usage:
            made.append(usage_chunk())
    if mutation.deviation == HEALTHY:
        return made
    targets = _wanted(made, mutation) if situation.streamed else made
    path = mutation.field.split(".")
    if mutation.deviation == "from 1":
        changed = 0
        for data in targets:
            for call in data["choices"][0]["delta"].get("tool_calls", []):
                call["index"] += mutation.value
                changed += 1
    else:
        changed = sum(change(data, path, mutation.value) for data in targets)
    if not changed:
        raise ValueError(f"nothing is changed by {mutation.name}")
    return made


def payload(mutation: Mutation) -> bytes:
    """The body that is served."""
    if not mutation.kind.streamed:
        return json.dumps(documents(mutation)[0]).encode()
    if mutation.deviation in EVENTS:
        return "".join(EVENTS[mutation.deviation](mutation.kind)).encode()
    return "".join([*(event(data) for data in documents(mutation)), DONE]).encode()


def served_documents(mutation: Mutation) -> list[Any]:
    """The JSON values of the body as a client parses them; events that are no JSON are left out."""
    if mutation.deviation not in EVENTS:
        return documents(mutation)
    values = []
    for part in payload(mutation).decode().splitlines():
        data = part.removeprefix("data:").strip()
        if data == "[DONE]":
            break
        if part.startswith("data:") and data[:1] in "{n" and data:
            values.append(json.loads(data))
    return values
