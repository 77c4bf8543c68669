"""Rules of gateways on the headers by which client programs name themselves."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response, send_html, send_json, send_text


class OwnAgent(Fault):
    """A bot rule that lets the known SDKs through, or browsers only."""

    name = "access-user-agent"
    summary = "programs are refused by their User-Agent (=sdk or browser: which is let through)"
    yields = ("auth.denied",)
    value = "sdk"
    choices = ("sdk", "browser")

    def on_request(self, call: Call) -> Response | None:
        agent = call.request.header("user-agent") or ""
        if self.given == "browser":
            page = "<html><head><title>Not Acceptable!</title></head><body><h1>Not Acceptable!</h1></body></html>"
            return None if agent.startswith("Mozilla/") else send_html(406, page, [("Server", "Apache")])
        if agent.startswith(("OpenAI/", "AsyncOpenAI/")):
            return None
        return send_text(403, "error code: 1010").with_header("Server", "cloudflare")


class SdkHeaders(Fault):
    """A firewall that refuses what the OpenAI SDKs send (an allow list of headers, a rule against scripts)."""

    name = "access-sdk-headers"
    summary = "requests with an SDK's headers are refused (=agent, headers or both: by which)"
    yields = ("auth.denied",)
    value = "agent"
    choices = ("agent", "headers", "both")

    def on_request(self, call: Call) -> Response | None:
        agent = "Python" in (call.request.header("user-agent") or "")
        named = any(name.lower().startswith("x-stainless-") for name, _ in call.request.headers)
        if {"agent": agent, "headers": named, "both": agent and named}[self.given]:
            return send_json(403, {"message": "Request blocked", "id": "7f21-00"})
        return None
