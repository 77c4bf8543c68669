"""Streamed text and finish reasons, judged on streams made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from checks.shared import stream_requests
from checks.stream import agreement, characters
from checks.stream.agreement import diagnose_agreement, diagnose_unasked, difference, finish_reason, text_streams
from checks.stream.event_stream import Seen, diagnose_shape, never_ends
from probe.api import completion
from probe.model import Exchange, Severity, State
from tests.unit import answers

FIFTY = "\n".join(str(number) for number in range(1, 51))
WORDS = ("The sea ", "is wide ", "and the ", "night is ", "long.")


def stream(*deltas: Any, finish: Any = "stop", prompt: str = "Say it.", done: bool = True) -> Exchange:
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    made = answers.events(*chunks, done=done)
    return replace(made, request=replace(made.request, body={"messages": [{"role": "user", "content": prompt}]}))


def texts(*pieces: Any, **more: Any) -> Exchange:
    return stream(*({"content": piece} for piece in pieces), **more)


def whole(text: str) -> Exchange:
    made = answers.chat(text)
    return replace(made, request=replace(made.request, body={"messages": [{"role": "user", "content": "Say it."}]}))


def test_a_plain_stream_is_right() -> None:
    right = texts(*WORDS)
    assert difference([right], [whole("".join(WORDS))]) is None
    assert finish_reason([right]) is None


@pytest.mark.parametrize(
    ("exchange", "word"),
    [
        (texts("It ", "is ", 7, " now"), "number"),
        (texts("It ", "is ", True), "boolean"),
        (texts(*WORDS, "".join(WORDS)), "repeats the whole answer"),
        (texts(*("".join(WORDS[: n + 1]) for n in range(len(WORDS)))), "all the text so far"),
        (stream(*({"text": word} for word in WORDS)), "`delta.text`"),
    ],
    ids=["number", "boolean", "repeated", "cumulative", "another-field"],
)
def test_what_the_bytes_prove(exchange: Exchange, word: str) -> None:
    found = difference([exchange], [whole("".join(WORDS))])
    assert found is not None
    assert found.sure
    assert word in found.what
    result = diagnose_agreement([exchange], found)
    assert [item.code for item in result.findings] == ["stream.text-differs"]
    assert result.verdicts["streaming"].verdict is State.BROKEN


def test_text_in_a_field_for_thinking_has_to_be_seen_twice() -> None:
    found = difference([stream(*({"reasoning": word} for word in WORDS))], [whole("".join(WORDS))])
    assert found is not None
    assert not found.sure


def test_a_model_that_was_cut_while_it_thought_is_no_fault() -> None:
    cut = stream(*({"reasoning": word} for word in WORDS), finish="length")
    assert difference([cut], [whole("x")]) is None


def test_without_a_whole_answer_nothing_is_compared() -> None:
    assert difference([stream(*({"reasoning": word} for word in WORDS))], []) is None


def test_words_that_repeat_are_the_models_own() -> None:
    assert difference([texts("no ", "no ", "no ", "no ", "no ")], [whole("no no")]) is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (FIFTY, False),
        (FIFTY.replace("\n", ", "), False),
        ("1\n2\n3\n4\n5\n6\n7\n", True),
        (f"{FIFTY}<|im_end|>", True),
        ("1\n2\n3\n5\n6\n7\n8\n", True),
        ("1\n1\n2\n2\n3\n3\n4\n4\n", True),
        ("The story begins.", False),
        ("1\n", True),
    ],
    ids=["lines", "commas", "ends early", "token left", "lost", "doubled", "prose", "one"],
)
def test_a_count_that_is_not_consecutive_is_asked_again(text: str, wrong: bool) -> None:
    found = difference([texts(*text, prompt=stream_requests.COUNT_40)], [])
    assert (found is not None) is wrong
    assert found is None or not found.sure


@pytest.mark.parametrize(
    ("whole_text", "again", "found"),
    [
        (FIFTY, "1\n2\n4\n5\n6\n7\n", True),
        (FIFTY, FIFTY, False),
        ("1\n2\n3\n4\n5\n6\n", "1\n2\n4\n5\n6\n7\n", False),
        ("1\n1\n2\n2\n3\n3\n", "1\n1\n2\n2\n3\n3\n", False),
        ("A story.", "1\n2\n4\n5\n", False),
        ("", "1\n2\n4\n5\n", False),
    ],
    ids=["lost twice", "not repeated", "the model ends early", "the model's own", "no numbers", "empty"],
)
def test_a_difference_is_believed_when_the_whole_answer_is_right(whole_text: str, again: str, found: bool) -> None:
    class Asked:
        """Answers the two requests of the confirmation."""

        target = None
        exchanges = ()
        slow = False

        async def chat(self, *given: Any, **parameters: Any) -> Exchange:
            made = answers.chat(whole_text)
            body = {"messages": [{"role": "user", "content": stream_requests.COUNT_40}]}
            return replace(made, request=replace(made.request, body=body))

    async def timed(*given: Any, **parameters: Any) -> Exchange:
        return texts(*again, prompt=stream_requests.COUNT_40)

    first = difference([texts(*"1\n2\n4\n5\n6\n7\n", prompt=stream_requests.COUNT_40)], [])
    assert first is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_requests, "timed", timed)
        confirmed = anyio.run(agreement._confirmed, Asked(), first)
    assert (confirmed is not None) is found


@pytest.mark.parametrize(
    ("exchange", "severity"),
    [
        (texts(*WORDS, finish=None), Severity.ERROR),
        (texts(*WORDS, finish=""), Severity.ERROR),
        (texts(*WORDS), None),
    ],
    ids=["missing", "empty", "right"],
)
def test_the_finish_reason(exchange: Exchange, severity: Severity | None) -> None:
    found = finish_reason([exchange])
    assert (found.severity if found else None) is severity


def _closed_early(word: str) -> Exchange:
    chunks = [{"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": word}]} for piece in WORDS]
    made = answers.events(*chunks)
    return replace(made, request=replace(made.request, body={"messages": []}))


def test_a_finish_reason_before_the_last_text() -> None:
    found = finish_reason([_closed_early("stop")])
    assert found is not None
    assert found.severity is Severity.WARNING
    assert "4 events with text follow it" in found.detail


def test_streams_with_calls_and_broken_streams_are_left_to_others() -> None:
    call = stream({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}, finish=None)
    assert text_streams([call]) == []
    assert text_streams([answers.lost()]) == []


# Streams that nobody asked for ----------------------------------------------------------------


def unasked(*deltas: Any, **body: Any) -> Exchange:
    made = stream(*deltas)
    return replace(made, request=replace(made.request, body={"messages": [], **body}))


def test_a_stream_that_was_not_asked_for_is_read_like_a_whole_answer() -> None:
    fragments = (
        {"content": "It "},
        {"content": "is."},
        {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
    )
    exchange = unasked(*fragments)
    assert completion.is_completion(exchange)
    assert completion.content_text(exchange) == "It is."
    (call,) = completion.tool_calls(exchange)
    assert call == {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    assert not completion.is_completion(unasked(*fragments, stream=True))


def test_how_it_was_asked_decides_the_cure() -> None:
    left_out = unasked({"content": "a"})
    plain = whole("a")
    asked = replace(plain, request=replace(plain.request, body={"messages": [], "stream": False}))
    (finding,) = diagnose_unasked([left_out, asked]).findings
    assert "explicitly" in finding.remedy
    (finding,) = diagnose_unasked([left_out, unasked({"content": "a"}, stream=False)]).findings
    assert "`stream: false` was answered by an event stream" in finding.detail
    assert "explicitly" not in finding.remedy
    assert diagnose_unasked([plain, texts(*WORDS), answers.lost()]).findings != ()
    assert diagnose_unasked([plain, answers.lost()]).findings == ()


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        (characters.SAMPLE, False),
        (characters.SAMPLE.encode().decode("latin-1"), True),
        ("GrÃ¼ÃŸe, æ\x9d±äº¬, ðŸ˜€", True),
        ("Gruesse, Tokio, :-)", False),
        ("Ã, Â and å are letters", False),
        ("", False),
    ],
)
def test_utf8_that_was_encoded_twice(text: str, twice: bool) -> None:
    assert characters.encoded_twice(text) is twice


# Streams without an end -----------------------------------------------------------------------


def endless(exchange: Exchange, *, cut: bool = True) -> Exchange:
    assert exchange.response is not None
    body = {"messages": [], "max_tokens": 2}
    response = replace(exchange.response, cut=cut)
    return replace(exchange, response=response, request=replace(exchange.request, body=body))


def test_a_stream_that_goes_on_after_its_answer_never_ends() -> None:
    (finding,) = diagnose_shape(Seen(endless(texts(*WORDS, done=False)))).findings
    assert (finding.code, finding.severity) == ("stream.no-done", Severity.ERROR)
    assert "never ends" in finding.detail
    assert never_ends(endless(texts(*("a " for _ in range(20)), finish=None, done=False)))
    assert not never_ends(endless(texts(*WORDS[:3], finish=None, done=False))), "a long answer is not endless"
    assert not never_ends(endless(texts(*WORDS, done=False), cut=False))
