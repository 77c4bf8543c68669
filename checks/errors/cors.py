"""Whether a web page of another origin may call the API: the preflight that a browser sends first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.errors.catalogue import CORS
from checks.shared import refusal
from probe.api import Auth, Depth, Exchange, Inconclusive, Owner, Result, check, wording

if TYPE_CHECKING:
    from probe.api import Context

_ORIGIN = "https://app.example"


@check(
    "errors.cors",
    title="Send a browser's preflight",
    proves="A client in a browser may call the API from another origin.",
    requires={"chat"},
    emits=(CORS,),
    max_requests=1,
    depth=Depth.DEEP,
)
async def cors(ctx: Context) -> Result:
    names = [(ctx.target.auth_header or ctx.options.auth.header).lower()] if ctx.options.auth.key else []
    headers = {
        "Origin": _ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ",".join(sorted([*names, "content-type"])),
    }
    url = ctx.target.chat_url or ""
    exchange = await ctx.send("OPTIONS", url, auth=Auth("none"), headers=headers, timeout_s=20, patient=False)
    return diagnose_cors(exchange, [*names, "content-type"])


def diagnose_cors(exchange: Exchange, names: list[str]) -> Result:
    """Whether the answer to a preflight allows the origin and each of the header names (in lower case).

    The method needs no permission (POST), and ``*`` permits any header but Authorization (WHATWG Fetch, 4.8).

    Raises:
        Inconclusive: there was no answer.
    """
    response = exchange.response
    if response is None:
        raise Inconclusive("the preflight got no answer")
    origin = response.header("access-control-allow-origin")
    given = ",".join(value for name, value in response.headers if name.lower() == "access-control-allow-headers")
    allowed = {name.strip().lower() for name in given[:4000].split(",")}
    lacking = [name for name in names if name not in allowed and ("*" not in allowed or name == "authorization")]
    if not 200 <= response.status < 300:
        what = f"is refused with status {response.status}"
    elif origin not in ("*", _ORIGIN):
        what = f"allows the origin {origin[:80]} only" if origin else "allows no origin"
    elif lacking:
        what = f"does not allow the {wording.form(len(lacking), 'header', 'headers')} {wording.listing(lacking)}"
    else:
        return Result(note="web pages may call the API")
    named = refusal.hop(exchange)
    finding = CORS.found(
        f"OPTIONS {exchange.request.url} from {_ORIGIN} {what}{f'; the answer names {named}' if named else ''}.",
        exchange.shows("/response/headers/access-control-allow-origin", expected="*", actual=origin),
        owner=Owner.GATEWAY if named else None,
    )
    return Result((finding,))
