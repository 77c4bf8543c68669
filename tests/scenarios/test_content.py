"""Content as blocks, and null beside tool calls: fault to exact codes."""

from __future__ import annotations

import pytest

from probe.model import Report, Severity, State
from tests.scenarios.runs import codes, diagnose, errors

ONLY = ("content.*",)
FAST = {"rate_tokens_s": 0, "first_token_s": 0}
STYLES = ("openai", "vllm", "llamacpp", "ollama", "groq", "sglang", "lmstudio")
ALL_ROLES = ["system", "user", "assistant", "tool"]


def content(*names: str, **options: object) -> Report:
    report = diagnose(names, sim={**FAST, **options}, only=ONLY)
    assert not errors(report)
    return report


@pytest.mark.parametrize(
    ("fault", "state", "roles"),
    [
        ("blocks-rejected", State.REJECTED, []),
        ("blocks-rejected=422", State.REJECTED, []),
        ("blocks-rejected=500", State.REJECTED, []),
        ("blocks-ignored", State.IGNORED, []),
        ("blocks-truncated", State.BROKEN, ["system", "assistant"]),
        ("blocks-rejected-system", State.WORKS, ["user", "assistant", "tool"]),
        ("blocks-rejected-assistant", State.WORKS, ["system", "user", "tool"]),
        ("blocks-rejected-tool", State.WORKS, ["system", "user", "assistant"]),
        ("null-rejected", State.WORKS, ["system", "user", "assistant"]),
    ],
)
def test_the_verdict_and_the_roles(fault: str, state: State, roles: list[str]) -> None:
    report = content(fault)
    assert report.capabilities["block_content"].verdict is state
    assert report.facts["block_content_roles"] == roles


@pytest.mark.parametrize("counts", ["usage-missing", "usage-constant", "usage-raw"])
@pytest.mark.parametrize("fault", ["blocks-ignored", "blocks-truncated"])
def test_useless_counts_hide_no_fault(counts: str, fault: str) -> None:
    report = content(counts, fault)
    assert codes(report) == {f"content.{fault}"}
    assert "user" not in report.facts["block_content_roles"]


@pytest.mark.parametrize("counts", ["usage-missing", "usage-constant", "usage-raw"])
def test_useless_counts_give_no_finding(counts: str) -> None:
    report = content(counts)
    assert codes(report) == set()
    assert report.facts["block_content_roles"] == ALL_ROLES


@pytest.mark.parametrize("style", STYLES)
def test_a_healthy_endpoint_reads_blocks_in_every_role(style: str) -> None:
    report = diagnose(style=style, sim=FAST, only=ONLY)
    assert codes(report, "content") == set()
    assert report.capabilities["block_content"].verdict is State.WORKS
    assert report.facts["block_content_roles"] == ALL_ROLES


@pytest.mark.parametrize("personality", ["weak", "reasoning", "chatty"])
def test_counts_prove_blocks_whatever_the_model_answers(personality: str) -> None:
    report = content(personality=personality)
    assert codes(report) == set()
    assert report.capabilities["block_content"].verdict is State.WORKS


def test_a_weak_model_that_is_not_counted_leaves_it_open() -> None:
    report = content("usage-missing", personality="weak")
    assert codes(report, least=Severity.INFO) == set()
    assert report.capabilities["block_content"].verdict is State.UNKNOWN


def test_blocks_printed_into_the_prompt_are_noted() -> None:
    report = content("blocks-stringified")
    assert codes(report) == set()
    assert "tokens more" in report.capabilities["block_content"].note


def test_three_requests_prove_a_healthy_endpoint() -> None:
    report = content()
    spent = {item.id: item.requests for item in report.checks if item.id.startswith("content.")}
    assert spent == {"content.blocks": 1, "content.null": 1, "content.tool-blocks": 1}


def test_a_missing_system_role_is_not_a_fault_of_blocks() -> None:
    report = content("system-rejected")
    assert codes(report) == set()
    assert report.facts["block_content_roles"] == ["user", "assistant", "tool"]


def test_refused_tools_do_not_pass_for_refused_null() -> None:
    report = content("tools-rejected")
    assert codes(report, "content") == set()
