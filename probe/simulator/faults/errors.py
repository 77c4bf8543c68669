"""Errors with a body or a status that a client cannot use."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_request, on_response
from probe.simulator.response import Response, send_empty, to_json


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
