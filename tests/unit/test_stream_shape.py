"""What the bytes of a stream prove: each spoilt form has its code, each legal one has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.stream.characters import SAMPLE, diagnose_characters, suspicious
from checks.stream.event_stream import Seen, diagnose_shape
from checks.stream.reading import is_event_stream
from probe.api import Exchange, Inconclusive, Result, Severity, State
from probe.model import Failure, Timeline
from tests.unit import answers
from tests.unit.streams import Schedule, answer, chunk, streamed

TIMES = [0.05 * n for n in range(20)]
WORDS = answer(TIMES, 0.1)
TRUNCATED = Failure("truncated", "body", "peer closed connection", None, ("RemoteProtocolError",))
RESET = Failure("reset", "body", "", 104, ("ReadError", "ConnectionResetError"))
STALLED = Failure("timeout", "body", "no end after 60 s", None, ("TimeoutError",))


def codes(result: Result) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in result.findings}


def body(schedule: Schedule) -> bytes:
    return b"".join(data for _, data in schedule)


def rewritten(change: Callable[[bytes], bytes]) -> Exchange:
    return streamed([(at, change(data)) for at, data in WORDS])


LEGAL: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: data,
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "CR": lambda data: data.replace(b"\n", b"\r"),
    "no space": lambda data: data.replace(b"data: ", b"data:", 1),
    "comments": lambda data: b": ping\n\n" + data,
    "fields": lambda data: b"id: 1\nevent: message\nretry: 3000\n" + data,
    "blank lines": lambda data: b"\n\n" + data,
    "unknown field": lambda data: b"x-note: hi\n" + data,
    "no usage chunk, counts on the last": lambda data: data,
}


@pytest.mark.parametrize("name", LEGAL)
def test_legal_streams_are_in_order(name: str) -> None:
    result = diagnose_shape(Seen(rewritten(LEGAL[name])))
    assert codes(result) == {}
    assert result.verdicts["streaming"].verdict is State.WORKS
    assert result.verdicts["stream_usage"].verdict is State.WORKS


def test_a_byte_order_mark_and_multi_line_data_are_legal() -> None:
    first, *rest = WORDS
    bom = streamed([(first[0], b"\xef\xbb\xbf" + first[1]), *rest])
    assert codes(diagnose_shape(Seen(bom))) == {}
    pretty = rewritten(lambda data: data.replace(b'"choices"', b'\ndata: "choices"') if b"{" in data else data)
    assert codes(diagnose_shape(Seen(pretty))) == {}


@pytest.mark.parametrize(
    "usage",
    [
        {"usage": {"prompt_tokens": 3, "completion_tokens": 9}},
        {"x_groq": {"id": "req_1", "usage": {"prompt_tokens": 3, "completion_tokens": 9}}},
    ],
)
def test_counts_may_be_on_the_last_chunk(usage: dict[str, object]) -> None:
    made = [*WORDS[:-3], (2.0, chunk({}, "stop", **usage)), WORDS[-1]]
    result = diagnose_shape(Seen(streamed(made)))
    assert codes(result) == {}
    assert result.verdicts["stream_usage"].verdict is State.WORKS


def test_the_last_event_may_lack_its_empty_line() -> None:
    made = [*WORDS[:-1], (2.0, b"data: [DONE]")]
    assert codes(diagnose_shape(Seen(streamed(made)))) == {}


def test_content_type() -> None:
    for kind in ("text/plain", "application/json", "application/x-ndjson", None):
        result = diagnose_shape(Seen(streamed(WORDS, content_type=kind)))
        assert codes(result) == {"stream.content-type": Severity.WARNING}
        assert result.verdicts["streaming"].verdict is State.WORKS


def unprefixed(data: bytes) -> bytes:
    return data.removeprefix(b"data: ").replace(b"\n\n", b"\n")


def doubled(data: bytes) -> bytes:
    text = data.removeprefix(b"data: ").strip()
    return b"data: " + json.dumps(text.decode()).encode() + b"\n\n" if text.startswith(b"{") else data


def halves(data: bytes) -> bytes:
    text = data.removeprefix(b"data: ").strip()
    return b"data: " + text[:20] + b"\n\ndata: " + text[20:] + b"\n\n" if text.startswith(b"{") else data


def message(data: bytes) -> bytes:
    return data.replace(b'"delta"', b'"message"')


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (unprefixed, "without `data:`"),
        (lambda data: data.replace(b"\n\n", b"\n"), "no empty line"),
        (doubled, "encoded twice"),
        (halves, "split over several events"),
        (lambda data: b"data: " + data, "framed twice"),
        (message, "whole messages"),
        (lambda data: data.replace(b'"', b"'"), "no JSON object"),
    ],
)
def test_unreadable_events(change: Callable[[bytes], bytes], said: str) -> None:
    result = diagnose_shape(Seen(rewritten(change)))
    assert codes(result) == {"stream.framing": Severity.ERROR}
    assert said in result.findings[0].detail
    assert result.verdicts["streaming"].verdict is State.BROKEN


def test_readable_oddities_are_warnings() -> None:
    parts = rewritten(lambda data: data.replace(b'"content": " 3"', b'"content": [{"type": "text", "text": " 3"}]'))
    long = streamed([*WORDS[:5], (0.3, chunk({"content": "x" * (1 << 20)})), *WORDS[5:]])
    for exchange in (parts, long):
        result = diagnose_shape(Seen(exchange))
        assert codes(result) == {"stream.framing": Severity.WARNING}
        assert result.verdicts["streaming"].verdict is State.WORKS
        assert "Streaming off" not in result.findings[0].remedy


def test_a_body_in_a_strange_coding_is_unreadable() -> None:
    error = Failure("encoding", "body", "content coding 'br' was not offered")
    result = diagnose_shape(Seen(streamed([(0.1, b"\x8b\x00\x01")], error=error)))
    assert codes(result) == {"stream.framing": Severity.ERROR}


def test_what_is_no_stream() -> None:
    whole = answers.chat("1\n2\n3", prompt=9)
    page = answers.exchange(200, b"<!doctype html><p>hi", content_type="text/html")
    lines = answers.exchange(
        200, body([(0, unprefixed(data)) for _, data in WORDS]), content_type="application/x-ndjson"
    )
    named = answers.exchange(200, whole.response.content if whole.response else b"", content_type="text/event-stream")
    for exchange, state in (
        (whole, State.IGNORED),
        (page, State.BROKEN),
        (lines, State.BROKEN),
        (named, State.IGNORED),
    ):
        result = diagnose_shape(Seen(exchange))
        assert codes(result) == {"stream.not-sse": Severity.ERROR}
        assert result.verdicts["streaming"].verdict is state


def test_refusals() -> None:
    said = answers.refusal(400, "response streaming is not enabled for this LLM")
    result = diagnose_shape(Seen(said, said))
    assert codes(result) == {"stream.rejected": Severity.ERROR}
    assert result.verdicts["streaming"].verdict is State.REJECTED
    soft = answers.exchange(200, {"error": {"message": "streaming is not supported"}})
    assert codes(diagnose_shape(Seen(soft, soft))) == {"stream.rejected": Severity.ERROR}


@pytest.mark.parametrize("status", [429, 502, 503, 504, 524])
def test_trouble_on_the_way_is_no_refusal(status: int) -> None:
    said = answers.refusal(status, "try later")
    with pytest.raises(Inconclusive):
        diagnose_shape(Seen(said, said))


def test_a_server_error_must_repeat() -> None:
    said = answers.refusal(500, "internal error")
    with pytest.raises(Inconclusive):
        diagnose_shape(Seen(said))
    assert codes(diagnose_shape(Seen(said, said))) == {"stream.rejected": Severity.ERROR}


def test_refused_stream_options_differ_from_refused_streaming() -> None:
    refused = answers.refusal(400, "Unknown parameter: stream_options")
    silent = streamed(answer(TIMES, usage=False))
    result = diagnose_shape(Seen(silent, refused))
    assert codes(result) == {"stream.no-usage": Severity.WARNING}
    assert result.verdicts["stream_usage"].verdict is State.REJECTED
    assert codes(diagnose_shape(Seen(streamed(WORDS), refused))) == {}


def test_no_usage() -> None:
    result = diagnose_shape(Seen(streamed(answer(TIMES, usage=False))))
    assert codes(result) == {"stream.no-usage": Severity.WARNING}
    assert result.verdicts["stream_usage"].verdict is State.IGNORED


# The end ------------------------------------------------------------------------------------


def test_no_done() -> None:
    assert codes(diagnose_shape(Seen(streamed(WORDS[:-1])))) == {"stream.no-done": Severity.WARNING}
    hanging = diagnose_shape(Seen(streamed(WORDS[:-1], error=STALLED, end_s=60.0)))
    assert codes(hanging) == {"stream.no-done": Severity.ERROR}
    assert hanging.verdicts["streaming"].verdict is State.BROKEN


def test_our_own_time_limit_is_not_the_endpoints_fault() -> None:
    result = diagnose_shape(Seen(streamed(WORDS[:12], error=STALLED)))
    assert codes(result) == {}
    assert result.verdicts["streaming"].verdict is State.WORKS
    assert result.verdicts["stream_usage"].verdict is State.UNKNOWN


def test_an_endless_stream_is_not_judged_by_its_end() -> None:
    endless = streamed(WORDS[:12])
    assert endless.response is not None
    with pytest.raises(Inconclusive):
        diagnose_shape(Seen(replace(endless, response=replace(endless.response, cut=True))))


@pytest.mark.parametrize("error", [None, TRUNCATED, RESET, STALLED])
def test_truncated(error: Failure | None) -> None:
    exchange = streamed(WORDS[:12], error=error, end_s=60.0 if error is STALLED else None)
    result = diagnose_shape(Seen(exchange))
    assert codes(result) == {"stream.truncated": Severity.ERROR}
    assert result.verdicts["streaming"].verdict is State.BROKEN


def test_a_cut_inside_an_event_is_no_framing_fault() -> None:
    torn = [*WORDS[:12], (0.9, WORDS[12][1][:50])]
    for error in (None, TRUNCATED):
        assert codes(diagnose_shape(Seen(streamed(torn, error=error)))) == {"stream.truncated": Severity.ERROR}


def test_an_empty_stream_is_truncated() -> None:
    assert codes(diagnose_shape(Seen(streamed([])))) == {"stream.truncated": Severity.ERROR}


def test_a_late_end_after_done_is_nothing() -> None:
    late = streamed(WORDS, error=RESET)
    assert codes(diagnose_shape(Seen(late))) == {}
    assert codes(diagnose_shape(Seen(streamed([*WORDS[:-1], (2.0, b"data: [DONE]\n\n")])))) == {}


def with_time(exchange: Exchange, **times: float) -> Exchange:
    return replace(exchange, timeline=replace(exchange.timeline, **times))  # type: ignore[arg-type]


def slow(count: int, error: Failure | None) -> Exchange:
    """A stream over 2 s that was cut at its end."""
    return streamed([(0.1 * n, chunk({"content": " x"})) for n in range(count)], error=error)


def test_a_deadline_that_cuts_the_stream_is_named_as_such() -> None:
    late = replace(
        answers.refusal(504, "upstream request timeout"), timeline=Timeline(sent_s=0.0, headers_s=2.0, end_s=2.0)
    )
    result = diagnose_shape(Seen(with_time(slow(20, TRUNCATED), end_s=2.05), whole=late))
    assert codes(result) == {"idle.total-deadline": Severity.ERROR}
    assert result.facts["idle_limit_s"] == 2.0
    assert result.verdicts["streaming"].verdict is State.WORKS
    # Envoy closes a second after its timer.
    result = diagnose_shape(Seen(with_time(slow(20, TRUNCATED), end_s=3.0), whole=late))
    assert codes(result) == {"idle.total-deadline": Severity.ERROR}


def test_a_timer_of_silence_that_cuts_the_stream_is_named_as_such() -> None:
    late = replace(answers.refusal(504, "gone"), timeline=Timeline(sent_s=0.0, headers_s=2.0, end_s=2.0))
    result = diagnose_shape(Seen(with_time(slow(30, TRUNCATED), end_s=4.9), whole=late))
    assert codes(result) == {"idle.l7-timeout": Severity.ERROR}


def test_where_the_whole_answer_comes_no_timer_is_blamed() -> None:
    whole = answers.chat("1\n2", prompt=5)
    result = diagnose_shape(Seen(with_time(slow(20, TRUNCATED), end_s=2.05), whole=whole))
    assert codes(result) == {"stream.truncated": Severity.ERROR}


# Errors inside ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"error": {"message": "boom", "type": "server_error"}},
        {"error": "boom"},
        {"error": True, "message": "boom"},
        {"error": {"message": "boom"}, "choices": [{"index": 0, "delta": {}, "finish_reason": None}]},
    ],
)
def test_an_error_inside_the_stream(data: dict[str, object]) -> None:
    bad = streamed([*WORDS[:4], (0.3, f"data: {json.dumps(data)}\n\n".encode())])
    result = diagnose_shape(Seen(bad, again=bad))
    assert codes(result) == {"stream.error-in-band": Severity.ERROR}
    assert "boom" in result.findings[0].detail
    assert result.verdicts["streaming"].verdict is State.BROKEN


def test_an_error_that_does_not_repeat_is_a_warning() -> None:
    bad = streamed([*WORDS[:4], (0.3, b'event: error\ndata: {"error":{"message":"boom"}}\n\n')])
    result = diagnose_shape(Seen(bad, again=streamed(WORDS)))
    assert codes(result) == {"stream.error-in-band": Severity.WARNING}
    assert result.verdicts["streaming"].verdict is State.WORKS


# Characters ---------------------------------------------------------------------------------


def said(text: str) -> Exchange:
    return streamed([(0.01 * n, chunk({"content": char})) for n, char in enumerate(text)] + WORDS[-3:])


def test_characters() -> None:
    right = answers.chat(SAMPLE, prompt=9)
    assert not suspicious(said(SAMPLE))
    assert codes(diagnose_characters(said(SAMPLE), None)) == {}
    for text in (
        "".join("\ufffd" if ord(char) > 127 else char for char in SAMPLE),
        "".join("?" if ord(char) > 127 else char for char in SAMPLE),
        SAMPLE.encode().decode("latin-1"),
        "Grüße, 東京, \ud83d\ude00",
    ):
        assert suspicious(said(text))
        assert codes(diagnose_characters(said(text), right)) == {"stream.utf8": Severity.ERROR}


def test_a_model_that_cannot_write_them_is_not_the_streams_fault() -> None:
    for text in ("I cannot repeat that. Why?", "Gr\ufffd\ufffde"):
        weak = answers.chat(text, prompt=9)
        assert codes(diagnose_characters(said(text), weak)) == {}
    assert not suspicious(said("Hello there."))


def test_bytes_that_are_no_utf8() -> None:
    bad = streamed([(0.1, chunk({"content": "u"}).replace(b'"u"', b'"\xfc"')), *WORDS[-3:]])
    assert codes(diagnose_characters(bad, None)) == {"stream.utf8": Severity.ERROR}
    assert codes(diagnose_shape(Seen(bad))) == {"stream.utf8": Severity.ERROR}


def test_what_counts_as_a_stream() -> None:
    assert is_event_stream(streamed(WORDS))
    assert is_event_stream(streamed(WORDS, content_type=None))
    assert not is_event_stream(answers.chat("hi"))
    assert not is_event_stream(answers.refusal(400, "no"))
