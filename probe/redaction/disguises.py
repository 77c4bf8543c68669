"""Finding a secret that comes back disguised: in part, reversed, with something between its letters, or coded.

``Spellings`` of the redactor match a whole secret in place.  Here a text is read as a person could read it: escapes
undone, blanks, tags and invisible characters dropped, wide letters made plain, and what is base64, hexadecimal or a
list of numbers decoded.  Each such reading knows where its letters are in the text, so that what is found in it can
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
from dataclasses import dataclass, field
from functools import partial
from html.entities import html5
from itertools import pairwise

#: A run of so many letters of a secret is the secret.
RUN = 12
#: Characters of a text that are read in this way; reports keep less of a body (``probe.report``).
READ = 128 * 1024
#: Escapes within escapes, what was dropped between them, and codes within codes, that are undone.
_LEVELS = 3
_ROUNDS = 3
_CODES = 2
#: Characters that are decoded of one text, which may be made of codes within codes.
_DECODED = 16 * READ
#: Texts of up to so many characters are remembered, so many of them: ids, headers and URLs come again and again.
_REMEMBERED, _MOST_REMEMBERED = 400, 4_000

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
    r"\\{1,8}(?:[uU]\{?([0-9A-Fa-f]{4})\}?|[xX]([0-9A-Fa-f]{2})|([0-3][0-7]{2})|([nrtbf\"'/\\]))"
    r"|%(?:25){0,4}([0-9A-Fa-f]{2})|&(?:amp;){0,4}(?:#0{0,6}([0-9]{1,6})|#[xX]0{0,6}([0-9A-Fa-f]{1,5})|([A-Za-z]{2,8}));?"
    r"|\xef([\xbc\xbd][\x80-\xbf])"  # a wide letter in decoded bytes
)
_QUOTED = re.compile(r"=(?:([0-9A-Fa-f]{2})|[ \t]{0,20}(?:\r?\n|(?:\\r)?\\n))")
_SEPARATOR = r"(?:[\s:,;|._-]|\\[nrt]|0x|\\x|%|\"|'){0,6}"
_HEX = re.compile(rf"(?:[0-9A-Fa-f]{{2}}{_SEPARATOR}){{{RUN},}}")
#: Where that can be at all, which is found faster.
_HEX_LIKE = re.compile(rf"[0-9A-Fa-f\s:,;|._\\nrtx%\"'-]{{{2 * RUN},}}")
_NO_HEX = re.compile(r"0x|[^0-9A-Fa-f]+")
_HEX_PAIR = re.compile(r"(?:0x)?([0-9A-Fa-f]{2})")
_NUMBER = re.compile(r"[0-9]+")
_NUMBERS = re.compile(r"[0-9]{2,4}(?:[\s,;:|\[\]\\]{1,4}[0-9]{2,4}){11,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:(?:\\r|\\n|[\r\n]){1,4}[ \t]{0,8}[A-Za-z0-9+/_-]{4,})*")
_NO_BASE64 = re.compile(r"\\[rn]|[^A-Za-z0-9+/_-]+")
_URL_SAFE = str.maketrans("-_", "+/")
#: Bytes that text has no or few of.
_CONTROLS = bytes((*range(9), *range(14, 32), *range(127, 256)))
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
_WORDLIKE = re.compile(r"[a-z._/:@-]*|[A-Z._/:@-]*")

#: From a place in a reading (start, end) to that in the text.
Place = Callable[[int, int], tuple[int, int]]
#: Reads a code in each way that is worth it; the second argument is whether decoded bytes are.
Decoder = Callable[[str, Callable[[bytes], bool]], Iterator["Reading"]]


@dataclass(frozen=True)
class Reading:
    """A text as it may be read, and where a part of it is in the text."""

    text: str
    place: Place


def _same(start: int, end: int) -> tuple[int, int]:
    return start, end


def _folded(text: str) -> str:
    """Case and width ignored, the length kept."""
    if text.isascii():
        return text.lower()
    return text.translate(_PLAIN).replace("\u0130", "i").lower()  # the only letter that becomes two


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
    unit, byte, octal, named, percent, decimal, entity, name, wide = found.groups()
    if wide:
        return chr(ord(wide[1]) - 0x60 + 0x40 * (wide[0] == "\xbd"))
    if named:
        return {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}.get(named, named)
    if name:
        return html5.get(f"{name};", found[0])
    if octal:
        return chr(int(octal, 8))
    number = int(decimal) if decimal else int(unit or byte or percent or entity, 16)
    return chr(number) if number <= sys.maxunicode else found[0]


def _codes(text: str) -> Iterator[tuple[int, str, Decoder]]:
    """What is coded in hexadecimal, in lists of numbers and in base64: where it begins, its text, and its decoder."""
    for likely in _HEX_LIKE.finditer(text):
        for found in _HEX.finditer(text, *likely.span()):
            yield found.start(), found[0], _from_hex
    for pattern, decoder in ((_NUMBERS, _from_numbers), (_BASE64, _from_base64)):
        for found in pattern.finditer(text):
            yield found.start(), found[0], decoder


def _from_hex(token: str, worth: Callable[[bytes], bool]) -> Iterator[Reading]:
    digits = _NO_HEX.sub("", token)
    for shift in (0, 1):  # a digit may come directly before
        if worth(bytes.fromhex(digits[shift : len(digits) - (len(digits) - shift) % 2])):
            pairs = list(_HEX_PAIR.finditer(token, shift))
            yield _decoded([int(item[1], 16) for item in pairs], pairs)


def _from_numbers(token: str, worth: Callable[[bytes], bool]) -> Iterator[Reading]:
    numbers = list(_NUMBER.finditer(token))
    for base in (8, 10):
        with suppress(ValueError):
            yield _decoded([int(item[0], base) for item in numbers], numbers)


def _from_base64(token: str, worth: Callable[[bytes], bool]) -> Iterator[Reading]:
    letters = _NO_BASE64.sub("", token).translate(_URL_SAFE)
    size = len(letters)
    plain = _rewritten(Reading(token, _same), _NO_BASE64, lambda found: "") if size < len(token) else None
    in_token = plain.place if plain else _same
    for backwards in (False, True):
        for shift in range(4):  # letters of the alphabet may come directly before
            rest = letters[shift : size - ((size - shift) % 4 == 1)]
            raw = base64.b64decode(rest + "=" * (-len(rest) % 4))
            if worth(raw):
                yield Reading(raw.decode("latin-1"), partial(_of_base64, in_token, size, shift, backwards))
        letters = letters[::-1]


def _of_base64(in_token: Place, size: int, shift: int, backwards: bool, start: int, end: int) -> tuple[int, int]:
    """Where decoded bytes are in the text in base64."""
    first, last = shift + start * 4 // 3, min(size, shift - (-end * 4 // 3))
    return in_token(size - last, size - first) if backwards else in_token(first, last)


def _decoded(values: list[int], coded: list[re.Match[str]]) -> Reading:
    """Bytes decoded one by one."""
    return Reading(bytes(values).decode("latin-1"), lambda start, end: (coded[start].start(), coded[end - 1].end()))


#: What a person reads of a text: the spans in it that hold a secret, with the number of the secret.
Hits = frozenset[tuple[int, int, int]]


class Disguises:
    """Finds secrets in a text, however they are disguised.

    Args:
        secrets: their values.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._runs = [_Runs(value) for value in secrets]
        self._shortest = min((runs.size for runs in self._runs), default=0)
        self._known: dict[str, Hits] = {}
        self._known_codes: dict[tuple[int, Decoder, str], Hits] = {}

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """Where secrets are in the first ``READ`` characters: start, end, and the number of the secret; in order."""
        if not self._runs or len(text) < self._shortest:  # no reading is longer than the text
            return []
        hits = self._known.get(text)
        if hits is None:
            hits = self._hits(text[:READ], 0, _Work())
            if len(text) <= _REMEMBERED:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.clear()
                self._known[text] = hits
        return sorted(hits)

    def _hits(self, text: str, depth: int, work: _Work) -> Hits:
        """The hits in a text and in what is coded in it."""
        if text in work.read:
            return work.read[text]
        found: set[tuple[int, int, int]] = set()
        for way in _ways(text):
            folded = _folded(way.text)
            for number, runs in enumerate(self._runs):
                found.update((*way.place(start, end), number) for start, end in runs.find(folded))
            if depth < _CODES:
                for begin, token, decoder in _codes(way.text):
                    for start, end, number in self._coded(token, decoder, depth, work):
                        found.add((*way.place(begin + start, begin + end), number))
        return work.read.setdefault(text, frozenset(found))

    def _coded(self, token: str, decoder: Decoder, depth: int, work: _Work) -> Hits:
        """The hits in a code, which is the same in most ways of reading a text."""
        code = (depth, decoder, token)
        hits = work.coded.get(code, self._known_codes.get(code))
        if hits is None:
            found: set[tuple[int, int, int]] = set()
            for reading in decoder(token, self._worth) if work.left > 0 else ():
                work.left -= len(reading.text)
                for start, end, number in self._hits(reading.text, depth + 1, work):
                    found.add((*reading.place(start, end), number))
            hits = work.coded[code] = frozenset(found)
            if len(token) <= _REMEMBERED and work.left > 0:
                if len(self._known_codes) >= _MOST_REMEMBERED:
                    self._known_codes.clear()
                self._known_codes[code] = hits
        return hits

    def _worth(self, raw: bytes) -> bool:
        """Whether decoded bytes are text, or hold a run: most that can be decoded is neither."""
        raw = _UTF_8.sub(b"x", raw.replace(b"\0", b"").lower())
        if 10 * len(raw.translate(None, _CONTROLS)) > 8 * len(raw):
            return True
        text = raw.decode("latin-1")
        return any(any(runs.find(text)) for runs in self._runs)


