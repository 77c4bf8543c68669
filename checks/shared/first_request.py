"""The first request of a run: the model list, asked for where the typed URL points.

It shows whether anything is reachable, what TLS is like, and usually names the models,
so that the chat request which follows can ask for one that exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.api import Auth, urls

if TYPE_CHECKING:
    from probe.api import Context, Exchange

#: A model list is small; a server that takes longer is judged by its chat route.
PATIENCE_S = 20.0
SHARE = "models.first"


def first_url(ctx: Context) -> str:
    """The model list under the typed URL, pasted operation and extra slashes taken off."""
    endpoint = ctx.options.endpoint
    return endpoint.at(urls.clean_path(endpoint.path), "/models")


async def first_look(ctx: Context) -> Exchange:
    """The shared first exchange."""
    limit = min(PATIENCE_S, ctx.options.timeout_s)
    url = first_url(ctx)
    # Where the key may not go, whether something answers can still be seen without it.
    auth = Auth("none") if ctx.may_carry_key(url) else None
    return await ctx.send("GET", url, auth=auth, share=SHARE, timeout_s=limit, patient=False)


def first_chat(ctx: Context) -> Exchange | None:
    """The chat completion that settled the base URL, or None."""
    wanted = ctx.target.chat_exchange
    return next((item for item in ctx.exchanges if item.id == wanted), None)
