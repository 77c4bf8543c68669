"""Gateways with a cache, or with a pool in which one member is unfit."""

from __future__ import annotations

from typing import ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response, send_html, send_json
from probe.simulator.style import DEFAULT_KEY


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


class DeadMember(Fault):
    """Requests are spread over two servers, one of which does not run."""

    name = "pool-dead-member"
    summary = "every second request goes to a server that does not run (=page or json: the gateway's answer)"
    yields = ("errors.unsteady",)
    value = "page"
    choices = ("page", "json")

    def on_request(self, call: Call) -> Response | None:
        self.count += 1
        if self.count % 2:
            return None
        if self.given == "json":
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


class WithoutKey(Fault):
    """Requests are spread over several servers, one of which does not know the key (QuantumNous/new-api issue 3301)."""

    name = "pool-without-key"
    summary = "every fifth chat request is refused although the key is right (=401 or 403: the status)"
    yields = ("errors.unsteady",)
    value = "401"
    choices = ("401", "403")

    def required_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def on_chat(self, call: Call) -> Response | None:
        self.count += 1
        return self.error(int(self.number), "The token is not active", "auth") if self.count % 5 == 1 else None
