"""Refusals of access by a gateway: rules, sign-in pages, passwords, dead backends, models that are not enabled."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response, plain, redirect, send_empty, send_html, send_json, send_text
from probe.simulator.style import DEFAULT_KEY


class _Keyed(Fault):
    """An endpoint that requires a key."""

    def required_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY


def _page(title: str, text: str = "", server: str = "") -> str:
    foot = f"<hr><center>{server}</center>" if server else ""
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{text}{foot}</body></html>\n"


# Rules -------------------------------------------------------------------------------------------------


class Denied(_Keyed):
    """A rule of a gateway, which never looks at the key."""

    name = "access-denied"
    summary = "every request is refused by a gateway's rule (=page, text, json, empty or cloudflare: in which form)"
    yields = ("auth.denied",)
    value = "page"
    choices = ("page", "text", "json", "empty", "cloudflare")

    def on_request(self, call: Call) -> Response | None:
        if self.given == "text":
            return send_text(403, "Policy says no: source not on the allow list").with_header("Server", "envoy")
        if self.given == "json":
            return send_json(403, {"message": "Forbidden", "request_id": "5b0e"})
        if self.given == "empty":
            return send_empty(403, [("Server", "Caddy")])
        if self.given == "cloudflare":
            text = "<p>This website is using a security service to protect itself.</p><p>Cloudflare Ray ID: 8f1</p>"
            return send_html(403, _page("Sorry, you have been blocked", text)).with_header("Server", "cloudflare")
        return send_html(403, _page("Forbidden", "<p>This client may not see this resource.</p>", "nginx"))


# Sign-in -----------------------------------------------------------------------------------------------


class SignIn(_Keyed):
    """An identity-aware proxy that sends every client without a session to its sign-in."""

    name = "access-sign-in"
    summary = "every request is sent to a sign-in (=redirect, service, page or 401: on the host, elsewhere, or a page)"
    yields = ("auth.sign-in",)
    value = "redirect"
    choices = ("redirect", "service", "page", "401")

    def on_request(self, call: Call) -> Response | None:
        if self.given == "redirect":
            return redirect(302, f"/oauth2/start?rd={call.path}")
        if self.given == "service":
            return redirect(303, "https://team.cloudflareaccess.com/cdn-cgi/access/login/host?kid=1")
        if self.given == "401":
            return send_html(401, _page("Please sign in", '<a href="https://sso.example/sso-api?url=x">Sign in</a>'))
        form = '<form method="post"><input name="user"><input name="pw" type="password"><button>Go</button></form>'
        return send_html(200, _page("Welcome back", form))


class Password(_Keyed):
    """A password (Basic) in front of the API (RFC 7617)."""

    name = "access-password"
    summary = "a gateway asks for user name and password (Basic)"
    yields = ("auth.wrong-scheme",)

    def on_request(self, call: Call) -> Response | None:
        page = _page("Authorization Required", server="nginx")
        return send_html(401, page, [("WWW-Authenticate", 'Basic realm="staff, and friends", charset="UTF-8"')])


class NamedHeader(_Keyed):
    """A gateway that names in its challenge the header that has to carry the key (Azure API Management), or in its
    text (Apigee), or not at all (Kong)."""

    name = "access-named-header"
    summary = "the key is accepted in one header only (=challenge, text or kong: how the refusal names it)"
    yields = ("auth.wrong-scheme",)
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


class HeaderAndPath(_Keyed):
    """A gateway that looks at the key, in its own header, before it looks at the path."""

    name = "access-header-and-path"
    summary = "the URL of the operation is typed, and the key is accepted in x-api-key only"
    yields = ("auth.wrong-scheme", "url.operation-path")

    def typed_url(self, url: str) -> str:
        return url + "/chat/completions"

    def on_request(self, call: Call) -> Response | None:
        if call.request.header("x-api-key") == call.site.key:
            return None
        return send_json(401, {"error": "No API key found in request"})

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        return None


class Upgrade(_Keyed):
    """A host that serves https only and redirects every http request."""

    name = "http-to-https"
    summary = "http:// is typed, and every request is redirected to https:// on the same host"
    yields = ("url.redirects",)

    def on_request(self, call: Call) -> Response | None:
        host = (call.request.header("host") or "").partition(":")[0]
        return redirect(301, f"https://{host}{call.request.target}")


# What is behind a gateway ------------------------------------------------------------------------------


class DeadBackend(_Keyed):
    """A gateway that checks the key itself, in front of a server that does not run."""

    name = "backend-dead"
    summary = (
        "keys are checked, and the server behind the gateway does not run (=json, litellm, page, text, 503, stopped)"
    )
    yields = ("errors.upstream",)
    value = "json"
    choices = ("json", "litellm", "page", "text", "503", "stopped")

    def on_chat(self, call: Call) -> Response | None:
        if self.given == "litellm":
            text = "litellm.InternalServerError: InternalServerError: OpenAIException - Connection error."
            return self.error(500, f"{text}. Received Model Group={call.site.model}", "api_error", code="500")
        if self.given == "page":
            return send_html(502, _page("502 Bad Gateway", server="nginx"))
        if self.given == "text":
            return send_text(500, "proxy: dial tcp 10.3.0.9:8000: connect: no route to host\n")
        if self.given == "503":
            return send_text(503, "no healthy upstream").with_header("Server", "envoy")
        if self.given == "stopped":
            return send_json(503, {"message": "The deployment is stopped. Start it in the console."})
        return self.error(500, "Failed to reach the inference backend: Errno 111 Connect call failed", "server_error")


class ProviderKey(_Keyed):
    """A gateway that takes the client's key and sends a key of its own, which the provider refuses."""

    name = "access-provider-key"
    summary = "the gateway's own key is refused by the provider behind it, whose error shows parts of that key"
    yields = ("auth.rejected",)

    def on_chat(self, call: Call) -> Response | None:
        return self.error(401, "Incorrect API key provided: sk-prod1****************x9Qe.", code="invalid_api_key")


