"""Errors with a body or a status that a client cannot use, and gateways with a cache or a pool with an unfit member."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_chat, on_request, on_response
from probe.simulator.response import Response, send_empty, send_html, send_json, to_json


def _message(response: Response) -> str:
    """The text of an error, whatever its shape."""
    try:
        body = json.loads(response.body)
    except ValueError:
        return "request failed"
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        return str(error.get("message") or error.get("detail") or error)
    return str(error)


@on_response(
    "errors do not have OpenAI's shape (=detail, flat, string or array)",
    "errors.shape",
    choices=("detail", "flat", "string", "array"),
)
def errors_shape(fault: Fault, call: Call, response: Response) -> Response:
    """Error objects of other APIs: FastAPI's detail, a flat object, a string, an array."""
    if response.status < 400:
        return response
    text = _message(response)
    bodies: dict[str, Any] = {
        "detail": {"detail": text},
        "flat": {"status": "failure", "message": text},
        "string": text,
        "array": [{"error": {"code": response.status, "message": text, "status": "INVALID_ARGUMENT"}}],
    }
    return response.with_body(to_json(bodies[fault.given]))


@on_response("errors are HTML pages", "errors.shape")
def errors_html(fault: Fault, call: Call, response: Response) -> Response:
    """A gateway that replaces the server's error by its own page."""
    if response.status < 400:
        return response
    title = f"{response.status} Error"
    page = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n"
        "<hr><center>nginx</center>\n</body>\n</html>\n"
    )
    return response.with_body(page.encode()).with_header("Content-Type", "text/html")


@on_response("refused requests are answered with status 200 and an error object", "errors.success-status")
def errors_success_status(fault: Fault, call: Call, response: Response) -> Response:
    """Errors are sent with status 200."""
    refused = call.operation == "chat" and response.status in (400, 404, 422)
    return replace(response, status=200) if refused else response


@on_response("refused requests are answered with status 200 and a web page", "errors.success-status")
def errors_page_200(fault: Fault, call: Call, response: Response) -> Response:
    """A proxy that replaces every error by its own page, and forgets the status."""
    if response.status < 400:
        return response
    page = b"<!DOCTYPE html>\n<title>One moment</title>\n<p>We are working on it.\n"
    return replace(response, status=200).with_body(page).with_header("Content-Type", "text/html")


@on_response("bad requests are answered with 500", "errors.server-error")
def errors_server_error(fault: Fault, call: Call, response: Response) -> Response:
    """A mistake of the client is reported as one of the server."""
    if call.operation != "chat" or response.status not in (400, 422):
        return response
    error = {"message": _message(response), "type": "internal_server_error", "param": None, "code": None}
    return replace(response, status=500).with_body(to_json({"error": error}))


@on_request(
    "a browser's preflight is refused (=status, origin or header: how)",
    "errors.cors",
    choices=("status", "origin", "header"),
)
def errors_cors(fault: Fault, call: Call) -> Response | None:
    """Browsers ask with OPTIONS and without the key, whatever the API requires (WHATWG Fetch, 4.8)."""
    if call.request.method != "OPTIONS":
        return None
    if fault.given == "status":
        return fault.error(401, "Missing API key", "authentication_error")
    origin = [] if fault.given == "origin" else [("Access-Control-Allow-Origin", "*")]
    return send_empty(204, [*origin, ("Access-Control-Allow-Headers", "*")])


# A cache, and pools in which one member is unfit -----------------------------------------------------


class CachedPosts(Fault):
    """A cache whose key is the path alone."""

    name = "cached-posts"
    summary = "the first answer to a POST is given to every later one at the same path"
    yields = ("errors.cached",)

    def __init__(self, given: str | None = None) -> None:
        super().__init__(given)
        self.kept: dict[str, Response] = {}

    def on_response(self, call: Call, response: Response) -> Response:
        if call.request.method != "POST":
            return response
        if call.path not in self.kept and response.status == 200:
            self.kept[call.path] = response
        return self.kept.get(call.path, response)


@on_request(
    "every second request goes to a server that does not run (=page or json: the gateway's answer)",
    "errors.unsteady",
    choices=("page", "json"),
)
def pool_dead_member(fault: Fault, call: Call) -> Response | None:
    """Requests are spread over two servers, one of which does not run."""
    fault.count += 1
    if fault.count % 2:
        return None
    if fault.given == "json":
        return send_json(500, {"error": {"message": "backend request failed: ECONNREFUSED 10.0.4.2:8000"}})
    return send_html(502, "<html><body><h1>502</h1><p>The origin did not respond.</p></body></html>\n")


class WithoutTools(Fault):
    """Requests are spread over two servers, one of which was started without tools."""

    name = "pool-without-tools"
    summary = "every second request with tools goes to a server that refuses them"
    yields = ("errors.unsteady",)
    words: ClassVar[str] = "this deployment has no tool parser; remove `tools`"

    def on_chat(self, call: Call) -> Response | None:
        if not call.tools:
            return None
        self.count += 1
        return None if self.count % 2 else self.error(400, self.words)


@on_chat(
    "every fifth chat request is refused although the key is right (=401 or 403: the status)",
    "errors.unsteady",
    choices=("401", "403"),
    keyed=True,
)
def pool_without_key(fault: Fault, call: Call) -> Response | None:
    """Requests are spread over several servers, one of which does not know the key (QuantumNous/new-api issue 3301)."""
    fault.count += 1
    return fault.error(int(fault.number), "The token is not active", "auth") if fault.count % 5 == 1 else None
