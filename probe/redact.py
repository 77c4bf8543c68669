"""Taking secrets out of everything that is recorded, in every encoding they may come back in.

A secret is known by name (``API_KEY``, or the variable of an extra header) and is
replaced by ``${NAME}``.  Redaction happens at capture, so no later code ever holds it.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

#: From this length on a secret is replaced wherever it stands, also inside a longer word.
ANYWHERE = 8
#: Below this length it cannot be told from ordinary text and only headers are guarded.
SHORTEST = 4


def _percent(value: str, safe: str) -> str:
    """A pattern for the percent-encoding, whose hex digits may be in either case."""
    encoded = quote(value, safe=safe, encoding="utf-8", errors="surrogatepass")
    return re.sub(
        r"%([0-9A-F]{2})",
        lambda match: "%" + "".join(f"[{c}{c.lower()}]" if c.isalpha() else c for c in match[1]),
        re.escape(encoded).replace("\\%", "%"),
    )


def _base64_cores(raw: bytes) -> Iterable[str]:
    """What of the base64 text is the same whatever stands before and after the secret."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode("ascii")
        start = (0, 2, 3)[shift]
        end = len(encoded) - (0, 3, 2)[(len(raw) + shift) % 3] - (1 if (len(raw) + shift) % 3 else 0)
        core = encoded[start : max(end, start)].rstrip("=")
        if len(core) >= ANYWHERE:
            yield core
            yield core.translate(str.maketrans("+/", "-_"))


def _patterns(value: str) -> set[str]:
    """Regular expressions for every form in which a secret may be written."""
    escaped = json.dumps(value)[1:-1]
    plain = {
        value,
        escaped,
        json.dumps(value, ensure_ascii=False)[1:-1],
        escaped.replace("/", "\\/"),
        json.dumps(escaped)[1:-1],
        html.escape(value),
        html.escape(value, quote=False),
        repr(value)[1:-1],
    }
    raw = value.encode("utf-8", "surrogatepass")
    forms = {re.escape(form) for form in plain}
    forms |= {_percent(value, ""), _percent(value, "/"), _percent(value, "/:@!$&'()*+,;=~")}
    forms.add(re.escape(quote_plus(value, encoding="utf-8", errors="surrogatepass")))
    forms.add(re.escape(raw.decode("latin-1")))
    if len(raw) >= ANYWHERE:
        forms |= {re.escape(core) for core in _base64_cores(raw)}
        forms |= {raw.hex(), raw.hex().upper()}
    return {form for form in forms if form}


class Redactor:
    """Replaces known secrets in text, bytes, headers and JSON values.

    Args:
        secrets: name to value; empty values are ignored.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = {name: value for name, value in secrets.items() if value}
        self._rules: list[tuple[str, re.Pattern[str], re.Pattern[bytes]]] = []
        for name, value in sorted(self._secrets.items(), key=lambda item: -len(item[1])):
            if len(value) < SHORTEST:
                continue
            body = "|".join(sorted(_patterns(value), key=len, reverse=True))
            if len(value) < ANYWHERE:
                body = rf"(?<![A-Za-z0-9_])(?:{body})(?![A-Za-z0-9_])"
            self._rules.append(
                (name, re.compile(body), re.compile(body.encode("utf-8", "surrogatepass"))),
            )

    def text(self, value: str) -> str:
        """The text without secrets."""
        for name, pattern, _ in self._rules:
            value = pattern.sub("${" + name + "}", value)
        return value

    def content(self, value: bytes) -> tuple[bytes, tuple[str, ...]]:
        """The bytes without secrets, and the names of those that stood in them."""
        met = []
        for name, _, pattern in self._rules:
            value, count = pattern.subn(b"${" + name.encode() + b"}", value)
            if count:
                met.append(name)
        return value, tuple(met)

    def header(self, value: str) -> str:
        """A request header's value without secrets; here the shortest ones count too."""
        for name, secret in self._secrets.items():
            if len(secret) < SHORTEST:
                value = re.sub(rf"(?<!\S){re.escape(secret)}(?!\S)", "${" + name + "}", value)
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
