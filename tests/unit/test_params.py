"""Diagnosis of parameters, from texts as servers send them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checks.params.checks import (
    INVENTED,
    LIMIT,
    OTHERS,
    diagnose_limit,
    diagnose_others,
    diagnose_own_limit,
    diagnose_refused,
    diagnose_sampling,
    own_limit,
    refusals,
    responsible,
    stop_sequences,
)
from checks.params.reading import (
    Limit,
    Logprobs,
    SecondTry,
    Stop,
    cut_unreported,
    ends_in_thinking,
    limit_of,
    logprobs_of,
    named,
    stop_of,
    word_within,
)
from checks.shared.chat_reply import refused_parameter
from checks.shared.outcome import way_out
from probe.api import Exchange, Inconclusive, Severity, State
from tests.unit.answers import chat, exchange, lost, refusal

NAMES = (*OTHERS, "stop")
LIST = "\n".join(str(number) for number in range(1, 41))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (refusal(400, "Unrecognized request argument supplied: endpoint_probe_unknown"), [INVENTED]),
        (refusal(400, "`logprobs` is not supported with this model"), ["logprobs"]),
        (refusal(400, "Unsupported parameter(s): `user`, `seed`"), ["seed", "user"]),
        (refusal(400, "the user message must stop before the seed"), []),
        (exchange(400, {"error": {"message": "not allowed", "param": "user"}}), ["user"]),
        (
            exchange(422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"}]}),
            ["seed"],
        ),
        (
            exchange(422, {"message": {"detail": [{"loc": ["body", "presence_penalty"], "msg": "Extra"}]}}),
            ["presence_penalty"],
        ),
        (exchange(422, {"detail": "Unexpected fields in the request: {'top_p'}"}), ["top_p"]),
        (refusal(400, "does not support parameters: ['frequency_penalty'], for model=x"), ["frequency_penalty"]),
        (refusal(400, "The request could not be processed."), []),
        (exchange(500, b"Internal Server Error", content_type="text/plain"), []),
    ],
)
def test_the_parameters_that_a_refusal_names(made: Exchange, expected: list[str]) -> None:
    assert named(made, NAMES) == expected


def test_log_probabilities_are_left_out_together() -> None:
    said = refusal(400, "`logprobs` is not supported with this model")
    assert set(responsible(said, dict.fromkeys(NAMES))) == {"logprobs", "top_logprobs"}


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (chat("1, 2, 3, 4", finish="length", prompt=9, written=16), Limit.KEPT),
        (chat("", finish="length", prompt=9, written=16), Limit.KEPT),  # thought, and cut
        (chat("1 2 3 4 5", finish="stop", prompt=9, written=16), Limit.KEPT),
        (chat(LIST, finish="stop", prompt=9, written=80), Limit.EXCEEDED),
        (chat(LIST, finish="length", prompt=9, written=512), Limit.EXCEEDED),
        (chat(LIST, finish=None), Limit.EXCEEDED),
        (chat("I like turtles.", finish="stop", prompt=9, written=5), Limit.UNKNOWN),
        (chat("I like turtles.", finish="stop"), Limit.UNKNOWN),
        (chat("1, 2, 3", finish="stop", prompt=9, written=300, reasoning_content="Let me"), Limit.UNKNOWN),
        (refusal(400, "max_tokens is not supported"), Limit.REFUSED),
    ],
)
def test_whether_a_limit_was_kept(made: Exchange, kept: Limit) -> None:
    assert limit_of(made, LIMIT, "max_tokens") is kept


KEPT = chat("1, 2, 3, 4", finish="length", prompt=9, written=16)
LONG = chat(LIST, finish="stop", prompt=9, written=80)
REFUSED = refusal(400, "Unsupported parameter: 'max_tokens'")


@pytest.mark.parametrize(
    ("old", "new", "found", "name"),
    [
        (KEPT, KEPT, [], "max_tokens"),
        (KEPT, LONG, ["params.max-tokens-ignored"], "max_tokens"),  # Ollama does not read the other name
        (REFUSED, KEPT, ["params.max-tokens-rejected"], "max_completion_tokens"),
        (KEPT, REFUSED, ["params.max-completion-tokens-rejected"], "max_tokens"),
        (LONG, KEPT, ["params.max-tokens-ignored"], "max_completion_tokens"),
        (LONG, LONG, ["params.max-tokens-ignored"], None),
        (chat("Turtles."), chat("Turtles."), [], None),
        (lost(), KEPT, [], "max_completion_tokens"),
    ],
)
def test_the_two_names(old: Exchange, new: Exchange, found: list[str], name: str | None) -> None:
    result = diagnose_limit({"max_tokens": [old], "max_completion_tokens": [new]})
    assert [finding.code for finding in result.findings] == found
    assert result.facts["max_tokens_param"] == name


@pytest.mark.parametrize(
    ("text", "finish", "effect"),
    [
        ("1\n2\n3\n4\n5\n6\n", "stop", Stop.STOPPED),
        ("1. 1\n2. 2\n3. 3\n4. 4\n5. 5\n6. 6\n", "stop", Stop.STOPPED),
        ("1\n2\n3\n4\n5\n6\n7", "stop", Stop.KEPT),
        ("1\n2\n3\n4\n5\n6\n7\n8\n9", "stop", Stop.IGNORED),
        ("It is the number that comes first", "length", Stop.IGNORED),
        ("I like turtles", "stop", Stop.UNKNOWN),
        ("1 2 3 4 5 6", "length", Stop.UNKNOWN),
        ("", "stop", Stop.UNKNOWN),
    ],
)
def test_the_effect_of_a_stop_sequence(text: str, finish: str, effect: Stop) -> None:
    assert stop_of(chat(text, finish=finish), ("7", *stop_sequences(False)[1:]))[0] is effect


TURTLES = "I like turtles and all that swims in the sea."


@pytest.mark.parametrize(
    ("text", "word"),
    [(TURTLES, " and"), ("To find", " find"), ("Turtles", None), ("1 2 3 4", None), ("", None), ("no no no no", " no")],
)
def test_a_stop_sequence_is_a_word_of_the_answer(text: str, word: str | None) -> None:
    assert word_within(text) == word


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("I like turtles and", Stop.STOPPED),
        ("I like turtles and all", Stop.KEPT),
        (TURTLES, Stop.IGNORED),
        ("Something else", Stop.UNKNOWN),
        ("", Stop.UNKNOWN),
    ],
)
def test_the_effect_of_a_word_of_the_answer(text: str, effect: Stop) -> None:
    assert SecondTry(chat(text, finish="stop"), " all").effect(TURTLES) is effect
    assert SecondTry(chat("I like all", finish="stop"), " all").effect("I like all") is Stop.UNKNOWN


def test_a_small_model_shows_what_stop_does_all_the_same() -> None:
    first = chat(TURTLES, finish="stop")
    works = diagnose_others(first, {}, ("7",), SecondTry(chat("I like turtles and", finish="stop"), " all"))
    assert works.verdicts["stop"].verdict is State.WORKS
    ignored = diagnose_others(first, {}, ("7",), SecondTry(chat(TURTLES, finish="stop"), " all"))
    assert "params.stop-ignored" in [finding.code for finding in ignored.findings]
    assert diagnose_others(first, {}, ("7",)).verdicts["stop"].verdict is State.UNKNOWN


@pytest.mark.parametrize(
    ("again", "state"),
    [("1\n2\n3\n4", State.BROKEN), ("1\n2\n3\n", State.WORKS), ("1\n2\n3\n4\n5\n6\n7", State.IGNORED)],
)
def test_a_sequence_that_stays_in_the_text_is_looked_for_twice(again: str, state: State) -> None:
    first = chat("1\n2\n3\n4\n5\n6\n7", finish="stop")
    assert diagnose_others(first, {}, ("7",)).verdicts["stop"].verdict is State.WORKS
    result = diagnose_others(first, {}, ("7",), SecondTry(chat(again, finish="stop"), "4"))
    assert result.verdicts["stop"].verdict is state


def test_an_answer_without_a_limit_is_cut_only_where_the_same_with_one_goes_on() -> None:
    short, long = chat("1\n2\n3", finish="length"), chat("1\n2\n3\n4\n5", finish="stop")
    assert own_limit(short)
    assert not own_limit(long)
    assert [one.code for one in diagnose_own_limit(short, long).findings] == ["params.default-limit"]
    assert not diagnose_own_limit(short, short).findings
    assert not diagnose_own_limit(None, long).findings


def test_a_stop_reason_in_the_answer_is_trusted() -> None:
    made = exchange(200, {"choices": [{"message": {"content": "x"}, "finish_reason": "stop", "stop_reason": "7"}]})
    assert stop_of(made, ("7",))[0] is Stop.STOPPED


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"content": [{"token": "1", "logprob": -0.1, "top_logprobs": []}]}, Logprobs.GIVEN),
        ({"content": []}, Logprobs.NONE),
        (None, Logprobs.NONE),
        ({"tokens": ["1"], "token_logprobs": [-0.1]}, Logprobs.OLD),
        ({"content": [{"token": "1"}]}, Logprobs.NONE),
        ([1, 2], Logprobs.NONE),
    ],
)
def test_the_form_of_log_probabilities(value: Any, form: Logprobs) -> None:
    made = exchange(200, {"choices": [{"message": {"content": "1"}, "finish_reason": "stop", "logprobs": value}]})
    assert logprobs_of(made) is form


def test_a_refused_stop_is_a_verdict() -> None:
    said = refusal(400, "Argument not supported on this model: stop")
    result = diagnose_others(chat("1\n2"), {"stop": said}, ("7",))
    assert result.verdicts["stop"].verdict is State.REJECTED
    assert result.settles["refused_params"] == {"stop": said}


def test_what_was_not_given_is_ignored_and_an_empty_answer_is_open() -> None:
    assert diagnose_others(chat("1\n2\n6\n"), {}, ("7",)).verdicts["logprobs"].verdict is State.IGNORED
    assert diagnose_others(chat(""), {}, ("7",)).verdicts["logprobs"].verdict is State.UNKNOWN
    with pytest.raises(Inconclusive):
        diagnose_others(refusal(400, "no"), {}, ("7",))


def test_refused_parameters_are_named_once() -> None:
    said = refusal(400, "no")
    result = diagnose_refused({"seed": said, INVENTED: said, "logprobs": said}, ["temperature"])
    assert [finding.severity for finding in result.findings] == [Severity.INFO]
    assert "`seed`" in result.findings[0].detail
    assert "logprobs" not in result.findings[0].detail
    assert result.facts["rejected_params"] == ["logprobs", "seed", "temperature"]
    assert diagnose_refused({"stream_options": said}, []).findings[0].severity is Severity.WARNING
    assert not diagnose_refused({"logprobs": said}, []).findings
    assert not diagnose_refused({}, []).findings


def test_requests_that_were_meant_to_be_refused_do_not_count() -> None:
    made = refusal(400, "max_tokens must be an integer")
    sent = replace(made, request=replace(made.request, body={"max_tokens": 16}))
    assert refusals([sent], "max_tokens") == [sent]
    assert refusals([replace(sent, check="errors.malformed")], "max_tokens") == []
    assert refusals([made], "max_tokens") == []
    assert refusals([sent], "max_completion_tokens") == []


def test_sampling_facts() -> None:
    several = exchange(200, {"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]})
    facts = diagnose_sampling([chat("a"), chat("a")], several).facts
    assert facts == {"seed_repeatable": True, "choices_for_n_2": 2}
    assert diagnose_sampling([chat("a"), chat("b")], refusal(400, "n")).facts == {"seed_repeatable": False}


@pytest.mark.parametrize(
    ("text", "finish", "written", "expected"),
    [
        ("1, 2, 3, 4, 5,", "stop", 16, True),
        ("1, 2, 3, 4, 5,", "length", 16, False),
        ("1, 2, 3, 4, 5", "stop", 12, False),
        ("I would rather not count.", "stop", 16, False),
        (LIST, "stop", 16, False),
    ],
)
def test_a_cut_that_is_not_reported(text: str, finish: str, written: int, expected: bool) -> None:
    made = chat(text, finish=finish, prompt=9, written=written)
    made = replace(made, request=replace(made.request, body={"max_tokens": LIMIT}))
    assert cut_unreported(made) is expected


def test_an_answer_that_ends_in_its_thinking() -> None:
    assert ends_in_thinking(chat("", reasoning_content="The user wants "))
    assert not ends_in_thinking(chat("6", reasoning_content="The user wants "))
    assert not ends_in_thinking(chat("", reasoning_content="The user wants ", finish="length"))
    assert not ends_in_thinking(chat(""))


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (refusal(500, "`temperature` (=0) has to be a strictly positive float"), "temperature"),
        (refusal(400, "Argument not supported on this model: maxTokens"), "max_tokens"),
        (exchange(200, {"error": {"message": "temperature must be in range (0, +inf)"}}), "temperature"),
        (refusal(503, "temperature sensors are offline"), None),
        (refusal(500, "Internal Server Error"), None),
        (chat("The temperature is 21 degrees."), None),
    ],
)
def test_the_parameter_that_an_error_of_any_status_names(made: Exchange, name: str | None) -> None:
    assert refused_parameter(made, {"max_tokens": 5, "temperature": 0}) == name


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (
            "No tools here. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
            "To use function tools, use /v1/responses or set reasoning_effort to 'none'",
        ),
        ("Unsupported. Please use a model such as x-1.5 instead.", "Please use a model such as x-1.5 instead"),
        ("The client may use tools in later versions.", ""),
        ("This model does not support tools", ""),
    ],
)
def test_what_an_error_tells_its_reader_to_do(said: str, advice: str) -> None:
    told = way_out(refusal(400, said))
    assert advice in told if advice else told == ""
