"""The limit on the body: what is sent is as large as it says, and its bounds are read from the run."""

from __future__ import annotations

import json

import pytest

from checks.body_size import LARGER, bounds, filled

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
