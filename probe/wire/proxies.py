"""The proxy of a request, chosen as an ordinary client chooses it."""

from __future__ import annotations

from os import environ
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from probe.parsing.urls import is_loopback


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
                url = value if "://" in value else f"http://{value}"
                self[f"{scheme}://"] = carrier(url)
        for host in _unproxied():
            self[f"all://{host}"] = None


def _unproxied() -> list[str]:
    hosts = ["localhost", "127.0.0.1", "[::1]"]
    listed = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    for item in listed.split(","):
        name = item.strip().lstrip(".")
        if name and name != "*":
            hosts += [name, f"*.{name}"] if not name[0].isdigit() else [name]
    return hosts


def proxied(url: str, proxy: str | None) -> bool:
    """Whether a request to this URL goes through a proxy."""
    parts = urlsplit(url)
    if proxy:
        return True
    if is_loopback(parts.hostname or ""):
        return False
    found = getproxies()
    return bool(found.get(parts.scheme) or found.get("all")) and not proxy_bypass(parts.hostname or "")
