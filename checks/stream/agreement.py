"""Whether a streamed answer is the answer: its text, and its finish reason.

Every text stream of the run is read.  What the bytes prove by themselves (a number where text belongs, an answer sent
twice) is reported at once; where the model could have written it so, the question is asked again, streamed and whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from checks.shape.reading import is_chat
from checks.shared import stream_requests
from checks.stream.catalogue import FINISH_REASON, NOT_ASKED, TEXT_DIFFERS
from probe.api import (
    BudgetExceeded,
    Depth,
    Exchange,
    Finding,
    Result,
    Severity,
    State,
    Throttled,
    because,
    check,
    completion,
    member,
)

if TYPE_CHECKING:
    from probe.api import Context

#: A piece of text that is shorter may repeat what came before by chance (characters).
_SURE = 16
_PIECES = 4
#: The questions that are judged by their numbers, and the last number that each asks for.
COUNTED_TO = {stream_requests.FIRST.prompt: 40, stream_requests.SHORT.prompt: 20}
#: So many consecutive numbers are a count.
_SURELY_COUNTS = 5
#: Fields in which servers put the text of a chunk by mistake, below a choice.
_OTHER_FIELDS = (("delta", "reasoning"), ("delta", "reasoning_content"), ("delta", "text"), ("text",))
_MESSAGE = ("message", "content")


@dataclass(frozen=True)
class Difference:
    """How the text of one stream differs; ``sure`` where its bytes prove it without another request."""

    exchange: Exchange
    what: str
    event: int
    expected: str
    actual: Any
    sure: bool = True


@check(
    "stream.agreement",
    title="Compare streamed answers with whole ones",
    proves="The joined text of a stream is the answer, and its finish reason comes once, at the end.",
    requires={"chat"},
    after={"stream.shape"},
    provides={"streaming"},
    emits=(TEXT_DIFFERS, FINISH_REASON),
    max_requests=3,
    least_requests=0,
    max_tokens=900,
    depth=Depth.QUICK,
)
async def agreement(ctx: Context) -> Result:
    if "stream.framing" in ctx.codes or "stream.not-sse" in ctx.codes:
        return Result(note="the streams cannot be read")
    streams = text_streams(ctx.exchanges)
    found = difference(streams, whole_texts(ctx.exchanges))
    if found is not None and not found.sure:
        with suppress(BudgetExceeded, Throttled):
            found = await _confirmed(ctx, found)
    return diagnose_agreement(streams, found)


@check(
    "stream.all",
    title="Compare every other stream of the run",
    proves="The text and the finish reason of every streamed answer are right.",
    requires={"chat"},
    after={"*"},
    emits=(TEXT_DIFFERS, FINISH_REASON, NOT_ASKED),
    max_requests=0,
    depth=Depth.QUICK,
)
async def all_streams(ctx: Context) -> Result:
    unasked = diagnose_unasked(ctx.exchanges)
    if ctx.codes & {TEXT_DIFFERS.code, FINISH_REASON.code, "stream.framing", "stream.not-sse"}:
        return unasked
    streams = text_streams(ctx.exchanges)
    found = difference(streams, ())
    return unasked | replace(diagnose_agreement(streams, found if found and found.sure else None), verdicts={})


def diagnose_unasked(exchanges: Sequence[Exchange]) -> Result:
    """Streams that came although none was asked for.  Pure."""
    unasked = [item for item in exchanges if completion.is_unasked_stream(item)]
    if not unasked:
        return Result()
    first = unasked[0]
    refused = [item for item in unasked if member(item.request.body, "stream") is False]
    whole = [
        item
        for item in exchanges
        if member(item.request.body, "stream") is False and is_chat(item) and not completion.is_stream(item)
    ]
    how = "`stream: false`" if refused else "`stream` left out"
    cure = " With `stream: false` it is answered by one object." if whole and not refused else ""
    finding = NOT_ASKED.found(
        f"A chat request with {how} was answered by an event stream.{cure}",
        (refused or unasked)[0].shows(
            "/response/headers/content-type",
            expected="application/json",
            actual=first.response.header("content-type") if first.response else None,
        ),
        remedy="Send `stream: false` explicitly in every request that does not stream." if cure else None,
    )
    return Result((finding,))


async def _confirmed(ctx: Context, found: Difference) -> Difference | None:
    """The difference again, or None: what cannot be repeated is not reported."""
    whole = await stream_requests.whole(ctx)
    numbers = _numbers(whole)
    counts = len(numbers) >= _SURELY_COUNTS and _is_count(numbers)
    if not completion.is_completion(whole) or not counts or _odd_end(whole, numbers) is not None:
        return None  # the model does not count without streaming either
    again = await stream_requests.timed(ctx, stream_requests.first(ctx), options=False)
    if completion.answer(again) == completion.answer(whole):
        return None
    return difference([again], [whole])


def text_streams(exchanges: Iterable[Exchange]) -> list[Exchange]:
    """The streams that arrived complete, hold no call, no error and no other API's events."""
    found = []
    for exchange in exchanges:
        if exchange.error is not None or not is_chat(exchange) or not completion.is_stream(exchange):
            continue
        stream = completion.read_stream(exchange)
        if not stream.calls and not stream.errors and not stream.malformed and len(stream.chunks) > 1:
            found.append(exchange)
    return found


