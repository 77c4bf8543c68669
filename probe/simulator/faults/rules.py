"""Rules of gateways on the headers and the contents of requests: which client may ask, and what."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_request
from probe.simulator.response import Response, no_response, send_html, send_json, send_text


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
