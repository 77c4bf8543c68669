"""The limit on the body: what is sent is as large as it says, and its bounds are read from the run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from checks.body_size import LARGER, bounds, filled
from checks.shared.outcome import not_of_size, refused_for_size
from probe.api import Exchange
from tests.unit.answers import exchange

BODY = {"model": "größe", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize("size", [80, 4096, LARGER])
def test_a_filled_body_is_the_same_question_at_its_size(size: int) -> None:
    content = filled(BODY, size)
    assert len(content) == size
    assert json.loads(content) == BODY


def test_a_body_is_never_cut() -> None:
    assert json.loads(filled(BODY, 10)) == BODY


def test_without_requests_nothing_is_known() -> None:
    assert bounds([]) == (0, None)


def _asked(status: int, size: int) -> Exchange:
    made = exchange(status, {})
    return replace(made, check="limits.body", request=replace(made.request, body="x" * size))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ([(403, 90), (200, 9), (403, 90)], True),
        ([(502, 90), (502, 90), (200, 9), (502, 90)], True),
        ([(403, 90), (200, 9), (200, 90)], False),
        ([(403, 90), (200, 9), (500, 90)], False),
        ([(403, 90), (200, 9)], False),
        ([(403, 90), (403, 9)], False),
        ([(502, 90), (200, 90)], False),
        ([(200, 90)], False),
        ([], False),
    ],
)
def test_a_refusal_is_of_the_size_if_only_the_larger_request_gets_it(asked: list[tuple[int, int]], found: bool) -> None:
    run = [_asked(*one) for one in asked]
    tried = refused_for_size(run)
    assert (tried is not None) is found
    if tried is not None:
        assert tried == (run[-1], next(one for one in run if one.status == 200))
    assert len(not_of_size(run)) == (1 if found else len(run))
