"""A second real model: a base model without a chat template, which answers nothing to the point."""

from __future__ import annotations

import pytest

from probe.model import State
from tests.live import servers, verdicts
from tests.live.conftest import unavailable
from tests.live.parts import PartMissing

pytestmark = [pytest.mark.live, pytest.mark.slow]

CERTAIN = ("chat", "model_list", "streaming", "stream_usage", "block_content")


def test_a_model_that_cannot_chat_is_no_fault_of_its_server() -> None:
    try:
        model = servers.gemma()
    except PartMissing as missing:
        unavailable(str(missing))
    with servers.llamacpp(model=model, alias="gemma-3-270m") as server:
        only = ("url.*", "models.*", "content.blocks", "roles.system", "stream.shape", "stream.delivery")
        report = verdicts.diagnose(verdicts.Subject(server.base_url), only=only)
    assert verdicts.states(report, *CERTAIN) == dict.fromkeys(CERTAIN, State.WORKS)
    assert verdicts.loud(report) == []
