"""Refusals by a gateway: rules on clients and contents, sign-in pages, dead backends, models that are not enabled."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_chat, on_json, on_request
from probe.simulator.response import Response, no_response, plain, redirect, send_empty, send_html, send_json, send_text


def _page(title: str, text: str = "", server: str = "") -> str:
    foot = f"<hr><center>{server}</center>" if server else ""
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{text}{foot}</body></html>\n"


# Rules -------------------------------------------------------------------------------------------------


@on_request(
    "every request is refused by a gateway's rule (=page, text, json, empty or cloudflare: in which form)",
    "auth.denied",
    keyed=True,
    choices=("page", "text", "json", "empty", "cloudflare"),
)
def access_denied(fault: Fault, call: Call) -> Response | None:
    """A rule of a gateway, which never looks at the key."""
    if fault.given == "text":
        return send_text(403, "Policy says no: source not on the allow list").with_header("Server", "envoy")
    if fault.given == "json":
        return send_json(403, {"message": "Forbidden", "request_id": "5b0e"})
    if fault.given == "empty":
        return send_empty(403, [("Server", "Caddy")])
    if fault.given == "cloudflare":
        text = "<p>This website is using a security service to protect itself.</p><p>Cloudflare Ray ID: 8f1</p>"
        return send_html(403, _page("Sorry, you have been blocked", text)).with_header("Server", "cloudflare")
    return send_html(403, _page("Forbidden", "<p>This client may not see this resource.</p>", "nginx"))


@on_request(
    "programs are refused by their User-Agent (=sdk or browser: which passes; closed: without an answer)",
    "auth.denied",
    choices=("sdk", "browser", "closed"),
)
def access_user_agent(fault: Fault, call: Call) -> Response | None:
    """A bot rule that lets the known SDKs through, or browsers only."""
    agent = call.request.header("user-agent") or ""
    if fault.given == "browser":
        page = "<html><head><title>Not Acceptable!</title></head><body><h1>Not Acceptable!</h1></body></html>"
        return None if agent.startswith("Mozilla/") else send_html(406, page, [("Server", "Apache")])
    if agent.startswith(("OpenAI/", "AsyncOpenAI/")):
        return None
    if fault.given == "closed":  # nginx: return 444
        return no_response("cut")
    return send_text(403, "error code: 1010").with_header("Server", "cloudflare")


@on_request(
    "requests with an SDK's headers are refused (=agent, headers or both: by which)",
    "auth.denied",
    choices=("agent", "headers", "both"),
)
def access_sdk_headers(fault: Fault, call: Call) -> Response | None:
    """A firewall that refuses what the OpenAI SDKs send (an allow list of headers, a rule against scripts)."""
    agent = "Python" in (call.request.header("user-agent") or "")
    named = any(name.lower().startswith("x-stainless-") for name, _ in call.request.headers)
    if {"agent": agent, "headers": named, "both": agent and named}[fault.given]:
        return send_json(403, {"message": "Request blocked", "id": "7f21-00"})
    return None


@on_request(
    "requests with a part are refused by a firewall (=tools, stream or image_url: which part)",
    "auth.denied",
    choices=("tools", "stream", "image_url"),
)
def access_content_rule(fault: Fault, call: Call) -> Response | None:
    """A web application firewall that takes a part of the body for an attack."""
    part = {"stream": b'"stream":true'}.get(fault.given, f'"{fault.given}"'.encode())
    if part not in call.request.body.replace(b": ", b":"):
        return None
    page = "<html><head><title>403 Forbidden</title></head><body>Incident 4411. Contact security.</body></html>"
    return send_html(403, page)


@on_request(
    "requests with a picture are answered with 502, since the server behind the gateway fails", "errors.upstream"
)
def backend_fails_on_pictures(fault: Fault, call: Call) -> Response | None:
    """The server behind a gateway dies of one kind of request."""
    return send_text(502, "Bad Gateway") if b'"image_url"' in call.request.body else None


# Sign-in -----------------------------------------------------------------------------------------------


@on_request(
    "every request is sent to a sign-in (=redirect, service, page or 401: on the host, elsewhere, or a page)",
    "auth.sign-in",
    keyed=True,
    choices=("redirect", "service", "page", "401"),
)
def access_sign_in(fault: Fault, call: Call) -> Response | None:
    """An identity-aware proxy that sends every client without a session to its sign-in."""
    if fault.given == "redirect":
        return redirect(302, f"/oauth2/start?rd={call.path}")
    if fault.given == "service":
        return redirect(303, "https://team.cloudflareaccess.com/cdn-cgi/access/login/host?kid=1")
    if fault.given == "401":
        return send_html(401, _page("Please sign in", '<a href="https://sso.example/sso-api?url=x">Sign in</a>'))
    form = '<form method="post"><input name="user"><input name="pw" type="password"><button>Go</button></form>'
    return send_html(200, _page("Welcome back", form))


@on_request("a gateway asks for user name and password (Basic)", "auth.wrong-scheme", keyed=True)
def access_password(fault: Fault, call: Call) -> Response | None:
    """A password (Basic) in front of the API (RFC 7617)."""
    page = _page("Authorization Required", server="nginx")
    return send_html(401, page, [("WWW-Authenticate", 'Basic realm="staff, and friends", charset="UTF-8"')])


class NamedHeader(Fault):
    """A gateway that names in its challenge the header that has to carry the key (Azure API Management), or in its
    text (Apigee), or not at all (Kong)."""

    name = "access-named-header"
    summary = "the key is accepted in one header only (=challenge, text or kong: how the refusal names it)"
    yields = ("auth.wrong-scheme",)
    keyed = True
    value = "challenge"
    choices = ("challenge", "text", "kong")
    header = "Ocp-Apim-Subscription-Key"

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        header = {"text": "x-gate-apikey", "kong": "apikey"}.get(self.given, self.header)
        if call.request.header(header) == call.site.key:
            return None
        if self.given == "text":
            return send_json(401, {"fault": {"faultstring": f"Failed to resolve variable request.header.{header}"}})
        if self.given == "kong":
            refused = send_json(401, {"message": "No API key found in request"}).with_header("Server", "kong/3.8.0")
            return refused.with_header("WWW-Authenticate", "Key")
        message = "Access denied due to missing subscription key. Make sure to include subscription key."
        challenge = f'AzureApiManagementKey realm="https://host/openai",name="{self.header}",type="header"'
        refused = send_json(401, {"statusCode": 401, "message": message})
        return refused.with_header("WWW-Authenticate", challenge)


class HeaderAndPath(Fault):
    """A gateway that looks at the key, in its own header, before it looks at the path."""

    name = "access-header-and-path"
    summary = "the URL of the operation is typed, and the key is accepted in x-api-key only"
    yields = ("auth.wrong-scheme", "url.operation-path")
    keyed = True

    def typed_url(self, url: str) -> str:
        return url + "/chat/completions"

    def on_request(self, call: Call) -> Response | None:
        if call.request.header("x-api-key") == call.site.key:
            return None
        return send_json(401, {"error": "No API key found in request"})

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        return None


@on_request(
    "http:// is typed, and every request is redirected to https:// on the same host", "url.redirects", keyed=True
)
def http_to_https(fault: Fault, call: Call) -> Response | None:
    """A host that serves https only and redirects every http request."""
    host = (call.request.header("host") or "").partition(":")[0]
    return redirect(301, f"https://{host}{call.request.target}")


# What is behind a gateway ------------------------------------------------------------------------------


@on_chat(
    "keys are checked, and the server behind the gateway does not run (=json, litellm, page, text, 503, stopped)",
    "errors.upstream",
    keyed=True,
    choices=("json", "litellm", "page", "text", "503", "stopped"),
)
def backend_dead(fault: Fault, call: Call) -> Response | None:
    """A gateway that checks the key itself, in front of a server that does not run."""
    if fault.given == "litellm":
        text = "litellm.InternalServerError: InternalServerError: OpenAIException - Connection error."
        return fault.error(500, f"{text}. Received Model Group={call.site.model}", "api_error", code="500")
    if fault.given == "page":
        return send_html(502, _page("502 Bad Gateway", server="nginx"))
    if fault.given == "text":
        return send_text(500, "proxy: dial tcp 10.3.0.9:8000: connect: no route to host\n")
    if fault.given == "503":
        return send_text(503, "no healthy upstream").with_header("Server", "envoy")
    if fault.given == "stopped":
        return send_json(503, {"message": "The deployment is stopped. Start it in the console."})
    return fault.error(500, "Failed to reach the inference backend: Errno 111 Connect call failed", "server_error")


@on_chat(
    "the gateway's own key is refused by the provider behind it, whose error shows parts of that key",
    "auth.rejected",
    keyed=True,
)
def access_provider_key(fault: Fault, call: Call) -> Response | None:
    """A gateway that takes the client's key and sends a key of its own, which the provider refuses."""
    return fault.error(401, "Incorrect API key provided: sk-prod1****************x9Qe.", code="invalid_api_key")


