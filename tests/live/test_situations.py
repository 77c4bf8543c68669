"""Situations at real gateways and proxies: each is on the wire as its row says, and is diagnosed as it must be.

A row in NOT_YET is diagnosed wrongly today, and its test expects that: it fails as soon as the diagnosis is right, and
then the row is to be taken out of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.conftest import unavailable
from tests.live.parts import PartMissing
from tests.live.situation import Scene, Situation, diagnose, faulty, on_the_wire
from tests.live.situations import SITUATIONS, shared_scenes

pytestmark = [pytest.mark.live, pytest.mark.slow]

# NOT YET RIGHT: name of the situation -> what is said of it today.
NOT_YET: dict[str, str] = {}


class DiagnosisWrong(AssertionError):
    """The situation is on the wire as its row says, and what the program says about it is not what is due."""


def rows() -> Iterator[object]:
    """Every situation, those in NOT_YET expected to be diagnosed wrongly (and in no other way to fail)."""
    for situation in SITUATIONS:
        said = NOT_YET.get(situation.name)
        marks = [pytest.mark.xfail(raises=DiagnosisWrong, strict=True, reason=f"said today: {said}")] if said else []
        yield pytest.param(situation, id=situation.name, marks=marks)


@pytest.fixture(scope="module")
def scenes() -> Iterator[Callable[[], Scene]]:
    """Gives a new scene: the endpoints and LiteLLM are shared, the folder is its own."""
    with shared_scenes() as made:
        yield made


@pytest.mark.parametrize("situation", [*rows()])
def test_situation(situation: Situation, scenes: Callable[[], Scene], tmp_path: Path) -> None:
    try:
        with situation.start(scenes()) as asked:
            assert on_the_wire(situation, asked) is None
            status, report = diagnose(situation, asked, tmp_path / "out")
    except PartMissing as missing:
        unavailable(str(missing))
    wrong = faulty(situation, asked, status, report)
    if wrong:
        raise DiagnosisWrong("; ".join(wrong))


def test_the_rows_that_are_not_yet_right_exist() -> None:
    names = [situation.name for situation in SITUATIONS]
    assert len(names) == len(set(names))
    assert set(NOT_YET) <= set(names)
