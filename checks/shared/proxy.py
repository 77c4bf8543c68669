"""A forward proxy between the client and the endpoint: is it what failed, and how.  Pure.

Where a proxy is in force, the client's only connection is the one to the proxy: a connection that is refused was
refused by the proxy's address, not by the endpoint's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from probe.api import Diagnosis, Evidence, Exchange, Finding, Owner, Severity

if TYPE_CHECKING:
    from probe.api import ProxyInUse

PROXY = Diagnosis(
    code="connect.proxy",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="The proxy does not pass requests on",
    what="Requests go through a forward proxy (--proxy, HTTPS_PROXY, HTTP_PROXY or ALL_PROXY), and the proxy cannot be "
    "reached, wants a login, refuses the endpoint, or does not reach it.",
    why="No request reaches the endpoint, whose state is unknown. Clients read the same environment variables.",
    remedy="Correct the proxy's URL, unset the variable, or add the endpoint's host to NO_PROXY.",
    verify="`curl -x PROXY -i URL/models` prints a status line of the endpoint.",
    sources=(
        "RFC 9110, sections 9.3.6 (CONNECT) and 15.5.8 (407)",
        "RFC 9209 (Proxy-Status)",
        "wiki.squid-cache.org: X-Squid-Error",
    ),
)
#: Failures to reach the only address that the client connects to, which is the proxy's.
_NOT_REACHED = {
    "refused": "refused the connection",
    "unreachable": "cannot be reached",
    "dns": "has a host name that does not resolve",
    "timeout": "did not accept a connection in time",
}
#: How proxies sign the answers they make themselves; those that they pass on keep the Server of the endpoint.
_SIGNED = re.compile(r"(?:squid|mitmproxy|tinyproxy|privoxy)\b", re.IGNORECASE)


def _status_in(message: str) -> int | None:
    """The status of a refused CONNECT, with which the HTTP client's message begins."""
    found = re.match(r"\d{3}\b", message.strip())
    return int(found[0]) if found else None


def by_the_proxy(exchange: Exchange) -> bool:
    """Whether an answer was made by a forward proxy, and not passed on by it."""
    response = exchange.response
    if response is None or response.status < 400:
        return False
    if response.status == 407 or response.header("x-squid-error") is not None:
        return True
    if "error=" in (response.header("proxy-status") or ""):
        return True
    return bool(_SIGNED.match(response.header("server") or ""))


def diagnose_proxy(exchange: Exchange, proxy: ProxyInUse) -> Finding | None:
    """The finding for an exchange that failed at the proxy; None where it came through, or failed behind it."""
    error = exchange.error
    host = urlsplit(exchange.request.url).hostname or "HOST"
    bypass = _bypass(proxy, host)
    name = f"The proxy {proxy.url} ({proxy.source})"
    if (response := exchange.response) is not None:
        if not by_the_proxy(exchange):
            return None
        said = response.header("x-squid-error") or response.header("proxy-status") or ""
        more = f" ({said[:80]})" if said else ""
        evidence = exchange.shows_status("an answer of the endpoint")
        status = response.status
        detail = f"{name} answered {exchange.request.method} {exchange.request.url} with status {status}{more}."
        return _refused(detail, status, evidence, bypass)
    if error is None:
        return None
    evidence = exchange.shows("/error/kind", expected="a response through the proxy", actual=error.kind)
    if error.kind == "proxy":
        refused = _status_in(error.message)
        if refused is not None:
            return _refused(f"{name} answered CONNECT to {host} with {error.message}.", refused, evidence, bypass)
        return PROXY.found(f"{name} broke off CONNECT to {host}: {error.message}.", evidence, remedy=bypass)
    if exchange.timeline.connect_s is None and error.kind in _NOT_REACHED:
        return PROXY.found(
            f"{name} {_NOT_REACHED[error.kind]}: {error.message}. Nothing was sent to {host}.",
            evidence,
            remedy=f"Start the proxy or correct its URL. Without a proxy: {bypass}",
        )
    return None


def _refused(detail: str, status: int, evidence: Evidence, bypass: str) -> Finding:
    """A refusal by the proxy, with the cure that its status calls for."""
    if status == 407:
        remedy = (
            "Put user name and password into the proxy's URL in the environment "
            f"(HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT), or do without the proxy: {bypass}"
        )
        return PROXY.found(f"{detail} It wants a login.", evidence, remedy=remedy)
    if status >= 500:
        remedy = (
            "Check that the endpoint runs, and that its host and port can be reached from the proxy. If this machine "
            f"reaches the endpoint itself: {bypass}"
        )
        return PROXY.found(f"{detail} It does not reach the endpoint.", evidence, owner=Owner.NETWORK, remedy=remedy)
    remedy = f"Let the operator of the proxy allow this host and port, or do without the proxy: {bypass}"
    return PROXY.found(f"{detail} It refuses to pass this on.", evidence, owner=Owner.NETWORK, remedy=remedy)


def _bypass(proxy: ProxyInUse, host: str) -> str:
    """How to do without the proxy."""
    if proxy.source == "--proxy":
        return "leave out --proxy, or give the URL of another one with --proxy URL."
    return f"unset {proxy.source}, set NO_PROXY={host}, or name another proxy with --proxy URL."
