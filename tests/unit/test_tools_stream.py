"""Streamed calls: what joins, what does not, and what each client would get."""

from __future__ import annotations

from typing import Any

import pytest

from checks.tools.parallel import Both, answerable, diagnose_both, diagnose_lost_call, diagnose_parallel
from checks.tools.reading import Kind, read
from checks.tools.state import call_parameters
from checks.tools.stream_assembly import parsable
from checks.tools.streamed import diagnose_difference, diagnose_stream, differing_calls
from probe.api import Inconclusive, Severity, State
from tests.unit import answers
from tests.unit import tool_answers as made

ROME = '{"city": "Rome", "unit": "celsius"}'
ROLE = {"role": "assistant", "content": None}
WHOLE = read(made.called())


def judge(*exchanges: Any, whole: Any = WHOLE, control: Any = None, known: tuple[str, ...] = ()) -> Any:
    """The result of the streamed question."""
    asked = [read(exchange) for exchange in exchanges]
    return diagnose_stream(asked, whole, control and read(control), frozenset(known), "unknown", sound=parsable(whole))


def state(result: Any) -> State:
    found: State = result.verdicts["streaming_tools"].verdict
    return found


def codes(result: Any) -> list[str]:
    return sorted(finding.code for finding in result.findings)


SOUND = {
    "OpenAI": [ROLE, *made.pieces()],
    "whole in one delta": [ROLE, made.part(made.PARIS, "get_weather", "call_1")],
    "vLLM: name without arguments first": [ROLE, made.part(None, "get_weather", "call_1"), made.part(made.PARIS)],
    "llama.cpp: arguments begin with the name": [
        ROLE,
        made.part("{", "get_weather", "call_1"),
        made.part(made.PARIS[1:]),
    ],
    "type in every delta (LiteLLM)": [
        ROLE,
        made.part("", "get_weather", "call_1"),
        {"tool_calls": [{"index": 0, "type": "function", "function": {"arguments": made.PARIS}}]},
    ],
    "null id and name later (SGLang)": [
        ROLE,
        made.part("", "get_weather", "call_1"),
        {"tool_calls": [{"index": 0, "id": None, "function": {"name": None, "arguments": made.PARIS}}]},
    ],
    "empty id and name later (DashScope)": [
        ROLE,
        made.part("", "get_weather", "call_1"),
        {"tool_calls": [{"index": 0, "id": "", "type": "", "function": {"name": "", "arguments": made.PARIS}}]},
    ],
    "the id in every fragment": [ROLE, made.part("", "get_weather", "call_1"), made.part(made.PARIS, None, "call_1")],
    "empty deltas between": [ROLE, {}, *made.pieces(), {"content": ""}, {}],
    "text before": [{"role": "assistant", "content": "Let me look."}, *made.pieces()],
}


@pytest.mark.parametrize("deltas", SOUND.values(), ids=SOUND)
def test_every_sound_way_to_stream_a_call(deltas: Any) -> None:
    result = judge(made.streamed(*deltas))
    assert codes(result) == []
    assert state(result) is State.WORKS