def whole_texts(exchanges: Iterable[Exchange]) -> list[Exchange]:
    """The answers without streaming whose text is in ``content`` and that hold no thinking."""
    return [
        item
        for item in exchanges
        if is_chat(item)
        and not completion.is_stream(item)
        and completion.answer(item)
        and completion.reasoning_of(item)[0] is None
    ]


def diagnose_agreement(streams: Sequence[Exchange], found: Difference | None) -> Result:
    """Judge what was seen.  Pure."""
    result = Result()
    if found is not None:
        finding = TEXT_DIFFERS.found(
            f"{found.what}.",
            found.exchange.shows(f"/response/events/{found.event}/data", expected=found.expected, actual=found.actual),
            confidence=1.0 if found.sure else 0.9,
        )
        result |= Result((finding,), {"streaming": because(State.BROKEN, finding)})
    reason = finish_reason(streams)
    return result | Result((reason,)) if reason is not None else result


# The text ---------------------------------------------------------------------------------


def difference(streams: Sequence[Exchange], whole: Sequence[Exchange]) -> Difference | None:
    """The first way in which the text of a stream is not the answer, or None.

    Args:
        streams: text streams, complete.
        whole: answers without streaming whose text is in ``content``.
    """
    for exchange in streams:
        found = _not_text(exchange) or _sent_again(exchange) or _other_field(exchange, whole) or _lost(exchange)
        if found is not None:
            return found
    return None


def _pieces(exchange: Exchange) -> list[tuple[int, Any]]:
    """(event, content) of every chunk that holds content."""
    return [
        (chunk.index, chunk.delta["content"])
        for chunk in completion.read_stream(exchange).chunks
        if chunk.delta.get("content") not in (None, "")
    ]


def _not_text(exchange: Exchange) -> Difference | None:
    wrong = [(event, value) for event, value in _pieces(exchange) if not isinstance(value, str)]
    if not wrong:
        return None
    event, value = wrong[0]
    names = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
    kind = names.get(type(value), "no string")
    shown = value if isinstance(value, int | float | bool) else str(value)[:80]
    what = f"`delta.content` is {kind} in {len(wrong)} of {len(_pieces(exchange))} chunks with text, first {shown!r}"
    return Difference(exchange, what, event, "a string", shown)


def _sent_again(exchange: Exchange) -> Difference | None:
    """One more piece that repeats everything before it, or pieces that each hold all text so far."""
    pieces = [(event, value) for event, value in _pieces(exchange) if isinstance(value, str)]
    if len(pieces) < _PIECES:
        return None
    texts = [text for _, text in pieces]
    growing = sum(later.startswith(earlier) and len(later) > len(earlier) for earlier, later in pairwise(texts))
    if growing >= 0.8 * (len(texts) - 1) and len(texts[-1]) >= _SURE:
        what = "Every chunk holds all the text so far and not the new text alone: a client shows it over and over"
        return Difference(exchange, what, pieces[1][0], "the new text alone", texts[1][:120])
    before = ""
    start = end = 0  # of what was sent so far without the space around it, which is not made anew for each piece
    for number, (event, text) in enumerate(pieces):
        visible = text.strip()
        if number >= _PIECES - 1 and _SURE <= len(visible) == end - start and before.startswith(visible, start):
            what = f"Event {event} repeats the whole answer ({len(text)} characters) after it was sent in pieces"
            return Difference(exchange, what, event, "no text that was sent before", text[:120])
        if visible:
            start = start if end else len(before) + len(text) - len(text.lstrip())
            end = len(before) + len(text.rstrip())
        before += text
    return None


def _other_field(exchange: Exchange, whole: Sequence[Exchange]) -> Difference | None:
    """All text in a field that is not ``content``, where whole answers have theirs in it."""
    stream = completion.read_stream(exchange)
    if stream.text.strip() or stream.finish_reason not in ("stop", None) or not whole:
        return None
    for path in (*_OTHER_FIELDS, _MESSAGE):
        held = [
            (chunk.index, text)
            for chunk in stream.chunks
            if isinstance(text := member(chunk.body, "choices", 0, *path), str) and text.strip()
        ]
        if held:
            field = ".".join(path)
            what = f"All text of the stream is in `{field}`, and `delta.content` is empty, where answers without "
            what += "streaming have it in `message.content`"
            # A thinking model may stop after its thoughts; no model writes into another member of the chunk.
            sure = path[-1] not in completion.REASONING_FIELDS
            return Difference(exchange, what, held[0][0], "the text in delta.content", held[0][1][:120], sure)
    what = "The stream holds no text at all, where answers without streaming have theirs in `message.content`"
    return Difference(exchange, what, 0, "text in delta.content", "none in any chunk", sure=False)


_NUMBER = re.compile(r"\d{1,6}")


