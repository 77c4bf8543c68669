"""Simulated faults, diagnosed and exported: the configuration of every client switches off what does not work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.model import State
from tests.scenarios.runs import diagnose
from tests.unit.configs_cases import FAULTS, MODEL, wrong_toggles

#: The simulated fault of each case that tests/unit/test_configs_faults.py makes by hand.
SIMULATED = {
    "tools leak": "tools-as-hermes",
    "tools rejected": "tools-rejected",
    "held stream": "stream-held",
    "blocks rejected": "blocks-rejected",
    "vision dropped": "vision-ignored",
    "no usage in stream": "stream-no-usage",
}
CHECKS = ("connect.*", "url.*", "models.*", "auth.*", "stream.*", "tools.*", "content.*", "vision.*")
PACED = {"rate_tokens_s": 100.0}


def test_each_case_has_its_fault() -> None:
    assert set(SIMULATED) == set(FAULTS)


@pytest.mark.parametrize("fault", SIMULATED)
def test_simulated_faults_give_the_same_toggles(fault: str) -> None:
    report = diagnose([SIMULATED[fault]], sim=PACED, only=CHECKS)
    for name in ("tools", "streaming", "stream_usage"):
        assert report.capabilities[name].verdict is not State.UNKNOWN, name
    # The readings go by the model of the hand-made cases.
    made = replace(report, target=replace(report.target, model=MODEL))
    assert wrong_toggles(made, FAULTS[fault][1]) == []
