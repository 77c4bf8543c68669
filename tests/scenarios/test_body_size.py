"""The limit on the body against the simulated endpoint: found to the byte, and silent where there is none."""

from __future__ import annotations

import pytest

from checks.body_size import HALVINGS, LARGER
from probe.model import Depth
from probe.simulator import Simulator
from tests.scenarios.runs import against, codes, errors

FAST = {"rate_tokens_s": 0, "first_token_s": 0}


@pytest.mark.parametrize("limit", [700, 1024, 8192, 40_000])
def test_the_limit_is_found_to_the_byte(limit: int) -> None:
    with Simulator(faults=[f"body-size={limit}"], **FAST) as sim:  # type: ignore[arg-type]
        report = against(sim, depth=Depth.DEEP, only=("limits.body", "limits.body-limit", "limits.seen"))
    assert codes(report) == {"limits.body-size"}
    assert report.facts["body_limit_bytes"] == limit
    spent = next(item.requests for item in report.checks if item.id == "limits.body-limit")
    assert spent <= HALVINGS
    assert not errors(report)


def test_a_limit_above_the_larger_request_is_none() -> None:
    with Simulator(faults=[f"body-size={LARGER}"], **FAST) as sim:  # type: ignore[arg-type]
        report = against(sim, depth=Depth.DEEP, only=("limits.body", "limits.body-limit", "limits.seen"))
    assert codes(report) == set()
    assert "body_limit_bytes" not in report.facts


def test_a_firewall_that_does_not_speak_of_the_size_is_told_by_a_shorter_request() -> None:
    only = ("limits.*", "auth.client-headers", "errors.seen", "errors.refused")
    with Simulator(faults=["body-size-400=403"], **FAST) as sim:  # type: ignore[arg-type]
        report = against(sim, only=only)
    assert codes(report) == {"limits.body-size"}
    assert next(item.requests for item in report.checks if item.id == "limits.body") == 3
    assert not errors(report)
