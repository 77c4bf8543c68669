"""Chat templates with the rules of three families on llama.cpp, alone and behind LiteLLM: the exact findings.

The small model was not trained for any of these formats, so what it does not call is its own doing; what the template
and the server refuse is found.  Each finding was read by hand against the recorded exchanges.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from probe.model import Report, Severity, State
from probe.simulator.llamacpp_demo import RealServer
from tests.live import servers
from tests.live.processes import Running
from tests.live.test_tools_live import probe
from tests.scenarios.runs import codes

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(420)]

#: Without the checks that repeat the requests of others for depth deep.
FAMILY = (
    "roles.system",
    "roles.turns",
    "tools.call",
    "tools.choice",
    "tools.results",
    "tools.stream",
    "tools.parallel",
)
#: A named choice is read as no choice: llama-server takes strings alone.  Where `required` ended in prose too, the
#: model got round the grammar, which is the same finding.
CHOICE = "tools.choice-ignored"


def template(name: str) -> str:
    """A template of the tests' configurations."""
    return (servers.CONFIGS / f"{name}-tools.jinja").read_text(encoding="utf-8")


def judged(report: Report) -> set[str]:
    """The codes of the family that are warnings or errors."""
    return codes(report, "tools", "roles", least=Severity.WARNING)


def strict_order(report: Report) -> None:
    """The template refuses all four orders of agents, and nothing else is said of results or calls."""
    assert judged(report) == {"roles.order-rejected", CHOICE}
    (order,) = [item for item in report.findings if item.code == "roles.order-rejected"]
    for name in ("user after tool", "two users in a row", "a second system message", "a late system message"):
        assert name in order.detail
    assert report.capabilities["tool_results"].verdict is State.WORKS


def test_the_strict_template_of_mistral(llamacpp: Callable[..., RealServer]) -> None:
    strict_order(probe(llamacpp(template=template("mistral")).base_url, only=FAMILY))


def test_the_strict_template_behind_litellm(
    llamacpp: Callable[..., RealServer], litellm_proxy: Callable[..., Running]
) -> None:
    proxy = litellm_proxy(upstream=llamacpp(template=template("mistral")).base_url)
    strict_order(probe(proxy.base_url, "sk-local-master-0001", only=FAMILY))


def test_the_template_of_llama(llamacpp: Callable[..., RealServer]) -> None:
    report = probe(llamacpp(template=template("llama3")).base_url, only=FAMILY)
    assert judged(report) == {CHOICE}
    assert codes(report, "tools") == {CHOICE, "tools.not-called"}
    assert report.capabilities["tools"].verdict is State.UNKNOWN


def test_the_template_of_hermes(llamacpp: Callable[..., RealServer], hermes_template: str) -> None:
    report = probe(llamacpp(template=hermes_template).base_url, only=FAMILY)
    assert judged(report) == {CHOICE}
    assert codes(report, "tools") == {CHOICE, "tools.not-called"}
    (choice,) = [item for item in report.findings if item.code == CHOICE]
    assert "offer that one tool alone" not in choice.remedy  # `required` brought no call in this run
