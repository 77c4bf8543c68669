"""What the shape of recorded answers of real servers says: nothing but what each of them really sends."""

from __future__ import annotations

import pytest

from checks.shape.checks import diagnose_shape
from checks.stream.agreement import diagnose_agreement, diagnose_unasked, difference, text_streams, whole_texts
from probe.model import Severity
from tests import replay

#: The deviations of servers whose answers were read by hand, each true of the recording.
KNOWN = {
    "mlx-lm-0.32.2": {("shape.chunk", Severity.WARNING)},  # the usage chunk has the object of a whole answer
    "mock-llm-0.1.29": {("shape.answer", Severity.WARNING), ("shape.chunk", Severity.WARNING)},  # no `created`
}


@pytest.mark.parametrize("run", replay.runs())
def test_a_recorded_server_deviates_only_where_it_does(run: str) -> None:
    exchanges = replay.exchanges(run)
    streams = text_streams(exchanges)
    found = [
        *diagnose_shape(exchanges).findings,
        *diagnose_agreement(streams, difference(streams, whole_texts(exchanges))).findings,
        *diagnose_unasked(exchanges).findings,
    ]
    assert {(item.code, item.severity) for item in found} == KNOWN.get(run, set()), [item.detail for item in found]
