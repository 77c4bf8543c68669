"""Keys that are missing, refused, not checked, expected elsewhere, or answered in a misleading way."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_auth, on_chat, typed_key
from probe.simulator.response import Response


@typed_key("the endpoint requires a key and the user gives none", "auth.required", keyed=True)
def auth_required(fault: Fault, key: str | None) -> str | None:
    """A key is required and the user gives none."""
    return None


@typed_key("the user gives a key that the endpoint does not accept", "auth.rejected", keyed=True)
def auth_rejected(fault: Fault, key: str | None) -> str | None:
    """The user's key was never issued by this endpoint."""
    return "sk-sim-0ldKeyFromLastYear42"


# Misleading answers to a wrong key ---------------------------------------------------------------------


@on_auth(
    "a refused key is answered with this status instead of 401 (=400, 403, 404, 422, 500 or 503)",
    "auth.wrong-status",
    choices=("400", "403", "404", "422", "500", "503"),
)
def auth_wrong_status(fault: Fault, call: Call, refusal: Response | None) -> Response | None:
    """The refusal of a key looks like a bad request, a missing page or a broken server."""
    if refusal is None:
        return None
    texts = {
        "400": ("No connected db.", "no_db_connection"),
        "403": ("Authorization failed", "forbidden"),
        "404": ("Resource not found", "not_found"),
    }
    message, kind = texts.get(fault.given, ("Internal server error", "server_error"))
    return fault.error(int(fault.given), message, kind)


@on_auth("the error for a refused key repeats the key", "auth.key-reflected")
def auth_key_reflected(fault: Fault, call: Call, refusal: Response | None) -> Response | None:
    """The error text contains the whole key, which then ends up in logs."""
    given = fault.style.presented_key(call)
    if refusal is None or given is None:
        return refusal
    message = f"Unable to validate api key {given}: key not found in store"
    return fault.error(refusal.status, message, "authentication_error")


# Keys that are not checked, or read from another header ------------------------------------------------


@on_auth("any key is accepted, even a wrong one", "auth.not-checked")
def auth_not_checked(fault: Fault, call: Call, refusal: Response | None) -> Response | None:
    """Any key is accepted, and so is none."""
    return None


@on_auth("/models answers without a key, chat does not", "auth.models-exempt")
def auth_models_exempt(fault: Fault, call: Call, refusal: Response | None) -> Response | None:
    """The model list needs no key, so a wrong key looks right until the first chat request."""
    return None if call.path.endswith("/models") else refusal


@on_auth(
    "the key is accepted in another header only (=x-api-key or =api-key)",
    "auth.wrong-scheme",
    value="x-api-key",
    keyed=True,
)
def auth_wrong_scheme(fault: Fault, call: Call, refusal: Response | None) -> Response | None:
    """The key is read from `X-API-Key` (or `api-key`, as on Azure) only; a bearer token is ignored."""
    given = call.request.header(fault.given)
    if not fault.style.guarded(call) or given == call.site.key:
        return None
    return fault.style.refuse_key(given)


@on_chat("the key is valid, and chat is refused to it with 403; other keys get 401", "auth.denied", keyed=True)
def auth_no_right(fault: Fault, call: Call) -> Response | None:
    """The key is known (no other one is), and may not use chat."""
    return fault.error(403, "This endpoint is not for you", "forbidden")


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