@pytest.mark.parametrize(
    ("deltas", "code", "severity", "verdict"),
    [
        ([made.part(made.PARIS, "get_weather", "call_1", None)], "tools.stream-index", Severity.WARNING, State.WORKS),
        (
            [made.part(made.PARIS, "get_weather", "a", None), made.part(ROME, "get_weather", "b", None)],
            "tools.stream-index",
            Severity.ERROR,
            State.BROKEN,
        ),
        ([*made.pieces(id="a"), *made.pieces(ROME, id="b")], "tools.stream-index", Severity.ERROR, State.BROKEN),
        ([made.part(made.PARIS, "get_weather", "a", "0")], "tools.stream-index", Severity.ERROR, State.BROKEN),
        ([made.part(made.PARIS, "get_weather", "a", 1)], "tools.stream-index", Severity.WARNING, State.WORKS),
        (
            [
                made.part("", "get_weather", "a"),
                *(made.part(made.PARIS[n], index=n + 1) for n in range(len(made.PARIS))),
            ],
            "tools.stream-index",
            Severity.ERROR,
            State.BROKEN,
        ),
        (made.pieces()[:2] + made.pieces()[3:], "tools.stream-fragments", Severity.ERROR, State.BROKEN),
        ([made.part("", "get_weather", "call_1")], "tools.stream-fragments", Severity.ERROR, State.BROKEN),
        (
            [made.part(made.PARIS[:end], "get_weather", "call_1") for end in (1, 10, 20, len(made.PARIS))],
            "tools.stream-fragments",
            Severity.ERROR,
            State.BROKEN,
        ),
        (
            [made.part("", "get_weather", "call_1"), made.part(made.PARIS, "get_weather")],
            "tools.stream-fragments",
            Severity.ERROR,
            State.BROKEN,
        ),
        (
            [made.part(made.PARIS), made.part("", "get_weather", "call_1")],
            "tools.stream-fragments",
            Severity.WARNING,
            State.WORKS,
        ),
        (
            [made.part({"city": "Paris"}, "get_weather", "call_1")],
            "tools.arguments-not-string",
            Severity.ERROR,
            State.BROKEN,
        ),
        ([made.part(made.PARIS, "get_weather")], "tools.id-missing", Severity.ERROR, State.BROKEN),
        (
            [made.part('{"town": "Paris"}', "get_weather", "call_1")],
            "tools.arguments-off-schema",
            Severity.WARNING,
            State.WORKS,
        ),
    ],
)
def test_each_fault_of_a_streamed_call_has_its_code(deltas: Any, code: str, severity: Severity, verdict: State) -> None:
    result = judge(made.streamed(ROLE, *deltas))
    assert codes(result) == [code]
    assert result.findings[0].severity is severity
    assert state(result) is verdict
    if code.startswith("tools.stream"):
        assert "joins by index gets" in result.findings[0].detail


def test_what_each_client_gets_is_stated() -> None:
    parallel = [made.part(made.PARIS, "get_weather", "a", None), made.part(ROME, "get_weather", "b", None)]
    detail = judge(made.streamed(ROLE, *parallel)).findings[0].detail
    assert "gets 1 call: get_weather(" in detail
    assert "the model made 2 calls" in detail
    doubled = judge(made.streamed(ROLE, made.part("", "get_weather", "a"), made.part(made.PARIS, "get_weather")))
    assert "get_weatherget_weather" in doubled.findings[0].detail


def test_arguments_that_are_as_bad_unstreamed_are_their_own_fault() -> None:
    bad = "{'city': 'Paris'}"
    whole = read(made.called(made.call(arguments=bad)))
    assert codes(judge(made.streamed(ROLE, *made.pieces(bad)), whole=whole)) == ["tools.arguments-not-json"]
    assert codes(judge(made.streamed(ROLE, *made.pieces(bad)))) == ["tools.stream-fragments"]


def test_the_finish_reason_of_a_stream() -> None:
    assert codes(judge(made.streamed(ROLE, *made.pieces(), finish="stop"))) == ["tools.finish-reason"]
    assert codes(judge(made.streamed(ROLE, *made.pieces(), finish=None))) == ["tools.finish-reason"]
    forced = made.streamed(ROLE, *made.pieces(), finish="stop", tool_choice="required")
    assert codes(judge(forced)) == []
    # A stream that breaks off after its last piece is for the stream family to name.
    assert codes(judge(made.streamed(ROLE, *made.pieces(), finish=None, done=False))) == []


def test_a_truncated_call_is_inconclusive() -> None:
    with pytest.raises(Inconclusive):
        judge(made.streamed(ROLE, *made.pieces()[:3], finish=None, done=False))


def test_a_call_cut_off_by_the_limit_is_unknown() -> None:
    result = judge(made.streamed(ROLE, *made.pieces()[:3], finish="length"))
    assert not result.findings
    assert state(result) is State.UNKNOWN


