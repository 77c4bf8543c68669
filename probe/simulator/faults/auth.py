"""The user gives no key, or the wrong one."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script
from probe.simulator.style import DEFAULT_KEY


class Required(Fault):
    """A key is needed and none is given."""

    name = "auth-required"
    summary = "the endpoint wants a key and the user gives none"
    yields = ("auth.required",)

    def asked_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def typed_key(self, key: str | None) -> str | None:
        return None


class Rejected(Fault):
    """The key is one that this endpoint never issued."""

    name = "auth-rejected"
    summary = "the user gives a key that the endpoint does not accept"
    yields = ("auth.rejected",)

    def asked_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def typed_key(self, key: str | None) -> str | None:
        return "sk-sim-0ldKeyFromLastYear42"


# A wrong key is answered in a way that misleads or leaks. ------------------------------------------


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


# Keys that are not looked at, everywhere or on one path. -------------------------------------------


class NotChecked(Fault):
    """Any key opens the endpoint, and none does too."""

    name = "auth-not-checked"
    summary = "any key is accepted, a wrong one too"
    yields = ("auth.not-checked",)

    def on_auth(self, call: Call, refusal: Script | None) -> Script | None:
        return None


class ModelsExempt(Fault):
    """The model list is open while chat is closed, so a key seems good that is not."""

    name = "auth-models-exempt"
    summary = "/models answers without a key, chat does not"
    yields = ("auth.models-exempt",)

    def on_auth(self, call: Call, refusal: Script | None) -> Script | None:
        return None if call.path.endswith("/models") else refusal


# The key is looked for in another header. ----------------------------------------------------------


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
