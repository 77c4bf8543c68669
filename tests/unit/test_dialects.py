"""Reading and judging the Responses and Messages APIs, without a connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from checks.dialects.dialect import Dialect, Group, Reading
from checks.dialects.judgement import diagnose
from checks.dialects.messages import Messages
from checks.dialects.questions import Answers, is_way
from checks.dialects.responses import Responses
from probe.api import Exchange, Inconclusive, Result, Severity, State, Verdict, works
from tests.unit.answers import chat, exchange, lost, refusal

CODE = "ZEBRA-11111"
CHAT = {name: works() for name in ("streaming", "tools", "streaming_tools", "tool_results", "system_role")}
USAGE = {"input_tokens": 9, "output_tokens": 4}
CALL = {"type": "function_call", "id": "fc", "call_id": "c", "name": "get_weather", "arguments": '{"city": "Paris"}'}
USE = {"type": "tool_use", "id": "t", "name": "get_weather", "input": {"city": "Paris"}}


def response(*output: Any, **fields: Any) -> Exchange:
    return exchange(200, {"id": "r", "object": "response", "status": "completed", "output": list(output),
                          "usage": USAGE, **fields})  # fmt: skip


def said(text: str = CODE) -> dict[str, Any]:
    return {"type": "message", "id": "m", "content": [{"type": "output_text", "text": text}]}


def message(*content: Any, stop: str | None = "end_turn", **fields: Any) -> Exchange:
    return exchange(200, {"type": "message", "content": list(content), "stop_reason": stop, "usage": USAGE, **fields})


def streamed(*bodies: Mapping[str, Any], named: bool = True) -> Exchange:
    text = "".join(
        (f"event: {body['type']}\n" if named else "") + f"data: {json.dumps(dict(body))}\n\n" for body in bodies
    )
    return exchange(200, text.encode(), content_type="text/event-stream")


def judged(dialect: Dialect, first: Exchange, **more: Exchange) -> Result:
    """The result of an answer in words, and of other questions by name."""
    answers = Answers(dialect, CODE, "48213", url="http://h/v1" + dialect.operation)
    for name, one in {"text": first, **more}.items():
        found = dialect.read(one)
        if (one.status == 200 and found.known) or (
            name == "text" and b"ZEBRA" in (one.response.content if one.response else b"")
        ):
            answers.read[name] = found
        else:
            answers.refused[name] = one
    return diagnose(answers, CHAT)


@pytest.mark.parametrize(
    ("chat_url", "responses", "messages"),
    [
        ("http://h/v1/chat/completions", ["http://h/v1/responses"],
         ["http://h/v1/messages", "http://h/anthropic/v1/messages"]),
        ("http://h/chat/completions", ["http://h/responses"], ["http://h/v1/messages", "http://h/messages"]),
        ("https://h/api/v1/chat/completions?v=1", ["https://h/api/v1/responses?v=1"],
         ["https://h/api/v1/messages?v=1", "https://h/api/anthropic/v1/messages?v=1"]),
        ("http://h/v1/generate", [], []),
    ],
)  # fmt: skip
def test_where_the_apis_may_be(chat_url: str, responses: list[str], messages: list[str]) -> None:
    assert Responses().urls(chat_url) == responses
    assert Messages().urls(chat_url) == messages


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (refusal(404, "Not Found"), State.REJECTED),
        (exchange(405, b"", content_type="text/plain"), State.REJECTED),
        (exchange(501, {"error": "not implemented"}), State.REJECTED),
        (exchange(200, {"error": "Unexpected endpoint or method. (POST /v1/responses)"}), State.REJECTED),
        (exchange(200, b"<!doctype html><html>", content_type="text/html"), State.REJECTED),
        (refusal(400, "this model is not supported by the responses API"), State.REJECTED),
        (refusal(500, "responses are not supported"), State.REJECTED),
        (refusal(500, "Internal server error"), State.REJECTED),  # as for an unknown path
        (refusal(401, "who are you?"), State.UNKNOWN),
        (exchange(307, b""), State.UNKNOWN),
        (chat(f"a chat completion: {CODE}"), State.BROKEN),
        (response(said("")), State.BROKEN),
        (response(status="incomplete"), State.UNKNOWN),
        (response(said()), State.WORKS),
    ],
)  # fmt: skip
def test_the_first_answer(answer: Exchange, state: State) -> None:
    verdict = judged(Responses(), answer).verdicts["responses_api"]
    assert verdict.verdict is state
    assert verdict.note


@pytest.mark.parametrize("answer", [lost(), refusal(503, "busy"), refusal(429, "slow down")])
@pytest.mark.parametrize("dialect", [Responses(), Messages()])
def test_trouble_on_the_way_tells_nothing(dialect: Dialect, answer: Exchange) -> None:
    with pytest.raises(Inconclusive):
        judged(dialect, answer)


def events(*, index: int = 0, done: bool = True) -> list[dict[str, Any]]:
    """A sound stream of the Responses API with the code in two deltas."""
    opening = {"id": "r", "object": "response", "status": "in_progress", "output": []}
    where = {"item_id": "m", "output_index": index, "content_index": 0}
    made: list[dict[str, Any]] = [
        {"type": "response.created", "response": opening},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "m"}},
        *({"type": "response.output_text.delta", **where, "delta": part} for part in ("ZEBRA", "-11111")),
        {"type": "response.output_item.done", "output_index": 0, "item": said()},
    ]
    end = {"id": "r", "object": "response", "output": [said()], "usage": USAGE}
    return [*made, {"type": "response.completed", "response": end}] if done else made


def blocks(*, index: int = 0) -> list[dict[str, Any]]:
    """A sound stream of the Messages API."""
    return [
        {"type": "message_start", "message": {"usage": USAGE}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": CODE}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE},
        {"type": "message_stop"},
    ]


def test_sound_streams_have_nothing_to_say() -> None:
    for dialect, made in ((Responses(), events()), (Messages(), blocks())):
        reading = dialect.read(streamed(*made))
        assert (reading.text, reading.tokens, reading.deviations) == (CODE, (9, 4), [])


@pytest.mark.parametrize(
    ("error", "way"),
    [({"type": "overloaded_error", "message": "Overloaded"}, True), ({"type": "api_error", "message": "boom"}, False),
     ({"code": "rate_limit_exceeded", "message": "slow down"}, True)],
)  # fmt: skip
def test_a_stream_that_ends_for_a_reason_of_the_way_says_nothing_of_the_api(error: Any, way: bool) -> None:
    assert is_way(streamed(*blocks()[:2], {"type": "error", "error": error})) is way
    failed = {"type": "response.failed", "response": {"id": "r", "error": error}}
    assert is_way(streamed(*events(done=False), failed)) is way
    assert not is_way(streamed(*events()))


def found(reading: Reading) -> set[tuple[str, str]]:
    return {(str(item.group), item.text) for item in reading.deviations}


def test_the_grammar_of_a_responses_stream() -> None:
    read = Responses().read
    assert found(read(streamed(*events(done=False)))) == {("stream", "the stream ends without response.completed")}
    shifted = read(streamed(*events(index=1)))
    assert any("output_index 1" in text for _, text in found(shifted)) and not shifted.breaks(*Group)
    failed = {"type": "response.failed", "response": {"id": "r", "error": {"message": "boom"}}}
    broken = read(streamed(*events(done=False)[:3], failed))
    assert [text for _, text in found(broken)] == ["the stream breaks off with response.failed: boom"]
    assert broken.breaks(Group.STREAM)
    numbered = [{**body, "sequence_number": 3} for body in events()]
    assert any("sequence_number 3 follows 3" in text for _, text in found(read(streamed(*numbered))))


def test_the_grammar_of_a_messages_stream() -> None:
    read = Messages().read
    assert found(read(streamed(*blocks()[:-1]))) == {("stream", "the stream ends without message_stop")}
    assert read(streamed(*blocks(), named=False)).breaks(Group.STREAM)
    without_stop = [body for body in blocks() if body["type"] != "content_block_stop"]
    assert read(streamed(*without_stop)).breaks(Group.STREAM)
    error = {"type": "error", "error": {"type": "api_error", "message": "boom"}}
    assert [text for _, text in found(read(streamed(*blocks()[:3], error)))] == [
        "the stream breaks off with an error event: boom"
    ]


@pytest.mark.parametrize("body", [{}, [], None, 7, {"output": 7}, {"content": {}}, {"output": [7, None, {"type": 3}]}])
def test_no_answer_is_too_strange_to_read(body: Any) -> None:
    for dialect in (Responses(), Messages()):
        dialect.read(exchange(200, body))
        dialect.read(streamed({"type": "response.output_item.done", "item": body}, {"type": "message_start"}))
        dialect.read(streamed({"type": "response.created"}, {"type": "content_block_delta", "delta": body}))


def test_a_turn_is_sent_back_as_it_was_received() -> None:
    thought = {"type": "reasoning", "id": "rs", "encrypted_content": "xyz", "unknown": 1}
    reading = Responses().read(response(thought, CALL))
    assert Responses().assistant(reading, thinking=True) == [thought, CALL]
    assert Responses().assistant(reading, thinking=False) == [CALL]
    hidden = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    taken = Messages().read(message(hidden, USE, stop="tool_use"))
    assert Messages().assistant(taken, thinking=True) == [{"role": "assistant", "content": [hidden, USE]}]


def test_a_fault_of_chat_completions_too_is_one_finding() -> None:
    answers = Answers(Responses(), CODE, "48213", url="http://h/v1/responses")
    answers.read["text"] = Responses().read(response(said()))
    answers.refused["tools"] = refusal(400, "tools are not supported")
    chat_too = {**CHAT, "tools": Verdict(State.REJECTED, 1.0, "tools.rejected")}
    assert diagnose(answers, chat_too).findings == ()
    assert diagnose(answers, chat_too).verdicts["responses_tools"].finding == "tools.rejected"
    alone = diagnose(answers, CHAT)
    assert [item.code for item in alone.findings] == ["responses.tools"]
    assert alone.verdicts["responses_tools"].verdict is State.REJECTED
    assert "Codex CLI" in alone.facts["failing_dialect_clients"]


def test_what_only_helpers_miss_is_a_warning_and_the_api_works() -> None:
    shifted = [{key: value for key, value in body.items() if key != "output_index"} for body in events()]
    result = judged(Responses(), response(said()), stream=streamed(*shifted))
    assert [(item.code, item.severity) for item in result.findings] == [("responses.stream", Severity.WARNING)]
    assert result.verdicts["responses_api"].verdict is State.WORKS
    assert "AI SDK" in result.verdicts["responses_api"].note


def test_the_verdict_of_chat_completions_counts_only_where_nothing_sound_came() -> None:
    failing = {**CHAT, "streaming": Verdict(State.BROKEN, 0.9, "stream.error")}
    answers = Answers(Responses(), CODE, "48213", url="http://h/v1/responses")
    answers.read["text"] = Responses().read(response(said()))
    assert diagnose(answers, failing).verdicts["responses_api"].note == "as on chat completions"
    answers.read["stream"] = Responses().read(streamed(*events()))
    assert diagnose(answers, failing).verdicts["responses_api"].verdict is State.WORKS
    held = {**CHAT, "streaming": Verdict(State.IGNORED, 0.9, "stream.held")}
    assert diagnose(answers, held).verdicts["responses_api"].finding == "stream.held"
    cut = {"type": "response.failed", "response": {"id": "r", "error": {"message": "boom"}}}
    answers.read["stream"] = Responses().read(streamed(*events(done=False), cut))
    assert diagnose(answers, failing).verdicts["responses_api"].finding == "stream.error"


def test_streams_that_all_end_in_an_overload_leave_the_api_open() -> None:
    answers = Answers(Messages(), CODE, "48213", url="http://h/v1/messages", broke_off="overloaded_error: Overloaded")
    answers.read["text"] = Messages().read(message({"type": "text", "text": CODE}))
    verdict = diagnose(answers, CHAT).verdicts["messages_api"]
    assert verdict.verdict is State.UNKNOWN and "Overloaded" in verdict.note


def test_blocks_that_are_numbered_from_one() -> None:
    shifted = [{**body, "index": 1} if "index" in body else body for body in blocks()]
    result = judged(Messages(), message({"type": "text", "text": CODE}), stream=streamed(*shifted))
    assert [item.code for item in result.findings] == ["messages.stream"]


def test_empty_ids_of_calls_are_a_deviation() -> None:
    empty = Responses().read(response({**CALL, "call_id": ""}))
    assert found(empty) == {("tools", "`output[function_call].call_id` is empty")} and empty.breaks(Group.TOOLS)
    assert Messages().read(message({**USE, "id": ""}, stop="tool_use")).breaks(Group.TOOLS)
    assert not Responses().read(response(CALL)).deviations


def test_a_chat_completion_is_an_answer_of_another_api() -> None:
    answers = Answers(Responses(), CODE, "48213", url="http://h/v1/responses")
    answers.read["text"] = Responses().read(chat("no code"))
    assert [item.code for item in diagnose(answers, CHAT).findings] == ["responses.shape"]


def asked(dialect: Dialect, **read: Exchange) -> Answers:
    """Answers of a dialect whose text works, with others by name."""
    answers = Answers(dialect, CODE, "48213", url="http://h/v1" + dialect.operation, second="59324")
    whole = {"text": response(said()) if dialect.name == "responses" else message({"type": "text", "text": CODE})}
    for name, one in {**whole, **read}.items():
        if one.status == 200:
            answers.read[name] = dialect.read(one)
        else:
            answers.refused[name] = one
    return answers


def test_instructions_are_missed_only_where_the_prompt_does_not_grow() -> None:
    for used, missed in ((20, True), (60, False), (None, False)):
        known = {"usage": {"input_tokens": used, "output_tokens": 1}} if used else {"usage": None}
        answers = asked(
            Responses(),
            **{
                "system": response(said("?"), **known),
                "system-without": response(said("?"), usage=USAGE | {"input_tokens": 20}),
            },
        )
        answers.left = ["vault"]
        found = [item for item in diagnose(answers, CHAT).findings if item.code == "responses.history"]
        assert bool(found) is missed
        if missed:
            assert "role developer" in found[0].detail and "Codex CLI" in found[0].detail


def test_a_server_error_is_one_of_the_api_where_other_paths_have_another() -> None:
    for control, code in ((404, "responses.server-error"), (500, None)):
        answers = Answers(Responses(), CODE, "48213", url="http://h/v1/responses", control=control)
        answers.refused["text"] = refusal(500, "Internal server error")
        result = diagnose(answers, CHAT)
        assert [item.code for item in result.findings] == ([code] if code else [])
        assert result.verdicts["responses_api"].finding == code


def test_a_count_within_a_factor_of_two_is_right() -> None:
    for count, codes in ((100, []), (190, []), (40, ["messages.count-differs"]), (300, ["messages.count-differs"])):
        answers = asked(Messages())
        counted = Reading(exchange(200, {"input_tokens": count}), known=False, tokens=(120, 1))
        answers.read["count"] = counted
        assert [item.code for item in diagnose(answers, CHAT).findings] == codes


def test_a_picture_is_missed_only_twice() -> None:
    wrong = response(said("red, red, red, red"))
    answers = asked(Responses(), picture=wrong)
    answers.colours = {
        "picture": ("blue", "green", "white", "black"),
        "picture-again": ("black", "blue", "green", "white"),
    }
    assert diagnose(answers, CHAT).findings == ()
    answers.read["picture-again"] = Responses().read(wrong)
    assert [item.code for item in diagnose(answers, CHAT).findings] == ["responses.picture"]


def test_an_agent_sends_what_is_its_own_and_gives_back_what_it_got() -> None:
    codex, claude = Responses(), Messages()
    body = codex.request("m", [codex.user("hi", parts=True), CALL], 10, tools=[])
    sent = codex.as_agent(body, "be good", "a note")
    assert [item.get("role") for item in sent["input"]] == ["developer", "user", None] and sent["input"][2] == CALL
    assert "developer" not in json.dumps(codex.as_agent(body, "", "")) and "instructions" not in codex.as_agent(
        body, "", ""
    )
    sent = claude.as_agent(claude.request("m", [claude.user("hi", parts=True)], 10), "be good", "a note")
    assert [turn["role"] for turn in sent["messages"]] == ["user", "system"] and len(sent["system"]) == 2
    assert sent["messages"][0]["content"][-1]["cache_control"]


@pytest.mark.parametrize("number", [[], {}, [[1]], {"a": []}, 1.5, "x", None, True, -1])
def test_numbers_of_parts_may_be_anything(number: Any) -> None:
    items = [{"type": "response.created", "response": {"id": "r"}}]
    items += [{"type": "response.output_item.added", "output_index": number, "item": CALL}] * 2
    for kind in ("response.output_text.delta", "response.function_call_arguments.delta"):
        items.append({"type": kind, "output_index": number, "item_id": number, "delta": "a"})
    items.append({"type": "response.output_item.done", "output_index": number, "item": {**CALL, "id": number}})
    assert Responses().read(streamed(*items)).deviations
    blocks: list[dict[str, Any]] = [{"type": "message_start", "message": {}}]
    blocks += [{"type": "content_block_start", "index": number, "content_block": USE}] * 2
    for delta in ({"type": "text_delta", "text": "a"}, {"type": "signature_delta", "signature": number}):
        blocks.append({"type": "content_block_delta", "index": number, "delta": delta})
    blocks.append({"type": "content_block_stop", "index": number})
    assert Messages().read(streamed(*blocks)).deviations
