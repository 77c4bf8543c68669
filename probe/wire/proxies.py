"""The proxy of a request, chosen as an ordinary client chooses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import environ
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from probe.parsing.urls import is_loopback


@dataclass(frozen=True)
class ProxyInUse:
    """The proxy that requests to an endpoint go through.

    Attributes:
        url: without user name and password.
        source: ``--proxy``, or the environment variable that names it; ``the system's settings`` where there is none.
    """

    url: str
    source: str


class ByProxy(httpx.AsyncBaseTransport):
    """A transport that sends each request through the proxy that ``proxy_for`` names for its URL, or directly.

    httpx's own choice differs: it sends some names and addresses of this machine to the environment's proxy.

    Args:
        proxy: the one given as an option, or None for the environment's.
        carrier: makes the transport for a proxy's URL, or for None.
    """

    def __init__(self, proxy: str | None, carrier: Callable[[str | None], httpx.AsyncBaseTransport]) -> None:
        self._proxy = proxy
        self._carrier = carrier
        self._carriers: dict[str | None, httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            httpx.TransportError: it failed, or the proxy is of a kind that cannot be used.
        """
        url, _ = _chosen(str(request.url), self._proxy) or (None, "")
        if url not in self._carriers:
            try:
                self._carriers[url] = self._carrier(url)
            except (ImportError, ValueError, httpx.InvalidURL):
                raise httpx.ProxyError("this is not an http or https proxy, and no other kind can be used") from None
        return await self._carriers[url].handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        for carrier in self._carriers.values():
            await carrier.aclose()


def _with_scheme(value: str) -> str:
    return value if "://" in value else f"http://{value}"


def _chosen(url: str, proxy: str | None) -> tuple[str, str] | None:
    """The URL of the proxy of a request, with its login, and its source; None without one."""
    if proxy:
        return proxy, "--proxy"
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host):
        return None
    found = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if found.get(kind)), None)
    if kind is None or proxy_bypass(host):
        return None
    named = next((name for name in (f"{kind}_proxy", f"{kind}_proxy".upper()) if environ.get(name)), None)
    return _with_scheme(found[kind]), named or "the system's settings"


def proxy_for(url: str, proxy: str | None) -> ProxyInUse | None:
    """The proxy that a request to this URL goes through, or None.

    Args:
        proxy: the one given as an option, or None for the environment's.
    """
    found = _chosen(url, proxy)
    return ProxyInUse(without_login(found[0]), found[1]) if found else None


def environment_proxies() -> list[str]:
    """The proxies' URLs of the environment, which may hold a login."""
    return [_with_scheme(value) for kind, value in getproxies().items() if kind != "no" and value]


def without_login(url: str) -> str:
    """A proxy's URL without user name and password."""
    scheme, _, rest = url.rpartition("://")
    host = rest.rpartition("@")[2].split("/")[0]
    return f"{scheme or 'http'}://{host}"
