"""How well each known system fits the observations, and which names follow.

Signals are weighed as independent hints: two of 60 % give 84 % together.  A name is given above a threshold and with
a clear lead only; otherwise the software is "unknown", since a wrong name would bring a wrong remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checks.fingerprint.reading import TEXT, Observation, Observations, plain
from checks.fingerprint.systems import Signal, Signature, signatures
from probe.api import Hop, ServerInfo, member

#: Confidence from which a server, provider or gateway is named, and a hop.
NAMED = 0.75
HOP_NAMED = 0.6
#: How far the best must be ahead of the second.
LEAD = 0.15
#: Confidence from which no further page is requested.
SURE = 0.9
_SHOWN = 5


@dataclass(frozen=True)
class Match:
    """A signal that was observed: the exchange, and the value for the evidence."""

    signal: Signal
    exchange: str
    shown: str
    version: str | None = None
    behind: bool = False


@dataclass(frozen=True)
class Score:
    """The confidence in one system, 0 to 1, and the matches it rests on."""

    system: Signature
    confidence: float
    matches: tuple[Match, ...]

    @property
    def evidence(self) -> tuple[str, ...]:
        """The strongest observations, one line each."""
        ranked = sorted(self.matches, key=lambda item: -item.signal.weight)
        return tuple(dict.fromkeys(f"{item.shown} ({item.exchange})" for item in ranked))[:_SHOWN]

    @property
    def version(self) -> str | None:
        ranked = sorted(self.matches, key=lambda item: -item.signal.weight)
        return next((item.version for item in ranked if item.version), None)


def scores(seen: Observations, systems: Mapping[str, Signature] | None = None) -> list[Score]:
    """Every system with a match, the surest first."""
    known = signatures() if systems is None else systems
    found = []
    for system in known.values():
        matches = tuple(match for signal in system.signals if (match := _match(signal, system.kind, seen)))
        if matches:
            doubt = 1.0
            for match in matches:
                doubt *= 1 - match.signal.weight
            found.append(Score(system, 1 - doubt, matches))
    return sorted(found, key=lambda item: (-item.confidence, item.system.id))


def recognise(seen: Observations, systems: Mapping[str, Signature] | None = None) -> ServerInfo:
    """The names of the server and of the hops in front of it, as far as they are sure."""
    ranked = _without_imitated(scores(seen, systems))
    gateways = [item for item in ranked if item.system.kind == "gateway" and item.confidence >= NAMED]
    hops = [item for item in ranked if item.system.kind == "hop" and item.confidence >= HOP_NAMED]
    best = _best([item for item in ranked if item.system.kind in ("server", "provider")])
    if best is None and gateways:
        best, gateways = gateways[0], gateways[1:]
    front = tuple(Hop(item.system.id, item.evidence) for item in [*hops, *gateways])
    if best is None:
        return ServerInfo(hops=front)
    return ServerInfo(best.system.id, best.version, min(0.99, round(best.confidence, 2)), best.evidence, front)


def _without_imitated(ranked: Sequence[Score]) -> list[Score]:
    """Without the systems whose signals a named system is known to show as well."""
    imitated = {name for item in ranked if item.confidence >= NAMED for name in item.system.over}
    return [item for item in ranked if item.system.id not in imitated]


def _best(ranked: Sequence[Score]) -> Score | None:
    if not ranked or ranked[0].confidence < NAMED:
        return None
    return None if len(ranked) > 1 and ranked[0].confidence - ranked[1].confidence < LEAD else ranked[0]


# One signal -----------------------------------------------------------------------------------------


def _match(signal: Signal, kind: str, seen: Observations) -> Match | None:
    for item, text, shown in _values(signal, kind, seen):
        if signal.status and item.status not in signal.status:
            continue
        found = signal.pattern.search(text[:TEXT])
        if found is not None:
            return Match(signal, item.exchange, shown[:160], _version(found), item.behind)
    return None


def _version(found: re.Match[str]) -> str | None:
    value = found.groupdict().get("version")
    return value if value and re.fullmatch(r"[\w.+-]{1,40}", value) else None


def _values(signal: Signal, kind: str, seen: Observations) -> Iterable[tuple[Observation, str, str]]:
    """Everything this signal applies to: the observation, the text to search, and its form as evidence."""
    sees = signal.sees
    if sees == "header":
        for item in seen.headers:
            if (item.behind and kind not in ("server", "provider")) or not signal.name_pattern.fullmatch(item.name):
                continue
            yield item, str(item.value), f"{'behind it: ' if item.behind else ''}header {item.name}: {item.value}"
    elif sees == "host":
        for item in seen.hosts:
            if not item.behind or kind in ("server", "provider"):
                yield item, str(item.value), f"{'behind it: ' if item.behind else ''}host {item.value}"
    elif sees == "call-id":
        yield from ((item, str(item.value), f"tool call id {item.value}") for item in seen.call_ids)
    elif sees == "comment":
        yield from ((item, str(item.value), f"comment in the stream: {item.value}") for item in seen.comments)
    elif sees == "error":
        yield from ((item, str(item.value), f"status {item.status}: {item.value}") for item in seen.errors)
    elif sees == "page":
        for item in seen.pages:
            if item.name == signal.path and (signal.status or item.status == 200):
                yield item, str(item.value), f"GET {item.name}: {item.value}"
    elif sees == "same":
        yield from _equal(signal, seen)
    elif sees == "echo":
        yield from _echoed(signal, seen)
    elif sees == "id":
        yield from _at([*seen.completions, *seen.chunks], ("id",), signal, "completion id")
    elif sees == "fingerprint":
        yield from _at([*seen.completions, *seen.chunks], ("system_fingerprint",), signal, "system_fingerprint")
    else:
        places = {"completion": seen.completions, "chunk": seen.chunks, "list": seen.lists, "card": seen.cards}
        names = {"completion": "", "chunk": "chunk ", "list": "model list ", "card": "model card "}
        yield from _at(places[sees], signal.steps, signal, f"{names[sees]}{signal.at}".strip())


def _at(
    items: Iterable[Observation], steps: tuple[str | int, ...], signal: Signal, name: str
) -> Iterable[tuple[Observation, str, str]]:
    for item in items:
        body = item.value
        if signal.keys and (not isinstance(body, dict) or set(body) != set(signal.keys)):
            continue
        if any(isinstance(body, dict) and key in body for key in signal.lacks):
            continue
        if not _has(body, steps):
            continue
        value = member(body, *steps) if steps else body
        text = value if isinstance(value, str) else (plain(value) or "")
        yield item, text, f"{name or 'members'} {text[:80]}".strip()


def _equal(signal: Signal, seen: Observations) -> Iterable[tuple[Observation, str, str]]:
    """Completions and model cards with two equal members."""
    for item in [*seen.completions, *seen.cards]:
        value = member(item.value, *signal.steps)
        if isinstance(value, str) and value and value == member(item.value, *signal.other_steps):
            yield item, value, f"{signal.at} and {signal.other} are both {value}"


def _echoed(signal: Signal, seen: Observations) -> Iterable[tuple[Observation, str, str]]:
    """Completions whose id is also in a header of the same response."""
    for item in [*seen.completions, *seen.chunks]:
        value = member(item.value, "id")
        for header in seen.headers:
            if (
                header.exchange == item.exchange
                and header.value == value
                and signal.name_pattern.fullmatch(header.name)
            ):
                yield item, value, f"completion id and header {header.name} are both {value}"


def _has(body: Any, steps: tuple[str | int, ...]) -> bool:
    """Whether the path exists, also with ``null`` at its end."""
    if not steps:
        return True
    parent = member(body, *steps[:-1]) if len(steps) > 1 else body
    last = steps[-1]
    if isinstance(last, int):
        return isinstance(parent, list) and len(parent) > last
    return isinstance(parent, dict) and last in parent
