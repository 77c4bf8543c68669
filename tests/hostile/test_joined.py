"""What is joined of many pieces takes time in proportion to them, and what is read of them memory in bounds."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from checks.dialects.messages import Messages
from checks.dialects.responses import Responses
from checks.models import diagnose_unknown_id
from checks.shape.reading import deviations
from checks.stream.agreement import difference
from checks.tools.markup.delta_assembly import assemble
from probe.api import Exchange, completion, sse
from probe.exchange import Request, Response, Timeline
from tests.hostile.patterns import seconds

#: Pieces, and the characters of each: together what is read of one body.
MOST, PIECE = 6_000, "a" * 900


def answered(body: bytes, kind: str = "text/event-stream", stream: bool = True) -> Exchange:
    asked = {"messages": [{"role": "user", "content": "x"}], "stream": stream}
    request = Request("POST", "http://h/v1/chat/completions", {}, asked)
    return Exchange("x1", "c", request, Response(200, "OK", "HTTP/1.1", (("Content-Type", kind),), body), Timeline())


def events(make: Callable[[int], Any], count: int) -> Exchange:
    return answered(b"".join(b"data: %b\n\n" % json.dumps(make(number)).encode() for number in range(count)))


def whole(body: Any) -> Exchange:
    return answered(json.dumps(body).encode(), "application/json", stream=False)


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields}]}


def call(**fields: Any) -> dict[str, Any]:
    return delta(tool_calls=[{"index": 0, **fields}])


def read(dialect: Any) -> Callable[[Exchange], Any]:
    return dialect.read  # type: ignore[no-any-return]


def fragments(exchange: Exchange) -> Any:
    return assemble(chunk.delta for chunk in completion.read_stream(exchange).chunks)


def message(number: int) -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "output_text", "text": PIECE[:600]}]}


def response_delta(number: int) -> dict[str, Any]:
    kind = "response.output_text.delta" if number % 2 else "response.function_call_arguments.delta"
    return {"type": kind, "item_id": "i", "output_index": number % 2, "delta": PIECE}


def message_delta(number: int) -> dict[str, Any]:
    kind = ("text_delta", "text") if number % 2 else ("input_json_delta", "partial_json")
    return {"type": "content_block_delta", "index": number % 2, "delta": {"type": kind[0], kind[1]: PIECE}}


#: What is read, and the answer with so many pieces.
CASES: dict[str, tuple[Callable[[Exchange], Any], Callable[[int], Exchange]]] = {
    "an unknown text": (completion.received_message, lambda count: events(lambda n: delta(x=PIECE), count)),
    "an unknown list": (completion.received_message, lambda count: events(lambda n: delta(x=[1] * 16), count)),
    "a field of a call": (
        completion.received_message,
        lambda count: events(lambda n: call(function={"x": PIECE}), count),
    ),
    "ids of a call": (fragments, lambda count: events(lambda n: call(id=PIECE, function={"arguments": "{"}), count)),
    "names of a call": (fragments, lambda count: events(lambda n: call(function={"name": f"{n}{PIECE}"}), count)),
    "texts after a space": (
        lambda one: difference([one], []),
        lambda count: events(lambda n: delta(content=" " + PIECE), count),
    ),
    "items of a response": (
        read(Responses()),
        lambda count: whole({"object": "response", "output": [*map(message, range(count))]}),
    ),
    "deltas of a response": (read(Responses()), lambda count: events(response_delta, count)),
    "blocks of a message": (
        read(Messages()),
        lambda count: whole({"type": "message", "content": [{"type": "text", "text": PIECE}] * count}),
    ),
    "deltas of a message": (
        read(Messages()),
        lambda count: events(lambda n: message_delta(n - 1) if n else {"type": "message_start", "message": {}}, count),
    ),
    "items that nobody announced": (
        read(Responses()),
        lambda count: events(lambda n: {**response_delta(1), "output_index": n, "delta": "a"}, count),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_joining_takes_time_in_proportion(name: str) -> None:
    reader, make = CASES[name]
    small, large = make(MOST // 4), make(MOST)
    completion.read_stream(small), completion.read_stream(large)  # the reading is remembered
    took, grown = seconds(reader, small, 2), seconds(reader, large, 2)
    assert grown < max(8 * took, 0.4), f"{took:.3f} s, then {grown:.3f} s"


def nested(levels: int, inside: str = "1") -> str:
    return '{"a":' * levels + inside + "}" * levels


#: Events of as many JSON values as their bytes can hold.
PACKED = {"lists": "[" * 190 + "]" * 190, "objects": nested(190), "empty": "[" + "{}," * 300 + "1]"}


@pytest.mark.parametrize("name", PACKED)
def test_the_values_of_a_stream_are_limited(name: str) -> None:
    tracemalloc.start()
    found = sse.parse(f"data: {PACKED[name]}\n\n".encode() * 8_000)
    kept = [event.json for event in found.events]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.cut
    assert kept
    assert held < 60 * 2**20


def test_the_longest_stream_of_an_honest_server_is_read_to_its_end() -> None:
    fields = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "f"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": None, "finish_reason": None}
    found = sse.parse(events(lambda n: {**fields, "choices": [choice], "usage": usage}, 7_900).response.content)  # type: ignore[union-attr]
    assert not found.cut
    assert len(found.events) == 7_900


def test_deviations_of_many_choices_are_counted_up_to_a_limit() -> None:
    exchange = events(lambda n: {"choices": [{}] * 64}, 2_000)
    completion.read_stream(exchange)
    assert seconds(lambda one: deviations([one]), exchange) < 0.8
    assert deviations([exchange])


def test_a_list_of_ids_like_the_one_asked_for_is_compared_in_time() -> None:
    asked = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    known = [2 * (asked[at % 40 :] + asked[: at % 40]) + str(at) for at in range(25_000)]
    refused = whole({"error": {"message": "no such model"}})
    assert seconds(lambda one: diagnose_unknown_id(one, asked, known, named=True), refused) < 1.0
