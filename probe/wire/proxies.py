"""The proxy of a request, chosen as an ordinary client chooses it."""

from __future__ import annotations

from dataclasses import dataclass
from os import environ
from typing import Any
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


class ProxyMounts(dict[str, httpx.AsyncBaseTransport | None]):
    """httpx's mounts for the given proxy, or for those of the environment; loopback is never proxied.

    With a transport of ours httpx does not read HTTP(S)_PROXY itself, as an ordinary client would.
    """

    def __init__(self, proxy: str | None, carrier: Any) -> None:
        super().__init__()
        if proxy:
            self["all://"] = carrier(proxy)
            return
        for scheme, value in getproxies().items():
            if scheme in ("http", "https", "all") and value:
                self[f"{scheme}://"] = carrier(_with_scheme(value))
        for host in _unproxied():
            self[f"all://{host}"] = None


def _with_scheme(value: str) -> str:
    return value if "://" in value else f"http://{value}"


def _unproxied() -> list[str]:
    hosts = ["localhost", "127.0.0.1", "[::1]"]
    listed = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    for item in listed.split(","):
        name = item.strip().lstrip(".")
        if name and name != "*":
            hosts += [name, f"*.{name}"] if not name[0].isdigit() else [name]
    return hosts


def proxy_for(url: str, proxy: str | None) -> ProxyInUse | None:
    """The proxy that a request to this URL goes through, or None.

    Args:
        proxy: the one given as an option, or None for the environment's.
    """
    if proxy:
        return ProxyInUse(without_login(proxy), "--proxy")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host):
        return None
    found = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if found.get(kind)), None)
    if kind is None or proxy_bypass(host):
        return None
    named = next((name for name in (f"{kind}_proxy", f"{kind}_proxy".upper()) if environ.get(name)), None)
    return ProxyInUse(without_login(_with_scheme(found[kind])), named or "the system's settings")


def environment_proxies() -> list[str]:
    """The proxies' URLs of the environment, which may hold a login."""
    return [_with_scheme(value) for kind, value in getproxies().items() if kind != "no" and value]


def without_login(url: str) -> str:
    """A proxy's URL without user name and password."""
    scheme, _, rest = url.rpartition("://")
    host = rest.rpartition("@")[2].split("/")[0]
    return f"{scheme or 'http'}://{host}"