def leak(text: str) -> Any:
    return made.streamed(
        {"role": "assistant", "content": ""}, *({"content": part} for part in text.split(" ")), finish="stop"
    )


def test_a_leak_only_when_streaming() -> None:
    text = made.hermes().replace(" ", "")
    result = judge(leak(text), leak(text))
    assert codes(result) == ["tools.stream-leak"]
    assert state(result) is State.BROKEN
    assert result.facts["tool_parser"] == "hermes"


def test_a_leak_in_both_modes_is_named_once() -> None:
    result = judge(leak(made.hermes().replace(" ", "")), whole=None, known=("tools.parser-missing",))
    assert not result.findings
    assert result.verdicts["streaming_tools"].finding == "tools.parser-missing"


def test_a_leak_now_and_then_is_counted() -> None:
    result = judge(leak(made.hermes().replace(" ", "")), made.streamed(ROLE, *made.pieces()))
    assert codes(result) == ["tools.stream-leak"]
    assert "1 of 2" in result.findings[0].detail


def test_calls_that_get_lost_when_streamed() -> None:
    nothing = made.streamed(ROLE, finish="tool_calls")
    result = judge(nothing, nothing)
    assert codes(result) == ["tools.stream-fragments"]
    assert "no call" in result.findings[0].detail


def test_a_stream_with_nothing_in_it() -> None:
    empty = made.asked(answers.exchange(200, b"", content_type="text/event-stream"), stream=True)
    plain = made.streamed({"content": "Ha."}, finish="stop", tools=[])
    assert codes(judge(empty, empty, control=plain)) == ["tools.stream-fragments"]
    assert codes(judge(empty, empty, control=empty)) == []


def test_tools_that_are_left_out_when_streaming() -> None:
    prose = made.streamed({"content": "It is sunny."}, finish="stop", prompt=30)
    result = judge(prose, prose)
    assert codes(result) == ["tools.ignored"]
    assert state(result) is State.IGNORED
    same = made.streamed({"content": "It is sunny."}, finish="stop", prompt=100)
    assert state(judge(same, same)) is State.UNKNOWN


def test_tools_that_are_refused_when_streaming() -> None:
    said = made.refused("Cannot use tools with stream", 400, stream=True)
    control = made.streamed({"content": "Ha."}, finish="stop", tools=[])
    result = judge(said, control=control)
    assert codes(result) == ["tools.rejected"]
    assert result.findings[0].severity is Severity.INFO
    every = judge(made.refused("Something went wrong", 500), control=made.refused("Something went wrong", 500))
    assert not every.findings
    assert state(every) is State.UNKNOWN


def test_an_answer_without_a_stream_cannot_be_used() -> None:
    result = judge(made.called(stream=True))
    assert codes(result) == ["stream.not-sse"]
    assert state(result) is State.BROKEN


def test_how_a_call_can_be_had() -> None:
    assert call_parameters({"way": ""}) is None
    assert "tool_choice" not in (call_parameters({"way": "auto"}) or {})
    assert (call_parameters({"way": "required"}) or {})["tool_choice"] == "required"


# Two calls at once -------------------------------------------------------------------------------

TWO = [ROLE, *made.pieces(id="a"), *made.pieces(ROME, index=1, id="b")]


def test_two_calls_with_ids_and_indexes_of_their_own() -> None:
    reading = read(made.streamed(*TWO))
    result = diagnose_parallel([reading], "unknown", frozenset())
    assert not result.findings
    assert result.verdicts["parallel_tools"].verdict is State.WORKS
    received = answerable(reading)
    assert received is not None
    assert [call["function"]["arguments"] for call in received.calls] == [made.PARIS, ROME]


def test_interleaved_pieces_join_by_index() -> None:
    first, second = made.pieces(id="a"), made.pieces(ROME, index=1, id="b")
    mixed = [part for pair in zip(first, second, strict=False) for part in pair]
    result = diagnose_parallel([read(made.streamed(ROLE, *mixed, *first[len(second) :]))], "unknown", frozenset())
    assert not result.findings