class ModelUnauthorized(Fault):
    """A gateway that answers 401 to a model id that it does not have (opencode Zen)."""

    name = "models-unknown-401"
    summary = "the typed model id is misspelt and answered with 401 (=type or silent: whether the error says so)"
    yields = ("models.id-unknown",)
    keyed = True
    value = "type"
    choices = ("type", "silent")

    def typed_model(self, model: str) -> str:
        return model + "-latest-x"

    def on_model(self, call: Call, name: str, refusal: Response | None) -> Response | None:
        if name in call.site.models:
            return None
        if self.given == "silent":
            return send_json(401, {"error": {"message": "Unauthorized", "type": "error"}})
        error = {"type": "ModelError", "message": f"Model {name} is not supported"}
        return send_json(401, {"type": "error", "error": error})


@on_chat(
    "the listed model is refused (=account, mapping, access: for which reason)",
    "models.not-enabled",
    keyed=True,
    choices=("account", "mapping", "access"),
)
def models_not_enabled(fault: Fault, call: Call) -> Response | None:
    """A listed model that is refused: not part of the account, or mapped to nothing by the gateway."""
    if fault.given == "mapping":
        text = "litellm.NotFoundError: NotFoundError: OpenAIException - Error code: 404 - {'detail': 'Not Found'}"
        return fault.error(404, f"{text}. Received Model Group={call.site.model}", "", code="404")
    if fault.given == "access":
        text = f"You don't have access to the model with the specified model ID {call.site.model}."
        return send_json(403, {"message": text})
    return fault.error(404, "Function 'c2a1-77': Not found for account 'x9'", "not_found")


