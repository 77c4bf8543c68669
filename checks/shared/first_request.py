"""The first request of a run: the model list at the URL as typed.

It shows whether the endpoint can be reached and how its TLS is set up, and usually names the models, so that the
chat request that follows can name one that exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.api import Auth, urls

if TYPE_CHECKING:
    from probe.api import Context, Exchange

#: A model list is small; a slower server is judged by its chat operation.
TIMEOUT_S = 20.0


async def first_look(ctx: Context) -> Exchange:
    """The first exchange, shared by the checks of connection, TLS and URL."""
    url = models_url(ctx)
    # ``may_carry_key`` returns the reason not to send the key; without it, whether something answers still shows.
    auth = Auth("none") if ctx.may_carry_key(url) else None
    timeout_s = min(TIMEOUT_S, ctx.options.timeout_s)
    return await ctx.send("GET", url, auth=auth, share="models.first", timeout_s=timeout_s, patient=False)


def models_url(ctx: Context) -> str:
    """The URL of the model list under the typed base, without a pasted operation."""
    endpoint = ctx.options.endpoint
    return endpoint.at(urls.clean_path(endpoint.path), "/models")


def first_chat(ctx: Context) -> Exchange | None:
    """The chat completion that settled the base URL, or None."""
    wanted = ctx.target.chat_exchange
    return next((item for item in ctx.exchanges if item.id == wanted), None)