class ModelUnauthorized(_Keyed):
    """A gateway that answers 401 to a model id that it does not have (opencode Zen)."""

    name = "models-unknown-401"
    summary = "the typed model id is misspelt and answered with 401 (=type or silent: whether the error says so)"
    yields = ("models.id-unknown",)
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


class NotEnabled(_Keyed):
    """A listed model that is refused: not part of the account, or mapped to nothing by the gateway."""

    name = "models-not-enabled"
    summary = "the listed model is refused (=account, mapping, access: for which reason)"
    yields = ("models.not-enabled",)
    value = "account"
    choices = ("account", "mapping", "access")

    def on_chat(self, call: Call) -> Response | None:
        if self.given == "mapping":
            text = "litellm.NotFoundError: NotFoundError: OpenAIException - Error code: 404 - {'detail': 'Not Found'}"
            return self.error(404, f"{text}. Received Model Group={call.site.model}", "", code="404")
        if self.given == "access":
            text = f"You don't have access to the model with the specified model ID {call.site.model}."
            return send_json(403, {"message": text})
        return self.error(404, "Function 'c2a1-77': Not found for account 'x9'", "not_found")


class AliasNotListed(Fault):
    """An alias answers, and the list has only the dated id that it stands for."""

    name = "models-alias-not-listed"
    summary = "the typed id is an alias that works; the list has only the dated id"
    yields = ("models.not-listed",)

    def on_json(self, call: Call, payload: object) -> object:
        if call.operation != "models" or not isinstance(payload, dict) or not isinstance(payload.get("data"), list):
            return payload
        return {**payload, "data": [{**item, "id": f"{item['id']}-2025-11-20"} for item in payload["data"]]}


# An object store, a captive portal, a web site ----------------------------------------------------------


class ObjectStore(Fault):
    """The URL of a bucket, which refuses what it does not hold (Amazon S3 without the right to list)."""

    name = "object-store"
    summary = "the URL is that of an object store, which answers 403 to every path"
    yields = ("url.not-an-api",)

    def on_request(self, call: Call) -> Response | None:
        error = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        return plain(403, error, "application/xml", [("Server", "AmazonS3")])


class CaptivePortal(Fault):
    """A network that wants its users to sign in first (RFC 6585 section 6)."""

    name = "captive-portal"
    summary = "a network's sign-in answers every request with 511"
    yields = ("auth.sign-in",)

    def on_request(self, call: Call) -> Response | None:
        return send_html(511, _page("Welcome to our network", '<a href="https://portal.example/">Log in</a>'))


class WebSite(Fault):
    """A web site that has a start page and no API."""

    name = "web-site"
    summary = "the host serves a web page at /, and every other path is 404"
    yields = ("url.not-an-api",)

    def on_request(self, call: Call) -> Response | None:
        if call.path == "/":
            return send_html(200, _page("Our new console is here"))
        return send_html(404, _page("Nothing here"))
