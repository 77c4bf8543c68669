"""Hosts whose API lies deeper than `/v1`, typed as the bare host."""

from __future__ import annotations

from typing import ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script, send_empty, send_html, send_json


class _Under(Fault):
    prefix: ClassVar[str] = ""
    yields = ("url.missing-v1",)

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return (self.prefix,)

    def typed_url(self, url: str) -> str:
        return url.removesuffix(self.prefix)


class UnderOpenAI(_Under):
    """As at Groq and on Azure."""

    name = "api-under-openai-v1"
    summary = "the API answers under /openai/v1; only the host is typed"
    prefix = "/openai/v1"


class UnderApi(_Under):
    """As at OpenRouter and bedrock-access-gateway."""

    name = "api-under-api-v1"
    summary = "the API answers under /api/v1; only the host is typed"
    prefix = "/api/v1"


class UnderInference(_Under):
    """As at Fireworks."""

    name = "api-under-inference-v1"
    summary = "the API answers under /inference/v1; only the host is typed"
    prefix = "/inference/v1"


# The commonest mistake: the URL is given without the `/v1` it needs. -------------------------------


class MissingV1(Fault):
    """Only `/v1/…` answers, and the user typed the URL without it."""

    name = "missing-v1"
    summary = "the API answers under /v1 only; the URL is typed without it"
    yields = ("url.missing-v1",)

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(prefix for prefix in prefixes if prefix.endswith("/v1")) or ("/v1",)

    def typed_url(self, url: str) -> str:
        return url.removesuffix("/v1")


# Hosts that answer everything with success although there is no API, or nothing at all. ------------

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Console</title>
<script type="module" src="/assets/index-4f1c.js"></script></head>
<body><div id="root"></div><noscript>You need to enable JavaScript to run this app.</noscript></body></html>
"""


class WebPage(Fault):
    """A single-page web application: every path, every method, 200 and the same page."""

    name = "web-page"
    summary = "the host serves a web page with status 200 for every path"
    yields = ("url.not-an-api",)

    def on_request(self, call: Call) -> Script | None:
        return send_html(200, _PAGE)


class WebUI(Fault):
    """A web interface at the root and the API under `/v1`, as one-api and new-api do it."""

    name = "web-ui"
    summary = "paths outside /v1 serve a web page with status 200; the URL is typed without /v1"
    yields = ("url.missing-v1",)

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(prefix for prefix in prefixes if prefix.endswith("/v1")) or ("/v1",)

    def typed_url(self, url: str) -> str:
        return url.removesuffix("/v1")

    def on_request(self, call: Call) -> Script | None:
        if any(call.path.startswith(prefix + "/") for prefix in call.site.prefixes):
            return None
        return send_html(200, _PAGE)


class CatchAll(Fault):
    """JSON with status 200 for any path and method (LM Studio answers unknown paths so)."""

    name = "catch-all-200"
    summary = "every path answers 200 with an error object"
    yields = ("url.not-an-api",)

    def on_request(self, call: Call) -> Script | None:
        return send_json(200, {"error": f"Unexpected endpoint or method. ({call.request.method} {call.path})"})


class Empty(Fault):
    """Caddy without a matching route."""

    name = "empty-200"
    summary = "every path answers 200 with an empty body"
    yields = ("url.not-an-api",)

    def on_request(self, call: Call) -> Script | None:
        return send_empty(200, [("Server", "Caddy")])


class NoChat(Fault):
    """A host that serves something else altogether."""

    name = "no-chat"
    summary = "every path is 404"
    yields = ("url.no-chat",)

    def on_request(self, call: Call) -> Script | None:
        return call.site.style.not_found(call)


# The typed URL redirects: a POST that follows may lose its method, its body or its key. ------------


class _Moved(Fault):
    """An old path that answers with a redirect to the right one."""

    yields = ("url.redirects",)

    @property
    def status(self) -> int:
        """The status of the redirect."""
        return 307

    def typed_url(self, url: str) -> str:
        origin, _, path = url.partition("//")[2].partition("/")
        return f"{url.partition('//')[0]}//{origin}/old/{path}"

    def on_request(self, call: Call) -> Script | None:
        if not call.path.startswith("/old/"):
            return None
        host = call.request.header("host") or f"127.0.0.1:{call.site.port}"
        query = f"?{call.request.query}" if call.request.query else ""
        place = f"{call.site.scheme}://{host}{call.path.removeprefix('/old')}{query}"
        page = f"<html><head><title>{self.status} Moved</title></head><body><h1>Moved</h1></body></html>"
        return send_html(self.status, page, [("Location", place)])


class RedirectPost(_Moved):
    """301 and 302 turn a POST into a GET in nearly every client (RFC 9110 section 15.4)."""

    name = "redirect-post"
    summary = "the typed URL answers 301 to the right one, so a POST arrives as GET (=302 for Found)"
    value = "301"

    choices = ("301", "302", "303")

    @property
    def status(self) -> int:
        return int(self.number)


class RedirectKept(_Moved):
    """307 and 308 keep method and body, for clients that follow redirects at all."""

    name = "redirect-307"
    summary = "the typed URL answers 307 to the right one, which keeps the method"


class RedirectElsewhere(Fault):
    """The redirect leads to another origin, where clients drop the key (RFC 9110 section 15.4)."""

    name = "redirect-other-origin"
    summary = "every request is redirected to another origin, where the key must not go"
    yields = ("url.redirects",)

    def on_request(self, call: Call) -> Script | None:
        host = call.request.header("host") or ""
        if host.startswith("localhost"):
            return None
        place = f"{call.site.scheme}://localhost:{call.site.port}{call.request.target}"
        return send_empty(308, [("Location", place)])


# URLs that carry too much: a slash, an operation, a second `/v1`. ----------------------------------


class _Suffix(Fault):
    suffix: ClassVar[str] = ""

    def typed_url(self, url: str) -> str:
        return url + self.suffix


class TrailingSlash(_Suffix):
    """Joined simply, the URL gets a doubled slash, and the server does not merge slashes."""

    name = "trailing-slash"
    summary = "the URL is typed with a trailing slash; a doubled slash is 404"
    yields = ("url.trailing-slash",)
    suffix = "/"

    def on_request(self, call: Call) -> Script | None:
        return call.site.style.not_found(call) if "//" in call.path else None


class OperationPath(_Suffix):
    """The URL of the operation is pasted, as documentation shows it in a curl example."""

    name = "operation-path"
    summary = "the typed URL ends in /chat/completions"
    yields = ("url.operation-path",)
    suffix = "/chat/completions"


class ModelsPath(_Suffix):
    """The URL of the model list is pasted."""

    name = "models-path"
    summary = "the typed URL ends in /models"
    yields = ("url.operation-path",)
    suffix = "/models"


class DuplicatePath(_Suffix):
    """`/v1` is added to a URL that has it already."""

    name = "duplicate-path"
    summary = "the typed URL ends in /v1/v1"
    yields = ("url.duplicate-path",)
    suffix = "/v1"
