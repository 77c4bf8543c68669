"""Two real runs compared: nothing where nothing changed, and exactly the change where one did."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from probe.model import Report
from probe.report import decode, encode
from reports.diff import Difference, compare
from tests.scenarios.runs import diagnose

#: Fault -> what a comparison with the healthy run lists, and nothing else.
CHANGES = {
    "missing-v1": {("finding", "url.missing-v1")},
    "system-ignored": {("capability", "system_role"), ("finding", "roles.system-ignored")},
    "stream-no-usage": {("capability", "stream_usage"), ("finding", "stream.no-usage")},
    "models-no-list": {("capability", "model_list"), ("finding", "models.no-list")},
}
RUNS = {"healthy": (), "again": (), **{fault: (fault,) for fault in CHANGES}}


@pytest.fixture(scope="module")
def runs() -> dict[str, Report]:
    """Whole standard runs, but for the wait for a silence, as they are read back from their files."""

    def one(faults: tuple[str, ...]) -> Report:
        return decode(encode(diagnose(faults, idle_s=0.0)))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(RUNS, pool.map(one, RUNS.values()), strict=True))


def listed(found: Difference) -> set[tuple[str, str]]:
    return {(change.area, change.name) for change in found.changes}


def test_two_runs_of_a_healthy_endpoint_do_not_differ(runs: dict[str, Report]) -> None:
    healthy, again = runs["healthy"], runs["again"]
    assert healthy.exchanges[1].request.body != again.exchanges[1].request.body  # other codes
    found = compare(healthy, again)
    assert found.changes == ()
    assert found.not_compared == ()
    assert not found.regressed("warning")


@pytest.mark.parametrize("fault", CHANGES)
def test_a_known_change_is_listed_and_nothing_else(fault: str, runs: dict[str, Report]) -> None:
    found = compare(runs["healthy"], runs[fault])
    assert listed(found) == CHANGES[fault]
    assert found.not_compared == ()
    assert found.regressed("warning")


@pytest.mark.parametrize("fault", CHANGES)
def test_a_repair_is_no_regression(fault: str, runs: dict[str, Report]) -> None:
    found = compare(runs[fault], runs["healthy"])
    assert listed(found) == CHANGES[fault]
    assert not found.regressed("warning")
