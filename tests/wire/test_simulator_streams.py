"""Faults of streams, timers, and harmless oddities, as seen on the wire."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.wire.test_simulator_client import COUNT, WEATHER, Client
from tests.wire.test_simulator_effects import CODE, Effects, refused, turn, works

effect = Effects()


# Streams --------------------------------------------------------------------------------------------------


@effect("stream-rejected", "stream-not-sse")
def _no_stream(client: Client) -> None:
    works(client)
    made = client.stream()
    assert made.status == (400 if client.sim.faults[0].name == "stream-rejected" else 200)
    assert made.headers["content-type"] == "application/json"
    json.loads(made.body)


@effect("stream-content-type", "stream-content-type=application/json")
def _content_type(client: Client) -> None:
    made = client.stream()
    assert made.headers["content-type"] == client.sim.faults[0].given
    assert made.text == "1\n2\n3\n4\n5"


@effect("stream-held", "stream-compressed", rate_tokens_s=100.0)
def _held(client: Client) -> None:
    made = client.stream(COUNT.format(25), headers={"Accept-Encoding": "gzip"})
    assert made.head_at > 0.4
    assert made.reads[-1][0] - made.head_at < 0.1
    if client.sim.faults[0].name == "stream-compressed":
        assert made.headers["content-encoding"] == "gzip"
        plain = client.stream(COUNT.format(25))
        assert plain.head_at < 0.3
        assert plain.text.endswith("25")


@effect("stream-replayed", rate_tokens_s=100.0)
def _replayed(client: Client) -> None:
    made = client.stream(COUNT.format(25))
    assert made.head_at < 0.3
    assert made.reads[0][0] > 0.4
    assert made.reads[-1][0] - made.reads[0][0] < 0.35
    assert made.text.endswith("25")


@effect("tool-stream-text-held", "tool-stream-text-held-auto", "tool-stream-text-replayed", rate_tokens_s=100.0)
def _held_with_tools(client: Client) -> None:
    plain, made = client.stream(COUNT.format(25)), client.stream(COUNT.format(25), tools=[WEATHER])
    assert plain.reads[0][0] < 0.3
    assert made.reads[0][0] > 0.4
    assert made.reads[-1][0] - made.reads[0][0] < 0.3
    assert made.text == plain.text
    forbidden = client.stream(COUNT.format(25), tools=[WEATHER], tool_choice="none")
    assert (forbidden.reads[0][0] < 0.3) is (client.sim.faults[0].name == "tool-stream-text-held-auto")


@effect("stream-size-buffered", "stream-size-buffered=1000", rate_tokens_s=200.0)
def _by_size(client: Client) -> None:
    made = client.stream(COUNT.format(40))
    size = int(client.sim.faults[0].number)
    lengths = [len(data) for _, data in made.reads]
    assert len(lengths) == -(-sum(lengths) // size)
    assert set(lengths[:-1]) == {size}
    assert not made.reads[0][1].endswith(b"\n\n")
    assert made.text.endswith("40")


@effect("stream-coalesced", "stream-coalesced=0.1", rate_tokens_s=100.0)
def _by_time(client: Client) -> None:
    made = client.stream(COUNT.format(40))
    assert all(data.endswith(b"\n\n") for _, data in made.reads)
    period = client.sim.faults[0].number
    gaps = [later[0] - earlier[0] for earlier, later in zip(made.reads, made.reads[1:], strict=False)]
    assert len(made.reads) < 0.8 / period + 4
    assert sorted(gaps)[len(gaps) // 2] == pytest.approx(period, rel=0.4)


@effect("stream-framing", *[f"stream-framing={kind}" for kind in ("no-blank-line", "split-json", "double-encoded")])
@effect("stream-framing=double-prefix")
def _not_framed(client: Client) -> None:
    events = client.stream().body.decode().split("\n\n")
    parsed = []
    for event in events:
        data = "\n".join(line[5:].strip() for line in event.splitlines() if line.startswith("data:"))
        try:
            parsed.append(json.loads(data))
        except ValueError:
            continue
    assert not [one for one in parsed if isinstance(one, dict)]


@effect("stream-no-done")
def _no_done(client: Client) -> None:
    made = client.stream()
    assert made.finish == ["stop"]
    assert "[DONE]" not in made.events


@effect("stream-truncated", *[f"stream-truncated={how}" for how in ("cut", "mid-chunk", "reset")])
def _truncated(client: Client) -> None:
    made = client.stream(COUNT.format(30))
    assert made.text.startswith("1\n2\n3\n")
    assert made.finish == []
    assert "[DONE]" not in made.events
    kind = {"clean": None, "cut": httpx.RemoteProtocolError, "reset": httpx.ReadError}
    wanted = kind.get(client.sim.faults[0].given or "", httpx.RemoteProtocolError)
    assert (made.error is None) if wanted is None else isinstance(made.error, wanted)
    works(client)


@effect("stream-no-usage")
def no_usage(client: Client) -> None:
    made = client.stream(stream_options={"include_usage": True})
    assert not [event for event in made.events if isinstance(event, dict) and event.get("usage")]
    assert made.finish == ["stop"]


@effect("stream-error-in-band", "stream-error-in-band=1")
def _error_inside(client: Client) -> None:
    made = client.stream()
    assert "error" in made.events[-1]
    assert made.status == 200
    assert len(made.events) == int(client.sim.faults[0].number) + 2


@effect("stream-utf8", "stream-utf8=invalid")
def _mangled(client: Client) -> None:
    text = "Grüße, 漢字 🎉"
    assert client.said(f"Repeat exactly: {text}") == text
    made = client.stream(f"Repeat exactly: {text}")
    assert made.text != text
    if client.sim.faults[0].given == "invalid":
        with pytest.raises(UnicodeDecodeError):
            made.body.decode()


# Idle -----------------------------------------------------------------------------------------------------


@effect("idle-l4-dropped=0.3", rate_tokens_s=50.0)
def _goes_silent(client: Client) -> None:
    """A long silence is never broken again; short ones are no trouble."""
    works(client)
    with pytest.raises(httpx.ReadTimeout):
        client.http.post(client.base + "/chat/completions", json=client.body(COUNT.format(30), {}), timeout=1.5)


@effect("idle-l7-timeout=0.4", "idle-total-deadline=0.4", "idle-l4-reset=0.4", rate_tokens_s=50.0)
def _timers(client: Client) -> None:
    name = client.sim.faults[0].name
    long = COUNT.format(30)  # about 1.2 s
    if name == "idle-l4-reset":
        with pytest.raises(httpx.ReadError):
            client.chat(long)
    else:
        start = time.monotonic()
        assert client.chat(long).status_code == 504
        assert time.monotonic() - start < 0.9
    made = client.stream(long)
    assert (made.finish == ["stop"]) == (name != "idle-total-deadline")
    assert (made.error is None) == (name != "idle-total-deadline")
    works(client)


@effect("idle-write-deadline=0.4", "idle-stream-deadline=0.4", "idle-retries=0.2", rate_tokens_s=50.0)
def _other_timers(client: Client) -> None:
    name = client.sim.faults[0].name
    long = COUNT.format(30)  # about 1.2 s
    if name == "idle-write-deadline":
        with pytest.raises(httpx.RemoteProtocolError):
            client.chat(long)
    else:
        assert client.chat(long).status_code == (504 if name == "idle-retries" else 200)
    made = client.stream(long)
    assert (made.finish == ["stop"]) == (name == "idle-retries")
    works(client)


@effect("idle-late-error", "idle-late-error=200", rate_tokens_s=20.0)
def _late_errors(client: Client) -> None:
    answer = client.chat(COUNT.format(30))  # about 3 s
    assert answer.status_code == int(client.sim.faults[0].given)
    assert "choices" not in answer.text


@effect("idle-reuse-closed=0.3")
def _reuse(client: Client) -> None:
    works(client)
    works(client)
    time.sleep(0.5)
    with pytest.raises(httpx.ReadError):
        client.chat(CODE)
    works(client)


# Harmless oddities ----------------------------------------------------------------------------------------


def sse_text(body: bytes) -> str:
    """The text of a stream, read as the standard says."""
    lines = body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    text, data = "", []
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            joined = "\n".join(data)
            data = []
            if joined != "[DONE]":
                for choice in json.loads(joined)["choices"]:
                    text += choice["delta"].get("content") or ""
    return text


@effect(
    "crlf", "cr", "no-space", "bom", "event-fields", "utf8-split", "comments", "empty-first-chunk", "close-delimited"
)
@effect("connection-close")
def _still_readable(client: Client) -> None:
    text = "Grüße, 漢字 🎉"
    made = client.stream(f"Repeat exactly: {text}")
    assert sse_text(made.body) == text
    marks = {
        "crlf": b"\r\n\r\n", "cr": b"\r\r", "no-space": b"data:{", "bom": b"\xef\xbb\xbf",
        "event-fields": b"\nevent: message\n", "comments": b": OPENROUTER PROCESSING",
        "empty-first-chunk": b'"choices":[],"prompt_filter_results"',
    }  # fmt: skip
    name = client.sim.faults[0].name
    assert marks.get(name, b"") in made.body
    if name == "close-delimited":
        assert "transfer-encoding" not in made.headers
    if name == "connection-close":
        assert client.models().headers["connection"] == "close"


@effect("slow-first-token=0.5", rate_tokens_s=100.0)
def _late_start(client: Client) -> None:
    made = client.stream(COUNT.format(20))
    assert made.reads[0][0] > 0.45
    assert made.reads[-1][0] - made.reads[0][0] > 0.25


@effect("heartbeats=0.1", rate_tokens_s=100.0, first_token_s=0.55)
def _signs_of_life(client: Client) -> None:
    made = client.stream()
    beats = [at for at, data in made.reads if data.startswith(b":")]
    assert len(beats) == 5
    assert made.head_at < 0.4
    assert made.text == "1\n2\n3\n4\n5"


@effect("usage-on-finish")
def _usage_on_the_last_choice(client: Client) -> None:
    made = client.stream(stream_options={"include_usage": True})
    last = [event for event in made.events if isinstance(event, dict)][-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["completion_tokens"] == 9


@effect("strict-role-order")
def _order(client: Client) -> None:
    assert client.chat([turn("system", "Be brief."), turn("user", CODE)]).status_code == 200
    refused(client.chat([turn("user", "Hi"), turn("user", CODE)]))
    refused(client.chat([turn("user", "Hi"), turn("system", "Be brief.")]))


@effect("reasoning-model", "reasoning-model=reasoning", "think-tags", "hidden-reasoning")
def _thinks(client: Client) -> None:
    fault = client.sim.faults[0]
    answer = client.chat(CODE).json()
    message = answer["choices"][0]["message"]
    assert answer["usage"]["completion_tokens"] > 40
    assert message["content"].endswith("KX-48213")
    field = {"think-tags": None, "hidden-reasoning": None}.get(fault.name, fault.given)
    assert (field is None) or message[field]
    assert message["content"].startswith("<think>") == (fault.name == "think-tags")
    made = client.stream(CODE)
    assert made.text.endswith("KX-48213")
    thought = [delta for delta in made.deltas if delta.get("reasoning_content") or delta.get("reasoning")]
    assert bool(thought) == (field is not None)
    short = client.chat(CODE, max_tokens=10).json()["choices"][0]
    assert short["finish_reason"] == "length"
    assert "KX" not in short["message"]["content"]


@effect("weak-model")
def _weak(client: Client) -> None:
    answer = client.chat(CODE, max_tokens=30).json()
    assert "KX-48213" not in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] == 30


@effect("chatty-model")
def _chatty(client: Client) -> None:
    said = client.said(CODE)
    assert "KX-48213" in said
    assert len(said) > 60


# Answers that end early, and requests beside each other ------------------------------------------------


@effect("short-answers=20")
def _ends_early(client: Client) -> None:
    choice = client.chat(COUNT.format(40)).json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert "40" not in choice["message"]["content"]


def _beside(client: Client) -> tuple[Any, float]:
    """A stream of about 0.6 s beside which a short request was sent, and the seconds that the request took."""
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(client.stream, COUNT.format(30))
        time.sleep(0.25)
        begin = time.monotonic()
        assert client.said("Reply with exactly: KX-48213")
        took = time.monotonic() - begin
        return stream.result(), took


@effect("single-slot", rate_tokens_s=100.0)
def _one_at_a_time(client: Client) -> None:
    made, took = _beside(client)
    assert made.finish == ["stop"]
    assert took > 0.35


@effect("stream-interrupted", rate_tokens_s=100.0)
def _interrupted(client: Client) -> None:
    made, _ = _beside(client)
    assert (made.finish, made.error is None) == ([], False)
    assert client.stream(COUNT.format(30)).finish == ["stop"]


test_effect = effect.test()