class ProviderPrefix(Fault):
    """A gateway that finds no provider for an id without its prefix, and does not speak of a model (Bifrost)."""

    name = "models-provider-prefix"
    summary = "the typed id lacks the prefix that the listed one has; the refusal does not say so"
    yields = ("models.id-unknown",)
    keyed = True

    def typed_model(self, model: str) -> str:
        return model.rpartition("/")[2]

    def on_json(self, call: Call, payload: object) -> object:
        if call.operation != "models" or not isinstance(payload, dict) or not isinstance(payload.get("data"), list):
            return payload
        return {**payload, "data": [{**item, "id": f"acme/{item['id']}"} for item in payload["data"]]}

    def on_model(self, call: Call, name: str, refusal: Response | None) -> Response | None:
        return None if name.startswith("acme/") else self.error(400, "Could not resolve where to send the request")


@on_json("the typed id is an alias that works; the list has only the dated id", "models.not-listed")
def models_alias_not_listed(fault: Fault, call: Call, payload: object) -> object:
    """An alias answers, and the list has only the dated id that it stands for."""
    if call.operation != "models" or not isinstance(payload, dict) or not isinstance(payload.get("data"), list):
        return payload
    return {**payload, "data": [{**item, "id": f"{item['id']}-2025-11-20"} for item in payload["data"]]}


# An object store, a captive portal, a web site ----------------------------------------------------------


@on_request("the URL is that of an object store, which answers 403 to every path", "url.not-an-api")
def object_store(fault: Fault, call: Call) -> Response | None:
    """The URL of a bucket, which refuses what it does not hold (Amazon S3 without the right to list)."""
    error = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    return plain(403, error, "application/xml", [("Server", "AmazonS3")])


@on_request("a network's sign-in answers every request with 511", "auth.sign-in")
def captive_portal(fault: Fault, call: Call) -> Response | None:
    """A network that wants its users to sign in first (RFC 6585 section 6)."""
    return send_html(511, _page("Welcome to our network", '<a href="https://portal.example/">Log in</a>'))


@on_request("the host serves a web page at /, and every other path is 404", "url.not-an-api")
def web_site(fault: Fault, call: Call) -> Response | None:
    """A web site that has a start page and no API."""
    if call.path == "/":
        return send_html(200, _page("Our new console is here"))
    return send_html(404, _page("Nothing here"))
