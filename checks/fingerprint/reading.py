"""What the exchanges of a run show of the software behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from probe.api import Exchange, completion, member, urls

#: LiteLLM forwards the headers of the server behind it under this prefix
#: (litellm/proxy/common_request_processing.py); some hops replace the underscore by a hyphen.
BEHIND = ("llm_provider-", "llm-provider-")
#: The end of the path of a request for something that does not exist.
CONTROL = "/no-such-path"
#: Bounds: characters of a text, chunks of a stream, headers of a response.
TEXT, _CHUNKS, _HEADERS = 6000, 24, 200


@dataclass(frozen=True)
class Observation:
    """One value, and the exchange that contains it.

    ``behind``: a gateway forwarded it from the server behind it.
    """

    exchange: str
    value: Any
    name: str = ""
    status: int = 0
    behind: bool = False


@dataclass
class Observations:
    """All observations, by kind; ``asked`` are the paths of all requested pages, ``known`` the headers recorded."""

    hosts: list[Observation] = field(default_factory=list)
    headers: list[Observation] = field(default_factory=list)
    completions: list[Observation] = field(default_factory=list)
    chunks: list[Observation] = field(default_factory=list)
    call_ids: list[Observation] = field(default_factory=list)
    lists: list[Observation] = field(default_factory=list)
    cards: list[Observation] = field(default_factory=list)
    errors: list[Observation] = field(default_factory=list)
    comments: list[Observation] = field(default_factory=list)
    pages: list[Observation] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    known: set[tuple[str, str, int]] = field(default_factory=set)


def plain(value: Any) -> str | None:
    """A JSON value as text without spaces, its members in order; None if it is nested too deeply."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)[:TEXT]
    except RecursionError:
        return None


def compact(exchange: Exchange) -> str:
    """The body as text, JSON without its spaces."""
    response = exchange.response
    if response is None:
        return ""
    text = plain(response.json) if response.json is not None else None
    return response.text[:TEXT].strip() if text is None else text


def host_of(url: str) -> str:
    """The host in a URL; empty if there is none, or if the URL is invalid."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def below(root: str, url: str) -> str:
    """The path of a URL below the server's root path, without its query."""
    path = urlsplit(url).path or "/"
    return path.removeprefix(root) or "/" if root else path


def collect(exchanges: Iterable[Exchange], root: str = "") -> Observations:
    """Collect the observations.

    Args:
        exchanges: of one endpoint, in order.
        root: the path under which the server is mounted, without a slash at the end.
    """
    found = Observations()
    for exchange in exchanges:
        response = exchange.response
        if response is None:
            continue
        host = host_of(exchange.request.url)
        if not any(item.value == host for item in found.hosts):
            found.hosts.append(Observation(exchange.id, host))
        _headers(exchange, found)
        _body(exchange, response.status, root, found)
    _without_catch_all(exchanges, found)
    return found


def _headers(exchange: Exchange, found: Observations) -> None:
    """The headers of an answer; each name, value and status is recorded once."""
    response = exchange.response
    for name, value in response.headers[:_HEADERS] if response else ():
        low = name.lower()
        status = response.status if response else 0
        if (low, value, status) in found.known:
            continue
        found.known.add((low, value, status))
        found.headers.append(Observation(exchange.id, value, low, status))
        if low.startswith(BEHIND):
            found.headers.append(Observation(exchange.id, value, low[len(BEHIND[0]) :], status, behind=True))
        if low == "x-litellm-model-api-base":
            found.hosts.append(Observation(exchange.id, host_of(value), behind=True))


def _body(exchange: Exchange, status: int, root: str, found: Observations) -> None:
    body = completion.body_of(exchange)
    if completion.is_completion(exchange):
        found.completions.append(Observation(exchange.id, body))
        for call in completion.tool_calls(exchange):
            _call_id(exchange.id, call, found)
        return
    if completion.is_stream(exchange):
        _stream(exchange, found)
        return
    if status >= 400 or completion.has_error_body(exchange):
        found.errors.append(Observation(exchange.id, compact(exchange), status=status))
    path = below(root, exchange.request.url)
    if exchange.request.method != "GET":
        return
    if path.endswith("/models") and status == 200 and _cards(body):
        found.lists.append(Observation(exchange.id, body))
        found.cards += [Observation(exchange.id, card) for card in _cards(body)[:3]]
    found.asked.add(path)
    found.pages.append(Observation(exchange.id, compact(exchange), path, status))


def _cards(body: Any) -> list[Any]:
    items = member(body, "data") if isinstance(body, dict) else body
    return [item for item in items if isinstance(item, dict) and "id" in item] if isinstance(items, list) else []


def _stream(exchange: Exchange, found: Observations) -> None:
    stream = completion.read_stream(exchange)
    chunks = [chunk.body for chunk in stream.chunks]
    kept = chunks if len(chunks) <= _CHUNKS else chunks[: _CHUNKS // 2] + chunks[-_CHUNKS // 2 :]
    found.chunks += [Observation(exchange.id, chunk) for chunk in kept]
    found.comments += [Observation(exchange.id, event.data[:200]) for event in stream.stream.comments[:4]]
    found.errors += [Observation(exchange.id, text[:TEXT], status=200) for _, text in stream.errors[:4]]
    for _, call in stream.calls[:8]:
        _call_id(exchange.id, call, found)


def _call_id(exchange: str, call: Any, found: Observations) -> None:
    value = member(call, "id")
    if isinstance(value, str) and value:
        found.call_ids.append(Observation(exchange, value))


def is_control(exchange: Exchange) -> bool:
    """Whether the request was for a path that does not exist."""
    return urlsplit(exchange.request.url).path.endswith(CONTROL)


def _without_catch_all(exchanges: Iterable[Exchange], found: Observations) -> None:
    """Remove pages that this endpoint returns for any path.

    Those equal to the answer for a path that does not exist, and those that two different paths have in common.
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
    """The path under which a server is mounted, from its base path: the part before ``/v1``."""
    return re.sub(r"(/openai|/api|/inference)?/v\d\w*(/openai)?/?$", "", base_path).rstrip("/")


def same_origin(exchanges: Sequence[Exchange], origin: str) -> list[Exchange]:
    """The exchanges with this origin."""
    return [item for item in exchanges if urls.same_origin(item.request.url, origin)]
