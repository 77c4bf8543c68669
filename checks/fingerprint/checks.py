"""Which software answers, and which hops are in front of it.

Nearly everything is recognised from the exchanges of other checks.  Only if those leave it open are a few pages
requested, the one that decides most first, and only after a chat completion.  A name is given if it is sure;
otherwise the software is "unknown", since a wrong name would bring a wrong remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from checks.fingerprint.reading import CONTROL, Observations, collect, is_control, root_of, same_origin
from checks.fingerprint.scoring import NAMED, SURE, Score, recognise, scores
from checks.fingerprint.systems import signatures
from probe.api import Depth, Exchange, Result, ServerInfo, check, wording

if TYPE_CHECKING:
    from probe.api import Context

#: The most pages that are requested.
MOST_PAGES = 4
#: The weight of a system without any observation when a page is chosen.
_UNSEEN = 0.04


def observe(ctx: Context) -> Observations:
    """What the exchanges so far show."""
    base = urlsplit(ctx.target.base_url or "").path
    return collect(same_origin(ctx.exchanges, ctx.options.endpoint.origin), root_of(base))


def software(ctx: Context) -> str:
    """The id of the software as far as it is recognised, or ``unknown``.  Sends nothing."""
    return (ctx.target.server or recognise(observe(ctx))).software


@check(
    "fingerprint.pages",
    title="Request pages that distinguish servers",
    proves="The software is recognised as far as a few more pages allow.",
    requires={"chat"},
    after={"control", "model_list", "model-id", "auth", "models-auth", "streaming"},
    max_requests=MOST_PAGES,
)
async def pages(ctx: Context) -> Result:
    origin = ctx.options.endpoint.origin + root_of(urlsplit(ctx.target.base_url or "").path)
    asked = 0
    while asked < MOST_PAGES and (path := next_page(observe(ctx))) is not None:
        page = await ctx.send("GET", origin + path, share=f"page:{path}", timeout_s=10, patient=False)
        asked += 1
        if asked < MOST_PAGES and page.status == 200 and _takes_any_path(ctx.exchanges):
            made_up = f"/{ctx.nonce('page').lower()}{CONTROL}"
            await ctx.send("GET", origin + made_up, share="page:control", timeout_s=10, patient=False)
            asked += 1
    return Result(note=f"{wording.amount(asked, 'page')} requested" if asked else "the other requests were enough")


def _takes_any_path(exchanges: Sequence[Exchange]) -> bool:
    """Whether a path that does not exist was answered with success, or was not requested yet.

    False once one was requested with GET, since its answer is then recorded.
    """
    controls = [item for item in exchanges if is_control(item)]
    if any(item.request.method == "GET" for item in controls):
        return False
    return not controls or any(item.status is not None and item.status < 300 for item in controls)


def next_page(seen: Observations) -> str | None:
    """The page that would decide most, or None if none is worth a request."""
    ranked = scores(seen)
    if _decided(ranked):
        return None
    worth: dict[str, float] = {}
    for system in signatures().values():
        likely = _UNSEEN + next((item.confidence for item in ranked if item.system is system), 0.0)
        for signal in system.signals:
            if signal.sees == "page" and signal.path not in seen.asked:
                worth[signal.path] = worth.get(signal.path, 0.0) + likely * signal.weight
    return max(worth, key=lambda path: (worth[path], path), default=None)


def _decided(ranked: Sequence[Score]) -> bool:
    """Whether no page could add anything.

    Hosted providers and gateways have no such pages; a server is decided once it is sure and has no rival.
    """
    known = [item for item in ranked if item.system.kind != "hop" and item.confidence >= NAMED]
    if any(item.system.kind in ("provider", "gateway") for item in known):
        return True
    return len(known) == 1 and known[0].confidence >= SURE


@check(
    "fingerprint.server",
    title="Recognise the software",
    proves="The software that answers and the hops in front of it are known, so that remedies name their settings.",
    after={"*"},
    provides={"server"},
    max_requests=0,
    depth=Depth.QUICK,
)
async def server(ctx: Context) -> Result:
    found = recognise(observe(ctx))
    return Result(settles={"server": found}, provides=frozenset({"server"}), note=summary(found))


def summary(found: ServerInfo) -> str:
    """What was recognised, in one line."""
    name = found.software if found.software != "unknown" else "not recognised"
    name += f" {found.version}" if found.version else ""
    return name + (f", behind {', '.join(hop.software for hop in found.hops)}" if found.hops else "")
