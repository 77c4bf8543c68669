"""The recording client for callers that wait: a single request, and the transport of another library's client.

Both obey the client's rules: no redirect is followed, the proxy is that of a run, a body has a limit, the whole
exchange ends in time, and secrets are removed from what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

from probe.exchange import Exchange
from probe.parsing.urls import same_origin
from probe.redaction.redactor import Redactor
from probe.wire import failures
from probe.wire.client import Client
from probe.wire.transport import Transport

#: What the client has undone, or is no longer true of the body.
_UNDONE = ("content-encoding", "content-length", "transfer-encoding")


def send(transport: Transport, redactor: Redactor, **request: Any) -> Exchange:
    """Send one request on a connection of its own; ``request`` as for ``Client.send``."""

    async def once() -> Exchange:
        async with Client(transport, redactor) as client:
            return await client.send(exchange_id="x1", check="", **request)

    return anyio.run(once)


@dataclass(frozen=True)
class Carrier(httpx.BaseTransport):
    """A transport for an ``httpx.Client`` of another library, such as an SDK.

    Attributes:
        base_url: requests to another origin are refused.
        headers: the headers of every request, secrets included; those of the library are not sent, since it takes
            some from the environment.
        query: the query of every request.
        timeout_s: for each exchange.
    """

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    query: str = field(repr=False)
    timeout_s: float
    transport: Transport
    redactor: Redactor

    def client(self) -> httpx.Client:
        """A client that sends by this transport and no other."""
        return httpx.Client(transport=self, trust_env=False, follow_redirects=False, timeout=None)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and wait for the whole of its answer.

        Raises:
            httpx.TransportError: it failed, was not answered in time, or has too long an answer.
        """
        url = str(request.url.copy_with(query=self.query.encode() or None))
        if not same_origin(url, self.base_url):
            raise httpx.UnsupportedProtocol("another origin")
        exchange = send(
            self.transport,
            self.redactor,
            method=request.method,
            url=url,
            headers={"Content-Type": request.headers.get("content-type", "application/json"), **self.headers},
            content=request.read(),
            timeout_s=self.timeout_s,
        )
        if exchange.error is not None:
            kind = httpx.ReadTimeout if exchange.error.kind == failures.TIMEOUT else httpx.NetworkError
            raise kind(exchange.error.kind, request=request)
        response = exchange.response
        if response is None or response.cut:
            raise httpx.ReadError("too-long", request=request)
        headers = [(name, value) for name, value in response.headers if name.lower() not in _UNDONE]
        return httpx.Response(response.status, headers=headers, content=response.content, request=request)
