"""Errors whose body or status a client cannot use."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script, to_json


def _message(script: Script) -> str:
    try:
        body = json.loads(script.body)
    except ValueError:
        return "request failed"
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        return str(error.get("message") or error.get("detail") or error)
    return str(error)


class Shape(Fault):
    """Other people's error objects: FastAPI's detail, a flat object, a bare string, an array."""

    name = "errors-shape"
    summary = "errors are not of OpenAI's shape (=detail, flat, string or array)"
    yields = ("errors.shape",)
    value = "detail"
    choices = ("detail", "flat", "string", "array")

    def on_script(self, call: Call, script: Script) -> Script:
        if script.status < 400:
            return script
        text = _message(script)
        bodies: dict[str, Any] = {
            "detail": {"detail": text},
            "flat": {"status": "failure", "message": text},
            "string": text,
            "array": [{"error": {"code": script.status, "message": text, "status": "INVALID_ARGUMENT"}}],
        }
        return script.with_body(to_json(bodies[self.given or "detail"]))


class Html(Fault):
    """A gateway that puts its own page in place of the server's error."""

    name = "errors-html"
    summary = "errors are HTML pages"
    yields = ("errors.shape",)

    def on_script(self, call: Call, script: Script) -> Script:
        if script.status < 400:
            return script
        title = f"{script.status} Error"
        page = (
            f"<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n"
            "<hr><center>nginx</center>\n</body>\n</html>\n"
        )
        return script.with_body(page.encode()).with_header("Content-Type", "text/html")


class SuccessStatus(Fault):
    """The error is told with status 200."""

    name = "errors-success-status"
    summary = "refused requests are answered with status 200 and an error object"
    yields = ("errors.success-status",)

    def on_script(self, call: Call, script: Script) -> Script:
        if call.operation == "chat" and script.status in (400, 404, 422):
            return replace(script, status=200)
        return script


class ServerError(Fault):
    """The client's mistake is told as the server's."""

    name = "errors-server-error"
    summary = "bad requests are answered with 500"
    yields = ("errors.server-error",)

    def on_script(self, call: Call, script: Script) -> Script:
        if call.operation == "chat" and script.status in (400, 422):
            body = {
                "error": {"message": _message(script), "type": "internal_server_error", "param": None, "code": None}
            }
            return replace(script, status=500).with_body(to_json(body))
        return script
