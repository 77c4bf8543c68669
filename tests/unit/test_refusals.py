"""A table of refusals and their causes: status, headers, body, and the run's other exchanges.

The texts are those of servers and gateways as documented or recorded, most of them also in variations: another case,
another shape of JSON, a page around them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.auth import diagnose_refusal
from checks.shared.chat_reply import Reply
from checks.shared.discovery import Found, Trial
from checks.shared.refusal import (
    Cause,
    Speaker,
    challenges,
    hop,
    keeps_in_service,
    key_headers,
    key_was_taken,
    missing_header,
    passed_on,
    query_cure,
    read,
    shows_another_key,
)
from probe.api import Owner
from probe.model import Exchange, Request, Response, Timeline
from probe.parsing.urls import parse

BASE = "http://gateway.example/v1"
CHAT = f"{BASE}/chat/completions"
BEARER = {"Authorization": "Bearer ${API_KEY}"}
X_API_KEY = {"X-API-Key": "${API_KEY}"}
NO_KEY: Mapping[str, str] = {}
MODEL = "acme-large-2"
LISTED = ("acme-large-2", "acme-small")


def made(
    status: int,
    body: Any = b"",
    *headers: tuple[str, str],
    sent: Mapping[str, str] = BEARER,
    url: str = CHAT,
    method: str = "POST",
    model: str = MODEL,
) -> Exchange:
    """An exchange with this answer; `body` is a JSON value, or text for a page."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = (
        "application/json" if not isinstance(body, str | bytes) else "text/html" if "<" in str(body) else "text/plain"
    )
    response = Response(status, "", "HTTP/1.1", (("Content-Type", kind), *headers), content)
    asked = {"model": model, "messages": []} if method == "POST" else None
    return Exchange("x001", "test", Request(method, url, sent, asked), response, Timeline(end_s=0.1))


