"""Keys with every nasty letter, and looking for one in what was written, however it is written there."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import string
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote_plus

#: What means something to regular expressions, URLs, JSON, HTML, shells and format strings.
METACHARACTERS = r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"""
_ESCAPED = re.compile(r"\\+u([0-9a-fA-F]{4})")
#: Keys as issuers make them.
_ISSUED = re.compile(r"[A-Za-z0-9_.-]{24,}")
_SLASHES = re.compile(r"\\+(?=[\"'/\\])")


def nasty_key(rng: random.Random, longest: int = 60) -> str:
    """A key that a run takes: ASCII without spaces, long enough to be told from other text."""
    letters = rng.choice([string.ascii_letters + string.digits + "-_", METACHARACTERS + "aZ09", string.hexdigits])
    body = "".join(rng.choice(letters) for _ in range(rng.randrange(12, longest)))
    return (
        rng.choice(["sk-", "sk-proj-", "gsk_", "", "%41", '"']) + body + rng.choice(["9q", "=", "%", "\\", "'", "z0"])
    )


def forms_of(key: str) -> dict[str, bytes]:
    """The ways of writing a key in which nobody may find it."""
    raw = key.encode("utf-8", "surrogatepass")
    found = {
        "plain": raw,
        "url-encoded": quote(raw, safe="").encode(),
        "url-encoded but for slashes": quote(raw).encode(),
        "form-encoded": quote_plus(raw).encode(),
        "url-encoded letter by letter": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "json-escaped": json.dumps(key)[1:-1].encode(),
        "json-escaped twice": json.dumps(json.dumps(key)[1:-1])[1:-1].encode(),
        "escaped letter by letter": "".join(f"\\u{ord(letter):04x}" for letter in key).encode(),
        "html-escaped": html.escape(key).encode("utf-8", "surrogatepass"),
        "hexadecimal": raw.hex().encode(),
    }
    for name, whole in (("base64", raw), ("base64 of the header", b"Bearer " + raw), ("base64 of a user", b":" + raw)):
        found[name] = base64.b64encode(whole).rstrip(b"=")
        found[f"{name}, for urls"] = base64.urlsafe_b64encode(whole).rstrip(b"=")
    for shift in range(3):  # what stays the same of the base64 text whatever stands around the key
        found[f"base64 inside of a text, {shift}"] = base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 :][:-4]
    if _ISSUED.fullmatch(key):
        found |= _disguises(key)
    return {name: form for name, form in found.items() if len(form) >= min(8, len(raw))}


def _disguises(key: str) -> dict[str, bytes]:
    """The ways of hiding a key as issuers make them: what else a search does not find."""
    raw = key.encode()
    found = {
        "but for the last letter": raw[:-1],
        "but for the first letter": raw[1:],
        "the first letters": raw[:24],
        "the last letters": raw[-20:],
        "backwards": raw[::-1],
        "a zero-width space between": "\u200b".join(key).encode(),
        "a zero-width space between, in JSON": "\\u200b".join(key).encode(),
        "full width": "".join(chr(ord(letter) + 0xFEE0) for letter in key).encode(),
        "in lines": "\\n".join(key[at : at + 7] for at in range(0, len(key), 7)).encode(),
        "tags between": "<wbr>".join(key[at : at + 5] for at in range(0, len(key), 5)).encode(),
        "base64 twice": base64.b64encode(base64.b64encode(raw)).rstrip(b"="),
        "base64 of UTF-16": base64.b64encode(key.encode("utf-16-le")).rstrip(b"="),
        "hexadecimal with colons": raw.hex(":").encode(),
        "hexadecimal with spaces": raw.hex(" ").encode(),
        "octal": "".join(f"\\{byte:03o}" for byte in raw).encode(),
        "quoted-printable": "".join(f"={byte:02X}" for byte in raw).encode(),
    }
    return {name: form for name, form in found.items() if len(form) >= 20}


def _units(text: str) -> str:
    return _SLASHES.sub("", _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text))


#: What a reader sees who undoes one kind of escaping.
_READERS: dict[str, Callable[[str], str]] = {
    "read as html": html.unescape,
    "read as a url": unquote_plus,
    "read as json": _units,
}


def where_is(key: str, places: Iterable[tuple[str, bytes]]) -> list[str]:
    """In which of the named contents a key stands, and how it is written there."""
    return list(_findings(key, places))


def _findings(key: str, places: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    forms = forms_of(key)
    for place, content in places:
        for name, form in forms.items():
            if form in content:
                yield f"the key stands in {place} ({name})"
        text = content.decode("utf-8", "replace")
        for name, read in _READERS.items():
            seen = read(text)
            if key in seen:
                yield f"the key stands in {place} ({name})"
            elif len(key) >= 12 and not key.isalpha() and key.casefold() in seen.casefold():
                yield f"the key stands in {place} ({name}, in another case)"
