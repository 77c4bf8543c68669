"""Finding a secret that comes back disguised: in part, reversed, with something between its letters, or coded.

``Spellings`` of the redactor match a whole secret in place.  Here a text is read as a person could read it: escapes
undone, blanks, tags and invisible characters dropped, wide letters made plain, and what is base64, hexadecimal or a
list of numbers decoded.  Each such reading knows where its letters stand in the text, so that what is found in it can
be replaced there.
"""

from __future__ import annotations

import base64
import re
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html.entities import html5
from itertools import pairwise

#: A run of so many letters of a secret is the secret.
RUN = 12
#: Characters of a text that are read in this way; reports keep less of a body (``probe.report``).
READ = 128 * 1024
#: Escapes within escapes, and codes within codes, that are undone.
_LEVELS = 3
_CODES = 2

#: Letters that are shown like an ASCII letter: super- and subscripts, letterlike, in circles, wide, mathematical.
_PLAIN = {
    code: plain
    for first, last in ((0xA0, 0xFF), (0x2070, 0x24FF), (0xFE50, 0xFFEF), (0x1D400, 0x1D7FF))
    for code in range(first, last + 1)
    if len(plain := unicodedata.normalize("NFKC", chr(code))) == 1 and "!" <= plain <= "~"
}
_DROPPED = re.compile(
    r"[\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    r"\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffc\U000e0000-\U000e0fff]+|<[^<>]{0,200}>"
    r"|\xe2\x80[\x80-\xaf]|\xe2\x81[\x9f-\xaf]|\xef\xbb\xbf|\xc2[\xa0\xad]"  # the same in decoded bytes
)
_ESCAPED = re.compile(
    r"\\{1,8}(?:u\{?([0-9A-Fa-f]{4})\}?|x([0-9A-Fa-f]{2})|([0-3][0-7]{2})|([nrtbf\"'/\\]))"
    r"|%(?:25){0,4}([0-9A-Fa-f]{2})|&(?:amp;){0,4}(?:#0{0,6}([0-9]{1,6})|#[xX]0{0,6}([0-9A-Fa-f]{1,5})|([A-Za-z]{2,8}));?"
)
_QUOTED = re.compile(r"=(?:([0-9A-Fa-f]{2})|[ \t]{0,20}(?:\r?\n|(?:\\r)?\\n))")
_SEPARATOR = r"(?:[\s:,;|._-]|\\[nrt]|0x|\\x|%|\"|'){0,6}"
_HEX = re.compile(rf"(?:[0-9A-Fa-f]{{2}}{_SEPARATOR}){{{RUN},}}")
_NO_HEX = re.compile(r"0x|[^0-9A-Fa-f]+")
_HEX_PAIR = re.compile(r"(?:0x)?([0-9A-Fa-f]{2})")
_NUMBER = re.compile(r"[0-9]+")
_NUMBERS = re.compile(r"[0-9]{2,4}(?:[\s,;:|\[\]\\]{1,4}[0-9]{2,4}){11,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:(?:\\r|\\n|[\r\n]){1,4}[ \t]{0,8}[A-Za-z0-9+/_-]{4,})*")
_NO_BASE64 = re.compile(r"\\[rn]|[^A-Za-z0-9+/_-]+")
_URL_SAFE = str.maketrans("-_", "+/")
#: Bytes that text has no or few of.
_CONTROLS = bytes((*range(9), *range(14, 32), *range(127, 256)))
_WORDLIKE = re.compile(r"[a-z._/:@-]*|[A-Z._/:@-]*")

