"""A signal at any moment of a run leaves a valid report and nothing else; see tests/contract/signals.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from probe.report import encode
from tests.contract.signals import VARIANTS, Moment, Trial, read_report
from tests.reports_fixtures import healthy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for strays in /proc")

#: Few moments of short runs; the named target plays 200 of all kinds.
_SHORT = tuple(variant for variant in VARIANTS if variant.name in ("quick", "no answer"))


@pytest.fixture(scope="module")
def trial() -> Trial:
    return Trial(20261123)


def _told(moment: Moment) -> str:
    return f"{moment}: {moment.outcome}: {'; '.join(moment.wrong)}"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(10))
def test_a_signal_during_a_run_leaves_a_valid_report_and_nothing_else(number: int, trial: Trial) -> None:
    moment = trial.moment(_SHORT[number % len(_SHORT)], early=False)
    assert not moment.wrong, _told(moment)
    assert moment.outcome in ("partial report", "complete before the signal")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(2))
def test_a_signal_before_the_first_request_leaves_nothing_half_done(number: int, trial: Trial) -> None:
    moment = trial.moment(_SHORT[0], early=True)
    assert not moment.wrong, _told(moment)


def test_a_report_that_is_cut_invalid_or_in_error_is_noticed(tmp_path: Path) -> None:
    good = encode(healthy())
    assert read_report(good, b"<html></html>\n") == (True, [])
    assert "cut short" in read_report(good, b"<html>")[1][0]
    assert "no JSON" in read_report(good[:-20], b"</html>")[1][0]
    report = json.loads(good)
    report["checks"][0]["outcome"] = "error"
    assert "1 of" in read_report(json.dumps(report).encode(), b"</html>")[1][0]
    del report["run"]["complete"]
    assert any("complete" in item for item in read_report(json.dumps(report).encode(), b"</html>")[1])
