"""Every simulated fault through the whole program gives exactly its codes, and every code has such a fault.

What holds for every report is asserted here too, once for all faults: that its findings can be acted on and proved,
what it costs, and how it ends.  The tests of a family keep what is particular to it: verdicts, facts, details.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from probe.api import completion
from probe.catalogue import registry
from probe.model import Depth, Finding, Severity, State
from tests.scenarios.cases import FORMATS, Case, Diagnosed, cases, diagnose

ROOT = Path(__file__).parent.parent.parent
CASES = cases()
#: A run that ends without a chat completion may send no more than this.
WITHOUT_CHAT = 7
#: Streaming off is advised only where the stream cannot be used, or nothing is lost by it.
STREAMING_OFF = {"stream.held", "stream.not-sse", "stream.framing", "stream.truncated", "stream.rejected"}
#: A stream and what has to be known before it cost no more requests than this.
STREAM_REQUESTS = 14
#: The page of a run at standard depth is smaller, so that it can be attached and opens at once.
PAGE_BYTES = 400_000
FILES = {"json": "json", "html": "html", "markdown": "md", "junit": "junit.xml", "sarif": "sarif"}
#: The codes that no simulated endpoint can give by being wrong: why, and the test that makes the situation.
NOT_SIMULATED = {
    "connect.dns": (
        "the name does not resolve, so there is no endpoint",
        "tests/scenarios/test_access.py::test_a_name_that_does_not_resolve",
    ),
    "connect.refused": (
        "nothing listens, so there is no endpoint",
        "tests/scenarios/test_access.py::test_a_closed_port_is_refused",
    ),
    "tls.handshake": (
        "the port speaks no TLS, and the simulated endpoint speaks it wherever https was typed",
        "tests/scenarios/test_access.py::test_plain_http_at_an_https_url_is_no_certificate_trouble",
    ),
    "connect.proxy": (
        "the proxy is on the way to the endpoint, and none of its faults",
        "tests/scenarios/test_network.py::test_what_a_proxy_answers_itself",
    ),
    "connect.address-family": (
        "the simulated endpoint has one address",
        "tests/scenarios/test_network.py::test_an_address_that_refuses_while_another_works",
    ),
    "url.cleartext": (
        "clear text to this machine is no risk, and the simulated endpoint is on no other",
        "tests/scenarios/test_access.py::test_clear_text_to_another_machine_is_named",
    ),
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=[pytest.mark.timing] if case.timed else []) for case in CASES],
)
def test_the_program_gives_exactly_the_codes(case: Case) -> None:
    done = diagnose(case)
    assert done.broken == ()
    assert done.found == case.expected
    for finding in done.report.findings:
        can_be_acted_on_and_proved(finding, done)
    keeps_its_limits(done)
    ends_as_promised(done)


def can_be_acted_on_and_proved(finding: Finding, done: Diagnosed) -> None:
    """A finding says what was seen, what to do, and names exchanges that are in the report."""
    assert finding.detail, finding.code
    assert finding.remedy, finding.code
    assert finding.evidence, finding.code
    known = {exchange.id for exchange in done.report.exchanges}
    assert {item.exchange for item in finding.evidence} <= known, finding.code
    assert "Streaming off" not in finding.remedy or finding.code in STREAMING_OFF


def keeps_its_limits(done: Diagnosed) -> None:
    """No check sends more than it declares, and without a chat completion there is little to ask."""
    most = {check.id: check.max_requests for check in registry.checks()}
    # An answer about load or a gateway is repeated, which no check counts.
    repeated = Counter(one.check for one in done.report.exchanges if completion.obstacle(one))
    sent = {item.id: item.requests - repeated[item.id] for item in done.report.checks}
    assert [name for name, count in sent.items() if count > most[name]] == []
    asked = [item.requests for item in done.report.checks if item.id.partition(".")[0] in ("connect", "url", "stream")]
    assert sum(asked) <= STREAM_REQUESTS
    if done.report.capabilities["chat"].verdict is State.WORKS:
        assert done.report.target.base_url == done.base_url
    else:
        assert done.report.run.requests <= WITHOUT_CHAT


def ends_as_promised(done: Diagnosed) -> None:
    """Every report file is there, nothing of this program failed, and the exit status is the contract's."""
    assert set(done.files) == {f"report.{FILES[name]}" for name in FORMATS}
    if done.case.depth is not Depth.DEEP:
        assert done.files["report.html"] < PAGE_BYTES
    assert done.differing == (), "the saved report says something else than the run"
    for word in ("Traceback", "internal error", "was not made"):
        assert word not in done.printed
    failing = any(item.severity is Severity.ERROR for item in done.report.findings)
    works = done.report.capabilities["chat"].verdict is State.WORKS
    assert done.status == (int(failing) if works else 3)


def test_every_code_of_the_catalogue_is_given_by_a_run() -> None:
    """Each case above proves that its run gives the codes it names; here, that together they name all."""
    given = {code for case in CASES for code in case.expected}
    assert sorted(set(registry.catalogue()) - given - set(NOT_SIMULATED)) == []
    assert sorted(given & set(NOT_SIMULATED)) == []
    assert sorted(set(NOT_SIMULATED) - set(registry.catalogue())) == []


@pytest.mark.parametrize("code", NOT_SIMULATED)
def test_what_is_not_simulated_is_provoked_by_another_test(code: str) -> None:
    path, _, name = NOT_SIMULATED[code][1].partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    named = [item for item in ast.parse(text).body if isinstance(item, ast.FunctionDef) and item.name == name]
    assert len(named) == 1
    asserted = [ast.unparse(part) for part in ast.walk(named[0]) if isinstance(part, ast.Assert)]
    assert [line for line in asserted if repr(code) in line]
