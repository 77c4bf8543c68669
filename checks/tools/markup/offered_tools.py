"""The tools that were offered in the request, as far as reading leaked calls needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from checks.tools.markup.arguments import judge

_PREFIXES = ("functions.", "function.", "tools.", "tool.", "default_api.", "default_api:")


class Tools:
    """Names of the offered tools and, where definitions were given, their parameter schemas."""

    def __init__(self, schemas: Mapping[str, dict[str, Any] | None]) -> None:
        self.schemas = dict(schemas)
        self.names = frozenset(self.schemas)
        self.longest_first = sorted(self.names, key=len, reverse=True)

    @classmethod
    def of(cls, offered: object) -> Tools:
        """Take names, or definitions as the API takes them, or a Tools.

        A definition is `{"type": "function", "function": {"name", "parameters"}}` or the inner
        object alone. Whatever is neither is left out.
        """
        if isinstance(offered, cls):
            return offered
        schemas: dict[str, dict[str, Any] | None] = {}
        if isinstance(offered, str):
            offered = (offered,)
        if isinstance(offered, Iterable):
            for item in offered:
                if isinstance(item, str) and item:
                    schemas[item] = None
                elif isinstance(item, Mapping):
                    inner = item.get("function")
                    body = inner if isinstance(inner, Mapping) else item
                    name, schema = body.get("name"), body.get("parameters")
                    if isinstance(name, str) and name:
                        schemas[name] = dict(schema) if isinstance(schema, Mapping) else None
        return cls(schemas)

    def resolve(self, written: str) -> str | None:
        """The offered name that this text stands for, or None.

        Spaces around it and the namespace that harmony and others put before it
        (`functions.get_weather`) are ignored; case is not.
        """
        name = written.strip().strip("`\"'")
        if name in self.names:
            return name
        for prefix in _PREFIXES:
            if name.startswith(prefix) and name[len(prefix) :] in self.names:
                return name[len(prefix) :]
        return None

    def properties(self, name: str) -> dict[str, Any]:
        """The schema's properties for a tool, empty where there is no schema."""
        schema = self.schemas.get(name) or {}
        properties = schema.get("properties")
        return properties if isinstance(properties, dict) else {}

    def required(self, name: str) -> tuple[str, ...]:
        """Names of the required arguments of a tool."""
        schema = self.schemas.get(name) or {}
        required = schema.get("required")
        return tuple(r for r in required if isinstance(r, str)) if isinstance(required, list) else ()

    def fits(self, name: str, arguments: object) -> bool:
        """Whether an object could be this tool's arguments: known keys only, and on the schema.

        Always False for a tool whose schema is not known, and for an open schema that fits
        anything, because then fitting says nothing.
        """
        schema = self.schemas.get(name)
        if schema is None or not isinstance(arguments, dict):
            return False
        if not set(arguments) <= set(self.properties(name)):
            return False
        return judge(arguments, schema).on_schema

    def wants_text(self, name: str, key: str) -> bool:
        """Whether the schema says that this argument is a string (so its text is not decoded)."""
        schema = self.properties(name).get(key)
        if not isinstance(schema, dict):
            return False
        kind = schema.get("type")
        if isinstance(kind, list):
            return "string" in kind and not {"object", "array", "number", "integer", "boolean"} & set(kind)
        if kind is None and isinstance(schema.get("enum"), list):
            return all(isinstance(v, str) for v in schema["enum"])
        return kind == "string"
