"""Structured calls and calls left in the text: what is read, what is found, how sure that is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from checks.shared.trials import Count
from checks.tools import leaked_calls, requests
from checks.tools.call import diagnose_calls, is_sound
from checks.tools.reading import Kind, read
from checks.tools.structured_calls import faults
from probe.api import Owner, Severity, State
from tests.unit import answers
from tests.unit import tool_answers as made

KIMI = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
    '{"city": "Paris"}<|tool_call_end|><|tool_calls_section_end|>'
)


def found(*exchanges: Any, server: str = "unknown") -> Any:
    """The result of these answers to the first question."""
    return diagnose_calls([read(exchange) for exchange in exchanges], server, None)


def codes(result: Any) -> list[str]:
    return sorted(finding.code for finding in result.findings)


def test_a_sound_call_is_all_it_takes() -> None:
    result = found(made.called())
    assert not result.findings
    assert result.verdicts["tools"].verdict is State.WORKS
    assert result.settles["tools"]["call"] == {
        "id": "call_1",
        "name": "get_weather",
        "arguments": made.PARIS,
        "more": {},
    }


@pytest.mark.parametrize(
    ("calls", "finish", "code", "state"),
    [
        ([made.call(arguments={"city": "Paris"})], "tool_calls", "tools.arguments-not-string", State.BROKEN),
        ([made.call(arguments=None)], "tool_calls", "tools.arguments-not-string", State.BROKEN),
        ([made.call(arguments="{'city': 'Paris'}")], "tool_calls", "tools.arguments-not-json", State.BROKEN),
        ([made.call(arguments='{"city": "Par')], "tool_calls", "tools.arguments-not-json", State.BROKEN),
        ([made.call(arguments="")], "tool_calls", "tools.arguments-not-json", State.BROKEN),
        ([made.call(arguments='{"town": "Paris"}')], "tool_calls", "tools.arguments-off-schema", State.WORKS),
        ([made.call(arguments='{"city": 75000}')], "tool_calls", "tools.arguments-off-schema", State.WORKS),
        ([made.call(arguments='""')], "tool_calls", "tools.arguments-off-schema", State.BROKEN),
        ([made.call(name="functions.get_weather")], "tool_calls", "tools.name-altered", State.BROKEN),
        ([made.call(name=None)], "tool_calls", "tools.name-altered", State.BROKEN),
        ([made.call(id=...)], "tool_calls", "tools.id-missing", State.BROKEN),
        ([made.call(id="")], "tool_calls", "tools.id-missing", State.BROKEN),
        ([made.call(id=7)], "tool_calls", "tools.id-missing", State.BROKEN),
        ([made.call(), made.call('{"city": "Rome"}')], "tool_calls", "tools.id-duplicate", State.BROKEN),
        ([made.call()], "stop", "tools.finish-reason", State.WORKS),
        ([made.call()], None, "tools.finish-reason", State.WORKS),
        ([made.call()], "function_call", "tools.finish-reason", State.WORKS),
    ],
)
def test_each_fault_of_a_structured_call_has_its_code(calls: Any, finish: Any, code: str, state: State) -> None:
    result = found(made.called(*calls, finish=finish))
    assert codes(result) == [code]
    assert result.verdicts["tools"].verdict is state
    (finding,) = result.findings
    assert finding.evidence
    assert finding.remedy


def test_evidence_points_at_what_is_wrong() -> None:
    (finding,) = found(made.called(made.call(), made.call(arguments={"city": "Rome"}, id="call_2"))).findings
    assert finding.evidence[0].pointer == "/response/body/choices/0/message/tool_calls/1/function/arguments"


@pytest.mark.parametrize(
    "arguments", ['{"city": "Paris"}', '{"city": "S\\u00e3o \\"Paulo\\""}', '{"unit": "fahrenheit", "city": ""}']
)
def test_valid_arguments_have_no_finding(arguments: str) -> None:
    assert found(made.called(made.call(arguments=arguments))).findings == ()


def test_a_value_off_the_enum_is_the_models_choice() -> None:
    (finding,) = found(made.called(made.call(arguments='{"city": "Paris", "unit": "C"}'))).findings
    assert (finding.code, finding.severity, finding.owner) == ("tools.arguments-off-schema", Severity.INFO, Owner.MODEL)


NOTE: dict[str, Any] = {"title": "Zoë", "stars": 4, "tags": ["café"], "place": {"city": "Paris"}, "private": True}


def note(**changes: Any) -> Any:
    """A forced call of the tool with all types of arguments, some of them changed."""
    arguments = json.dumps({**NOTE, **changes})
    tools = [requests.weather(), requests.note_tool()]
    choice = requests.named("save_note")
    return made.called(made.call(arguments, "save_note"), finish="stop", tools=tools, tool_choice=choice)


def test_values_in_strings_point_to_the_parser() -> None:
    reading = read(note(stars="4", tags='["café"]', place='{"city": "Paris"}', private="True"))
    (fault,) = faults(reading, forced=True, lenient=True)
    finding = fault.finding()
    assert (finding.code, finding.owner, finding.severity) == ("tools.values-altered", Owner.SERVER, Severity.WARNING)


def test_a_wrong_type_in_a_hard_tool_is_the_models_weakness() -> None:
    (fault,) = faults(read(note(stars="many", tags="café")), forced=True, lenient=True)
    assert (fault.owner, fault.severity) == (Owner.MODEL, Severity.INFO)


def test_a_forced_call_may_end_with_stop() -> None:
    assert faults(read(note()), forced=True) == []
    assert [fault.diagnosis.code for fault in faults(read(note()))] == ["tools.finish-reason"]


def test_a_call_in_the_deprecated_member_alone_is_found() -> None:
    message = {"function_call": {"name": "get_weather", "arguments": made.PARIS}}
    result = found(made.said(None, finish="function_call", message=message))
    assert codes(result) == ["tools.finish-reason"]
    assert result.verdicts["tools"].verdict is State.BROKEN


def test_both_members_together_are_fine() -> None:
    old = {"name": "get_weather", "arguments": made.PARIS}
    exchange = made.asked(answers.chat(None, finish="tool_calls", tool_calls=[made.call()], function_call=old))
    assert found(exchange).findings == ()


def test_arguments_cut_off_by_the_limit_have_no_finding() -> None:
    reading = read(made.called(made.call(arguments='{"city": "Pa'), finish="length"))
    assert reading.kind is Kind.CUT


@pytest.mark.parametrize(("end", "kind"), [(-40, Kind.CUT), (None, Kind.LEAKED)])
def test_a_call_in_the_text_that_the_limit_cut_off_is_no_sign_of_a_missing_parser(end: int | None, kind: Kind) -> None:
    assert read(made.said(made.hermes()[:end], finish="length")).kind is kind


# Calls in the text -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "family", "parser"),
    [
        (made.hermes(), "tools.parser-missing", "hermes", "hermes"),
        (f"Let me look.\n{made.hermes()}", "tools.parser-missing", "hermes", "hermes"),
        ('[TOOL_CALLS]get_weather{"city": "Paris"}', "tools.parser-missing", "mistral", "mistral"),
        (
            '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Paris"}}',
            "tools.parser-missing",
            "llama3_json",
            "llama3_json",
        ),
        (KIMI, "tools.parser-missing", "kimi_k2", "kimi_k2"),
        ('{"name": "get_weather", "parameters": {"city": "Paris"}}', "tools.text-call", "llama3_json", "llama3_json"),
        (
            '```json\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```',
            "tools.text-call",
            "fenced-json",
            "llama3_json",
        ),
    ],
)
def test_a_leak_names_its_markup_and_parser(text: str, code: str, family: str, parser: str) -> None:
    result = found(made.said(text), made.said(text))
    assert codes(result) == [code]
    assert result.facts == {"tool_call_format": family, "tool_parser": parser}
    assert result.verdicts["tools"].verdict is State.BROKEN


@pytest.mark.parametrize(
    "text",
    [
        "I would use the get_weather tool for that, if I could.",
        "The weather in Paris is 18 degrees.",
        '{"temperature": 18, "city": "Paris"}',
        "You can call `get_weather` with a city:\n```python\nimport weather\nprint(weather.today('Paris'))\n```",
        "Tool calls are written between <tool_call> and </tool_call>.",
    ],
)
def test_prose_about_tools_is_not_a_leak(text: str) -> None:
    assert read(made.said(text)).kind is Kind.PROSE


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("vllm", "`vllm serve` with `--enable-auto-tool-choice --tool-call-parser hermes`"),
        ("sglang", "`sglang.launch_server` with `--tool-call-parser qwen`"),
        ("llamacpp", "--jinja"),
        ("lmdeploy", "--tool-call-parser"),
        ("unknown", "--tool-call-parser hermes"),
        ("litellm", "On the server that runs the model"),
    ],
)
def test_the_remedy_names_the_flag_of_the_server(server: str, words: str) -> None:
    result = found(made.said(made.hermes()), server=server)
    assert words in result.findings[0].remedy


def test_the_parser_of_sglang_is_named_for_sglang() -> None:
    assert found(made.said(made.hermes()), server="sglang").facts["tool_parser"].startswith("qwen")


def test_a_call_that_ended_up_in_the_reasoning_is_said_to_be_there() -> None:
    for field in ("reasoning_content", "reasoning"):
        result = found(made.said(None, message={field: f"The user asks for weather.\n{made.hermes()}"}))
        assert codes(result) == ["tools.parser-missing"]
        assert "reasoning" in result.findings[0].detail
        assert result.findings[0].evidence[0].pointer.endswith(field)
    tags = found(made.said(f"<think>The user asks.\n{made.hermes()}</think>"))
    assert codes(tags) == ["tools.parser-missing"]


def test_reasoning_about_a_call_is_not_a_leak() -> None:
    thought = {"reasoning_content": f"I could write {made.hermes()} but I know it already."}
    assert read(made.said("It is sunny.", message=thought)).kind is Kind.PROSE
    both = made.asked(answers.chat(None, finish="tool_calls", tool_calls=[made.call()], **thought))
    assert found(both).findings == ()


def test_markup_of_a_structured_call_is_a_warning() -> None:
    (finding,) = found(
        made.called(text=f'<tool_call>{{"name": "get_weather", "arguments": {made.PARIS}}}</tool_call>')
    ).findings
    assert (finding.code, finding.severity) == ("tools.parser-missing", Severity.WARNING)


def test_markup_of_another_call_is_a_lost_call() -> None:
    result = found(made.called(text=made.hermes("Rome")))
    (finding,) = result.findings
    assert (finding.code, finding.severity) == ("tools.parser-missing", Severity.ERROR)
    assert result.verdicts["tools"].verdict is State.BROKEN


def test_a_stray_marker_with_a_call_is_reported() -> None:
    (finding,) = found(made.called(text="<tool_call>")).findings
    assert finding.code == "tools.parser-missing"
    assert "<tool_call" in finding.detail


def test_text_with_a_call_has_no_finding() -> None:
    assert found(made.called(text="Sure! Let me look that up with get_weather.")).findings == ()


# Chance ------------------------------------------------------------------------------------------


def test_one_leak_in_five_is_reported_and_does_not_turn_the_verdict() -> None:
    result = found(made.said(made.hermes()), *(made.called() for _ in range(4)))
    (finding,) = result.findings
    assert finding.severity is Severity.WARNING
    assert "1 of 5" in finding.detail
    assert "interval" in finding.detail
    assert result.verdicts["tools"].verdict is State.WORKS


def test_three_leaks_in_five_turn_the_verdict() -> None:
    result = found(*(made.said(made.hermes()) for _ in range(3)), made.called(), made.called())
    assert result.verdicts["tools"].verdict is State.BROKEN
    assert result.findings[0].severity is Severity.ERROR


def test_prose_among_calls_is_noted() -> None:
    result = found(made.said("It is sunny."), made.called())
    assert not result.findings
    assert "1 of 2" in result.verdicts["tools"].note


def test_counts() -> None:
    assert Count(2, 2).breaks()
    assert Count(1, 1).breaks()
    assert not Count(0, 4).breaks()
    assert not Count(1, 5).breaks()
    assert Count(3, 5).breaks()
    assert Count(2, 2).sentence() == ""
    low, high = Count(1, 5).interval
    assert 0.03 < low < 0.05
    assert 0.6 < high < 0.65


def test_sound() -> None:
    assert is_sound(read(made.called()))
    assert not is_sound(read(made.said(made.hermes())))
    assert not is_sound(read(made.called(made.call(id=None))))


def test_what_is_quoted_is_short() -> None:
    reading = read(made.said("x " * 5000 + made.hermes()))
    assert reading.leak is not None
    assert len(leaked_calls.quote(reading, reading.leak)) <= leaked_calls.QUOTED + 1