#: From a place in a reading (start, end) to that in the text.
Place = Callable[[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Reading:
    """A text as it may be read, and where a part of it stands in the text."""

    text: str
    place: Place


def _same(start: int, end: int) -> tuple[int, int]:
    return start, end


def _folded(text: str) -> str:
    """Case and width ignored, the length kept."""
    if text.isascii():
        return text.lower()
    return "".join([low if len(low := letter.lower()) == 1 else letter for letter in text.translate(_PLAIN)])


def _rewritten(reading: Reading, pattern: re.Pattern[str], letter: Callable[[re.Match[str]], str]) -> Reading | None:
    """The reading with each match replaced by at most one letter; None where there is no match."""
    pieces: list[str] = []
    starts: list[int] = []  # of each piece in the new text
    origins: list[tuple[int, int]] = []  # of each piece: where it begins, and where a replaced one ends (else -1)
    size = done = 0
    for found in pattern.finditer(reading.text):
        start, end = found.span()
        for piece, origin in ((reading.text[done:start], (done, -1)), (letter(found), (start, end))):
            if piece:
                pieces.append(piece)
                starts.append(size)
                origins.append(origin)
                size += len(piece)
        done = end
    if not done:
        return None
    pieces.append(reading.text[done:])
    starts.append(size)
    origins.append((done, -1))

    def place(start: int, end: int) -> tuple[int, int]:
        first, last = bisect_right(starts, start) - 1, bisect_right(starts, end - 1) - 1
        begin, whole = origins[first]
        left = begin if whole >= 0 else begin + start - starts[first]
        begin, whole = origins[last]
        return reading.place(left, whole if whole >= 0 else begin + end - starts[last])

    return Reading("".join(pieces), place)


def _unescaped(found: re.Match[str]) -> str:
    unit, byte, octal, named, percent, decimal, entity, name = found.groups()
    if named:
        return {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}.get(named, named)
    if name:
        return html5.get(f"{name};", found[0])
    if octal:
        return chr(int(octal, 8))
    number = int(decimal) if decimal else int(unit or byte or percent or entity, 16)
    return chr(number) if number <= sys.maxunicode else found[0]


def _codes(reading: Reading, worth: Callable[[bytes], bool]) -> Iterator[Reading]:
    """What is coded in hexadecimal, in lists of numbers and in base64, decoded where it is ``worth`` reading."""
    text = reading.text
    for found in _HEX.finditer(text):
        digits = _NO_HEX.sub("", found[0])
        for shift in (0, 1):  # a digit may stand directly before
            if worth(bytes.fromhex(digits[shift : len(digits) - (len(digits) - shift) % 2])):
                pairs = list(_HEX_PAIR.finditer(text, found.start() + shift, found.end()))
                yield _decoded(reading, [int(item[1], 16) for item in pairs], pairs)
    for found in _NUMBERS.finditer(text):
        numbers = list(_NUMBER.finditer(text, *found.span()))
        for base in (8, 10):
            with suppress(ValueError):
                yield _decoded(reading, [int(item[0], base) for item in numbers], numbers)
    for found in _BASE64.finditer(text):
        letters = _NO_BASE64.sub("", found[0]).translate(_URL_SAFE)
        for shift in range(4):  # letters of the alphabet may stand directly before
            rest = letters[shift : len(letters) - ((len(letters) - shift) % 4 == 1)]
            raw = base64.b64decode(rest + "=" * (-len(rest) % 4))
            if worth(raw):
                yield _from_base64(reading, found, shift, raw)


def _decoded(reading: Reading, values: list[int], coded: list[re.Match[str]]) -> Reading:
    """Bytes decoded one by one."""

    def place(start: int, end: int) -> tuple[int, int]:
        return reading.place(coded[start].start(), coded[end - 1].end())

    return Reading(bytes(values).decode("latin-1"), place)


def _from_base64(reading: Reading, found: re.Match[str], shift: int, raw: bytes) -> Reading:
    begin = found.start()
    token = Reading(found[0], lambda start, end: reading.place(begin + start, begin + end))
    token = _rewritten(token, _NO_BASE64, lambda found: "") or token

    def place(start: int, end: int) -> tuple[int, int]:
        return token.place(shift + start * 4 // 3, min(len(token.text), shift - (-end * 4 // 3)))

    return Reading(raw.decode("latin-1"), place)


#: What a person reads of a text: the spans in it that hold a secret, with the number of the secret.
Hits = frozenset[tuple[int, int, int]]


class Disguises:
    """Finds secrets in a text, however they are disguised.

    Args:
        secrets: their values.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._runs = [_Runs(value) for value in secrets]

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """Where secrets stand in the first ``READ`` characters: start, end, and the number of the secret; in order."""
        return sorted(self._read(Reading(text[:READ], _same), 0, {})) if self._runs else []

    def _read(self, reading: Reading, depth: int, known: dict[str, Hits]) -> set[tuple[int, int, int]]:
        """The hits of a reading; ``known`` are those of texts that were read before, since ids are often repeated."""
        text = reading.text
        hits = known.get(text)
        if hits is None:
            hits = known[text] = frozenset(self._hits(Reading(text, _same), depth, known))
        return {(*reading.place(start, end), number) for start, end, number in hits}

    def _hits(self, reading: Reading, depth: int, known: dict[str, Hits]) -> Iterator[tuple[int, int, int]]:
        reading = Reading(reading.text.translate(_PLAIN), reading.place)
        plain = reading
        for _ in range(_LEVELS):
            further = _rewritten(plain, _ESCAPED, _unescaped)
            if further is None:
                break
            plain = further
        mail = _rewritten(plain, _QUOTED, lambda found: chr(int(found[1], 16)) if found[1] else "")
        ways = [item for item in (reading, plain if plain is not reading else None, mail) if item]
        bare = [_rewritten(item, _DROPPED, lambda found: "") for item in ways]
        for item in (*ways, *filter(None, bare)):
            folded = _folded(item.text)
            for number, runs in enumerate(self._runs):
                for start, end in runs.find(folded):
                    yield (*item.place(start, end), number)
        if depth < _CODES:
            for item in filter(None, (reading, plain if plain is not reading else None, bare[0], mail and bare[-1])):
                for code in _codes(item, self._worth):
                    yield from self._read(code, depth + 1, known)

    def _worth(self, raw: bytes) -> bool:
        """Whether decoded bytes are text, or hold a run: most that can be decoded is neither."""
        raw = raw.replace(b"\0", b"").lower()
        if 10 * len(raw.translate(None, _CONTROLS)) > 8 * len(raw):
            return True
        text = raw.decode("latin-1")
        return any(any(runs.find(text)) for runs in self._runs)


class _Runs:
    """The runs of one secret, forwards and backwards; long enough and unlike words.

    Args:
        value: the secret; one of less than ``RUN`` letters is found as a whole only.
    """

    def __init__(self, value: str) -> None:
        plain = _folded(_DROPPED.sub("", value))
        size = min(RUN, len(plain))
        starts = range(len(plain) - size + 1)
        told = [plain[at : at + size] for at in starts if _telling(_of(value, plain, at, size))]
        if not told and plain:  # a run of it may stand in any text
            size = max(size, len(plain) - (2 if len(set(plain)) > 8 and _WORDLIKE.fullmatch(value) else 0))
            told = [plain[at : at + size] for at in range(len(plain) - size + 1)]
        self._wholes = (plain, plain[::-1])
        self._size = size
        self._grams = frozenset(told) | {item[::-1] for item in told}

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """The runs in a folded text, each as long as it goes."""
        done = 0
        for at in self._beginnings(text):
            if at < done:
                continue
            start, end = at, at + self._size
            for whole in self._wholes:
                inside = whole.find(text[at:end])
                if inside < 0:
                    continue
                stop = inside + self._size
                while stop < len(whole) and end < len(text) and text[end] == whole[stop]:
                    end, stop = end + 1, stop + 1
                while inside and start > done and text[start - 1] == whole[inside - 1]:
                    start, inside = start - 1, inside - 1
                break
            done = end
            yield start, end

    def _beginnings(self, text: str) -> Iterable[int]:
        size, grams = self._size, self._grams
        if len(grams) < 300 and len(text) > 4 * len(grams):  # else one pass over the text is faster
            found = set()
            for gram in grams:
                at = text.find(gram)
                while at >= 0:
                    found.add(at)
                    at = text.find(gram, at + 1)
            return sorted(found)
        return (at for at in range(len(text) - size + 1) if text[at : at + size] in grams)


def _telling(run: str) -> bool:
    """Whether a run is unlike words, rows of one letter and rows such as 12345, so that no text has it by chance."""
    rising = sum(ord(right) - ord(left) == 1 for left, right in pairwise(run))
    return not _WORDLIKE.fullmatch(run) and len(set(run)) > 4 and 2 * rising < len(run)


def _of(value: str, plain: str, at: int, size: int) -> str:
    """The part of the secret as written that a run stands for, so that its case tells it from a word."""
    return value[at : at + size] if len(value) == len(plain) else plain[at : at + size]
