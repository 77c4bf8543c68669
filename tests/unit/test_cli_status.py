"""The exit status: interruption first, then no chat at all, then what was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from probe.cli.run_and_report import status_of
from probe.model import Check, Result
from tests.reports_fixtures import faulty, healthy


async def _nothing(context: Any) -> Result:
    return Result()


CHAT = Check("url.resolve", 1, "t", "p", _nothing, provides=frozenset({"chat"}))
OTHER = Check("connect.reach", 1, "t", "p", _nothing)
UNREACHED = replace(faulty(), target=replace(faulty().target, base_url=None))
WARNED = replace(faulty(), findings=faulty().findings[1:])


@pytest.mark.parametrize(
    ("report", "fail_on", "status"),
    [
        (healthy(), "error", 0),
        (healthy(), "warning", 0),
        (faulty(), "error", 1),
        (faulty(), "warning", 1),
        (faulty(), "never", 0),
        (WARNED, "error", 0),
        (WARNED, "warning", 1),
        (UNREACHED, "error", 3),
        (UNREACHED, "never", 3),
    ],
)
def test_statuses(report: Any, fail_on: str, status: int) -> None:
    assert status_of(report, fail_on, [CHAT, OTHER], interrupted=False) == status
    assert status_of(report, fail_on, [CHAT, OTHER], interrupted=True) == 130


def test_no_chat_is_no_verdict_where_no_check_asked_for_one() -> None:
    assert status_of(UNREACHED, "error", [OTHER], interrupted=False) == 1
    assert status_of(replace(UNREACHED, findings=()), "error", [OTHER], interrupted=False) == 0
