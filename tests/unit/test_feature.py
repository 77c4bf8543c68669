"""Telling a refused feature from a request that was lost."""

from __future__ import annotations

import pytest

from checks.shared.outcome import Answer, last_outcome, outcome, words_of
from probe.api import Inconclusive
from tests.unit.answers import chat, exchange, lost, refusal


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (400, "tiny is not a multimodal model", Answer.REFUSED),
        (404, "No endpoints found that support image input", Answer.REFUSED),
        (422, "Input validation error", Answer.REFUSED),
        (500, "image input is not supported - hint: provide the mmproj", Answer.REFUSED),
        (500, "something about an IMAGE went wrong", Answer.REFUSED),
        (501, "", Answer.REFUSED),
        (500, "can only concatenate str (not list) to str", Answer.FAILED),
    ],
)
def test_status_and_text_decide(status: int, text: str, expected: Answer) -> None:
    assert outcome(refusal(status, text), "image") is expected


def test_an_error_object_under_200_is_a_refusal() -> None:
    assert outcome(exchange(200, {"error": "Model does not support images."})) is Answer.REFUSED


def test_an_answer_is_an_answer() -> None:
    assert outcome(chat("yes")) is Answer.DONE


@pytest.mark.parametrize("status", [401, 402, 408, 429, 502, 503, 504])
def test_errors_of_access_and_load_are_inconclusive(status: int) -> None:
    with pytest.raises(Inconclusive):
        outcome(refusal(status, "image not supported"), "image")


@pytest.mark.parametrize("made", [lost(), exchange(200, b"<html>", content_type="text/html"), exchange(302, b"")])
def test_other_responses_are_inconclusive(made: object) -> None:
    with pytest.raises(Inconclusive):
        outcome(made)  # type: ignore[arg-type]


def test_a_silent_failure_counts_when_it_comes_twice() -> None:
    silent = refusal(500, "oops")
    with pytest.raises(Inconclusive):
        last_outcome([silent], "image")
    assert last_outcome([silent, silent], "image") is Answer.REFUSED
    assert last_outcome([silent, chat("fine")], "image") is Answer.DONE


def test_quoted_words_are_short_and_one_line() -> None:
    said = words_of(refusal(400, "no\n" * 400))
    assert "\n" not in said
    assert len(said) < 300
    assert said.startswith("status 400: ")
    assert words_of(exchange(500, b"")) == "status 500 without a text"
