"""Whether the tools reached the model, and what a forced choice or a result does."""

from __future__ import annotations

from typing import Any

import pytest

from checks.tools import requests
from checks.tools.call import diagnose_calls, diagnose_silence
from checks.tools.choice import Choice, diagnose_choice
from checks.tools.prompt_growth import Growth, Shown, Signs, growth, reached
from checks.tools.reading import read
from checks.tools.results import MORE, Turn, diagnose_results, repeats_number
from probe.api import Inconclusive, Severity, State
from tests.unit import answers
from tests.unit import tool_answers as made

CODE = "ZEBRA-48213"


def grown(before: int | None, after: int | None) -> Growth | None:
    """The same question with short and with long tools, and these prompt tokens."""
    return growth(
        made.said("It is sunny.", prompt=before), made.said("It is sunny.", prompt=after, tools=requests.wordy())
    )


def told(text: str, prompt: int | None = None) -> Any:
    return read(made.said(text, prompt=prompt, tools=[requests.coded(CODE)])), CODE


def control(text: str) -> Any:
    return made.said(text, tools=[]), "MAPLE-11223"


KNOWS, MISSES = told(f"The station code is {CODE}."), told("There is no station code.")
ABLE, UNABLE = control("It is MAPLE-11223."), control("I am fine, thank you.")
FORCED = read(made.called(finish="stop", tool_choice="required"))
LOST = read(made.refused("When using `tool_choice`, `tools` must be set.", tool_choice="required"))
PROSE = read(made.said("Why did the Seine cross the road?", tool_choice="required"))


@pytest.mark.parametrize(
    ("signs", "shown"),
    [
        (Signs(growth=grown(100, 280)), Shown.YES),
        (Signs(growth=grown(100, 280), described=MISSES, control=ABLE), Shown.YES),
        (Signs(growth=grown(41, 41), described=MISSES, control=ABLE), Shown.NO),
        (Signs(growth=grown(41, 41), described=MISSES, control=UNABLE), Shown.NO),
        (Signs(growth=grown(41, 41), described=KNOWS), Shown.YES),
        (Signs(growth=grown(41, 41), described=MISSES, control=UNABLE, forced=(FORCED,)), Shown.YES),
        (Signs(growth=grown(41, 41), described=MISSES, control=ABLE, forced=(FORCED,)), Shown.NO),
        (Signs(growth=grown(100, 280), forced=(LOST,)), Shown.NO),
        (Signs(described=MISSES, control=ABLE, forced=(PROSE,)), Shown.NO),
        (Signs(described=MISSES, control=UNABLE, forced=(PROSE,)), Shown.UNSURE),
        (Signs(described=KNOWS), Shown.YES),
        (Signs(described=MISSES, control=ABLE, forced=(FORCED,)), Shown.YES),
        (Signs(growth=grown(100, 106), described=MISSES, control=UNABLE), Shown.UNSURE),
        (Signs(), Shown.UNSURE),
    ],
)
def test_the_signs_are_weighed(signs: Signs, shown: Shown) -> None:
    reach = reached(signs)
    assert reach.shown is shown
    assert reach.why
    assert 0.5 < reach.confidence <= 1.0


def test_a_swapped_default_prompt_does_not_hide_the_tools() -> None:
    # A template that drops a default system prompt of 26 tokens when tools come changes both alike.
    found = grown(100 - 26, 280 - 26)
    assert found is not None
    assert found.grew


def test_a_constant_number_is_not_a_count() -> None:
    signs = Signs(growth=grown(10, 10), described=MISSES, control=UNABLE, counted=False)
    assert reached(signs).shown is Shown.UNSURE


def test_growth_needs_counts() -> None:
    assert grown(None, 280) is None
    assert grown(100, None) is None


def test_tools_that_never_arrive() -> None:
    signs = Signs(growth=grown(41, 41), described=MISSES, control=ABLE, forced=(PROSE,))
    result = diagnose_silence([read(made.said("It is 18 degrees.", prompt=41))], signs)
    (finding,) = result.findings
    assert (finding.code, finding.severity) == ("tools.ignored", Severity.ERROR)
    assert result.verdicts["tools"].verdict is State.IGNORED
    assert {item.pointer for item in finding.evidence} >= {"/response/body/usage/prompt_tokens"}


def test_a_model_that_declines() -> None:
    asked = [read(made.said("It is 18 degrees.", prompt=100))]
    result = diagnose_silence(asked, Signs(growth=grown(100, 280), forced=(PROSE,)))
    assert [finding.code for finding in result.findings] == ["tools.not-called"]
    assert result.verdicts["tools"].verdict is State.UNKNOWN
    by_force = diagnose_silence(asked, Signs(growth=grown(100, 280), forced=(FORCED,)))
    assert by_force.verdicts["tools"].verdict is State.WORKS
    assert by_force.settles["tools"]["way"] == "required"


