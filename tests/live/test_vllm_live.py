"""A live vLLM, asked for by name: python -m tests.live.parts install vllm (about 2.5 GB).

Its model has random weights, so nothing it writes means anything; every word of the report is then about the server.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.model import Report, Severity, State
from tests.live import servers
from tests.live.parts import ALL
from tests.live.verdicts import Subject, diagnose, loud, states

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.optin, pytest.mark.timeout(600)]
#: The server is started with a context of 4,096.
SMALL = "limits.context-small"

CERTAIN = ("chat", "model_list", "streaming", "stream_usage", "block_content", "logprobs")


@pytest.fixture(autouse=True)
def _installed() -> None:
    if ALL["vllm"].find() is None:
        pytest.skip("opt-in: python -m tests.live.parts install vllm")


def sound(report: Report) -> None:
    assert report.server.software == "vllm"
    assert states(report, *CERTAIN) == dict.fromkeys(CERTAIN, State.WORKS)
    assert report.capabilities["vision"].verdict is State.REJECTED


def test_tools_that_nobody_switched_on(tmp_path: Path) -> None:
    with servers.vllm(tmp_path) as server:
        report = diagnose(Subject(server.base_url))
    sound(report)
    assert set(loud(report)) == {"tools.not-enabled", SMALL}
    found = next(item for item in report.findings if item.code == "tools.not-enabled")
    assert "--enable-auto-tool-choice" in found.remedy
    assert "--tool-call-parser" in found.remedy


@pytest.mark.parametrize("parser", ["hermes", "llama3_json", "pythonic"])
def test_a_model_that_cannot_call_is_no_fault_of_the_server(tmp_path: Path, parser: str) -> None:
    with servers.vllm(tmp_path, "--enable-auto-tool-choice", "--tool-call-parser", parser) as server:
        report = diagnose(Subject(server.base_url))
    sound(report)
    assert loud(report) == [SMALL]
    assert report.capabilities["tools"].verdict in (State.UNKNOWN, State.WORKS)


def test_keys(tmp_path: Path) -> None:
    with servers.vllm(tmp_path, key="sk-local-right-0001") as server:
        wrong = diagnose(Subject(server.base_url, "sk-local-wrong-0001"))
        none = diagnose(Subject(server.base_url))
    assert [item.code for item in wrong.findings if item.severity is Severity.ERROR] == ["auth.rejected"]
    assert [item.code for item in none.findings if item.severity is Severity.ERROR] == ["auth.required"]
