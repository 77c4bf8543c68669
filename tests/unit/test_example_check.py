"""The check to copy: its judgement of answers made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from checks.example import diagnose_created
from probe.api import Exchange, Inconclusive
from tests.unit.answers import exchange, refusal

SECONDS = 1_764_234_000


def answer(created: Any) -> Exchange:
    message = {"role": "assistant", "content": "Hello"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return exchange(200, {"object": "chat.completion", "created": created, "choices": [choice]})


def test_milliseconds_are_found() -> None:
    (finding,) = diagnose_created([refusal(400, "no"), answer(SECONDS * 1_000)]).findings
    assert finding.code == "example.milliseconds"
    assert finding.detail == "`created` is 1764234000000."
    assert finding.evidence[0].pointer == "/response/body/created"


@pytest.mark.parametrize("created", [SECONDS, SECONDS * 1_000_000, 1])
def test_other_numbers_are_not(created: int) -> None:
    assert diagnose_created([answer(created)]).findings == ()


@pytest.mark.parametrize("created", [None, 0, "1764234000", True])
def test_without_a_timestamp_it_is_inconclusive(created: Any) -> None:
    with pytest.raises(Inconclusive):
        diagnose_created([refusal(400, "no"), answer(created)])
