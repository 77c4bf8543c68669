"""Gateways with a cache, or with a pool in which one member is unfit."""

from __future__ import annotations

from typing import ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_chat, on_request
from probe.simulator.response import Response, send_html, send_json


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
