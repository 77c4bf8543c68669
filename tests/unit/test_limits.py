"""Diagnosis of limits, from texts and lists as servers send them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checks.limits import (
    GUESS,
    LONGEST,
    SMALL,
    context_in_refusal,
    declared_context,
    diagnose_context,
    diagnose_limits,
    expected_tokens,
    long_prompt,
    rate_limits,
    repetitions,
)
from probe.api import Exchange, Inconclusive, Severity
from tests.unit.answers import chat, exchange, lost, refusal

CODE = "ZEBRA-48213"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("This model's maximum context length is 2048 tokens. However, you requested 2723 tokens (1699 in", 2048),
        ("This model's maximum context length is 1024 tokens. However, your prompt contains at least 1025", 1024),
        ("request (628 tokens) exceeds the available context size (256 tokens), try increasing it", 256),
        ("The input (9000 tokens) is longer than the model's context length (4096 tokens).", 4096),
        ("tokens to keep is greater than the context length (n_keep: 10247 >= n_ctx: 4096). Try", 4096),
        ("the model is loaded with context length of only 4096 tokens, which is not enough", 4096),
        ("Input length (9000) must be smaller than the model context length (8192).", 8192),
        ("Prompt length 9000 exceeds the available context size of 4096 tokens", 4096),
        ("`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 200", 4096),
        ("The input token count (9000) exceeds the maximum number of tokens allowed (8192).", 8192),
        ("maximum context length is 131,072 tokens", 131072),
        ("the prompt is longer than the context length currently available to the model; reduce the prompt", None),
        ("invalid request", None),
    ],
)
def test_the_length_that_a_refusal_names(text: str, tokens: int | None) -> None:
    assert context_in_refusal(refusal(400, text)) == tokens


def test_llama_cpp_gives_it_as_a_member() -> None:
    assert context_in_refusal(exchange(400, {"error": {"message": "too long", "n_ctx": 4096}})) == 4096


def listed(*entries: dict[str, Any], top: str | None = "data") -> Exchange:
    made = exchange(200, {top: list(entries)} if top else list(entries))
    return replace(made, request=replace(made.request, method="GET"))


@pytest.mark.parametrize(
    ("entry", "tokens"),
    [
        ({"max_model_len": 4096}, 4096),
        ({"context_length": 8192, "top_provider": {"context_length": 4096}}, 4096),
        ({"context_window": 131072}, 131072),
        ({"meta": {"n_ctx": 2048, "n_ctx_train": 8192}}, 2048),
        ({"max_context_length": 32768}, 32768),
        ({"parameters": {"max_seq_len": 16384}}, 16384),
        ({"context_length": "8192"}, None),
        ({"context_length": True}, None),
        ({}, None),
    ],
)
def test_the_length_that_a_list_declares(entry: dict[str, Any], tokens: int | None) -> None:
    assert declared_context([listed({"id": "m", **entry})], "m") == tokens
    assert declared_context([listed({"id": "m", **entry}, top=None)], "m") == tokens


def test_another_models_length_is_not_used() -> None:
    both = listed({"id": "a", "context_length": 1000}, {"id": "b", "context_length": 2000})
    assert declared_context([both], "b") == 2000
    assert declared_context([both], "c") is None
    only = listed({"id": "a", "context_length": 1000})
    assert declared_context([only], "alias") == 1000
    assert declared_context([exchange(200, b"<html>", content_type="text/html"), chat("x")], "a") is None


def test_a_servers_own_page_counts() -> None:
    made = exchange(200, {"default_generation_settings": {"n_ctx": 512}})
    props = replace(made, request=replace(made.request, method="GET"))
    assert declared_context([props], None) == 512


def test_rate_limit_fields_of_the_newest_response() -> None:
    made = chat("x")
    assert made.response is not None
    fields = (("X-RateLimit-Remaining-Requests", "29"), ("RateLimit-Policy", "10;w=1"), ("Retry-After", "1"))
    newer = replace(made, response=replace(made.response, headers=fields))
    assert rate_limits([made, newer]) == {"x-ratelimit-remaining-requests": "29", "ratelimit-policy": "10;w=1"}
    assert rate_limits([made]) is None


def at(made: Exchange, seconds: float, body: Any = "same") -> Exchange:
    timeline = replace(made.timeline, started_s=seconds)
    return replace(made, timeline=timeline, request=replace(made.request, body=body))


def test_what_came_through_later_is_only_noted() -> None:
    turned, through = at(refusal(429, "slow down"), 1), at(chat("hi"), 2)
    (finding,) = diagnose_limits([turned, through], [turned]).findings
    assert (finding.code, finding.severity) == ("limits.rate-limited", Severity.INFO)
    (finding,) = diagnose_limits([turned, at(chat("hi"), 2, "another")], [turned]).findings
    assert finding.severity is Severity.WARNING


def test_what_the_run_has_to_do_with_a_limit() -> None:
    def detail(*before: Exchange, text: str = "slow down") -> str:
        turned = at(refusal(429, text), 9, "turned away")
        (finding,) = diagnose_limits([*before, turned], [turned]).findings
        return finding.detail

    first = at(chat("hi"), 1)
    assert "The run itself took part in it, with 1 request in the 8 s before." in detail(first)
    assert "The run" not in detail()
    rests = "No deployments available for selected model, try again in 5 seconds: all_deployments_in_cooldown"
    assert "another client caused it" in detail(first, text=rests)
    picture = replace(at(refusal(500, "no pictures"), 2), check="vision.picture")
    assert "The run itself caused it" in detail(first, picture, text=rests)
    assert "vision.picture was answered with 500" in detail(first, picture, text=rests)


@pytest.mark.parametrize(
    ("text", "code", "lost"),
    [("Loading model", "limits.loading", Severity.ERROR), ("Too busy", "limits.overloaded", Severity.WARNING)],
)
def test_a_busy_server_is_information_once_it_has_answered(text: str, code: str, lost: Severity) -> None:
    turned = at(refusal(503, text), 1)
    (later,) = diagnose_limits([turned, at(chat("hi"), 2)], [turned]).findings
    assert (later.code, later.severity) == (code, Severity.INFO)
    (never,) = diagnose_limits([turned], [turned]).findings
    assert (never.code, never.severity) == (code, lost)


def test_a_body_limit_lies_between_what_passed_and_what_was_refused() -> None:
    def sized(status: int, length: int) -> Exchange:
        made = exchange(status, b"<html>413</html>" if status == 413 else {"choices": []})
        return replace(made, request=replace(made.request, body={"a": "x" * length}))

    sent = [sized(200, 100), sized(413, 2000), sized(200, 900), sized(413, 1500)]
    (finding,) = diagnose_limits(sent, []).findings
    assert finding.code == "limits.body-size"
    assert "1508 bytes" in finding.detail
    assert "908 bytes" in finding.detail


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}},
        {"error": {"message": "Budget has been exceeded!", "type": "budget_exceeded", "code": "429"}},
    ],
)
def test_a_spent_quota_is_not_a_rate_limit(body: Any) -> None:
    spent = at(exchange(429, body), 1)
    assert [finding.code for finding in diagnose_limits([spent], [spent]).findings] == ["limits.quota"]
    broke = at(exchange(402, {"error": {"message": "Insufficient Balance"}}), 1)
    assert [finding.code for finding in diagnose_limits([broke], []).findings] == ["limits.quota"]
    assert not diagnose_limits([chat("hi")], []).findings


def test_a_long_prompt_overfills_what_is_known() -> None:
    assert repetitions(2048, 600) == 2560 * SMALL // 600
    assert repetitions(None, 600) == repetitions(10 * LONGEST, 600) == GUESS * SMALL // 600
    assert repetitions(100, 600) == 2 * SMALL
    prompt = long_prompt(CODE, 5)
    assert prompt.startswith("The secret code is ZEBRA-48213.")
    assert prompt.count("fox") == 5


def test_a_prompt_that_loses_tokens_was_cut() -> None:
    small, times = chat(CODE, prompt=600), 900
    cut = diagnose_context(small, chat("What code?", prompt=2048), times, CODE, None)
    assert cut.findings[0].code == "limits.context-silent"
    assert cut.facts["context_length"] == 2048
    whole = diagnose_context(small, chat("What code?", prompt=8800), times, CODE, None)
    assert not whole.findings
    refused = diagnose_context(small, refusal(400, "maximum context length is 2048 tokens"), times, CODE, None)
    assert not refused.findings
    assert refused.facts["context_length"] == 2048
    for trouble in (lost("timeout"), refusal(502, "bad gateway"), exchange(413, b"<html>413</html>")):
        with pytest.raises(Inconclusive):
            diagnose_context(small, trouble, times, CODE, None)


@pytest.mark.parametrize(("fixed", "prompt"), [(0, 8200), (20, 7900), (500, 1900)])
def test_what_every_request_costs_is_counted_once(fixed: int, prompt: int) -> None:
    """60 sentences cost 600 tokens with the fixed part; 900 must cost 15 times the sentences alone."""
    small = chat(CODE, prompt=600)
    assert expected_tokens(600, fixed, 900) == 600 + (600 - fixed) * 840 // 60
    assert not diagnose_context(small, chat("What code?", prompt=prompt), 900, CODE, None, fixed).findings


def test_a_cut_to_the_declared_length_is_seen() -> None:
    price, fixed, declared = 1100, 500, 4096
    times = repetitions(declared, price, fixed)
    assert expected_tokens(price, fixed, times) > 1.2 * declared
    small = chat(CODE, prompt=price)
    for kept in (declared, declared - 20, declared - 300):
        (finding,) = diagnose_context(small, chat("No code.", prompt=kept), times, CODE, declared, fixed).findings
        assert finding.code == "limits.context-silent"
    known = diagnose_context(small, chat(f"It is {CODE}.", prompt=declared), times, CODE, declared, fixed)
    assert not known.findings


def test_a_refused_model_with_status_503_is_no_load() -> None:
    turned = at(refusal(503, "no available channel for model nope-1"), 1, {"model": "nope-1"})
    assert not diagnose_limits([turned], [turned]).findings
