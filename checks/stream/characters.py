"""Whether characters outside ASCII survive the stream.

A token may end in the middle of a character: a server that decodes token by token, or a hop that decodes read by
read, corrupts it.  The same request without streaming distinguishes a corrupted stream from a model that does not
know the characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.stream.catalogue import UTF8
from checks.stream.event_stream import invalid_utf8
from probe.api import Depth, Exchange, Inconclusive, Result, check, completion, wording

if TYPE_CHECKING:
    from probe.api import Context

#: Characters of two, three and four bytes.
SAMPLE = "Grüße, 東京, 😀"
PROMPT = f"Repeat exactly: {SAMPLE}"
_REPLACED = "\ufffd"
#: Marks of a wrong decoding: question marks, replacement characters, UTF-8 read as Latin-1.
_MARKS = ("?", "Ã", "Â", "å", "æ", "ð", _REPLACED)


@check(
    "stream.characters",
    title="Stream characters outside ASCII",
    proves="Characters of two, three and four bytes survive a stream.",
    requires={"chat", "streaming"},
    emits=(UTF8,),
    max_requests=2,
    least_requests=1,
    max_tokens=300,
    depth=Depth.STANDARD,
)
async def characters(ctx: Context) -> Result:
    streamed = await ctx.chat(PROMPT, limit=80, stream=True)
    if not suspicious(streamed):
        return diagnose_characters(streamed, None)
    return diagnose_characters(streamed, await ctx.chat(PROMPT, limit=80))


def wide(text: str) -> set[str]:
    """The non-ASCII characters of the sample that a text contains."""
    return {char for char in text if ord(char) > 127} & set(SAMPLE)


def suspicious(streamed: Exchange) -> bool:
    """Whether the text may be corrupted, so that the answer without streaming is worth a request."""
    if streamed.error is not None or not completion.is_stream(streamed):
        return False
    reading = completion.read_stream(streamed)
    if reading.stream.invalid_utf8:
        return False  # already proven
    text = reading.text
    incomplete = len(wide(text)) < len(wide(SAMPLE)) and any(mark in text for mark in _MARKS)
    return _REPLACED in text or _has_surrogates(text) or incomplete


def _has_surrogates(text: str) -> bool:
    """Whether the text contains halves of surrogate pairs."""
    return any(0xD800 <= ord(char) <= 0xDFFF for char in text)


def diagnose_characters(streamed: Exchange, whole: Exchange | None) -> Result:
    """Judge the repeated sample; Inconclusive if the request failed."""
    if streamed.error is not None or not completion.is_stream(streamed):
        raise Inconclusive("the streamed request failed")
    reading = completion.read_stream(streamed)
    if reading.stream.invalid_utf8:
        return invalid_utf8(streamed)
    text = reading.text
    if whole is None:
        return Result(note="" if wide(text) else "the model answered in ASCII only")
    if not completion.is_completion(whole):
        raise Inconclusive("the same question without streaming failed")
    right = completion.content_text(whole)
    if encoded_twice(text) and encoded_twice(right):
        kind = "UTF-8 that was encoded twice"
        return _corrupted(streamed, text, SAMPLE, kind, without_streaming="contains it as well")
    if _has_surrogates(text) and not _has_surrogates(right):
        return _corrupted(streamed, text, right, "halves of characters (lone surrogates)")
    lost = wide(right) - wide(text)
    if not lost or len(wide(right)) < 3:
        return Result(note="the model does not repeat the characters without streaming either")
    return _corrupted(streamed, text, right, "replacement characters" if _REPLACED in text else "other characters")


def encoded_twice(text: str) -> bool:
    """Whether the text is the sample's UTF-8 bytes read as Latin-1 or Windows-1252: "GrÃ¼ÃŸe" for "Grüße".

    A model does not write that by itself: decoded once more, the text must contain three of the sample's characters.
    """
    repaired = b"".join(_byte_of(char) for char in text[:1000]).decode("utf-8", "ignore")
    return len(wide(repaired)) >= 3 and len(wide(text)) < 3


def _byte_of(char: str) -> bytes:
    """The byte of this character in Latin-1 or Windows-1252; its UTF-8 bytes if it is in neither."""
    for coding in ("latin-1", "cp1252"):
        try:
            return char.encode(coding)
        except UnicodeEncodeError:
            continue
    return char.encode("utf-8", "replace")


def _corrupted(streamed: Exchange, text: str, right: str, kind: str, *, without_streaming: str = "") -> Result:
    chunks = completion.read_stream(streamed).chunks
    index = next((chunk.index for chunk in chunks if _is_odd(chunk.delta.get("content"))), 0)
    shown = wording.cut(text.encode("utf-8", "replace").decode(), 60)
    expected = wording.cut(right, 60)
    whole = without_streaming or f'is "{expected}"'
    finding = UTF8.found(
        f'The stream contains {kind}: "{shown}"; the answer without streaming {whole}.',
        streamed.shows(f"/response/events/{index}/data", expected=expected, actual=shown),
    )
    return Result((finding,))


def _is_odd(content: object) -> bool:
    return isinstance(content, str) and any(ord(char) > 127 or char == "?" for char in content)
