"""Caches that answer different questions alike, and pools that answer the same request by turns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checks.auth import diagnose_enforced
from checks.errors.consistency import diagnose_cached, diagnose_unsteady, suspects
from probe.api import Exchange, Inconclusive, State
from tests.unit.answers import URL, chat, events, exchange, refusal

TOOLS = {"model": "m", "messages": [{"role": "user", "content": "a"}], "tools": [{"type": "function"}]}
PLAIN = {"model": "m", "messages": [{"role": "user", "content": "a"}]}


def sent(answer: Exchange, body: Any, check: str = "tools.call") -> Exchange:
    return replace(answer, check=check, request=replace(answer.request, body=body))


def with_id(text: str, name: str) -> Exchange:
    message = {"role": "assistant", "content": text}
    return exchange(200, {"id": name, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (with_id("ZEBRA-11111", "c-1"), with_id("ZEBRA-11111", "c-1"), True),
        (with_id("ZEBRA-11111", ""), with_id("It is ZEBRA-11111.", "c-2"), True),
        (with_id("Hello!", "c-1"), with_id("Hello!", "c-1"), True),
        (with_id("Hello!", "c-1"), with_id("Hello!", "c-2"), False),  # a weak model
        (with_id("ZEBRA-11111", "c-1"), with_id("AMBER-22222", "c-1"), False),  # one id for all answers
        (with_id("ZEBRA-11111", "c-1"), with_id("Not ZEBRA-11111 but AMBER-22222", "c-2"), False),
    ],
)
def test_one_answer_to_two_questions(first: Exchange, second: Exchange, found: bool) -> None:
    result = diagnose_cached(first, second, "ZEBRA-11111", "AMBER-22222")
    assert [finding.code for finding in result.findings] == (["errors.cached"] if found else [])
    assert ("chat" in result.verdicts) == found
    assert not found or result.verdicts["chat"].verdict is State.BROKEN


def test_a_second_question_without_an_answer_proves_nothing() -> None:
    with pytest.raises(Inconclusive):
        diagnose_cached(with_id("a", "c-1"), refusal(400, "no"), "ZEBRA-11111", "AMBER-22222")


def test_a_refusal_of_what_was_answered_withdraws_the_family() -> None:
    run = [sent(chat("yes"), TOOLS), sent(refusal(400, "tools are off"), TOOLS)]
    result = diagnose_unsteady(run, URL)
    assert [finding.code for finding in result.findings] == ["errors.unsteady"]
    assert result.retracts == {"tools"}


def test_a_refusal_that_comes_every_time_stands() -> None:
    run = [sent(refusal(400, "tools are off"), TOOLS)] * 3 + [sent(chat("yes"), PLAIN)]
    assert not diagnose_unsteady(run, URL).findings
    assert not diagnose_unsteady(run, URL).retracts


def test_one_lost_connection_of_a_gateway_is_an_accident_and_two_are_not() -> None:
    lost, answered = sent(exchange(502, b"<html>"), PLAIN), sent(chat("yes"), PLAIN)
    assert not diagnose_unsteady([lost, answered], URL).findings
    (finding,) = diagnose_unsteady([lost, answered, answered, lost], URL).findings
    assert "2 requests" in finding.detail


def test_a_rate_limit_that_passed_is_no_pool() -> None:
    run = [sent(refusal(429, "slow down"), PLAIN), sent(chat("yes"), PLAIN)] * 3
    assert not diagnose_unsteady(run, URL).findings


def test_suspects_are_refusals_that_another_request_contradicts() -> None:
    other = {**TOOLS, "messages": [{"role": "user", "content": "b"}]}
    named = {**TOOLS, "tool_choice": {"type": "function"}}
    refused = [sent(refusal(400, "no"), body) for body in (named, TOOLS, PLAIN)]
    provoked = sent(refusal(400, "no"), {**PLAIN, "messages": "a"}, "errors.invalid")
    assert suspects([*refused, provoked, sent(chat("yes"), other)], URL) == [refused[1]]
    assert suspects([provoked, refused[2]], URL) == []


@pytest.mark.parametrize(
    ("answer", "unsteady"),
    [
        (exchange(200, {"error": {"message": "Something went wrong on our side"}}), True),
        (exchange(200, b""), True),
        (events({"error": {"message": "Something broke"}}), True),
        (events({"error": {"message": "Overloaded", "type": "overloaded_error"}}), False),
        (exchange(200, {"code": 1305, "msg": "当前API请求过多，请稍后重试。", "success": False}), False),
    ],
)
def test_an_error_under_a_success_status_is_a_failure_unless_it_is_about_load(answer: Exchange, unsteady: bool) -> None:
    run = [sent(chat("yes"), TOOLS), sent(answer, TOOLS)]
    assert bool(diagnose_unsteady(run, URL).findings) is unsteady
    assert (run[1] in suspects(run, URL)) is unsteady


def test_an_odd_answer_to_the_wrong_key_counts_for_nothing_where_requests_fail_by_turns() -> None:
    run = [sent(chat("yes"), TOOLS), sent(refusal(400, "no"), TOOLS), sent(refusal(400, "no"), PLAIN, "auth.enforced")]
    assert diagnose_unsteady(run, URL).retracts == {"tools", "auth.enforced"}
    assert diagnose_unsteady([*run[:2], sent(refusal(401, "no"), PLAIN, "auth.enforced")], URL).retracts == {"tools"}


def test_a_wrong_key_is_not_blamed_for_what_the_right_key_got_too() -> None:
    keyless, wrong = refusal(401, "no key"), refusal(500, "it failed")
    right = replace(wrong, request=replace(wrong.request, headers={"Authorization": "Bearer ${API_KEY}"}))
    assert [one.code for one in diagnose_enforced(keyless, wrong, "sk-x", False).findings] == ["auth.wrong-status"]
    assert not diagnose_enforced(keyless, wrong, "sk-x", False, [right]).findings
