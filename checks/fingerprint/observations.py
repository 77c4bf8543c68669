"""What the exchanges of a run show of the software behind them, taken apart once.  Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from probe.api import Exchange, completion, member

#: LiteLLM hands on the headers of the server behind it under this prefix
#: (litellm/proxy/common_request_processing.py); some hops turn an underscore into a dash.
BEHIND = ("llm_provider-", "llm-provider-")
#: How the path of a request ends that asks for what cannot exist.
CONTROL = "/no-such-path"
#: How much of a text is looked at, in characters, and how many chunks of a stream.
_TEXT = 6000
_CHUNKS = 24
_HEADERS = 200


@dataclass(frozen=True)
class Seen:
    """One value and the exchange it stood in.

    ``behind`` says that a gateway handed it on from the server behind it.
    """

    exchange: str
    value: Any
    name: str = ""
    status: int = 0
    behind: bool = False


@dataclass
class Sightings:
    """Everything signals can look at, by kind; ``asked`` are the paths of all pages asked for."""

    hosts: list[Seen] = field(default_factory=list)
    headers: list[Seen] = field(default_factory=list)
    completions: list[Seen] = field(default_factory=list)
    chunks: list[Seen] = field(default_factory=list)
    call_ids: list[Seen] = field(default_factory=list)
    lists: list[Seen] = field(default_factory=list)
    cards: list[Seen] = field(default_factory=list)
    errors: list[Seen] = field(default_factory=list)
    comments: list[Seen] = field(default_factory=list)
    pages: list[Seen] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    met: set[tuple[str, str, int]] = field(default_factory=set)


def plain(value: Any) -> str | None:
    """A JSON value as text without spaces, its members in the order they came; None where it is nested too deeply."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)[:_TEXT]
    except RecursionError:
        return None


def compact(exchange: Exchange) -> str:
    """The body as text, JSON without its spaces."""
    response = exchange.response
    if response is None:
        return ""
    text = plain(response.json) if response.json is not None else None
    return response.text[:_TEXT].strip() if text is None else text


def host_of(url: str) -> str:
    """The host in a URL, which may be a stranger's; empty where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def below(root: str, url: str) -> str:
    """The path of a URL below the server's root path, without its query."""
    path = urlsplit(url).path or "/"
    return path.removeprefix(root) or "/" if root else path


def collect(exchanges: Iterable[Exchange], root: str = "") -> Sightings:
    """Take the exchanges apart.

    Args:
        exchanges: of one endpoint, in order.
        root: the path under which the server is mounted, without a slash at the end.
    """
    found = Sightings()
    for exchange in exchanges:
        response = exchange.response
        if response is None:
            continue
        host = host_of(exchange.request.url)
        if not any(item.value == host for item in found.hosts):
            found.hosts.append(Seen(exchange.id, host))
        _headers(exchange, found)
        _body(exchange, response.status, root, found)
    _without_catch_all(exchanges, found)
    return found


def _headers(exchange: Exchange, found: Sightings) -> None:
    """The headers of an answer, each name, value and status once for the whole run."""
    response = exchange.response
    for name, value in response.headers[:_HEADERS] if response else ():
        low = name.lower()
        status = response.status if response else 0
        if (low, value, status) in found.met:
            continue
        found.met.add((low, value, status))
        found.headers.append(Seen(exchange.id, value, low, status))
        if low.startswith(BEHIND):
            found.headers.append(Seen(exchange.id, value, low[len(BEHIND[0]) :], status, behind=True))
        if low == "x-litellm-model-api-base":
            found.hosts.append(Seen(exchange.id, host_of(value), behind=True))


def _body(exchange: Exchange, status: int, root: str, found: Sightings) -> None:
    body = completion.body_of(exchange)
    if completion.is_completion(exchange):
        found.completions.append(Seen(exchange.id, body))
        for call in completion.tool_calls(exchange):
            _call_id(exchange.id, call, found)
        return
    if completion.is_stream(exchange):
        _stream(exchange, found)
        return
    if status >= 400 or completion.has_error_body(exchange):
        found.errors.append(Seen(exchange.id, compact(exchange), status=status))
    path = below(root, exchange.request.url)
    if exchange.request.method != "GET":
        return
    if path.endswith("/models") and status == 200 and _cards(body):
        found.lists.append(Seen(exchange.id, body))
        found.cards += [Seen(exchange.id, card) for card in _cards(body)[:3]]
    found.asked.add(path)
    found.pages.append(Seen(exchange.id, compact(exchange), path, status))


def _cards(body: Any) -> list[Any]:
    items = member(body, "data") if isinstance(body, dict) else body
    return [item for item in items if isinstance(item, dict) and "id" in item] if isinstance(items, list) else []


def _stream(exchange: Exchange, found: Sightings) -> None:
    stream = completion.read_stream(exchange)
    chunks = [chunk.body for chunk in stream.chunks]
    kept = chunks if len(chunks) <= _CHUNKS else chunks[: _CHUNKS // 2] + chunks[-_CHUNKS // 2 :]
    found.chunks += [Seen(exchange.id, chunk) for chunk in kept]
    found.comments += [Seen(exchange.id, event.data[:200]) for event in stream.stream.comments[:4]]
    found.errors += [Seen(exchange.id, text[:_TEXT], status=200) for _, text in stream.errors[:4]]
    for _, call in stream.calls[:8]:
        _call_id(exchange.id, call, found)


def _call_id(exchange: str, call: Any, found: Sightings) -> None:
    value = member(call, "id")
    if isinstance(value, str) and value:
        found.call_ids.append(Seen(exchange, value))


def is_control(exchange: Exchange) -> bool:
    """Whether a path was asked for that cannot exist."""
    return urlsplit(exchange.request.url).path.endswith(CONTROL)


def _without_catch_all(exchanges: Iterable[Exchange], found: Sightings) -> None:
    """Forget pages that this endpoint would give for any path.

    Those that look like the answer to a path that cannot exist, and those that two
    different paths have in common.
    """
    same: dict[str, set[str]] = {}
    for page in found.pages:
        if page.status == 200:
            same.setdefault(page.value, set()).add(page.name)
    controls = {compact(item) for item in exchanges if is_control(item) and item.status == 200}
    found.pages = [
        page
        for page in found.pages
        if page.status != 200 or (page.value not in controls and len(same[page.value]) == 1)
    ]


def root_of(base_path: str) -> str:
    """The path under which a server is mounted, from its base path: what stands before ``/v1``."""
    import re

    return re.sub(r"(/openai|/api|/inference)?/v\d+\w*(/openai)?/?$", "", base_path).rstrip("/")


def same_origin(exchanges: Sequence[Exchange], origin: str) -> list[Exchange]:
    """The exchanges that were had with this origin."""
    from probe.api import urls

    return [item for item in exchanges if urls.same_origin(item.request.url, origin)]
