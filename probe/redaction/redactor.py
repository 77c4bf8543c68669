"""Removing secrets from everything that is recorded, in every encoding in which they may come back.

A secret has a name (``API_KEY``, or the variable of an extra header) and is replaced by ``${NAME}``.  Redaction happens
at capture, so no later code has the secret.  One that is too common to be distinguished from other text (short, a word,
the model's id) is replaced only where it is a value of its own.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from probe.redaction.disguises import Disguises

# Spellings of a secret -----------------------------------------------------------------------------------
#
# Each letter may be written as itself or be escaped as in JSON, URLs and HTML, each in its own way
# and several times over; the whole may be in base64 or hexadecimal.

#: A shorter secret cannot be distinguished from ordinary text.
ANYWHERE = 8
#: A shorter one is replaced as a whole string of JSON neither: tokens of a stream are as short.
SHORTEST = 4
#: A word of one case is ordinary up to this length.
_LONGEST_WORD = 15
#: Characters beyond a cut that are redacted with the rest.
_MARGIN = 16 * 1024
#: How an event stream begins.
_STREAM = (b"data:", b"event:", b"id:", b"retry:", b":")
#: Letters in the search pattern; the rest of a longer secret is compared where those were found.
_AT_ONCE = 40
#: Words that people use as a key where none is needed, and words of the protocol: a report without them cannot be read.
PLACEHOLDERS = frozenset(
    (
        "anything api api-key api_key apikey application application/json arguments array assistant audio auth "
        "authorization auto bearer boolean changeme chat chat.completion chat.completion.chunk choices chunk code "
        "completion completions content content_filter created data default delta description detail developer done "
        "dummy empty enum error errors event fake false finish_reason format function get host http https id "
        "ignored image image_url index input integer items json json_object json_schema keep-alive key length list "
        "llama.cpp llamacpp lm-studio lmstudio local localhost logprobs message messages model models name no-key "
        "nokey none not-needed notneeded null number object ollama openai output param parameters path placeholder "
        "post prompt properties reason reasoning refusal required response responses role schema secret server "
        "status stop stream strict string success system test testing text text/event-stream token tokens tool "
        "tool_calls tools top_p true type undefined unknown unused url usage user utf-8 value values version vllm "
        "xxxx"
    ).split()
)


def too_common(value: str, public: Sequence[str] = ()) -> bool:
    """Whether a secret is short, a word, or a part of what is ``public``, so that any text may contain it by chance."""
    word = value.isalpha() and value.isascii() and value in (value.lower(), value.upper(), value.title())
    return len(value) < ANYWHERE or (word and len(value) <= _LONGEST_WORD) or _known(value, public)


def _known(value: str, public: Sequence[str]) -> bool:
    """Whether a secret is none: a placeholder, a word of the protocol, or a part of what is public."""
    low = value.lower()
    return low in PLACEHOLDERS or any(low in text.lower() for text in public)


#: One to eight backslashes.  Like every alternative below it begins with a plain letter, so that ``re`` can skip
#: quickly to where a match may begin.
_SLASHES = r"\\\\{0,7}"


def _hex(number: int, width: int = 2) -> str:
    """A pattern for hexadecimal digits in either case."""
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{number:0{width}x}")


@lru_cache(maxsize=512)
def _letter(letter: str, either_case: bool) -> str:
    """A pattern for one letter in every spelling; repetitions are bounded because the text may be hostile."""
    if letter == "\\":
        forms = [_SLASHES]
    elif either_case and letter.isascii() and letter.isalpha():
        forms = [letter.lower(), letter.upper()]
    elif letter.isalnum():
        forms = [re.escape(letter)]
    else:  # JSON writes \" and may write \/, and both again in a string of a string
        forms = [re.escape(letter), _SLASHES + re.escape(letter)]
    raw = letter.encode("utf-8", "surrogatepass")
    units = letter.encode("utf-16-be", "surrogatepass")
    pairs = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    forms.append("".join(rf"{_SLASHES}u{_hex(unit, 4)}" for unit in pairs))
    if ord(letter) < 256:
        forms.append(rf"{_SLASHES}x{_hex(ord(letter))}")
    forms.append("".join(f"%(?:25){{0,4}}{_hex(byte)}" for byte in raw))
    forms += [rf"&(?:amp;){{0,4}}#0{{0,6}}{ord(letter)};?", rf"&(?:amp;){{0,4}}#[xX]0{{0,6}}{_hex(ord(letter), 1)};?"]
    named = html.escape(letter)
    if named != letter:
        forms.append(r"&(?:amp;){0,4}" + ("(?:quot|apos)" if letter in "\"'" else named[1:-1]) + ";")
    if letter == " ":
        forms.append(r"\+")
    if letter in "\n\r\t\b\f":
        forms.append(_SLASHES + {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}[letter])
    if not letter.isascii():  # UTF-8 read as Latin-1
        forms.append(re.escape(raw.decode("latin-1")))
    # The letter itself comes last, since % and the backslash begin their own escapes.
    return f"(?:{'|'.join(reversed(forms))})"


def _base64_cores(raw: bytes) -> Iterable[str]:
    """The parts of the base64 text that do not depend on what precedes and follows the secret."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode("ascii")
        start = (0, 2, 3)[shift]
        end = len(encoded) - (0, 3, 2)[(len(raw) + shift) % 3] - (1 if (len(raw) + shift) % 3 else 0)
        core = encoded[start : max(end, start)].rstrip("=")
        if len(core) >= ANYWHERE:
            yield core


