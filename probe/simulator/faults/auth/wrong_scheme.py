"""The key is looked for in another header."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script
from probe.simulator.style import DEFAULT_KEY


class WrongScheme(Fault):
    """Only `X-API-Key` (or `api-key`, as Azure has it) is read; a bearer token is not looked at."""

    name = "auth-wrong-scheme"
    summary = "the key is accepted in a header of its own only (=x-api-key or =api-key)"
    yields = ("auth.wrong-scheme",)
    value = "x-api-key"

    def asked_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def on_auth(self, call: Call, refusal: Script | None) -> Script | None:
        style = call.site.style
        if not style.guarded(call) or call.request.header(self.given or "") == call.site.key:
            return None
        return style.refuse_key(call, call.request.header(self.given or ""))