@dataclass
class _Work:
    """What was read of one text already, and the characters that may still be decoded."""

    left: int = _DECODED
    read: dict[str, Hits] = field(default_factory=dict)
    coded: dict[tuple[int, Decoder, str], Hits] = field(default_factory=dict)


def _ways(text: str) -> Iterator[Reading]:
    """A text as it is, with escapes undone, without what is invisible, and by turns; and all that as of a mail."""
    first = Reading(text if text.isascii() else text.translate(_PLAIN), _same)
    yield first
    plain = _unfolded(first)
    if plain:
        yield plain
    mail = _rewritten(plain or first, _QUOTED, _of_mail)
    if mail:
        yield mail
    for way in filter(None, (plain or first, mail, first if plain else None)):
        current = way
        for _ in range(_ROUNDS):
            bare = _rewritten(current, _DROPPED, lambda found: "")
            if bare:
                yield bare
            current = bare or current
            further = _unfolded(current) or _rewritten(current, _QUOTED, _of_mail)
            if further is None:
                break
            yield further
            current = further


def _of_mail(found: re.Match[str]) -> str:
    """The letter of an escape of quoted-printable; nothing for a soft line break."""
    return chr(int(found[1], 16)) if found[1] else ""


def _unfolded(reading: Reading) -> Reading | None:
    """The reading with escapes undone, and escapes within those; None where there is none."""
    plain = None
    for _ in range(_LEVELS):
        further = _rewritten(plain or reading, _ESCAPED, _unescaped)
        if further is None:
            break
        plain = further
    return plain


