"""Streams that never went over a wire: exchanges made from a schedule of reads."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from probe.model import Exchange, Failure, Request, Response, Timeline

Schedule = list[tuple[float, bytes]]
URL = "http://127.0.0.1/v1/chat/completions"


def chunk(delta: dict[str, object], finish: str | None = None, **more: object) -> bytes:
    """One event as most servers send it, about 200 bytes."""
    body = {
        "id": "chatcmpl-0f2b7c55d1c84c0e9d5b",
        "object": "chat.completion.chunk",
        "created": 1763856000,
        "model": "a-model-with-a-name",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        **more,
    }
    return f"data: {json.dumps(body)}\n\n".encode()


def streamed(
    schedule: Sequence[tuple[float, bytes]],
    *,
    headers_s: float | None = None,
    end_s: float | None = None,
    error: Failure | None = None,
    lag_s: float = 0.001,
    stalled_s: float | None = None,
    content_type: str | None = "text/event-stream",
    status: int = 200,
    http_version: str = "HTTP/1.1",
) -> Exchange:
    """An exchange whose body came in these reads, in seconds after the request."""
    reads = [item for item in schedule if item[1]]
    content = b"".join(data for _, data in reads)
    first = reads[0][0] if reads else 0.0
    headers = (("Content-Type", content_type),) if content_type else ()
    timeline = Timeline(
        sent_s=0.0,
        headers_s=first if headers_s is None else headers_s,
        end_s=(reads[-1][0] if reads else first) if end_s is None else end_s,
        reads=tuple((at, len(data)) for at, data in reads),
        wire_bytes=len(content),
        loop_lag_s=lag_s,
        loop_stalled_s=lag_s if stalled_s is None else stalled_s,
    )
    response = Response(status, "OK", http_version, headers, content)
    return Exchange("x001", "stream.shape", Request("POST", URL, {}, {}), response, timeline, error)


def answer(times: Sequence[float], first_s: float = 0.0, usage: bool = True) -> Schedule:
    """A whole streamed answer, one token at each of these times after the first."""
    made: Schedule = [(first_s, chunk({"role": "assistant", "content": ""}))]
    made += [(first_s + at, chunk({"content": f" {n}"})) for n, at in enumerate(times)]
    last = made[-1][0]
    made.append((last, chunk({}, "stop")))
    if usage:
        counts = {"prompt_tokens": 20, "completion_tokens": len(times), "total_tokens": 20 + len(times)}
        made.append((last, f"data: {json.dumps({'choices': [], 'usage': counts})}\n\n".encode()))
    made.append((last, b"data: [DONE]\n\n"))
    return made


# Paces and paths ------------------------------------------------------------------------------


def pace(tokens: int, rate: float, kind: str, dice: random.Random) -> list[float]:
    """When the tokens are written: regular, irregular, or two at a time; seconds."""
    if kind == "regular":
        return [n / rate for n in range(tokens)]
    if kind == "paired":
        return [n // 2 * 2 / rate for n in range(tokens)]
    times, now = [], 0.0
    for _ in range(tokens):
        times.append(now)
        now += dice.lognormvariate(-0.3, 0.75) / rate
    return times


def direct(made: Schedule, _size: float = 0) -> Schedule:
    return made


def held(made: Schedule, _size: float = 0) -> Schedule:
    return [(made[-1][0], b"".join(data for _, data in made))]


def replayed(made: Schedule, _size: float = 0) -> Schedule:
    end = made[-1][0]
    return [(end + 0.01 * n, data) for n, (_, data) in enumerate(made)]


def sized(made: Schedule, size: float = 4096) -> Schedule:
    out: Schedule = []
    full = b""
    for at, data in made:
        full += data
        while len(full) >= size:
            out.append((at, full[: int(size)]))
            full = full[int(size) :]
    return [*out, (made[-1][0], full)]


def timed(made: Schedule, period: float = 0.2) -> Schedule:
    out: dict[float, bytes] = {}
    for at, data in made:
        tick = min((int(at / period) + 1) * period, made[-1][0] + 0.0005)
        out[tick] = out.get(tick, b"") + data
    return sorted(out.items())


def jittered(made: Schedule, dice: random.Random) -> Schedule:
    """The same through a network with varying delay and rare stalls; order is kept, as TCP does."""
    out: Schedule = []
    now = 0.0
    for at, data in made:
        delay = 0.03 + dice.gammavariate(2, 0.005) + (0.25 if dice.random() < 0.015 else 0.0)
        now = max(now, at + delay)
        out.append((now, data))
    return out
