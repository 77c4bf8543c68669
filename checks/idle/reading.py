"""What the exchanges of a run show about silence: the longest survived, heartbeats, and the speed of the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from checks.shared.endings import longest_silence, sent_at
from probe.api import Exchange, completion, member


def survived(exchanges: Iterable[Exchange]) -> float:
    """The longest silence that an exchange of the run survived, in seconds."""
    return max(
        (
            longest_silence(item)
            for item in exchanges
            if item.error is None and item.response is not None and item.response.status < 500
        ),
        default=0.0,
    )


def speed_of(fact: object, exchanges: Iterable[Exchange]) -> float | None:
    """Tokens per second: the measured fact, otherwise from the answers without streaming."""
    if isinstance(fact, int | float) and fact > 0:
        return float(fact)
    rates = []
    for exchange in exchanges:
        if not completion.is_completion(exchange) or exchange.timeline.headers_s is None:
            continue
        tokens = completion.usage(exchange)[1] or 0
        took = exchange.timeline.headers_s - sent_at(exchange)
        if tokens >= 20 and took > 0.02:
            rates.append(tokens / took)
    return max(rates, default=None)


def latency_of(exchanges: Iterable[Exchange], rate: float) -> float:
    """The time of an answer that its tokens (thinking included) do not explain, in seconds."""
    spare = [
        exchange.timeline.headers_s - sent_at(exchange) - (completion.usage(exchange)[1] or 0) / rate
        for exchange in exchanges
        if completion.is_completion(exchange) and exchange.timeline.headers_s is not None
    ]
    return max(0.0, min(spare, default=0.0))


def heartbeat_of(exchanges: Sequence[Exchange]) -> tuple[float, str] | None:
    """The interval of heartbeats in the silences of streams, in seconds, and a note on their kind."""
    for kind, name in (("comment", "comments"), ("data", "empty data events")):
        gaps = [gap for item in exchanges if completion.is_stream(item) for gap in _gaps(item, kind)]
        if gaps:
            return median(gaps), f"heartbeats ({name}) every {median(gaps):.1f} s of silence"
    return None


def _gaps(exchange: Exchange, kind: str) -> list[float]:
    """The times between two heartbeats, or from the last other byte to a heartbeat."""
    reading = completion.read_stream(exchange)
    empty = {chunk.index for chunk in reading.chunks if not chunk.finish_reason and _is_empty(chunk)}
    beats = [(sent_at(exchange), False)]
    for index, event in enumerate(reading.stream.events):
        beats.append((event.at_s, event.kind == "comment" if kind == "comment" else index in empty))
    gaps = [later - before for (before, _), (later, beat) in pairwise(beats) if beat and later - before > 0.25]
    # A single one is not a heartbeat: a server may open its stream with a comment.
    return gaps if len(gaps) >= 2 else []


def _is_empty(chunk: completion.Chunk) -> bool:
    if not isinstance(member(chunk.body, "choices"), list):
        return False  # not a chat completion chunk: the Responses API streams other events
    if member(chunk.body, "usage") or member(chunk.body, "choices") == []:
        return not member(chunk.body, "usage")
    return not any(chunk.delta.get(name) for name in ("content", "tool_calls", *completion.REASONING_FIELDS)) and (
        not chunk.delta.get("role") or chunk.index > 0
    )
