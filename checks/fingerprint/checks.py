"""Which software answers, and what stands before it.

Nearly everything comes from exchanges that other checks have had anyway.  Only where those
leave it open are a few pages asked for, the one that would decide most first, and never
where no chat completion was had.  A name is given when it is sure; otherwise the answer is
"unknown", since a wrong name would bring a wrong remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from checks.fingerprint.observations import CONTROL, Sightings, collect, is_control, root_of, same_origin
from checks.fingerprint.scoring import NAMED, SURE, Score, recognise, scores
from checks.fingerprint.systems import signatures
from probe.api import Depth, Exchange, Result, ServerInfo, check

if TYPE_CHECKING:
    from probe.api import Context

#: The most pages that are asked for.
MOST_PAGES = 4
#: What a system that does not show at all still counts for when a page is chosen.
_UNSEEN = 0.04


def look(ctx: Context) -> Sightings:
    """What the exchanges so far show."""
    base = urlsplit(ctx.target.base_url or "").path
    return collect(same_origin(ctx.exchanges, ctx.options.endpoint.origin), root_of(base))


def software(ctx: Context) -> str:
    """The id of the software as far as it can be told by now, or ``unknown``.  Sends nothing."""
    return (ctx.target.server or recognise(look(ctx))).software


@check(
    "fingerprint.pages",
    title="Ask for pages that tell servers apart",
    proves="What the other requests left open about the software is answered as well as it can be.",
    requires={"chat"},
    after={"control", "model_list", "model-id", "auth", "models-auth", "streaming"},
    max_requests=MOST_PAGES,
)
async def pages(ctx: Context) -> Result:
    origin = ctx.options.endpoint.origin + root_of(urlsplit(ctx.target.base_url or "").path)
    asked = 0
    while asked < MOST_PAGES and (path := next_page(look(ctx))) is not None:
        page = await ctx.send("GET", origin + path, share=f"page:{path}", timeout_s=10, patient=False)
        asked += 1
        if asked < MOST_PAGES and page.status == 200 and _takes_any_path(ctx.exchanges):
            made_up = f"/{ctx.nonce('page').lower()}{CONTROL}"
            await ctx.send("GET", origin + made_up, share="page:control", timeout_s=10, patient=False)
            asked += 1
    return Result(note=f"{asked} asked" if asked else "the other requests told enough")


def _takes_any_path(exchanges: Sequence[Exchange]) -> bool:
    """Whether a path that cannot exist was answered with success, or was not asked for yet.

    False once one was asked for with GET: what it was answered is in the record then.
    """
    controls = [item for item in exchanges if is_control(item)]
    if any(item.request.method == "GET" for item in controls):
        return False
    return not controls or any(item.status is not None and item.status < 300 for item in controls)


def next_page(seen: Sightings) -> str | None:
    """The page that would decide most, or None where none is worth a request."""
    ranked = scores(seen)
    if _told(ranked):
        return None
    worth: dict[str, float] = {}
    for system in signatures().values():
        likely = _UNSEEN + next((item.confidence for item in ranked if item.system is system), 0.0)
        for signal in system.signals:
            if signal.sees == "page" and signal.path not in seen.asked:
                worth[signal.path] = worth.get(signal.path, 0.0) + likely * signal.weight
    return max(worth, key=lambda path: (worth[path], path), default=None)


def _told(ranked: Sequence[Score]) -> bool:
    """Whether a page could not add to what is known.

    Hosted providers and gateways have none that would; a server is left alone once it is
    sure and nothing else comes near.
    """
    known = [item for item in ranked if item.system.kind != "hop" and item.confidence >= NAMED]
    if any(item.system.kind in ("provider", "gateway") for item in known):
        return True
    return len(known) == 1 and known[0].confidence >= SURE


@check(
    "fingerprint.server",
    title="Recognise the software",
    proves="The software that answers is known, and what stands before it, so that remedies name its settings.",
    after={"*"},
    provides={"server"},
    max_requests=0,
    depth=Depth.QUICK,
)
async def server(ctx: Context) -> Result:
    found = recognise(look(ctx))
    return Result(settles={"server": found}, provides=frozenset({"server"}), note=said(found))


def said(found: ServerInfo) -> str:
    """One line: what was recognised."""
    name = found.software if found.software != "unknown" else "not recognised"
    name += f" {found.version}" if found.version else ""
    return name + (f", behind {', '.join(hop.software for hop in found.hops)}" if found.hops else "")