def _coded(value: str) -> set[str]:
    """The secret in base64 and hexadecimal, as literal text."""
    raw = value.encode("utf-8", "surrogatepass")
    wrapped = (raw, b"Bearer " + raw, b"bearer " + raw, b":" + raw, raw + b":")
    found = {base64.b64encode(item).decode().rstrip("=") for item in wrapped} | set(_base64_cores(raw))
    found |= {item.translate(str.maketrans("+/", "-_")) for item in found}
    found |= {raw.hex(), raw.hex().upper()}
    return {item for item in found if len(item) >= ANYWHERE}


@dataclass(frozen=True)
class Spellings:
    """The spellings of one secret; made with ``of``.

    ``first`` matches its first letters, ``rest`` are the patterns of the letters after those, ``literals`` the forms
    in base64 and hexadecimal.
    """

    first: re.Pattern[str]
    rest: tuple[re.Pattern[str], ...]
    literals: tuple[str, ...]

    @staticmethod
    def of(value: str) -> Spellings | None:
        """The spellings of a secret; None if it cannot be distinguished from ordinary text."""
        if too_common(value):
            return None
        either = not value.isalpha()
        body = "".join(_letter(letter, either) for letter in value[:_AT_ONCE])
        if value.isdigit():
            body = rf"(?<![0-9]){body}" + (r"(?![0-9])" if len(value) <= _AT_ONCE else "")
        rest = tuple(_compiled(_letter(letter, either)) for letter in value[_AT_ONCE:])
        return Spellings(_compiled(body), rest, tuple(sorted(_coded(value), key=len, reverse=True)))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the secret is."""
        for literal in self.literals:
            at = text.find(literal)
            while at >= 0:
                yield at, at + len(literal)
                at = text.find(literal, at + len(literal))
        for begun in self.first.finditer(text):
            at = begun.end()
            for pattern in self.rest:
                found = pattern.match(text, at)
                if found is None:
                    break
                at = found.end()
            else:
                yield begun.start(), at


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _alone(value: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    """Where a secret that is too common for a search is a value of its own: in a header or a query, and as a
    whole string of JSON."""
    word = re.escape(value)
    header = rf"(?:[Bb]earer|[Bb]asic)(?: |%20|\+){word}(?![\w.~+/=-])"
    query = rf"[?&;](?:[\w.%~-]{{1,80}}=)?{word}(?![^&;#\s\"'<>\\])"
    string = rf"\"{word}\\{{0,7}}\"(?!\s{{0,9}}:)"
    return re.compile(f"{header}|{query}"), re.compile(string) if len(value) >= SHORTEST else None


class Redactor:
    """Replaces known secrets in text, bytes, headers and JSON values.

    Args:
        secrets: pairs of a name and a value, each replaced by ``${NAME}``; a name may come twice.
        written: extra headers' values, to the same as they were typed, with ``${VAR}`` in them.
        public: texts that a secret may be a part of, such as the model's id; it is then too common for a search.
    """

    def __init__(
        self,
        secrets: Iterable[tuple[str, str]] = (),
        written: Mapping[str, str] | None = None,
        public: Sequence[str] = (),
    ) -> None:
        self._secrets = sorted(dict.fromkeys((name, value) for name, value in secrets if value), key=_by_length)
        self._written = dict(written or {})
        common = [item for item in self._secrets if too_common(item[1], public)]
        told = [item for item in self._secrets if item not in common]
        self._rules = [(name, found) for name, value in told if (found := Spellings.of(value)) is not None]
        self._alone = [(name, value, *_alone(value)) for name, value in common if not _known(value, public)]
        disguised = [item for item in told if not item[1].isdigit()]
        self._names = [name for name, _ in disguised]
        self._disguises = Disguises([value for _, value in disguised])

    @property
    def searches(self) -> bool:
        """Whether there is a secret that is searched for everywhere."""
        return bool(self._rules)

    def spans(self, text: str, *, tokens: bool = False) -> list[tuple[int, int, str]]:
        """Where secrets are: start, end and name; in order, and none over another.

        Args:
            tokens: the strings in the text are tokens of a model, which may be any word.
        """
        found = [(start, end, name) for name, rule in self._rules for start, end in rule.spans(text)]
        found += [(start, end, self._names[number]) for start, end, number in self._disguises.find(text)]
        for name, value, elsewhere, string in self._alone:
            for place in chain(elsewhere.finditer(text), string.finditer(text) if string and not tokens else ()):
                start = text.rindex(value, *place.span())
                found.append((start, start + len(value), name))
        merged: list[tuple[int, int, str]] = []
        longest = 0
        for start, end, name in sorted(found):
            if not merged or start >= merged[-1][1]:
                merged.append((start, end, name))
                longest = end - start
                continue
            begin, last, before = merged[-1]
            merged[-1] = (begin, max(last, end), name if end - start > longest else before)
            longest = max(longest, end - start)
        return merged

    def text(self, value: str) -> str:
        """The text without secrets."""
        return _without(value, self.spans(value))

    def cut(self, value: str, limit: int) -> str:
        """The first characters of the text without secrets: redacted first, so that no part of one is left over."""
        return self.text(value[: limit + _MARGIN])[:limit]

    def content(self, value: bytes) -> tuple[bytes, tuple[str, ...]]:
        """The bytes without secrets, and the names of those that were in them, but for those that are too common."""
        text = value.decode("utf-8", "surrogateescape")  # which gives any bytes back as they were
        spans = self.spans(text, tokens=value.lstrip().startswith(_STREAM))
        if not spans:
            return value, ()
        common = {name for name, *_ in self._alone}
        names = dict.fromkeys(name for _, _, name in spans if name not in common)
        return _without(text, spans).encode("utf-8", "surrogateescape"), tuple(names)

    def fields(self, fields: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], set[str]]:
        """Response headers without secrets, and the names of those that were in them."""
        fields = [(name, value.encode("utf-8", "replace").decode()) for name, value in fields]
        # One search over all of them, since there may be thousands.
        _, names = self.content("\n".join(f"{name}\n{value}" for name, value in fields).encode())
        if not names and not self._alone:
            return fields, set()
        alone = {value: "${" + name + "}" for name, value, *_ in self._alone}
        return [(self.text(name), alone.get(value) or self.text(value)) for name, value in fields], set(names)

    def header(self, value: str) -> str:
        """A request header's value without secrets, however short they are."""
        if value in self._written:
            return self._written[value]
        for name, secret in self._secrets:
            mark = "${" + name + "}"  # no backslash can be in it
            value = re.sub(rf"(?<!\S){re.escape(secret)}(?!\S)", mark, value)
        return self.text(value)

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, in keys as in strings."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.value(str(key)): self.value(item) for key, item in value.items()}
        return value


def _by_length(pair: tuple[str, str]) -> int:
    return -len(pair[1])


def _without(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end, name in spans:
        pieces += (text[done:start], "${" + name + "}")
        done = end
    return "".join([*pieces, text[done:]])
