"""What servers built on FastAPI and uvicorn share (seen on vLLM 0.32 and on test applications of FastAPI 0.165)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from probe.simulator.script import Headers, Script, send_empty, send_json
from probe.simulator.style import Style

if TYPE_CHECKING:
    from probe.simulator.call import Call


class FastAPI(Style):
    """Starlette's answers to unknown paths, wrong methods and one trailing slash."""

    lower_case = True
    server: ClassVar[str | None] = "uvicorn"

    def not_found(self, call: Call) -> Script:
        if call.path.endswith("/") and not call.path.endswith("//"):
            bare = call.path[:-1]
            known = any(bare == prefix + path for prefix in call.site.prefixes for path in self.routes)
            if known:
                host = call.request.header("host") or f"127.0.0.1:{call.site.port}"
                return send_empty(307, [("Location", f"{call.site.scheme}://{host}{bare}")])
        return send_json(404, {"detail": "Not Found"})

    def wrong_method(self, call: Call, allowed: str) -> Script:
        return send_json(405, {"detail": "Method Not Allowed"}, [("Allow", allowed)])

    def fixed_headers(self, call: Call, script: Script) -> Headers:
        date = super().fixed_headers(call, script)[:1]
        return [*date, *([("Server", self.server)] if self.server else [])]
