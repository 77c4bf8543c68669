"""Behaviour that servers built on FastAPI and uvicorn share (seen on vLLM 0.32 and FastAPI 0.165)."""

from __future__ import annotations

from typing import ClassVar

from probe.simulator.call import Call
from probe.simulator.response import Headers, Response, redirect, send_json
from probe.simulator.style import Style


class FastAPI(Style):
    """Starlette's answers to unknown paths, wrong methods and a trailing slash."""

    lower_case = True
    server: ClassVar[str | None] = "uvicorn"

    def not_found(self, call: Call) -> Response:
        if call.path.endswith("/") and not call.path.endswith("//"):
            bare = call.path[:-1]
            if any(bare == prefix + path for prefix in call.site.prefixes for path in self.routes):
                return redirect(307, call.site.url(call.request, bare))
        return send_json(404, {"detail": "Not Found"})

    def wrong_method(self, call: Call, allowed: str) -> Response:
        return send_json(405, {"detail": "Method Not Allowed"}, [("Allow", allowed)])

    def own_headers(self, call: Call) -> Headers:
        return [("Server", self.server)] if self.server else []