def test_one_call_at_a_time_has_no_finding() -> None:
    result = diagnose_parallel([read(made.streamed(ROLE, *made.pieces()))], "unknown", frozenset())
    assert not result.findings
    assert result.verdicts["parallel_tools"].verdict is State.UNKNOWN


def test_of_two_calls_one_is_lost_when_streamed() -> None:
    streamed = read(made.streamed(ROLE, *made.pieces()))
    whole = read(made.called(made.call(id="a"), made.call(ROME, id="b")))
    found = diagnose_lost_call(streamed, [whole, streamed])
    assert codes(found) == ["tools.stream-fragments"]
    assert found.verdicts["parallel_tools"].verdict is State.WORKS
    assert diagnose_lost_call(streamed, [whole, read(made.streamed(*TWO))]).findings == (), "the second stream is right"
    assert diagnose_lost_call(streamed, []).findings == ()


def test_shared_ids_and_lost_calls() -> None:
    shared = made.streamed(ROLE, *made.pieces(id="a"), *made.pieces(ROME, index=1, id="a"))
    assert codes(diagnose_parallel([read(shared)], "unknown", frozenset())) == ["tools.id-duplicate"]
    assert answerable(read(shared)) is None
    whole = made.called(made.call(id="a"), made.call(ROME, id="a"))
    assert codes(diagnose_parallel([read(whole)], "unknown", frozenset())) == ["tools.id-duplicate"]


def both(text: str, prompt: int = 90) -> Both:
    return Both(read(made.said(text, prompt=prompt)), ("48213", "51377"))


def test_both_results() -> None:
    assert diagnose_both([]).findings == ()
    assert diagnose_both([both("48213 and 51377 degrees")]).verdicts == {}
    one = [both("48213 degrees"), both("48213 degrees", 90)]
    assert codes(diagnose_both(one)) == ["tools.result-ignored"]
    assert diagnose_both([both("48213 degrees"), both("48213 degrees", 150)]).findings == ()
    refused = Both(read(made.refused("This model only supports single tool-calls at once!")), ("1", "2"))
    assert codes(diagnose_both([refused])) == ["tools.result-rejected"]


def test_a_stream_of_the_deprecated_member() -> None:
    deltas = [
        ROLE,
        {"function_call": {"name": "get_weather", "arguments": ""}},
        {"function_call": {"arguments": made.PARIS}},
    ]
    reading = read(made.streamed(*deltas, finish="function_call"))
    assert reading.kind is Kind.CALLED
    assert reading.legacy
    assert codes(judge(made.streamed(*deltas, finish="function_call"))) == ["tools.finish-reason"]


def test_the_unused_one_of_two_results_is_found() -> None:
    assert both("51377 degrees").unused == 0
    assert both("48213 degrees").unused == 1
    assert both("no idea").unused == 0


def test_a_streamed_call_without_a_name_is_one_fault() -> None:
    assert codes(judge(made.streamed(ROLE, made.part(made.PARIS, None, "call_1")))) == ["tools.stream-fragments"]


# Streamed calls against whole ones -------------------------------------------------------------------------------


def test_streamed_calls_are_held_against_the_whole_one() -> None:
    whole = read(made.called())
    same = read(made.streamed(ROLE, *made.pieces()))
    cut = read(made.streamed(ROLE, *made.pieces(made.PARIS.replace("Paris", "Pari"))))
    twice = read(made.streamed(ROLE, *made.pieces(id="a"), *made.pieces(index=1, id="b")))
    assert differing_calls(whole, same) == ""
    assert differing_calls(None, cut) == ""
    assert "Pari" in differing_calls(whole, cut)
    assert codes(diagnose_difference(whole, cut, differing_calls(whole, cut))) == ["tools.values-altered"]
    assert codes(diagnose_difference(whole, twice, differing_calls(whole, twice))) == ["tools.stream-fragments"]


def test_another_city_of_the_models_own_is_not_compared() -> None:
    rome = read(made.called(made.call(ROME)))
    assert differing_calls(rome, read(made.streamed(ROLE, *made.pieces()))) == ""
