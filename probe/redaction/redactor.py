"""Taking secrets out of everything that is recorded, in every encoding they may come back in.

A secret is known by name (``API_KEY``, or the variable of an extra header) and is
replaced by ``${NAME}``.  Redaction happens at capture, so no later code ever holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from probe.redaction.secret_spellings import SHORTEST, Spellings


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
        """The bytes without secrets, and the names of those that stood in them."""
        met = []
        for name, spellings in self._rules:
            value, count = spellings.replaced_bytes(value, b"${" + name.encode() + b"}")
            if count:
                met.append(name)
        return value, tuple(met)

    def fields(self, fields: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], set[str]]:
        """Response headers without secrets, and the names of those that stood in them."""
        fields = [(name, value.encode("utf-8", "replace").decode()) for name, value in fields]
        _, met = self.content("\n".join(f"{name}\n{value}" for name, value in fields).encode())
        if not met:  # one look at all of them: there may be thousands
            return fields, set()
        return [(self.text(name), self.text(value)) for name, value in fields], set(met)

    def header(self, value: str) -> str:
        """A request header's value without secrets; here the shortest and plainest ones count too."""
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


__all__ = ["SHORTEST", "Redactor"]
