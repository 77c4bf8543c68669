"""No client's row is untrue: what it says is compared with the client library, driven with the exported file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.live.client_matrix import DRIVERS, SITUATIONS, USUAL, Cell, agent_cells, cells, table
from tests.live.driven.agents import AGENTS, PARTS
from tests.live.parts import ALL, PartMissing

pytestmark = [pytest.mark.live, pytest.mark.slow]
#: Driven in the environment of the tests.
HERE = {name for name, driver in DRIVERS.items() if not driver.part}


def untrue(found: Sequence[Cell]) -> list[str]:
    """The rows that are not true, with what was seen."""
    return [f"{cell.client}, {cell.situation}: {cell.fit.sentence} BUT {cell.wrong}" for cell in found if cell.wrong]


@pytest.mark.timeout(600)
def test_no_row_is_untrue_in_the_usual_situations(tmp_path: Path) -> None:
    found = list(cells(USUAL, DRIVERS, tmp_path))
    assert {cell.client for cell in found} >= HERE
    assert untrue(found) == [], table(found)
    healthy = [cell for cell in found if cell.situation == "healthy"]
    assert all(set(cell.said.values()) == {"ok"} for cell in healthy)


@pytest.mark.optin
@pytest.mark.timeout(1800)
def test_no_row_is_untrue_in_any_situation(tmp_path: Path) -> None:
    found = list(cells(SITUATIONS, DRIVERS, tmp_path))
    assert untrue(found) == [], table(found)


@pytest.mark.optin
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", AGENTS)
def test_no_row_of_a_program_is_untrue(name: str, tmp_path: Path) -> None:
    part = PARTS.get(name, name)
    if part in ALL and ALL[part].find() is None:
        pytest.skip(f"large; install it with: python -m tests.live.parts install {part}")
    try:
        found = list(agent_cells(SITUATIONS, [name], tmp_path))
    except PartMissing as missing:
        pytest.skip(str(missing))
    assert untrue(found) == [], table(found)
