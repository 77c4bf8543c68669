"""A wrong key is answered in a way that misleads or leaks."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class WrongStatus(Fault):
    """A refused key looks like a bad request, a missing page or a broken server."""

    name = "auth-wrong-status"
    summary = "a refused key is answered with this status in place of 401 (=400, 403, 404 or 500)"
    yields = ("auth.wrong-status",)
    value = "400"
    choices = ("400", "403", "404", "422", "500", "503")

    def on_auth(self, call: Call, refusal: Script | None) -> Script | None:
        if refusal is None:
            return None
        texts = {
            "400": ("No connected db.", "no_db_connection"),
            "403": ("Authorization failed", "forbidden"),
            "404": ("Resource not found", "not_found"),
        }
        message, kind = texts.get(self.given or "", ("Internal server error", "server_error"))
        return call.site.style.error(call, int(self.given or "400"), message, kind)


class KeyReflected(Fault):
    """The whole key comes back in the text of the error, and so ends up in logs."""

    name = "auth-key-reflected"
    summary = "the error for a refused key repeats the key"
    yields = ("auth.key-reflected",)

    def on_auth(self, call: Call, refusal: Script | None) -> Script | None:
        given = call.site.style.presented_key(call)
        if refusal is None or given is None:
            return refusal
        message = f"Unable to validate api key {given}: key not found in store"
        return call.site.style.error(call, refusal.status, message, "authentication_error")


FAULTS = (WrongStatus, KeyReflected)