def test_a_model_too_weak_for_anything_is_not_named() -> None:
    asked = [read(made.said("the of and the", prompt=100))]
    result = diagnose_silence(asked, Signs(growth=grown(100, 280)), able=False)
    assert not result.findings
    assert result.verdicts["tools"].verdict is State.UNKNOWN


def test_a_finish_reason_without_its_call_is_a_lost_call() -> None:
    result = diagnose_silence([read(made.said(None, finish="tool_calls"))], Signs(growth=grown(100, 280)))
    assert [finding.code for finding in result.findings] == ["tools.finish-reason"]
    assert result.verdicts["tools"].verdict is State.BROKEN


def test_an_invented_call_is_not_a_missing_parser() -> None:
    text = read(made.said(made.hermes(), prompt=41))
    signs = Signs(growth=grown(41, 41), described=MISSES, control=ABLE)
    assert [finding.code for finding in diagnose_calls([text], "vllm", signs).findings] == ["tools.ignored"]
    shown = Signs(growth=grown(41, 41), described=KNOWS)
    assert [finding.code for finding in diagnose_calls([text], "vllm", shown).findings] == ["tools.parser-missing"]


# Forced choices ----------------------------------------------------------------------------------


def choose(*exchanges: Any, root: str | None = None, control: Any = None, known: tuple[str, ...] = ()) -> Any:
    """The result for one forced choice."""
    one = Choice("tool_choice_required", tuple(read(item) for item in exchanges), control and read(control))
    return diagnose_choice([one], root, frozenset(known), "unknown")


def test_a_forced_call() -> None:
    result = choose(made.called(finish="stop", tool_choice="required"))
    assert not result.findings
    assert result.verdicts["tool_choice_required"].verdict is State.WORKS


def test_prose_that_ended_by_itself_shows_that_the_choice_has_no_effect() -> None:
    result = choose(made.said("A joke.", tool_choice="required"))
    assert [finding.code for finding in result.findings] == ["tools.choice-ignored"]
    assert result.verdicts["tool_choice_required"].verdict is State.IGNORED


def test_a_cure_is_one_that_worked_in_the_run() -> None:
    prose, call = made.said("A joke.", tool_choice="required"), made.called(tool_choice="required")
    named = made.said("A joke.", tool_choice=requests.named("get_weather"))
    choices = [Choice("tool_choice_required", (read(call),)), Choice("tool_choice_named", (read(named),))]
    (finding,) = diagnose_choice(choices, None, frozenset(), "unknown").findings
    assert "`required`" in finding.remedy
    choices[0] = Choice("tool_choice_required", (read(prose),))
    (finding,) = diagnose_choice(choices, None, frozenset(), "unknown").findings
    assert "`required`" not in finding.remedy
    assert "none brought a call in this run" in finding.remedy


def test_prose_that_the_limit_cut_off_settles_nothing() -> None:
    result = choose(made.said("The weather in Paris, France, Paris,", finish="length", tool_choice="required"))
    assert not result.findings
    assert result.verdicts["tool_choice_required"].verdict is State.UNKNOWN


def test_another_tool_than_the_named_one() -> None:
    tools = [requests.weather(), requests.note_tool()]
    result = choose(made.called(tools=tools, tool_choice=requests.named("save_note")))
    assert [finding.code for finding in result.findings] == ["tools.choice-ignored"]


def test_one_cause_one_finding() -> None:
    result = choose(made.said("A joke.", tool_choice="required"), root="tools.ignored")
    assert not result.findings
    verdict = result.verdicts["tool_choice_required"]
    assert (verdict.verdict, verdict.finding) == (State.IGNORED, "tools.ignored")
    leaked = choose(made.said(made.hermes(), tool_choice="required"), known=("tools.parser-missing",))
    assert not leaked.findings
    assert leaked.verdicts["tool_choice_required"].verdict is State.BROKEN


@pytest.mark.parametrize(
    ("text", "status", "control", "state"),
    [
        (
            "Invalid tool_choice type: 'object'. Supported string values: none, auto, required",
            400,
            None,
            State.REJECTED,
        ),
        ("Thinking mode does not support this tool_choice", 400, None, State.REJECTED),
        ("Tool choice is required, but model did not call a tool", 400, None, State.UNKNOWN),
        ("Bad Request", 400, made.said("A joke."), State.REJECTED),
        ("No fixture matched", 404, made.refused("No fixture matched", 404), State.UNKNOWN),
        ("upstream request timeout", 504, None, State.UNKNOWN),
    ],
)
def test_a_refused_choice_has_no_finding(text: str, status: int, control: Any, state: State) -> None:
    result = choose(made.refused(text, status, tool_choice="required"), control=control)
    assert not result.findings
    assert result.verdicts["tool_choice_required"].verdict is state


# Results -----------------------------------------------------------------------------------------

NUMBER, LONG = "48213", "51377"


def history(text: str, prompt: int | None = 60, *, content: str | None = None, longer: bool = False) -> Turn:
    number = LONG if longer else NUMBER
    messages = [
        {"role": "user", "content": requests.QUESTION},
        requests.call_message([requests.own_call()], content),
        requests.result_message(requests.OWN_IDS[0], requests.report("Paris", number) + (MORE if longer else "")),
    ]
    return Turn(read(made.said(text, prompt=prompt, messages=messages)), number)


