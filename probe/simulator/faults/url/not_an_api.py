"""Hosts that answer everything with success although there is no API, or nothing at all."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script, send_empty, send_html, send_json

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


FAULTS = (WebPage, WebUI, CatchAll, Empty, NoChat)
