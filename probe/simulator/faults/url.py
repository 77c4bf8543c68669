"""URLs that are typed wrongly, hosts that redirect, and hosts without an API."""

from __future__ import annotations

from typing import ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_request
from probe.simulator.response import Response, redirect, send_empty, send_html, send_json

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Console</title>
<script type="module" src="/assets/index-4f1c.js"></script></head>
<body><div id="root"></div><noscript>You need to enable JavaScript to run this app.</noscript></body></html>
"""

# A part of the path is missing in the typed URL --------------------------------------------------------


class _Under(Fault):
    """The API answers under one prefix only, and the user typed the URL without it."""

    yields = ("url.missing-v1",)
    prefix: ClassVar[str] = "/v1"

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return (self.prefix,)

    def typed_url(self, url: str) -> str:
        return url.removesuffix(self.prefix)


class MissingV1(_Under):
    """The most common mistake."""

    name = "missing-v1"
    summary = "the API answers under /v1 only; the URL is typed without it"

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(prefix for prefix in prefixes if prefix.endswith("/v1")) or ("/v1",)


class WebUI(MissingV1):
    """A web interface at the root and the API under `/v1` (one-api, new-api)."""

    name = "web-ui"
    summary = "paths outside /v1 serve a web page with status 200; the URL is typed without /v1"

    def on_request(self, call: Call) -> Response | None:
        is_api = any(call.path.startswith(prefix + "/") for prefix in call.site.prefixes)
        return None if is_api else send_html(200, _PAGE)


# As on Groq and Azure.
UnderOpenAI = _Under.variant(
    "api-under-openai-v1", "the API answers under /openai/v1; only the host is typed", prefix="/openai/v1"
)
# As on OpenRouter and bedrock-access-gateway.
UnderApi = _Under.variant("api-under-api-v1", "the API answers under /api/v1; only the host is typed", prefix="/api/v1")
# As on Fireworks.
UnderInference = _Under.variant(
    "api-under-inference-v1", "the API answers under /inference/v1; only the host is typed", prefix="/inference/v1"
)


class UnderVersion4(_Under):
    """As on Z.ai and BigModel, whose base URLs do not end in `/v1`."""

    name = "api-under-paas-v4"
    summary = "the API answers under /api/paas/v4; the URL is typed without the version"
    prefix = "/api/paas/v4"

    def typed_url(self, url: str) -> str:
        return url.removesuffix("/v4")


class QueryVersion(Fault):
    """Azure OpenAI answers a request without the version of its API as it answers an unknown path."""

    name = "query-version"
    summary = "requests without ?api-version=… are 404 under the path of a deployment"
    yields = ("url.no-chat",)
    prefix = "/openai/deployments/sim-small"

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return (self.prefix,)

    def on_request(self, call: Call) -> Response | None:
        if "api-version=" in call.request.query:
            return None
        return send_json(404, {"error": {"code": "404", "message": "Resource not found"}})


# The typed URL has a part too many ---------------------------------------------------------------------


class _Suffix(Fault):
    """The user typed more than the base URL."""

    suffix: ClassVar[str]

    def typed_url(self, url: str) -> str:
        return url + self.suffix


class TrailingSlash(_Suffix):
    """Joined simply, the URL contains a double slash, which the server does not merge."""

    name = "trailing-slash"
    summary = "the URL is typed with a trailing slash; a double slash is 404"
    yields = ("url.trailing-slash",)
    suffix = "/"

    def on_request(self, call: Call) -> Response | None:
        return self.style.not_found(call) if "//" in call.path else None


# The URL of the operation is typed, as curl examples show it.
OperationPath = _Suffix.variant(
    "operation-path",
    "the typed URL ends in /chat/completions",
    yields=("url.operation-path",),
    suffix="/chat/completions",
)
# The URL of the model list is typed.
ModelsPath = _Suffix.variant(
    "models-path", "the typed URL ends in /models", yields=("url.operation-path",), suffix="/models"
)
# `/v1` is added to a URL that contains it already.
DuplicatePath = _Suffix.variant(
    "duplicate-path", "the typed URL ends in /v1/v1", yields=("url.duplicate-path",), suffix="/v1"
)


# Redirects ---------------------------------------------------------------------------------------------


class RedirectKept(Fault):
    """307 and 308 keep method and body, for clients that follow redirects at all."""

    name = "redirect-307"
    summary = "the typed URL answers 307 to the right one, which keeps the method"
    yields = ("url.redirects",)

    def typed_url(self, url: str) -> str:
        scheme, _, rest = url.partition("//")
        origin, _, path = rest.partition("/")
        return f"{scheme}//{origin}/old/{path}"

    def on_request(self, call: Call) -> Response | None:
        if not call.path.startswith("/old/"):
            return None
        status = int(self.given or 307)
        query = f"?{call.request.query}" if call.request.query else ""
        place = call.site.url(call.request, call.path.removeprefix("/old") + query)
        page = f"<html><head><title>{status} Moved</title></head><body><h1>Moved</h1></body></html>"
        return send_html(status, page, [("Location", place)])


# 301 and 302 turn a POST into a GET in nearly every client (RFC 9110 section 15.4).
RedirectPost = RedirectKept.variant(
    "redirect-post",
    "the typed URL answers 301 to the right one, so a POST arrives as GET (=302 or 303)",
    value="301",
    choices=("301", "302", "303"),
)


@on_request("every request is redirected to another origin, to which the key must not be sent", "url.redirects")
def redirect_other_origin(fault: Fault, call: Call) -> Response | None:
    """A redirect to another origin, for which clients drop the key (RFC 9110 section 15.4)."""
    if (call.request.header("host") or "").startswith("localhost"):
        return None
    return redirect(308, f"{call.site.scheme}://localhost:{call.site.port}{call.request.target}")


# Hosts without an API ----------------------------------------------------------------------------------


@on_request("the host serves a web page with status 200 for every path", "url.not-an-api")
def web_page(fault: Fault, call: Call) -> Response | None:
    """A single-page web application: the same page with status 200 for every path and method."""
    return send_html(200, _PAGE)


@on_request("every path answers 200 with an error object", "url.not-an-api")
def catch_all_200(fault: Fault, call: Call) -> Response | None:
    """JSON with status 200 for any path and method, as LM Studio answers unknown paths."""
    return send_json(200, {"error": f"Unexpected endpoint or method. ({call.request.method} {call.path})"})


@on_request("every path answers 200 with an empty body", "url.not-an-api")
def empty_200(fault: Fault, call: Call) -> Response | None:
    """Caddy without a matching route."""
    return send_empty(200, [("Server", "Caddy")])


@on_request("every path is 404", "url.no-chat")
def no_chat(fault: Fault, call: Call) -> Response | None:
    """A host that serves something else."""
    return fault.style.not_found(call)