def error(text: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": text, **more}}


def page(text: str, foot: str = "") -> str:
    return f"<html><head><title>{text}</title></head><body><center><h1>{text}</h1></center>{foot}</body></html>"


def models(status: int, sent: Mapping[str, str]) -> Exchange:
    body: Any = {"data": [{"id": name} for name in LISTED]} if status == 200 else error("no")
    return made(status, body, sent=sent, url=f"{BASE}/models", method="GET")


@dataclass(frozen=True)
class Row:
    """One refusal, the run's other exchanges, the ids that are listed, and the right cause."""

    exchange: Exchange
    cause: Cause
    others: Sequence[Exchange] = ()
    listed: Sequence[str] | None = None
    asks: str = ""
    name: str = field(default="", compare=False)


BASIC = ("WWW-Authenticate", 'Basic realm="models"')
AZURE = (
    "WWW-Authenticate",
    'AzureApiManagementKey realm="https://a.example",name="Ocp-Apim-Subscription-Key",type="header"',
)
NGINX = ("Server", "nginx/1.22.1")
REDIRECTED = ("Location", "https://gateway.example/v1/chat/completions")
PASSWORD = page("Welcome", '<form><input name=u><input type="password" name=p></form>')
VERCEL = (("Server", "Vercel"), ("x-vercel-mitigated", "challenge"))
INVENTED_401 = made(401, error("Unauthorized"), sent={"Authorization": "Bearer sk-invalid-1"})
KEYLESS_401 = made(401, error("Missing API key"), sent=NO_KEY)
BUSY_PAGE = page("503 Service Temporarily Unavailable")

ROWS = (
    # The key
    Row(made(401, error("Incorrect API key provided: sk-...", code="invalid_api_key")), Cause.KEY),
    Row(made(401, {"error": "Unauthorized"}), Cause.KEY),
    Row(made(401, {"detail": "Invalid token"}), Cause.KEY),
    Row(made(401, page("401 Authorization Required"), NGINX), Cause.KEY),
    Row(made(401, error("No auth"), ("WWW-Authenticate", 'Bearer realm="api", error="invalid_token"')), Cause.KEY),
    Row(made(401), Cause.KEY),
    Row(made(401, error("no"), BASIC, ("WWW-Authenticate", "Bearer")), Cause.KEY),
    Row(made(403, error("Invalid API key")), Cause.KEY),
    Row(made(403, {"message": "Unauthorized"}), Cause.KEY),
    Row(made(400, error("No connected db.", type="no_db_connection", code=400)), Cause.KEY),
    Row(made(200, error("bad", code=401)), Cause.KEY),
    Row(made(401, error("Unauthorized")), Cause.KEY, [models(200, BEARER), models(200, NO_KEY)], LISTED[1:]),
    Row(made(403, {"message": "Forbidden"}), Cause.KEY, [KEYLESS_401]),
    Row(made(403, "Jwt issuer is not configured"), Cause.KEY),
    Row(made(400, {"error": "Access token format is invalid"}), Cause.KEY),
    Row(made(200, {"error_code": 110, "error_msg": "Access token invalid or no longer valid"}), Cause.KEY),
    Row(made(200, {"base_resp": {"status_code": 1004, "status_msg": "login fail: Please carry the key"}}), Cause.KEY),
    Row(made(400, error("Organization has been restricted.", code="organization_restricted")), Cause.KEY),
    Row(made(400, error("Authentication Error - Expired Key.", type="expired_key")), Cause.KEY),
    Row(made(200, {"code": 40101, "msg": "token invalid", "data": None}), Cause.KEY),
    Row(made(401, page("401 - Unauthorized: Access is denied due to invalid credentials.")), Cause.KEY),
    # The header of the key
    Row(made(401, page("401 Authorization Required"), BASIC, NGINX), Cause.SCHEME, asks="Basic"),
    Row(made(401, b"", BASIC, sent=NO_KEY), Cause.SCHEME, asks="Basic"),
    Row(made(401, b"", ("WWW-Authenticate", 'Digest realm="a", qop="auth", nonce="0a"')), Cause.SCHEME, asks="Digest"),
    Row(made(401, b"", *(("WWW-Authenticate", x) for x in ("Negotiate", "NTLM"))), Cause.SCHEME, asks="Negotiate"),
    Row(made(401, b"", ("WWW-Authenticate", "Token")), Cause.SCHEME, asks="Token"),
    Row(made(401, b"", ("WWW-Authenticate", "Token"), sent=NO_KEY), Cause.KEY),
    Row(made(401, b"", *(("WWW-Authenticate", x) for x in ("Negotiate", "Bearer"))), Cause.KEY),
    Row(made(401, {"statusCode": 401}, AZURE), Cause.SCHEME, asks="Ocp-Apim-Subscription-Key"),
    Row(made(401, error("no key")), Cause.SCHEME, [made(404, error("no route"), sent=X_API_KEY)], asks="x-api-key"),
    Row(made(401, error("no key")), Cause.SCHEME, [made(200, {"choices": []}, sent=X_API_KEY)], asks="x-api-key"),
    Row(made(401, error("no key")), Cause.KEY, [made(401, error("no key"), sent=X_API_KEY)]),
    # Rules
    Row(made(403, page("403 Forbidden", "<hr><center>nginx</center>")), Cause.POLICY),
    Row(made(403, "RBAC: access denied", ("Server", "envoy")), Cause.POLICY),
    Row(made(403, page("403 Forbidden", "Request forbidden by administrative rules.")), Cause.POLICY),
    Row(made(403, page("Forbidden", "You don't have permission to access this resource.")), Cause.POLICY),
    Row(made(403, b"", ("Server", "Caddy")), Cause.POLICY),
    Row(made(403, "Forbidden"), Cause.POLICY),
    Row(made(403, page("Sorry, you have been blocked", "Cloudflare Ray ID: 8")), Cause.POLICY),
    Row(made(403, {"message": "Forbidden"}), Cause.POLICY, [made(403, {"message": "Forbidden"}, sent=NO_KEY)]),
    Row(made(403, error("Country, region, or territory not on the list")), Cause.POLICY),
    *(
        Row(made(status, body, *headers), Cause.POLICY)
        for status, body, *headers in (
            (451, error("Unavailable For Legal Reasons")),
            (406, page("Not Acceptable!", "This error was generated by Mod_Security.")),
            (405, page("Human Verification"), ("x-amzn-waf-action", "captcha")),
            (202, b"", ("x-amzn-waf-action", "challenge")),
            (503, page("Just a moment..."), ("cf-mitigated", "challenge")),
            (200, page("Request Rejected", "Your support ID is: 123")),
            (200, page("Web Page Blocked!", "FortiGuard")),
            (200, page("", '<iframe src="/_Incapsula_Resource?x=1"></iframe>')),
            (403, page("Zugriff verweigert")),
            (403, {"detail": "IP 1.2.3.4 not whitelisted"}),
            (403, error("您的 IP 不在令牌允许访问的列表中")),
            (401, error("Your IP is not authorized for this project", code="ip_not_authorized")),
            (400, [error("User location is not supported for the API use.", status="FAILED_PRECONDITION")]),
            (403, {"fault": {"faultstring": "Access Denied for client ip : 10.1.1.1"}}),
            (400, error("Violated guardrail policy: content blocked")),
            (429, page("Vercel Security Checkpoint"), *VERCEL),
            (429, page("Making sure you're not a bot!")),
            (403, error("Acme for Coding is currently only available for coding agents.")),
            (503, error("No available accounts: this group only allows Acme Code clients")),
        )
    ),
    Row(made(403, error("Permission 'a.predict' denied on resource")), Cause.POLICY, [KEYLESS_401, INVENTED_401]),
    Row(made(403, {"error": "This authentication method does not have sufficient permissions"}), Cause.POLICY),
    Row(made(401, error("Your IP is not in the allow list")), Cause.POLICY, [KEYLESS_401]),
    # Sign-in and redirects
    Row(made(511, page("Network Authentication Required")), Cause.SIGN_IN),
    Row(made(401, "Invalid IAP credentials", ("X-Goog-IAP-Generated-Response", "true")), Cause.SIGN_IN),
    Row(made(401, page("Authentication Required", "<a href='https://vercel.com/sso-api?url=x'>go</a>")), Cause.SIGN_IN),
    Row(made(401, page("Authentication Required"), ("Set-Cookie", "_acme_sso_nonce=1; Path=/")), Cause.SIGN_IN),
    Row(made(401, page("Authentication Required"), ("Set-Cookie", "session=1; Path=/")), Cause.KEY),
    Row(made(500, page("Internal Server Error", "Either the server is overloaded or there is an error")), Cause.SERVER),
    Row(made(403, page("Sign In", '<form action="/oauth2/start"><button>Go</button></form>')), Cause.SIGN_IN),
    Row(made(200, page("", '<form action="https://i.example/x"><input name="SAMLRequest"></form>')), Cause.SIGN_IN),
    Row(made(307, b"", ("Location", "https://gateway.zscloud.net/auD?origurl=x")), Cause.SIGN_IN),
    Row(
        made(302, b"", ("Location", "https://id.example/realms/x/protocol/openid-connect/auth?client_id=1")),
        Cause.SIGN_IN,
    ),
    Row(made(302, b"", ("Location", "https://portal.corp.example/?rd=https%3A%2F%2Fgateway.example")), Cause.SIGN_IN),
    Row(made(303, b"", ("Location", "https://block.example/?url=1")), Cause.POLICY),
    Row(made(200, page("Notice", "Your access to this website has been blocked by policy.")), Cause.POLICY),
    Row(made(200, page("Shop", '<a href="/login">Log in</a>')), Cause.PATH),
    Row(made(302, b"", ("Location", "/cdn-cgi/access/login/host?x=1")), Cause.SIGN_IN),
    Row(made(302, b"", ("Location", "https://login.acme.example/start")), Cause.SIGN_IN),
    Row(made(303, b"", ("Location", "/oauth2/start?rd=%2Fv1")), Cause.SIGN_IN),
    Row(made(307, b"", ("Location", "/users/sign_in")), Cause.SIGN_IN),
    Row(made(200, PASSWORD), Cause.SIGN_IN),
    Row(made(401, PASSWORD), Cause.SIGN_IN),
    Row(made(301, b"", REDIRECTED), Cause.HTTPS),
    Row(made(308, b"", ("Location", "https://gateway.example:8443/v1/chat/completions")), Cause.HTTPS),
    Row(made(301, b"", ("Location", "https://other.example/v1/chat/completions")), Cause.REDIRECT),
    Row(made(307, b"", ("Location", "/v1/chat/completions/")), Cause.REDIRECT),
    Row(made(407, page("Proxy Authentication Required")), Cause.PROXY),
    # The model
    Row(made(404, error("The model `acme-large-2` does not exist", code="model_not_found")), Cause.MODEL),
    Row(made(404, error("model 'acme-large-2' not found, try pulling it first")), Cause.MODEL, (), LISTED[1:]),
    Row(made(400, error("Invalid model name passed in model=acme-large-2")), Cause.MODEL),
    Row(made(503, error("no available channel for model acme-large-2")), Cause.MODEL),
    Row(made(401, error("Model acme-large-2 is not supported", type="ModelError")), Cause.MODEL),
    Row(made(401, error("Unauthorized")), Cause.MODEL, [models(200, BEARER), models(401, NO_KEY)], LISTED[1:]),
    Row(made(404, error("The model `acme-large-2` does not exist")), Cause.NOT_ENABLED, (), LISTED),
    Row(
        made(404, {"title": "Not Found", "detail": "Function 'f': Not found for account 'a'"}),
        Cause.NOT_ENABLED,
        (),
        LISTED,
    ),
    Row(
        made(404, error("litellm.NotFoundError: OpenAIException - Error code: 404 - {'detail': 'Not Found'}")),
        Cause.NOT_ENABLED,
        (),
        LISTED,
    ),
    Row(made(403, {"message": "You don't have access to the model with this id."}), Cause.NOT_ENABLED, (), LISTED),
    *(
        Row(made(status, body), Cause.NOT_ENABLED, (), LISTED)
        for status, body in (
            (
                500,
                {"detail": "An error occurred (AccessDeniedException): You don't have access to the model with the id"},
            ),
            (400, {"detail": "Invocation of model ID acme-large-2 with on-demand throughput isn't supported."}),
            (404, error("No endpoints found for acme-large-2.")),
            (404, error("No endpoints available matching your data policy.")),
            (404, {"error": "no model id could be identified", "src": "acme"}),
            (400, {"message": "this model is not valid for chat completion!"}),
            (403, error("Acme is requiring a key to access this model, which you can add in the settings")),
            (404, error("No deployments available for selected model, Try again in 60 seconds")),
            (403, error("该令牌无权访问模型 acme-large-2")),
            (400, error("模型不存在，请检查模型代码。", code="1211")),
            (403, error("This model is only available on the Pro plan.")),
            (400, error("The model `acme-large-2` requires terms acceptance. Please accept the terms")),
            (400, {"object": "error", "message": "The model does not support Chat Completions API"}),
            (400, error("The model `acme-large-2` has been decommissioned")),
            (403, "Model disabled."),
            (500, error("could not load model - all backends returned error: failed loading model")),
            (400, {"error": 'Failed to load model "acme-large-2". Error: exit code 6'}),
            (500, error("model requires more system memory (5.3 GiB) than is available (3.3 GiB)")),
            (503, error("当前分组 default 下对于模型 acme-large-2 无可用渠道")),
        )
    ),
    Row(made(404, page("404: Model with name acme-large-2 does not exist.")), Cause.MODEL),
    Row(made(404, page("404 Not Found")), Cause.PATH, (), LISTED),
    Row(made(400, {"object": "error", "message": "Only a&&b allowed now, your model acme-large-2"}), Cause.MODEL),
    # The path
    Row(made(404, {"detail": "Not Found"}), Cause.PATH),
    Row(made(404, {"detail": "Not Found"}), Cause.PATH, (), LISTED),
    Row(made(404, page("404 Not Found")), Cause.PATH),
    Row(made(405, {"detail": "Method Not Allowed"}), Cause.PATH),
    Row(made(200, page("Console")), Cause.PATH),
    Row(made(403, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>No</Message></Error>"), Cause.PATH),
    # Load, size, credit
    Row(made(413, page("413 Request Entity Too Large"), NGINX), Cause.SIZE),
    Row(made(400, error("payload exceeded maximum allowed size")), Cause.SIZE),
    Row(made(400, {"message": "Request body is too large"}), Cause.SIZE),
    Row(made(500, "PayloadTooLargeError: request entity too large"), Cause.SIZE),
    Row(made(400, error("maximum request size exceeded")), Cause.SIZE),
    Row(made(400, error("The request content length exceeds the context of 8192 tokens")), Cause.PARAMETER),
    Row(made(503, {"message": "Service Unavailable: deployment is stopped"}), Cause.UPSTREAM, (), LISTED),
    Row(made(503, {"error": "The endpoint is scaled to zero, waking up"}), Cause.LOADING),
    Row(made(503, {"error": "Space is sleeping"}), Cause.LOADING),
    Row(made(429, error("Rate limit reached for requests")), Cause.RATE),
    Row(made(200, {"choices": None, "error": {"code": 429}}), Cause.RATE),
    Row(made(200, {"error": {"code": 429}}), Cause.RATE),
    Row(made(429, error("You exceeded your current quota", code="insufficient_quota")), Cause.QUOTA),
    Row(made(402, error("Insufficient Balance")), Cause.QUOTA),
    Row(made(503, error("Loading model", type="unavailable_error")), Cause.LOADING),
    Row(made(503, {"error": "Model acme is currently loading", "estimated_time": 20.0}), Cause.LOADING),
    Row(made(503, error("The engine is busy")), Cause.OVERLOAD),
    *(
        Row(made(429, body), Cause.OVERLOAD)
        for body in (
            {"error": "Model is overloaded", "error_type": "overloaded"},
            {"detail": "The request timed out waiting in the queue"},
            error("The engine is currently overloaded, please try again later", type="engine_overloaded_error"),
            error("We're experiencing high traffic right now!", code="queue_exceeded", type="too_many_requests_error"),
        )
    ),
    Row(made(429, error("Rate limit reached: the server is at capacity")), Cause.RATE),
    Row(made(429, error("Quota of requests per minute exceeded, high demand")), Cause.RATE),
    Row(made(503, error("timed out waiting for a free request slot")), Cause.OVERLOAD),
    Row(made(503, error("Request is missing x-acme-session")), Cause.PARAMETER),
    Row(made(529, error("Overloaded", type="overloaded_error")), Cause.OVERLOAD),
    Row(made(503, BUSY_PAGE), Cause.OVERLOAD),
    Row(
        made(503, BUSY_PAGE), Cause.OVERLOAD, [made(503, BUSY_PAGE), made(503, BUSY_PAGE), made(200, {"choices": [1]})]
    ),
    Row(made(503, BUSY_PAGE), Cause.UPSTREAM, [made(503, BUSY_PAGE), made(503, BUSY_PAGE)]),
    # What is behind a gateway
    Row(made(502, page("502 Bad Gateway"), NGINX), Cause.UPSTREAM, [KEYLESS_401]),
    Row(made(504, "upstream request timeout"), Cause.UPSTREAM),
    Row(
        made(500, error("litellm.InternalServerError: OpenAIException - Connection error.")),
        Cause.UPSTREAM,
        [KEYLESS_401],
    ),
    Row(made(500, error("Cannot connect to host vllm:8000 ssl:default")), Cause.UPSTREAM, [KEYLESS_401]),
    Row(made(500, "dial tcp 10.0.0.2:8000: connect: connection refused"), Cause.UPSTREAM),
    Row(made(503, "no healthy upstream", ("Server", "envoy")), Cause.UPSTREAM),
    Row(made(503, page("503", "No server is available to handle this request.")), Cause.UPSTREAM),
    Row(made(503, page("Backend fetch failed"), ("Server", "Varnish")), Cause.UPSTREAM),
    Row(made(200, {"choices": []}), Cause.UPSTREAM),
    *(
        Row(made(status, body), Cause.UPSTREAM)
        for status, body in (
            (500, {"error": "fetch failed"}),
            (500, error("socket hang up")),
            (500, {"detail": "All connection attempts failed"}),
            (500, error("HTTPConnectionPool(host='10.0.0.1', port=8000): Max retries exceeded with url: /v1/chat")),
            (500, error('Post "http://10.1.1.1:80": EOF')),
            (500, error("SSL: CERTIFICATE_VERIFY_FAILED certificate verify failed: self-signed certificate")),
            (503, {"error": "No workers available"}),
            (502, {"message": "Internal server error"}),
            (530, page("Error 1033", "Cloudflare Tunnel error")),
            (404, page("ngrok", "The endpoint a.ngrok-free.app is offline. ERR_NGROK_3200")),
            (424, {"message": "Received server error (500) from primary with message"}),
            (404, {"status": "error", "code": 404, "message": "Application not found"}),
            (400, {"error": "Bad Request: Endpoint is paused, ask a maintainer to restart it"}),
            (400, {"object": "error", "message": "NETWORK ERROR DUE TO HIGH TRAFFIC.", "code": 50002}),
            (200, {"id": "gen-1", "error": {"message": "Provider returned error", "code": 502}}),
            (503, error("auth_unavailable: no auth available (providers=a, model=acme-large-2)")),
            (503, {"detail": "ACME_API_KEY is not set. Add it to your .env file."}),
            (500, error("Unauthenticated. Configure ACME_API_KEY or use another provider.")),
            (500, error("no keys found for provider: acme and model: acme-large-2")),
            (424, error("No available accounts: no available accounts")),
            (400, error("No healthy deployment available, passed model=acme-large-2")),
            (403, page("Web App - Unavailable", "<h1>Error 403 - This web app is stopped.</h1>")),
            (503, error("acme.ServiceUnavailableError: AcmeException - Too little data. Received Model Group=large")),
        )
    ),
    Row(made(500, error("No API key found in request")), Cause.KEY),
    *(
        Row(made(503, body), Cause.LOADING)
        for body in (
            {"detail": "Weights are being fetched; ready in about a minute"},
            error("Engine is initializing, please retry later"),
            error("The deployment is cold starting"),
            error("Das Modell wird gerade geladen"),
        )
    ),
    *(
        Row(made(status, body), Cause.QUOTA)
        for status, body in (
            (403, {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in 2.12:00:00."}),
            (403, error("Key limit exceeded (total limit).", code=403)),
            (403, error("用户额度不足, 剩余额度: 0", code="insufficient_user_quota")),
            (401, error("该令牌额度已用尽", type="new_api_error")),
            (429, error("余额不足或无可用资源包,请充值。", code="1113")),
            (400, error("Access denied, please make sure your account is in good standing.", code="Arrearage")),
            (400, error("Your credit balance is too low to access the API.", type="invalid_request_error")),
            (403, error("The free tier of the model has been exhausted.", code="AllocationQuota.FreeTierOnly")),
            (403, {"code": "no permission", "error": "Your newly created team doesn't have any credits yet."}),
            (200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
            (401, error("Your account is not active, please check your billing details", type="billing_not_active")),
            (403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}),
            (403, error("Access denied due to overdue account")),
        )
    ),
    # The request, the server
    Row(made(400, error("Unsupported parameter: 'seed'", param="seed")), Cause.PARAMETER),
    Row(made(422, {"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}), Cause.PARAMETER),
    Row(made(500, page("500 Internal Server Error")), Cause.SERVER, [KEYLESS_401]),
)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.exchange.status}-{row.cause.name}-{n}" for n, row in enumerate(ROWS)])
def test_the_cause_of_a_refusal(row: Row) -> None:
    found = read(row.exchange, row.others, model=MODEL, listed=row.listed)
    assert found.cause is row.cause
    assert found.asks == row.asks
    assert found.waiting_helps == (row.cause in (Cause.RATE, Cause.LOADING, Cause.OVERLOAD))


def test_the_table_is_large_enough() -> None:
    assert len(ROWS) >= 120
    assert len({row.cause for row in ROWS}) >= 17


def test_a_keyed_server_error_next_to_a_keyless_401_is_never_about_the_key() -> None:
    for status in (400, 404, 422, 500, 501, 502, 503, 504, 520, 529):
        failed = made(status, error("it failed"))
        assert read(failed, [KEYLESS_401]).cause not in (Cause.KEY, Cause.SCHEME, Cause.POLICY), status
        assert key_was_taken(failed, KEYLESS_401)
    assert not key_was_taken(made(500, error("x")), KEYLESS_401, made(500, error("x")))
    assert not key_was_taken(made(401, error("x")), KEYLESS_401)
    assert not key_was_taken(made(500, error("x")), None)


# Variations --------------------------------------------------------------------------------------------

#: Texts and the cause that they have under every status of the list, whatever their form.
TEXTS = (
    ((500, 502, 503), "Cannot connect to host vllm:8000", Cause.UPSTREAM),
    ((500, 502, 503), "upstream connect error or disconnect/reset before headers", Cause.UPSTREAM),
    ((500, 503), "APIConnectionError: connection refused", Cause.UPSTREAM),
    ((503,), "Loading model", Cause.LOADING),
    ((429,), "Too many requests, slow down", Cause.RATE),
    ((401,), "Incorrect API key provided", Cause.KEY),
    ((404,), "The model `acme-large-2` does not exist", Cause.MODEL),
    ((403,), "RBAC: access denied", Cause.POLICY),
    ((413,), "Request Entity Too Large", Cause.SIZE),
)


def _forms(text: str) -> list[Any]:
    return [
        error(text),
        error(text, type="error", param=None, code=None),
        {"error": text},
        {"message": text},
        {"detail": text},
        {"object": "error", "message": text},
        [{"error": {"message": text}}],
        {"error": {"error": {"message": text}}},
        text,
    ]


@given(st.sampled_from(TEXTS), st.integers(0, 8), st.sampled_from((str, str.upper, str.lower)), st.data())
def test_case_and_form_do_not_change_the_cause(
    row: tuple[tuple[int, ...], str, Cause], form: int, case: Any, data: st.DataObject
) -> None:
    statuses, text, cause = row
    status = data.draw(st.sampled_from(statuses))
    around = data.draw(st.sampled_from(("", "Error: ", "request failed - ")))
    answer = made(status, _forms(around + case(text))[form])
    assert read(answer, model=MODEL).cause is cause


@given(st.sampled_from([row for row in TEXTS if row[2] in (Cause.UPSTREAM, Cause.POLICY, Cause.SIZE)]))
def test_a_page_around_the_text_does_not_change_the_cause(row: tuple[tuple[int, ...], str, Cause]) -> None:
    for status in row[0]:
        assert read(made(status, page(row[1])), model=MODEL).cause is row[2]


@given(st.integers(100, 599), st.binary(max_size=200), st.text(max_size=60), st.text(max_size=60))
def test_any_answer_has_a_cause(status: int, body: bytes, challenge: str, location: str) -> None:
    answer = made(status, body, ("WWW-Authenticate", challenge), ("Location", location), ("Server", challenge))
    found = read(answer, [answer], model=MODEL, listed=LISTED)
    assert isinstance(found.cause, Cause)
    assert isinstance(found.speaker, Speaker)
    assert len(challenges(answer)) <= 8
    assert isinstance(hop(answer), str)


# Challenges and hops -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('Basic realm="a, b=c"', [("basic", "")]),
        ("Bearer", [("bearer", "")]),
        ('Bearer realm="x", error="invalid_token", error_description="expired, sorry"', [("bearer", "")]),
        ('Basic realm="a", Bearer realm="b"', [("basic", ""), ("bearer", "")]),
        ('Key realm="r",name="X-Acme-Key",type="header"', [("key", "X-Acme-Key")]),
        ("ApiKey name=X-Acme-Key, in=header", [("apikey", "X-Acme-Key")]),
        ('Key name="bad header: x",type="header"', [("key", "")]),
        ('Key name="sub",type="query"', [("key", "")]),
        ("", []),
    ],
)
def test_challenges_are_read(value: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.scheme, one.header) for one in challenges(made(401, b"", ("WWW-Authenticate", value)))] == expected


def test_the_error_of_a_bearer_challenge_is_read() -> None:
    value = 'Bearer realm="x", error="invalid_token", error_description="expired, sorry"'
    (one,) = challenges(made(401, b"", ("WWW-Authenticate", value)))
    assert (one.realm, one.error) == ("x", "expired, sorry")


@pytest.mark.parametrize(
    ("exchange", "name"),
    [
        (made(403, b"", ("Server", "nginx/1.25")), "nginx"),
        (made(403, page("403", "<hr><center>openresty</center>")), "nginx"),
        (made(403, "RBAC: access denied"), "Envoy"),
        (made(403, page("403 Forbidden", "Request forbidden by administrative rules.")), "HAProxy"),
        (made(500, error("litellm.InternalServerError: x")), "LiteLLM"),
        (made(403, error("no"), ("Server", "kong/3.4.0")), "Kong"),
        (made(403, "RBAC", ("Server", "istio-envoy")), "Envoy"),
        (made(403, page("Access Denied"), ("Server", "AkamaiGHost")), "Akamai"),
        (made(403, page("Blocked", "Zscaler")), "Zscaler"),
        (made(403, page("Forbidden"), ("Via", "1.1 proxy.corp (squid/5.7)")), "Squid"),
        (made(503, "no", ("Via", "1.1 varnish")), "Varnish"),
        (made(403, page("Just a moment..."), ("cf-mitigated", "challenge")), "Cloudflare"),
        (made(404, page("Gone"), ("ngrok-error-code", "ERR_NGROK_3200")), "ngrok"),
        (made(403, error("no"), ("Server", "uvicorn")), ""),
        (made(403, error("no"), ("Via", "1.1 gateway")), ""),
    ],
)
def test_the_hop_that_an_answer_names(exchange: Exchange, name: str) -> None:
    assert hop(exchange) == name


def test_a_refusal_of_the_key_with_another_status_does_not_prove_the_header() -> None:
    """LiteLLM without a database answers a wrong key 400 or 401 by the header that carried it."""
    refused = made(401, error("Malformed API Key passed in. Ensure Key has `Bearer ` prefix."))
    other = made(400, error("No connected db.", type="no_db_connection", code="400"), sent=X_API_KEY)
    assert read(refused, [other]).cause is Cause.KEY


def test_a_rate_limit_under_another_header_does_not_prove_the_header() -> None:
    """LiteLLM sets a deployment aside after a refusal by the provider, and answers 429 for some seconds."""
    refused = made(401, error("litellm.AuthenticationError: AuthenticationError: OpenAIException - Invalid API Key"))
    other = made(429, error("No deployments available for selected model, Try again in 5 seconds."), sent=X_API_KEY)
    assert read(refused, [other]).cause is Cause.KEY
    assert read(refused, [made(400, error("messages: Field required"), sent=X_API_KEY)]).asks == "x-api-key"


NGINX = ("Server", "nginx/1.22.1")


@pytest.mark.parametrize(
    ("answer", "of_the_server"),
    [
        (made(404, error("no such model"), NGINX), True),
        (made(200, page("One moment"), NGINX, ("X-Request-Id", "r1")), True),
        (made(200, page("One moment"), NGINX, ("ETag", '"5f-2"'), ("Last-Modified", "now")), False),
        (made(404, page("404 Not Found", "<hr><center>nginx</center>"), NGINX, ("X-Request-Id", "r1")), False),
        (made(404, error("no such model")), False),
        (made(404, error("litellm.NotFoundError: no"), ("Server", "uvicorn")), False),
        (made(403, error("blocked"), ("Server", "cloudflare")), False),
    ],
)
def test_what_a_proxy_passed_on_is_not_mended_there(answer: Exchange, of_the_server: bool) -> None:
    remedy = passed_on(answer, "Mend it.")
    assert (remedy is not None) is of_the_server
    assert remedy is None or ("nginx" in remedy and remedy.endswith("Mend it."))


def test_litellm_is_asked_to_keep_its_backend_in_service() -> None:
    assert keeps_in_service(made(200, {}, ("x-litellm-version", "1.106.2"))) == {"cooldown_time": 0}
    assert keeps_in_service(made(200, {}, NGINX)) == {}


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (made(401, error("Failed to resolve API Key variable request.header.x-apikey")), ["x-apikey", "apikey"]),
        (made(401, error("Provide your key in the 'X-Gateway-Key' header")), ["X-Gateway-Key"]),
        (made(401, error("missing header: x-auth-token")), ["x-auth-token"]),
        (made(401, error("No API key found"), ("Server", "kong/3.8.0"), ("WWW-Authenticate", "Key")), ["apikey"]),
        (made(403, error("Method doesn't allow unregistered callers. Please use API Key")), ["x-goog-api-key"]),
        (made(401, error("the API key header is empty")), []),
        (made(401, error("send the 'content-type' header, the cookie header, the host header")), []),
        (made(401, error("the 'x-csrf-token' header and the 'Idempotency-Key' header, request.header.host")), []),
        (made(401, error("You need to provide your API key in an Authorization header using Bearer auth")), []),
        (made(401, error("no"), AZURE), ["Ocp-Apim-Subscription-Key"]),
    ],
)
def test_headers_for_the_key_that_a_refusal_names(answer: Exchange, names: list[str]) -> None:
    assert key_headers(answer) == names
    (finding, *_) = diagnose_refusal(Found(answer, [Trial("/v1", answer, Reply.KEY)], key_refusal=answer), parse(BASE))
    assert not names or f"`{names[0]}: KEY`" in finding.remedy


@pytest.mark.parametrize(
    ("text", "another"),
    [
        ("Incorrect API key provided: sk-or-v1***************4242. Find it at https://provider.example", True),
        ("Incorrect API key provided: sk-abcd1**************wxyz.", False),
        ("Incorrect API key provided: sk-abcd1**************4242.", True),
        ("Invalid API key: sk-a...wxyz", False),
        ("Received API Key = sk-...9Qe1, Key Hash=1f", True),
        ("Received API Key = sk-...wxyz", False),
        ("Incorrect API key provided: ****.", False),
        ("Incorrect API key provided: ${API_KEY}.", False),
        ("Invalid API key", False),
        ("Your key is not valid...please renew it", False),
    ],
)
def test_a_refusal_that_shows_parts_of_another_key_is_of_the_gateways_own(text: str, another: bool) -> None:
    answer = made(401, error(text))
    assert shows_another_key(answer, "sk-abcd1234efgh5678wxyz") is another
    assert not shows_another_key(answer, None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("header 'x-tenant-id' is required", "x-tenant-id"),
        ("Missing header: X-Org", "X-Org"),
        ("the 'tenant-name' header must be sent", "tenant-name"),
        ("the 'x-api-key' header is required", ""),
        ("A non-empty header is required", ""),
        ("the 'content-type' header is required", ""),
        ("header 'x-tenant-id' is unknown", ""),
        ("bad request: missing Editor-Version header for IDE auth", "Editor-Version"),
        ("Request is missing x-acme-session and cannot be routed", "x-acme-session"),
        ("Field required (header.tenant-name)", "tenant-name"),
        ("acme-version: header is required", "acme-version"),
        ("X-Tenant-Id must be given", "X-Tenant-Id"),
        ("x-api-key is required", ""),
        ("Field required (body.messages)", ""),
    ],
)
def test_a_header_without_a_key_that_a_refusal_requires(text: str, name: str) -> None:
    answer = made(401, error(text))
    assert missing_header(answer) == name
    assert missing_header(made(401, error(text), sent={name: "a"})) == ""
    found = Found(answer, [Trial("/v1", answer, Reply.KEY)], key_refusal=answer)
    (finding,) = diagnose_refusal(found, parse(BASE))
    assert finding.code == ("auth.denied" if name else "auth.rejected")
    assert finding.owner is (Owner.CLIENT if name else Owner.KEY)


@pytest.mark.parametrize(
    ("query", "text", "cure"),
    [
        ("", "Missing required query parameter: api-version", f"{BASE}?api-version=VALUE"),
        ("", "Field required (query.project)", f"{BASE}?project=VALUE"),
        ("", "Required request parameter 'tenant' for method parameter type String is not present", "?tenant=VALUE"),
        ("?api-version=1", "api-version query parameter is not allowed when using /v1 path", f"use {BASE}."),
        ("?api-version=1", "Missing required query parameter: api-version", ""),
        ("", "The query parameter is required", ""),
        ("", "Unsupported parameter: 'seed'", ""),
        ("", "messages: Field required", ""),
    ],
)
def test_a_query_parameter_that_a_refusal_requires_or_does_not_allow(query: str, text: str, cure: str) -> None:
    found = query_cure(made(400, error(text), url=f"{CHAT}{query}"))
    assert cure in found if cure else not found


def test_amazon_api_gateway_answers_an_unknown_path_with_a_missing_token() -> None:
    kind = ("x-amzn-ErrorType", "MissingAuthenticationTokenException")
    body = {"message": "Missing Authentication Token"}
    assert read(made(403, body, kind)).cause is Cause.PATH
    assert read(made(403, body, kind, sent=NO_KEY)).cause is Cause.KEY
    assert read(made(403, body)).cause is Cause.KEY