#: Letters of a run that are looked for first.
_PART = 4


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
        if not told and plain:  # any text may contain a run of it
            size = max(size, len(plain) - (2 if len(set(plain)) > 8 and _WORDLIKE.fullmatch(value) else 0))
            told = [plain[at : at + size] for at in range(len(plain) - size + 1)]
        self._wholes = (plain, plain[::-1])
        self.size = size
        self._grams = frozenset(told) | {item[::-1] for item in told}
        #: A run has one of these at every ``_step`` letters, so few places tell that there is none.
        self._parts = {run[at : at + _PART] for run in self._grams for at in range(size - _PART + 1)}
        self._step = max(1, size - _PART + 1)

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """The runs in a folded text, each as long as it goes."""
        done = 0
        for at in self._beginnings(text):
            if at < done:
                continue
            start, end = at, at + self.size
            for whole in self._wholes:
                inside = whole.find(text[at:end])
                if inside < 0:
                    continue
                stop = inside + self.size
                while stop < len(whole) and end < len(text) and text[end] == whole[stop]:
                    end, stop = end + 1, stop + 1
                while inside and start > done and text[start - 1] == whole[inside - 1]:
                    start, inside = start - 1, inside - 1
                break
            done = end
            yield start, end

    def _beginnings(self, text: str) -> Iterable[int]:
        size, grams, parts = self.size, self._grams, self._parts
        if size > _PART and not any(text[at : at + _PART] in parts for at in range(0, len(text), self._step)):
            return ()
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
