"""Whether characters outside ASCII survive the stream.

A token may hold half of a character: a server that decodes token by token, or a hop that
decodes read by read, spoils it.  The same request without streaming tells a spoilt stream
from a model that does not know the characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.stream.catalogue import UTF8
from checks.stream.event_stream import spoilt_bytes
from checks.stream.framing import short
from probe.api import Depth, Exchange, Inconclusive, Result, check, completion

if TYPE_CHECKING:
    from probe.api import Context

#: Characters of two, three and four bytes.
SAMPLE = "Grüße, 東京, 😀"
ASK = f"Repeat exactly: {SAMPLE}"
_REPLACED = "\ufffd"


@check(
    "stream.characters",
    title="Stream characters outside ASCII",
    proves="Characters of two, three and four bytes come through a stream unharmed.",
    requires={"chat", "streaming"},
    emits=(UTF8,),
    max_requests=2,
    least_requests=1,
    max_tokens=300,
    depth=Depth.STANDARD,
)
async def characters(ctx: Context) -> Result:
    streamed = await ctx.chat(ASK, limit=80, stream=True)
    if not suspicious(streamed):
        return diagnose_characters(streamed, None)
    return diagnose_characters(streamed, await ctx.chat(ASK, limit=80))


def wide(text: str) -> set[str]:
    """The characters of the sample that a text holds."""
    return {char for char in text if ord(char) > 127} & set(SAMPLE)


def suspicious(streamed: Exchange) -> bool:
    """Whether the text may have been spoilt, so that the unstreamed answer is worth a request."""
    if streamed.error is not None or not completion.is_stream(streamed):
        return False
    reading = completion.read_stream(streamed)
    if reading.stream.invalid_utf8:
        return False  # proven already
    said = reading.text
    return _REPLACED in said or _lone(said) or (len(wide(said)) < len(wide(SAMPLE)) and _marks(said))


def _lone(text: str) -> bool:
    """Whether halves of surrogate pairs stand in the text."""
    return any(0xD800 <= ord(char) <= 0xDFFF for char in text)


def _marks(text: str) -> bool:
    """Whether the text has the marks of a wrong decoding: question marks, or Latin-1 for UTF-8."""
    return "?" in text or any(mark in text for mark in ("Ã", "Â", "å", "æ", "ð", "�"))


def diagnose_characters(streamed: Exchange, whole: Exchange | None) -> Result:
    """Judge what came of the sample.  Pure.

    Raises:
        Inconclusive: the request failed.
    """
    if streamed.error is not None or not completion.is_stream(streamed):
        raise Inconclusive("the streamed request failed")
    reading = completion.read_stream(streamed)
    if reading.stream.invalid_utf8:
        return spoilt_bytes(streamed)
    said = reading.text
    if whole is None:
        return Result(note="" if wide(said) else "the model answered in ASCII alone")
    if not completion.is_completion(whole):
        raise Inconclusive("the same question without streaming failed")
    right = completion.content_text(whole)
    if encoded_twice(said) and encoded_twice(right):
        return _found(streamed, said, SAMPLE, "UTF-8 that was encoded twice", without_streaming="holds it as well")
    if _lone(said) and not _lone(right):
        return _found(streamed, said, right, "halves of characters (lone surrogates)")
    lost = wide(right) - wide(said)
    if not lost or len(wide(right)) < 3:
        return Result(note="the model does not repeat the characters without streaming either")
    kind = "replacement signs" if _REPLACED in said else "other characters"
    return _found(streamed, said, right, kind)


def encoded_twice(text: str) -> bool:
    """Whether the text is the sample's UTF-8 bytes read as Latin-1 or Windows-1252: "GrÃ¼ÃŸe" for "Grüße".

    A model does not write that by itself: decoded once more it has to hold at least three of the sample's characters.
    """
    repaired = b"".join(_byte_of(char) for char in text[:1000]).decode("utf-8", "ignore")
    return len(wide(repaired)) >= 3 and len(wide(text)) < 3


def _byte_of(char: str) -> bytes:
    """The byte that Latin-1 or Windows-1252 shows as this character; its UTF-8 where there is none."""
    for coding in ("latin-1", "cp1252"):
        try:
            return char.encode(coding)
        except UnicodeEncodeError:
            continue
    return char.encode("utf-8", "replace")


def _found(streamed: Exchange, said: str, right: str, kind: str, *, without_streaming: str | None = None) -> Result:
    index = next(
        (chunk.index for chunk in completion.read_stream(streamed).chunks if _odd(chunk.delta.get("content"))), 0
    )
    shown = said.encode("utf-8", "replace").decode()
    beside = without_streaming or f'reads "{short(right, 60)}"'
    finding = UTF8.found(
        f'The stream holds {kind}: "{short(shown, 60)}"; the answer without streaming {beside}.',
        streamed.shows(f"/response/events/{index}/data", expected=short(right, 60), actual=short(shown, 60)),
    )
    return Result((finding,))


def _odd(content: object) -> bool:
    return isinstance(content, str) and any(ord(char) > 127 or char == "?" for char in content)