def _lost(exchange: Exchange) -> Difference | None:
    """A count whose numbers are not consecutive, as where chunks are dropped or sent twice."""
    near = _miscounts(exchange)
    if near is None:
        return None
    what = f"Asked to count from 1, the stream reads … {near} …; the same question without streaming is answered right"
    text = completion.answer(exchange)[:120]
    return Difference(exchange, what, 0, "1 2 3 4 5 …", text, sure=False)


def _miscounts(exchange: Exchange) -> str | None:
    """The numbers around the first wrong one, in the answer to a request to count; None where all are right.

    An answer without numbers says nothing about the stream, and counts as right.
    """
    if stream_requests.prompt_of(exchange) not in COUNTED_TO:
        return None
    numbers = _numbers(exchange)
    if not numbers:
        return None
    if len(numbers) >= _SURELY_COUNTS and _is_count(numbers):
        return _odd_end(exchange, numbers)
    first = next((place for place, value in enumerate(numbers) if value != place + 1), len(numbers) - 1)
    return " ".join(str(value) for value in numbers[max(0, first - 2) : first + 3])


def _odd_end(exchange: Exchange, numbers: Sequence[int]) -> str | None:
    """The end of a right count that stops before its goal, or that a special token follows; None where it is right."""
    if left := completion.template_tokens(completion.answer(exchange)[-400:]):
        return f"{numbers[-1]} {left[0]}"
    goal = COUNTED_TO.get(stream_requests.prompt_of(exchange), 0)
    if completion.finish_reason(exchange) == "stop" and numbers[-1] < goal:
        return f"{' '.join(str(value) for value in numbers[-3:])} and ends"
    return None


def _numbers(exchange: Exchange) -> list[int]:
    """The numbers in an answer in order, without the last one where the token limit may have cut it."""
    found = [int(number) for number in _NUMBER.findall(completion.answer(exchange)[:20_000])]
    return found[:-1] if completion.finish_reason(exchange) == "length" else found


def _is_count(numbers: Sequence[int]) -> bool:
    return list(numbers) == list(range(1, len(numbers) + 1))


# The finish reason --------------------------------------------------------------------------


def finish_reason(streams: Sequence[Exchange]) -> Finding | None:
    """The finding about finish reasons, the gravest of all streams; None where they are right."""
    found = [item for item in map(_of_finish, streams) if item is not None]
    found.sort(key=lambda item: item.severity is not Severity.ERROR)
    return found[0] if found else None


def _of_finish(exchange: Exchange) -> Finding | None:
    stream = completion.read_stream(exchange)
    choices = [chunk for chunk in stream.chunks if isinstance(member(chunk.body, "choices", 0), dict)]
    written = [(chunk, member(chunk.body, "choices", 0, "finish_reason")) for chunk in choices]
    given = [(chunk, word) for chunk, word in written if isinstance(word, str)]
    real = [(chunk, word) for chunk, word in given if word]
    if not choices:
        return None
    last = choices[-1].index
    pointer = "/response/events/{}/data/choices/0/finish_reason"
    if not real and not stream.done:
        return None  # cut before its end, which is stream.truncated
    if not real:
        what = "empty in every chunk" if given else "missing from every chunk"
        return FINISH_REASON.found(
            f"The finish reason is {what} of a text stream, the last one included.",
            exchange.shows(pointer.format(last), expected="stop or length", actual="" if given else None),
            severity=Severity.ERROR,
        )
    texts = [chunk.index for chunk in choices if chunk.delta.get("content")]
    first = real[0][0].index
    after = [index for index in texts if index > first]
    if after:
        return FINISH_REASON.found(
            f'Event {first} has finish_reason "{real[0][1][:40]}", and {len(after)} events with text follow it.',
            exchange.shows(pointer.format(first), expected=None, actual=real[0][1][:80]),
        )
    if len(real) > 1:
        return FINISH_REASON.found(
            f"{len(real)} chunks of one text stream have a finish reason.",
            exchange.shows(pointer.format(real[1][0].index), expected=None, actual=real[1][1][:80]),
        )
    if len(given) > len(real):
        empty = next(chunk for chunk, word in given if not word)
        return FINISH_REASON.found(
            'Chunks before the last have finish_reason "" in place of null.',
            exchange.shows(pointer.format(empty.index), expected=None, actual=""),
        )
    if real[0][1] == "length" and counted_to_the_end(exchange):
        return FINISH_REASON.found(
            f"The streamed answer is complete and ends with finish_reason length, {_limit_words(exchange)}.",
            exchange.shows(pointer.format(first), expected="stop", actual="length"),
        )
    return None


def counted_to_the_end(exchange: Exchange) -> bool:
    """Whether an answer counts to the end that was asked for, in fewer tokens than its limit."""
    limit, used = completion.token_limit(exchange), completion.usage(exchange)[1] or 0
    goal = COUNTED_TO.get(stream_requests.prompt_of(exchange))
    if goal is None or limit is None or used >= limit - 1:
        return False
    return completion.answer(exchange)[:20_000].rstrip(" \n.,").endswith(f"{goal - 1}\n{goal}")


def _limit_words(exchange: Exchange) -> str:
    used, limit = completion.usage(exchange)[1], completion.token_limit(exchange)
    return f"with {used} of {limit} tokens" if used else f"under a limit of {limit} tokens"
