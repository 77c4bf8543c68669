"""Successes that clients cannot read, and gateways that tell client programs apart: each form in a whole run."""

from __future__ import annotations

import pytest

from probe.model import Depth, Owner, State
from probe.simulator.registry import make_fault
from tests.scenarios.runs import codes, diagnose, errors

FORMS = make_fault("shape-near-answer").choices
#: What makes a body so that the completion in it is not the whole of it, and what changes only its letters.
OF_GATEWAYS = ("result", "data", "response", "list", "inner-string", "gzip")


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_in_another_form_is_named_and_keeps_its_url(form: str) -> None:
    report = diagnose([f"shape-near-answer={form}"])
    (finding,) = report.findings
    assert finding.code == "shape.answer"
    assert finding.owner is (Owner.GATEWAY if form in OF_GATEWAYS else Owner.SERVER)
    assert report.capabilities["chat"].verdict is State.BROKEN
    assert report.target.base_url == report.target.endpoint
    assert report.run.requests <= 6
    assert not errors(report)


@pytest.mark.parametrize("what", ["error", "page"])
def test_an_error_with_a_success_status_beside_a_model_list_is_no_wrong_url(what: str) -> None:
    report = diagnose([f"errors-chat-200={what}"])
    assert codes(report) == {"errors.success-status"}
    assert report.capabilities["chat"].verdict is State.REJECTED
    assert report.target.base_url == report.target.endpoint


@pytest.mark.parametrize(
    ("passes", "named"), [("sdk", "OpenAI/"), ("browser", "Mozilla/"), ("closed", "closed the conn")]
)
def test_a_rule_on_the_user_agent_is_named_and_the_run_goes_on(passes: str, named: str) -> None:
    report = diagnose([f"access-user-agent={passes}"], depth=Depth.QUICK)
    (finding,) = report.findings
    assert finding.code == "auth.denied"
    assert "User-Agent" in finding.detail
    assert named in finding.detail
    assert report.capabilities["chat"].verdict is State.WORKS
    assert report.target.base_url == report.target.endpoint


@pytest.mark.parametrize(
    ("refused", "named"), [("agent", "`User-Agent: OpenAI/"), ("headers", "`X-Stainless-*`"), ("both", "together")]
)
def test_headers_of_an_sdk_that_are_refused_are_named(refused: str, named: str) -> None:
    only = ("url.resolve", "limits.body", "auth.client-headers")
    report = diagnose([f"access-sdk-headers={refused}"], only=only)
    (finding,) = report.findings
    assert finding.code == "auth.denied"
    assert named in finding.detail
    assert report.capabilities["chat"].verdict is State.WORKS


def test_a_larger_request_that_is_too_large_says_nothing_of_its_headers() -> None:
    report = diagnose(["body-size"], only=("url.resolve", "limits.*", "auth.client-headers"))
    assert codes(report) == {"limits.body-size"}


@pytest.mark.parametrize("part", ["tools", "stream", "image_url"])
def test_a_rule_on_the_body_is_named_and_decides_no_verdict(part: str) -> None:
    only = ("url.resolve", "stream.*", "tools.*", "vision.*", "responses.*", "errors.refused")
    report = diagnose([f"access-content-rule={part}"], only=only)
    (finding,) = report.findings
    assert finding.code == "auth.denied"
    assert f"`{part}`" in finding.detail
    refused = [name for name, found in report.capabilities.items() if found.verdict is not State.WORKS]
    assert all(report.capabilities[name].verdict is State.UNKNOWN for name in refused)


@pytest.mark.parametrize(("how", "said"), [("status", "401"), ("origin", "no origin"), ("header", "authorization")])
def test_a_preflight_that_is_refused(how: str, said: str) -> None:
    report = diagnose([f"errors-cors={how}"], depth=Depth.DEEP, only=("url.resolve", "errors.cors"))
    (finding,) = report.findings
    assert finding.code == "errors.cors"
    assert said in finding.detail


def test_a_preflight_that_is_answered() -> None:
    report = diagnose(depth=Depth.DEEP, only=("url.resolve", "errors.cors"))
    assert codes(report) == set()
