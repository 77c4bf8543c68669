"""Tools: fault to exact codes, alone and beside other faults; healthy styles and models silent; what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from probe.model import Depth, Report, Severity, State
from probe.simulator import Simulator, all_faults, all_styles
from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response
from tests.scenarios.runs import against, codes, diagnose, errors

ONLY = ("tools.*", "roles.turns", "params.limit")
FAST = {"rate_tokens_s": 0, "first_token_s": 0}
ALL = [
    item
    for item in all_faults()
    if any(code.startswith("tools.") for code in item.yields)
    and not item.deep
    and "tools.held-with-tools" not in item.yields  # a matter of time, and these endpoints are as fast as they can
]
MARKUP = [item for item in ALL if item.name.startswith("tools-as-")]
OTHERS = [item for item in ALL if item not in MARKUP]
CAPABILITIES = (
    "tools",
    "tool_results",
    "tool_choice_required",
    "tool_choice_named",
    "parallel_tools",
    "streaming_tools",
)
#: What each fault makes of each capability that it does not leave working.
STATES = {
    "tools-ignored": dict.fromkeys(set(CAPABILITIES) - {"tool_results"}, State.IGNORED),
    "tools-not-called": {},
    "tools-never-called": {
        **dict.fromkeys(("tools", "parallel_tools", "streaming_tools"), State.UNKNOWN),
        **dict.fromkeys(("tool_choice_required", "tool_choice_named"), State.IGNORED),
    },
    "tool-choice-ignored": dict.fromkeys(("tool_choice_required", "tool_choice_named"), State.IGNORED),
    "tools-rejected": dict.fromkeys(CAPABILITIES, State.REJECTED),
    "tools-not-enabled": dict.fromkeys(CAPABILITIES, State.REJECTED),
    "tool-result-rejected": {"tool_results": State.REJECTED},
    "tool-result-ignored": {"tool_results": State.IGNORED},
    "tool-stream-leak": {"streaming_tools": State.BROKEN},
    "tool-stream-index": {"parallel_tools": State.BROKEN, "streaming_tools": State.BROKEN},
    "tool-stream-fragments": {"parallel_tools": State.BROKEN, "streaming_tools": State.BROKEN},
    "tool-finish-reason": {},
    "tool-id-duplicate": {"parallel_tools": State.BROKEN, "streaming_tools": State.BROKEN},
}


def asked(report: Report) -> int:
    """How many requests the family sent."""
    return sum(item.requests for item in report.checks if item.id.startswith("tools."))


def check(report: Report, expected: Sequence[str]) -> None:
    """The family's codes are exactly these, and every finding can be acted on and proved."""
    assert codes(report, "tools") == {code for code in expected if code.startswith("tools.")}
    assert not errors(report)
    known = {exchange.id for exchange in report.exchanges}
    for finding in report.findings:
        if finding.severity is not Severity.INFO:
            assert finding.remedy
        assert finding.detail
        assert {item.exchange for item in finding.evidence} <= known
        assert finding.evidence or not finding.code.startswith("tools.")


@pytest.mark.parametrize("fault", [item for item in ALL if item.name in STATES], ids=lambda fault: fault.name)
def test_what_each_fault_makes_of_the_capabilities(fault) -> None:  # type: ignore[no-untyped-def]
    report = diagnose([fault.name], sim=FAST, only=ONLY)
    check(report, fault.yields)
    for name, state in STATES[fault.name].items():
        assert report.capabilities[name].verdict is state, name
    for name in set(CAPABILITIES) - set(STATES[fault.name]):
        assert report.capabilities[name].verdict in (State.WORKS, State.UNKNOWN), name


def test_the_table_of_capabilities_names_faults() -> None:
    assert set(STATES) <= {item.name for item in ALL}


@pytest.mark.parametrize("fault", MARKUP, ids=lambda fault: fault.name)
def test_each_markup_is_recognised_and_its_parser_named(fault) -> None:  # type: ignore[no-untyped-def]
    report = diagnose([fault.name], sim=FAST, only=ONLY)
    check(report, fault.yields)
    assert report.capabilities["tools"].verdict is State.BROKEN
    assert report.capabilities["streaming_tools"].verdict is State.BROKEN
    assert report.facts["tool_call_format"]
    (finding,) = [item for item in report.findings if item.code.startswith("tools.")]
    if "tool_parser" in report.facts:
        assert report.facts["tool_parser"] in finding.remedy


@pytest.mark.parametrize(
    "fault", [*OTHERS, *(item for item in MARKUP if "hermes" in item.name)], ids=lambda fault: fault.name
)
def test_with_a_missing_v1_and_a_stream_without_usage(fault) -> None:  # type: ignore[no-untyped-def]
    report = diagnose([fault.name, "missing-v1", "stream-no-usage"], sim=FAST, only=ONLY)
    check(report, fault.yields)
    assert codes(report, "url") == {"url.missing-v1"}


