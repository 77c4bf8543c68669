"""Refusals in other words, successes that clients cannot read, rules on clients and contents: each in a whole run."""

from __future__ import annotations

import pytest

from probe.model import Depth, Owner, Severity, State
from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.registry import make_fault
from probe.simulator.response import Response, send_html, send_json, send_text
from probe.simulator.style import DEFAULT_KEY
from tests.scenarios.runs import codes, diagnose, errors

FORMS = make_fault("shape-near-answer").choices
#: What makes a body so that the completion in it is not the whole of it, and what changes only its letters.
OF_GATEWAYS = ("result", "data", "response", "list", "inner-string", "gzip")


class Saying(Fault):
    """A gateway that answers every chat request in these words; the model list is right."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer

    def required_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        return self.answer if call.path.endswith("/chat/completions") else refusal


def page(status: int, title: str, text: str = "", *headers: tuple[str, str]) -> Response:
    return send_html(status, f"<html><head><title>{title}</title></head><body>{text}</body></html>", list(headers))


#: An answer in the words of real software, the code and the owner that are due, and whether the URL is kept.
SAID = {
    "Apigee, address": (
        send_json(403, {"fault": {"faultstring": "Access Denied for client ip : 10.1.1.1"}}),
        ("auth.denied", "gateway", False),
    ),
    "AWS WAF, test for humans": (
        page(405, "Human Verification", "", ("x-amzn-waf-action", "captcha")),
        ("auth.denied", "gateway", False),
    ),
    "Cloudflare, challenge": (
        page(503, "Just a moment...", "", ("cf-mitigated", "challenge")),
        ("auth.denied", "gateway", False),
    ),
    "F5, block page": (page(200, "Request Rejected", "Your support ID is: 12"), ("auth.denied", "gateway", False)),
    "Gemini, region": (
        send_json(400, [{"error": {"code": 400, "message": "User location is not supported for the API use."}}]),
        ("auth.denied", "gateway", False),
    ),
    "OpenAI, address": (
        send_json(401, {"error": {"message": "Your IP is not authorized", "code": "ip_not_authorized"}}),
        ("auth.denied", "gateway", False),
    ),
    "Vercel, sign-in": (
        page(401, "Authentication Required", "<a href='https://vercel.com/sso-api?url=x'>Go</a>"),
        ("auth.sign-in", "gateway", False),
    ),
    "Istio, token": (send_html(401, "Jwt is expired"), ("auth.rejected", "key", False)),
    "Kimi For Coding": (
        send_json(403, {"error": {"message": "Only available for coding agents.", "type": "access_terminated_error"}}),
        ("auth.denied", "gateway", False),
    ),
    "Vercel, test for browsers": (
        page(429, "Vercel Security Checkpoint", "", ("x-vercel-mitigated", "challenge")),
        ("auth.denied", "gateway", False),
    ),
    "Copilot, header": (send_text(400, "missing Editor-Version header for IDE auth"), ("auth.denied", "client", True)),
    "opencode, header": (
        send_json(503, {"error": {"message": "Request is missing x-opencode-session and cannot be routed"}}),
        ("auth.denied", "client", True),
    ),
    "Azure, query": (
        send_json(400, {"error": {"code": "BadRequest", "message": "Missing required query parameter: api-version"}}),
        ("url.no-chat", "client", True),
    ),
    "LocalAI, load": (
        send_json(500, {"error": {"message": "could not load model - all backends returned error"}}),
        ("models.not-enabled", "server", True),
    ),
    "CLIProxyAPI, account": (
        send_json(503, {"error": {"message": "auth_unavailable: no auth available (providers=a, model=sim-small)"}}),
        ("errors.upstream", "gateway", True),
    ),
    "new-api, credit": (
        send_json(403, {"error": {"message": "用户额度不足", "code": "insufficient_user_quota"}}),
        ("limits.quota", "key", True),
    ),
    "Anthropic, credit": (
        send_json(400, {"type": "error", "error": {"message": "Your credit balance is too low to access the API."}}),
        ("limits.quota", "key", True),
    ),
    "new-api, model": (
        send_json(403, {"error": {"message": "该令牌无权访问模型 sim-small"}}),
        ("models.not-enabled", "gateway", True),
    ),
    "OpenRouter, model": (
        send_json(404, {"error": {"message": "No endpoints found for sim-small.", "code": 404}}),
        ("models.not-enabled", "gateway", True),
    ),
    "Portkey, backend": (send_json(500, {"error": {"message": "fetch failed"}}), ("errors.upstream", "gateway", True)),
    "Cloudflare Tunnel": (page(530, "Error 1033", "Tunnel error"), ("errors.upstream", "gateway", True)),
    "ngrok, offline": (
        page(404, "ngrok", "The endpoint x is offline. ERR_NGROK_3200"),
        ("errors.upstream", "gateway", True),
    ),
    "Ollama cloud, payment": (
        send_json(403, {"error": {"message": "your plan's payment is past due: update your payment method"}}),
        ("limits.quota", "key", True),
    ),
    "Ark, limit of the account": (
        send_json(429, {"error": {"message": "Your account 21 has reached the set inference limit. It is paused."}}),
        ("limits.quota", "key", True),
    ),
    "Portkey, header": (
        send_json(
            400, {"status": "failure", "message": "Either x-portkey-config or x-portkey-provider header is required"}
        ),
        ("auth.denied", "client", True),
    ),
    "Ark, endpoint": (
        send_json(
            404, {"error": {"code": "InvalidEndpoint", "message": "The request targeted an endpoint that is closed."}}
        ),
        ("models.not-enabled", "gateway", True),
    ),
    "Portkey, policy": (
        send_json(404, {"message": "openrouter error: No endpoints available matching your guardrail restrictions"}),
        ("models.not-enabled", "gateway", True),
    ),
    "LM Studio, nothing loaded": (
        send_json(400, {"error": {"message": "No models loaded. Please load a model.", "param": "model"}}),
        ("models.not-enabled", "server", True),
    ),
    "a gateway, status of its backend": (
        send_json(500, {"detail": {"code": 500, "msg": "StatusCode: 403"}}),
        ("errors.upstream", "gateway", True),
    ),
    "Bedrock, account": (
        send_json(403, {"message": "Your account is not authorized to invoke this API operation."}),
        ("auth.denied", "key", False),
    ),
    "Groq, account": (
        send_json(400, {"error": {"message": "Organization has been restricted."}}),
        ("auth.rejected", "key", False),
    ),
    "OpenAI, https": (
        send_json(403, {"error": {"message": "The API can only be accessed over HTTPS."}}),
        ("tls.plain-http", "client", False),
    ),
    "nginx, host": (page(421, "421 Misdirected Request", "", ("Server", "nginx")), ("url.no-chat", "gateway", True)),
    "server, failure": (
        send_json(500, {"error": {"message": "list index out of range"}}),
        ("url.no-chat", "server", True),
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_a_refusal_in_other_words(name: str) -> None:
    answer, (code, owner, kept) = SAID[name]
    report = diagnose([Saying(answer)])
    assert codes(report, least=Severity.WARNING) == {code}
    assert {finding.owner for finding in report.findings if finding.code == code} == {owner}
    assert (report.target.base_url == report.target.endpoint) is kept
    judged = {name for name, one in report.capabilities.items() if one.verdict is not State.UNKNOWN}
    assert judged <= {"chat"}
    assert report.run.requests <= 7
    assert not errors(report)


@pytest.mark.parametrize(
    "text",
    [
        f"{name}={value}"
        for name in ("access-denied", "access-sign-in", "backend-dead", "models-unknown-401", "models-not-enabled")
        for value in make_fault(name).choices
        if value != "503"  # which is waited out
    ],
)
def test_each_form_of_a_refusal_has_its_code(text: str) -> None:
    report = diagnose([text])
    assert codes(report) == set(make_fault(text).yields)
    assert not errors(report)


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
    assert report.facts["passing_user_agent"] in finding.detail
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


def test_an_id_that_is_typed_is_no_placeholder() -> None:
    report = diagnose(model="default", only=("url.resolve",))
    assert codes(report, least=Severity.WARNING) == {"models.id-unknown"}
