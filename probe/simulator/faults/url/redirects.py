"""The typed URL redirects: a POST that follows may lose its method, its body or its key."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script, send_empty, send_html


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


FAULTS = (RedirectPost, RedirectKept, RedirectElsewhere)