def test_a_refused_null_is_not_taken_for_refused_results() -> None:
    report = diagnose(["null-rejected", "tool-result-ignored"], sim=FAST, only=(*ONLY, "content.null"))
    assert codes(report) == {"content.null-rejected", "tools.result-ignored"}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("arguments-not-json=truncated", "tools.arguments-not-json"),
        ("tool-stream-fragments=repeated", "tools.stream-fragments"),
        ("tool-stream-fragments=late", "tools.stream-fragments"),
        ("tool-id-missing=empty", "tools.id-missing"),
        ("tools-rejected=ollama", "tools.rejected"),
        ("tools-rejected=openrouter", "tools.rejected"),
        ("tools-not-enabled=llamacpp", "tools.not-enabled"),
        ("tools-not-enabled=lmdeploy", "tools.not-enabled"),
        ("agent-texts-altered=cdata", "tools.values-altered"),
        ("agent-texts-altered=cut", "tools.values-altered"),
        ("agent-numbers-rounded=whole", "tools.values-altered"),
        ("agent-arguments-lost=first", "tools.arguments-off-schema"),
    ],
)
def test_variants_of_a_fault(fault: str, code: str) -> None:
    check(diagnose([fault], sim=FAST, only=ONLY), [code])


@pytest.mark.parametrize(
    "fault", ["model-texts-altered=tags", "model-texts-altered=form", "model-arguments-lost=objects"]
)
def test_what_the_model_writes_as_text_too_is_its_own(fault: str) -> None:
    report = diagnose([fault], sim=FAST, only=ONLY)
    check(report, [])
    assert next(item.reason for item in report.checks if item.id == "tools.agent").startswith("not seen in each")


@pytest.mark.parametrize(("style", "fault"), [("vllm", "tools-as-qwen3-coder"), ("sglang", "tools-as-qwen3-coder")])
def test_the_remedy_is_that_of_the_recognised_server(style: str, fault: str) -> None:
    report = diagnose([fault], style=style, sim=FAST, only=ONLY)
    (finding,) = [item for item in report.findings if item.code == "tools.parser-missing"]
    assert "--tool-call-parser qwen3_coder" in finding.remedy
    assert ("--enable-auto-tool-choice" in finding.remedy) is (style == "vllm")


# Nothing wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize("style", [item.name for item in all_styles()])
def test_healthy_styles_are_silent(style: str) -> None:
    report = diagnose(style=style, sim=FAST, only=ONLY)
    check(report, [])
    assert report.capabilities["tools"].verdict is State.WORKS
    assert report.capabilities["streaming_tools"].verdict is State.WORKS
    assert report.capabilities["tool_results"].verdict is State.WORKS


@pytest.mark.parametrize(
    "personality", ["plain", "chatty", "reasoning", "declines", "refuses", "small", "copies", "weak"]
)
def test_no_kind_of_model_is_a_fault_of_the_endpoint(personality: str) -> None:
    report = diagnose(sim={**FAST, "personality": personality}, only=ONLY)
    assert not errors(report)
    expected = {"tools.choice-ignored"} if personality == "refuses" else set()
    assert codes(report, "tools", least=Severity.WARNING) == expected
    assert codes(report, "tools") - expected <= {"tools.not-called"}


@pytest.mark.parametrize(
    "fault",
    "stream-truncated stream-error-in-band stream-not-sse stream-rejected stream-framing stream-no-done "
    "null-rejected blocks-rejected rate-limited=1 max-tokens-rejected stream-options-rejected "
    "unknown-param-rejected errors-shape".split(),
)
def test_faults_of_other_families_are_left_to_them(fault: str) -> None:
    report = diagnose([fault], sim=FAST, only=ONLY)
    assert not errors(report)
    assert codes(report, "tools") == set()
    assert report.capabilities["tools"].verdict is State.WORKS
    assert report.capabilities["tool_results"].verdict is State.WORKS


def test_characters_broken_in_all_streams_are_one_finding() -> None:
    report = diagnose(["stream-utf8"], sim=FAST, only=(*ONLY, "stream.*"))
    assert codes(report, "tools", "stream") == {"stream.utf8"}


# Cost --------------------------------------------------------------------------------------------


def test_the_price_on_a_healthy_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    report = diagnose(sim=FAST, only=ONLY, skip=("tools.long",))  # of depth deep
    spent = {item.id: item.requests for item in report.checks if item.id.startswith("tools.")}
    with capsys.disabled():
        print(f"\ntools family on a healthy endpoint: {asked(report)} requests {spent}")
    assert asked(report) <= 8
    assert all(report.capabilities[name].verdict is State.WORKS for name in CAPABILITIES)


def test_the_price_of_a_quick_look() -> None:
    report = diagnose(sim=FAST, only=(), depth=Depth.QUICK, skip=("stream.*", "idle.*"))
    assert asked(report) <= 2
    assert report.capabilities["tools"].verdict is State.WORKS
    assert report.capabilities["streaming_tools"].verdict is State.WORKS


def test_trials_can_be_fixed() -> None:
    report = diagnose(sim=FAST, only=("tools.call",), trials=4)
    assert next(item.requests for item in report.checks if item.id == "tools.call") == 4
    assert codes(report, "tools") == set()


class NoToolStreams(Fault):
    """Streams and tools, and not both at once."""

    name = "test-no-tool-streams"
    summary = "for this test"

    def on_chat(self, call: Call) -> Response | None:
        both = call.stream and call.tools
        return self.error(400, "Streaming is not available together with tools") if both else None


def test_tools_that_are_refused_in_streams_alone_work_whole() -> None:
    with Simulator("openai", [NoToolStreams()], **FAST) as sim:
        report = against(sim, only=("tools.*",))
    assert [item.code for item in report.findings] == ["tools.rejected"]
    assert "streaming off" in report.findings[0].remedy
    assert report.capabilities["parallel_tools"].verdict is State.WORKS
    assert report.capabilities["streaming_tools"].verdict is State.REJECTED
