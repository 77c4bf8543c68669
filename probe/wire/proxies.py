"""Which proxy a request goes through, as an ordinary client would choose it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from probe.parsing.urls import is_loopback


class ProxyMounts(dict[str, httpx.AsyncBaseTransport | None]):
    """Mounts for the proxies in force: the given one, else the environment's.

    Giving httpx a transport switches off its own reading of HTTP(S)_PROXY, and the
    client this tool stands for would have used it.  Loopback is never proxied.
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
    from os import environ

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
