"""Keys that are missing, refused, not checked, expected elsewhere, or answered in a misleading way."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response
from probe.simulator.style import DEFAULT_KEY


class Required(Fault):
    """A key is required and the user gives none."""

    name = "auth-required"
    summary = "the endpoint requires a key and the user gives none"
    yields = ("auth.required",)

    def required_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def typed_key(self, key: str | None) -> str | None:
        return None


class Rejected(Fault):
    """The user's key was never issued by this endpoint."""

    name = "auth-rejected"
    summary = "the user gives a key that the endpoint does not accept"
    yields = ("auth.rejected",)

    def required_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def typed_key(self, key: str | None) -> str | None:
        return "sk-sim-0ldKeyFromLastYear42"


# Misleading answers to a wrong key ---------------------------------------------------------------------


class WrongStatus(Fault):
    """The refusal of a key looks like a bad request, a missing page or a broken server."""

    name = "auth-wrong-status"
    summary = "a refused key is answered with this status instead of 401 (=400, 403, 404, 422, 500 or 503)"
    yields = ("auth.wrong-status",)
    value = "400"
    choices = ("400", "403", "404", "422", "500", "503")

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        if refusal is None:
            return None
        texts = {
            "400": ("No connected db.", "no_db_connection"),
            "403": ("Authorization failed", "forbidden"),
            "404": ("Resource not found", "not_found"),
        }
        message, kind = texts.get(self.given, ("Internal server error", "server_error"))
        return self.error(int(self.given), message, kind)


class KeyReflected(Fault):
    """The error text contains the whole key, which then ends up in logs."""

    name = "auth-key-reflected"
    summary = "the error for a refused key repeats the key"
    yields = ("auth.key-reflected",)

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        given = self.style.presented_key(call)
        if refusal is None or given is None:
            return refusal
        message = f"Unable to validate api key {given}: key not found in store"
        return self.error(refusal.status, message, "authentication_error")


# Keys that are not checked, or read from another header ------------------------------------------------


class NotChecked(Fault):
    """Any key is accepted, and so is none."""

    name = "auth-not-checked"
    summary = "any key is accepted, even a wrong one"
    yields = ("auth.not-checked",)

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        return None


class ModelsExempt(Fault):
    """The model list needs no key, so a wrong key looks right until the first chat request."""

    name = "auth-models-exempt"
    summary = "/models answers without a key, chat does not"
    yields = ("auth.models-exempt",)

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        return None if call.path.endswith("/models") else refusal


class WrongScheme(Fault):
    """The key is read from `X-API-Key` (or `api-key`, as on Azure) only; a bearer token is ignored."""

    name = "auth-wrong-scheme"
    summary = "the key is accepted in another header only (=x-api-key or =api-key)"
    yields = ("auth.wrong-scheme",)
    value = "x-api-key"

    def required_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        given = call.request.header(self.given)
        if not self.style.guarded(call) or given == call.site.key:
            return None
        return self.style.refuse_key(given)


class NoRight(Fault):
    """The key is known (no other one is), and may not use chat."""

    name = "auth-no-right"
    summary = "the key is valid, and chat is refused to it with 403; other keys get 401"
    yields = ("auth.denied",)

    def required_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def on_chat(self, call: Call) -> Response | None:
        return self.error(403, "This endpoint is not for you", "forbidden")


class OtherRoute(Fault):
    """A gateway that refuses every key on the routes of another API (BerriAI/litellm issue 3372)."""

    name = "auth-other-route"
    summary = "a route of another API is typed, where every key gets 401; the API is under /v1"
    yields = ("url.missing-v1",)

    def typed_url(self, url: str) -> str:
        return url.removesuffix("/v1") + "/engines/acme"

    def on_request(self, call: Call) -> Response | None:
        if call.path.startswith("/v1/"):
            return None
        return self.error(401, "This key may not be used for the route", "auth_error")