def no(text: str, status: int = 400, content: str | None = None) -> Turn:
    messages = history("", content=content).reading.exchange.request.body["messages"]
    return Turn(read(made.refused(text, status, messages=messages)), NUMBER)


@pytest.mark.parametrize("text", ["48213 degrees", "It is 48,213 degrees.", "48 213", "48213°C"])
def test_the_number_may_be_written_in_many_ways(text: str) -> None:
    assert repeats_number(answers.chat(text), NUMBER)


def test_another_number_is_not_it() -> None:
    assert not repeats_number(answers.chat("It is 21 degrees, 48 and 213."), NUMBER)


def state(turns: list[Turn], *controls: Any) -> Any:
    result = diagnose_results(turns, controls)
    return result.verdicts["tool_results"].verdict, [finding.code for finding in result.findings]


def test_a_result_that_is_used() -> None:
    assert state([history("It is 48213 degrees.")]) == (State.WORKS, [])
    assert state([history("It is warm."), history("51377 degrees", longer=True)]) == (State.WORKS, [])


def test_a_result_that_is_not_used() -> None:
    reached_it = [history("It is warm.", 60), history("It is warm.", 120, longer=True)]
    assert state(reached_it) == (State.UNKNOWN, [])
    dropped = [history("It is warm.", 60), history("It is warm.", 60, longer=True)]
    able = answers.chat("77889 degrees"), "77889"
    assert state(dropped, able) == (State.IGNORED, ["tools.result-ignored"])
    # An answer that is the same whatever is asked, and a count of the question alone, prove nothing.
    assert state(dropped, (answers.chat("It is warm."), "77889")) == (State.UNKNOWN, [])


def test_without_counts_the_model_is_asked_what_it_can() -> None:
    turns = [history("It is warm.", None), history("It is warm.", None, longer=True)]
    able, unable = (answers.chat("77889 degrees"), "77889"), (answers.chat("I like Paris."), "77889")
    assert state(turns, able, able, able) == (State.IGNORED, ["tools.result-ignored"])
    assert state(turns, unable) == (State.UNKNOWN, [])
    # Now so, now so is a small model.
    assert state(turns, able, able, unable) == (State.UNKNOWN, [])
    assert state([*turns, history("It is 48213 degrees.", None)], able) == (State.WORKS, [])


def test_a_refused_result() -> None:
    refused = [no("unknown variant `tool`"), no("unknown variant `tool`", content="")]
    assert state(refused) == (State.REJECTED, ["tools.result-rejected"])


ABLE_HERE = answers.chat("77889 degrees"), "77889"


def test_a_number_begun_and_not_finished_shows_that_the_result_arrived() -> None:
    assert state([history("It is 48.21 degrees.", None), history("Warm.", None, longer=True)]) == (State.UNKNOWN, [])
    # Even where a count that does not move speaks against it.
    turns = [history("It is 48.21 degrees.", 60), history("Warm.", 60, longer=True)]
    assert state(turns, ABLE_HERE) == (State.UNKNOWN, [])


def test_a_refused_null_is_left_out_of_the_count() -> None:
    turns = [no("content: field required"), history("Warm.", 60, content=""), history("Warm.", 120, longer=True)]
    assert state(turns, ABLE_HERE) == (State.UNKNOWN, [])
    turns[-1] = history("Warm.", 60, longer=True)
    assert state(turns, ABLE_HERE) == (State.IGNORED, ["tools.result-ignored"])
    result = diagnose_results(turns, [ABLE_HERE])
    assert result.settles == {"tool_turn_content": ""}
    (finding,) = result.findings
    assert {item.exchange for item in finding.evidence} == {turn.reading.exchange.id for turn in turns[1:]}


def test_one_answer_is_not_enough_for_a_verdict() -> None:
    # The context was too short for the longer result, or it was lost on the way.
    too_long = no("the request exceeds the available context size")
    for last in (too_long, Turn(read(made.asked(answers.lost())), LONG)):
        assert state([history("It is warm."), last], ABLE_HERE) == (State.UNKNOWN, [])


def test_null_content_is_another_familys_finding() -> None:
    result = diagnose_results([no("content: field required"), history("48213", content="")])
    assert not result.findings
    assert result.verdicts["tool_results"].verdict is State.WORKS
    assert result.settles == {"tool_turn_content": ""}


def test_output_that_cannot_be_parsed_is_not_a_refusal() -> None:
    text = "The model produced output that does not match the expected peg-native format"
    assert state([no(text, 500), no(text, 500, content="")]) == (State.UNKNOWN, [])


def test_a_lost_request_is_inconclusive() -> None:
    lost = Turn(read(made.asked(answers.lost())), NUMBER)
    with pytest.raises(Inconclusive):
        diagnose_results([lost])
