"""Where a redirect of a request leads: to https, to an operation of the same origin, or from https to http.  Pure."""

from __future__ import annotations

from urllib.parse import urldefrag, urljoin, urlsplit

from probe.api import Exchange, urls


def redirect_base(exchange: Exchange) -> str | None:
    """The base path of a chat operation on the same origin that a redirect leads to, or None."""
    goal = redirect_goal(exchange)
    return urls.clean_path(urlsplit(goal).path) if goal else None


def redirect_goal(exchange: Exchange, operation: str = "/chat/completions") -> str | None:
    """The URL of an operation on the same origin that a redirect leads to, or None.

    A server behind a TLS proxy that does not trust its headers writes http:// for its own https:// URLs; these are
    taken as meant, so that nothing is sent in clear text.  A login would replace the key, browsers end a host at a
    backslash, and a query of the endpoint's own would become a part of what clients are given: none is followed.
    """
    location = _location(exchange)
    if not location:
        return None
    try:
        goal = urldefrag(urljoin(exchange.request.url, location)).url
        parts, path = urlsplit(goal), urlsplit(goal).path
        if downgrades(exchange):
            goal = urljoin(exchange.request.url, path)
    except ValueError:
        return None
    if "@" in parts.netloc or "\\" in goal or parts.query not in ("", urlsplit(exchange.request.url).query):
        return None
    if not urls.same_origin(goal, exchange.request.url) or not path.rstrip("/").endswith(operation):
        return None
    if not urls.is_plain(path):
        return None
    return goal


def _location(exchange: Exchange) -> str:
    """The Location of a redirect, or an empty text."""
    response = exchange.response
    if response is None or not 300 <= response.status < 400:
        return ""
    return response.header("location") or ""


def downgrades(exchange: Exchange) -> bool:
    """Whether an https URL redirects to http on the same host."""
    response = exchange.response
    try:
        old = urlsplit(exchange.request.url)
        new = urlsplit(urljoin(exchange.request.url, (response.header("location") or "") if response else ""))
        return (old.scheme, new.scheme) == ("https", "http") and old.hostname == new.hostname
    except ValueError:
        return False


def https_goal(exchange: Exchange) -> str | None:
    """The https URL of the same host to which an http request is redirected, or None."""
    try:
        goal = urljoin(exchange.request.url, _location(exchange)[:2000])
        old, new = urlsplit(exchange.request.url), urlsplit(goal)
        _ = new.port
    except ValueError:
        return None
    upgraded = old.scheme == "http" and new.scheme == "https" and bool(new.hostname)
    return goal if upgraded and new.hostname == old.hostname else None
