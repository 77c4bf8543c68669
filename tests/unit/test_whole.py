"""The sessions of the whole: every folder of tests is in exactly one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.whole import SESSIONS

TESTS = Path(__file__).parents[1]


def test_every_test_file_is_in_one_session() -> None:
    folders = Counter(word for session in SESSIONS for word in session if word.startswith("tests/"))
    assert set(folders.values()) == {1}
    there = {f"tests/{file.relative_to(TESTS).parts[0]}" for file in TESTS.rglob("test_*.py")}
    assert there == set(folders)
