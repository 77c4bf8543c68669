"""Removing secrets from everything that is recorded, in every encoding in which they may come back.

A secret is known by name (``API_KEY``, or the variable of an extra header) and is replaced by
``${NAME}``.  Redaction happens at capture, so no later code has the secret.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, AnyStr

# Spellings of a secret -----------------------------------------------------------------------------------
#
# Each letter may be written as itself or be escaped as in JSON, URLs and HTML, each in its own way
# and several times over; the whole may be in base64 or hexadecimal.

#: From this length on a secret is replaced inside a longer word too.
ANYWHERE = 8
#: A shorter one cannot be distinguished from ordinary text and is replaced in request headers only.
SHORTEST = 4
#: Letters in the search pattern; the rest of a longer secret is compared where those were found.
_AT_ONCE = 40
#: Words that people use as a key where none is needed: not secret, and frequent in answers.
PLACEHOLDERS = frozenset(
    (
        "anything api-key apikey changeme chat choices content data default dummy empty false fake false ignored "
        "key llama.cpp llamacpp lm-studio lmstudio local localhost message model models none not-needed notneeded "
        "null nokey no-key object ollama openai placeholder role secret stop test testing text token tokens true "
        "unused usage user vllm xxxx"
    ).split()
)


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


def _wild(value: str) -> bool:
    """Whether a short secret is unlike a word or number, so that it can be replaced inside one too."""
    kinds = (any(c.isdigit() for c in value), any(c.isalpha() for c in value))
    return all(kinds) or any(not c.isalnum() and c not in "-_" for c in value)


@dataclass(frozen=True)
class Spellings:
    """The spellings of one secret; made with ``of``.

    ``text`` and ``raw`` match its first letters in text and in bytes, ``rest`` are the patterns of the
    letters after those, ``literals`` the forms in base64 and hexadecimal.
    """

    text: re.Pattern[str]
    raw: re.Pattern[bytes]
    rest: tuple[tuple[re.Pattern[str], re.Pattern[bytes]], ...]
    literals: tuple[str, ...]

    @staticmethod
    def of(value: str) -> Spellings | None:
        """The spellings of a secret; None if it cannot be distinguished from ordinary text."""
        if len(value) < SHORTEST or value.lower() in PLACEHOLDERS:
            return None
        either = len(value) >= ANYWHERE and not value.isalpha()
        body = "".join(_letter(letter, either) for letter in value[:_AT_ONCE])
        if value.isdigit():
            body = rf"(?<![0-9]){body}" + (r"(?![0-9])" if len(value) <= _AT_ONCE else "")
        elif len(value) < ANYWHERE and not _wild(value):
            body = rf"(?<![A-Za-z0-9_]){body}(?![A-Za-z0-9_])"
        rest = tuple(_compiled(_letter(letter, either)) for letter in value[_AT_ONCE:])
        return Spellings(*_compiled(body), rest, tuple(sorted(_coded(value), key=len, reverse=True)))

    def replaced(self, value: AnyStr, mark: AnyStr) -> tuple[AnyStr, int]:
        """The text or bytes with every spelling replaced, and how many there were."""
        count = 0
        raw = isinstance(value, bytes)
        literals: Iterable[Any] = map(str.encode, self.literals) if raw else self.literals
        for literal in literals:
            if literal in value:
                count += 1
                value = value.replace(literal, mark)
        pieces: list[AnyStr] = []
        done = 0
        for start, end in self._spans(value, int(raw)):
            if start >= done:
                pieces += (value[done:start], mark)
                done = end
        pieces.append(value[done:])
        return value[:0].join(pieces), count + len(pieces) // 2

    def _spans(self, value: str | bytes, kind: int) -> Iterable[tuple[int, int]]:
        """The places of the whole secret, among those of its first letters."""
        first: re.Pattern[Any] = (self.text, self.raw)[kind]
        for begun in first.finditer(value):
            at = begun.end()
            for patterns in self.rest:
                found = patterns[kind].match(value, at)  # type: ignore[arg-type]
                if found is None:
                    break
                at = found.end()
            else:
                yield begun.start(), at


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> tuple[re.Pattern[str], re.Pattern[bytes]]:
    return re.compile(pattern), re.compile(pattern.encode("utf-8", "surrogatepass"))


class Redactor:
    """Replaces known secrets in text, bytes, headers and JSON values.

    Args:
        secrets: name to value; empty values are ignored.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = {name: value for name, value in secrets.items() if value}
        longest_first = sorted(self._secrets.items(), key=lambda item: -len(item[1]))
        self._rules = [(name, found) for name, value in longest_first if (found := Spellings.of(value)) is not None]

    def text(self, value: str) -> str:
        """The text without secrets."""
        for name, spellings in self._rules:
            value, _ = spellings.replaced(value, "${" + name + "}")
        return value

    def content(self, value: bytes) -> tuple[bytes, tuple[str, ...]]:
        """The bytes without secrets, and the names of those that were in them."""
        names = []
        for name, spellings in self._rules:
            value, count = spellings.replaced(value, b"${" + name.encode() + b"}")
            if count:
                names.append(name)
        return value, tuple(names)

    def fields(self, fields: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], set[str]]:
        """Response headers without secrets, and the names of those that were in them."""
        fields = [(name, value.encode("utf-8", "replace").decode()) for name, value in fields]
        # One search over all of them, since there may be thousands.
        _, names = self.content("\n".join(f"{name}\n{value}" for name, value in fields).encode())
        return [(self.text(name), self.text(value)) for name, value in fields] if names else fields, set(names)

    def header(self, value: str) -> str:
        """A request header's value without secrets, however short they are."""
        for name, secret in self._secrets.items():
            words = value.split(" ")
            if secret in words:
                value = " ".join("${" + name + "}" if word == secret else word for word in words)
        return self.text(value)

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, in keys as in strings."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        return value
