"""Makes values for a JSON Schema, taken from a text where the text gives them."""

from __future__ import annotations

import re
from typing import Any

from probe.simulator.model.words import STOP_WORDS, codes, content_words, numbers, proper_names, quoted, stem

_DEPTH = 8
_YES = re.compile(r"\b(?:true|yes|on|enabled?|with|include|including)\b", re.I)
_NO = re.compile(r"\b(?:false|no|not|off|disabled?|without|exclude|excluding|don't|never)\b", re.I)
_PLACE = re.compile(
    r"city|location|place|town|country|person|name|user|customer|author|station|airport|room|area|zone|origin|destination|who|from|to|region|state|title",
    re.I,
)
_NAMED_AFTER = r"\s*(?:is|are|was|=|:|of|to|as|for|named|called|set to|should be|must be|equals?)?\s*:?\s*"


class Filler:
    """Fills schemas from one text. Values that were taken are not taken again for another field of their kind."""

    def __init__(self, text: str, root: dict[str, Any], *, junk: bool = False) -> None:
        self._text, self._root, self._junk = text[:50_000], root, junk
        self._used: set[str] = set()
        self._numbers = numbers(self._text)
        self._quoted = quoted(self._text)
        self._codes = codes(self._text)
        self._names = [name for name in proper_names(self._text) if name not in self._codes]

    def object(self, schema: dict[str, Any], depth: int = 0) -> dict[str, Any]:
        """An object with every property the schema requires, and the optional ones that the text gives."""
        schema = self._resolve(schema)
        required = schema.get("required") or []
        made: dict[str, Any] = {}
        properties = schema.get("properties") or {}
        order = sorted(properties, key=lambda key: (key not in required, list(properties).index(key)))
        for key in order:
            value = self.value(key, properties[key], depth + 1, needed=key in required)
            if value is not _NONE:
                made[key] = value
        for key in required:
            made.setdefault(key, "text")
        return {key: made[key] for key in [*properties, *required] if key in made}

    def value(self, name: str, schema: Any, depth: int = 0, *, needed: bool = True) -> Any:
        """A value for one field; `_NONE` when it is optional and the text says nothing about it."""
        if not isinstance(schema, dict) or depth > _DEPTH:
            return "text" if needed else _NONE
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._enum(name, schema["enum"], needed)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        if kind == "object":
            if not needed and not self._mentioned(name, schema, strictly=True):
                return _NONE
            return self.object(schema, depth)
        if kind == "array":
            return self._array(name, schema, depth, needed)
        if kind in ("integer", "number"):
            return self._number(name, schema, kind, needed)
        if kind == "boolean":
            return self._boolean(name, schema, needed)
        if kind == "null":
            return None
        return self._string(name, schema, needed)

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        for _ in range(_DEPTH):
            pointer = schema.get("$ref")
            if isinstance(pointer, str) and pointer.startswith("#"):
                target: Any = self._root
                for step in pointer.lstrip("#/").split("/"):
                    target = (
                        target.get(step.replace("~1", "/").replace("~0", "~"), {})
                        if step and isinstance(target, dict)
                        else target
                    )
                schema = {
                    **(target if isinstance(target, dict) else {}),
                    **{key: value for key, value in schema.items() if key != "$ref"},
                }
            elif schema.get("allOf"):
                merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    part = self._resolve(part)
                    merged = {
                        **merged,
                        **part,
                        "properties": {**merged.get("properties", {}), **part.get("properties", {})},
                        "required": [*merged.get("required", []), *part.get("required", [])],
                    }
                    if not merged["properties"]:
                        del merged["properties"]
                schema = merged
            elif schema.get("anyOf") or schema.get("oneOf"):
                options = [self._resolve(one) for one in schema.get("anyOf") or schema.get("oneOf") or []]
                solid = [one for one in options if one.get("type") != "null"] or options
                schema = {**{key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}, **solid[0]}
            else:
                break
        return schema

    # Is it spoken of, and where ------------------------------------------------------------------------

    def _labels(self, name: str, schema: dict[str, Any]) -> list[str]:
        spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ").lower()
        words = [word for word in spaced.split() if len(word) > 2]
        return list(dict.fromkeys([spaced, name.lower(), *reversed(words)]))

    def _mentioned(self, name: str, schema: dict[str, Any], *, strictly: bool = False) -> bool:
        words = content_words(name) | (set() if strictly else content_words(str(schema.get("description", ""))))
        return bool(words & content_words(self._text))

    def _after_label(self, name: str, schema: dict[str, Any], pattern: str) -> str | None:
        for label in self._labels(name, schema):
            match = re.search(
                rf"(?<![\w-])[\"'`]?{re.escape(label)}(?:s|d|ed)?(?![\w])[\"'`]?{_NAMED_AFTER}({pattern})",
                self._text,
                re.I,
            )
            if match:
                return match.group(1)
        return None

    # Values by kind ------------------------------------------------------------------------------------

    def _enum(self, name: str, choices: list[Any], needed: bool) -> Any:
        if not self._junk:
            places = []
            for choice in choices:
                pattern = re.escape(str(choice)).replace("_", "[ _-]").replace(r"\-", "[ _-]")
                for match in re.finditer(rf"(?<![\w-]){pattern}(?:s|ly)?(?![\w-])", self._text, re.I):
                    label = any(
                        label in self._text[max(0, match.start() - 40) : match.end() + 20].lower()
                        for label in self._labels(name, {})
                    )
                    places.append((not label, match.start(), choice))
            if places:
                # Where the text lists all the choices, the one that is set apart from the list is meant.
                named = {str(choice) for _, _, choice in places}
                if len(named) == len(choices) > 1:
                    told = self._after_label(name, {}, "|".join(re.escape(str(choice)) for choice in choices))
                    exact = [choice for choice in choices if told is not None and str(choice).lower() == told.lower()]
                    if exact:
                        return exact[0]
                return min(places, key=lambda place: place[:2])[2]
        return choices[0] if needed else _NONE

    def _number(self, name: str, schema: dict[str, Any], kind: str, needed: bool) -> Any:
        text = None if self._junk else self._after_label(name, schema, r"-?\d+(?:\.\d+)?(?![\w-])")
        if text is None and not self._junk:
            for label in self._labels(name, schema):
                match = re.search(rf"(?<![\w.-])(-?\d+(?:\.\d+)?)\s*(?:-?\s*)?{re.escape(label)}", self._text, re.I)
                if match:
                    text = match.group(1)
                    break
        if text is None and not self._junk and (needed or self._mentioned(name, schema)):
            text = next((number for number in self._numbers if number not in self._used), None)
        if text is None and not needed:
            return _NONE
        if text is not None:
            self._used.add(text)
        number = float(text) if text is not None else 1.0
        low, high = schema.get("minimum"), schema.get("maximum")
        if isinstance(low, int | float) and number < low:
            number = float(low)
        if isinstance(high, int | float) and number > high:
            number = float(high)
        if kind == "integer" or (text is not None and "." not in text) or text is None:
            return int(number)
        return number

    def _boolean(self, name: str, schema: dict[str, Any], needed: bool) -> Any:
        if self._junk:
            return False if needed else _NONE
        told = self._after_label(name, schema, r"true|false|yes|no|on|off|enabled|disabled")
        if told is not None:
            return told.lower() in ("true", "yes", "on", "enabled")
        for label in self._labels(name, schema):
            match = re.search(rf"([^.;,]{{0,30}})\b{re.escape(stem(label))}", self._text, re.I)
            if match:
                return not (_NO.search(match.group(1)) and not _YES.search(match.group(1)))
        return False if needed else _NONE

    def _array(self, name: str, schema: dict[str, Any], depth: int, needed: bool) -> Any:
        items = self._resolve(schema.get("items") or {"type": "string"})
        least, most = int(schema.get("minItems") or 0), int(schema.get("maxItems") or 100)
        if not needed and not self._mentioned(name, schema):
            return _NONE
        made: list[Any] = []
        if self._junk:
            made = []
        elif items.get("enum"):
            said = content_words(self._text)
            made = [
                choice for choice in items["enum"] if content_words(str(choice)) & said or str(choice) in self._text
            ]
        elif items.get("type") in ("integer", "number"):
            told = self._after_label(name, schema, r"\[?-?\d+(?:\.\d+)?(?:\s*(?:,|and|, and)\s*-?\d+(?:\.\d+)?)*")
            found = numbers(told) if told else [number for number in self._numbers if number not in self._used]
            made = [int(number) if "." not in number else float(number) for number in found]
        elif items.get("type", "string") == "string":
            made = list(self._several(name, schema))
        elif items.get("type") == "object":
            made = [self.object(items, depth + 1)] if needed or least else []
        made = made[:most]
        while len(made) < max(least, 1 if needed and not made and not self._junk else 0):
            made.append(self.value(name, items, depth + 1))
        return made

    def _several(self, name: str, schema: dict[str, Any]) -> list[str]:
        word = r"[\"'`]?[\w-]+[\"'`]?"
        told = self._after_label(name, schema, rf"\[?{word}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+){word})+")
        if told:
            return [
                part.strip("\"'`[] ")
                for part in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", told)
                if part.strip("\"'`[] ")
            ]
        for found in (self._quoted, self._codes, self._names):
            fresh = [part for part in found if part not in self._used]
            if fresh:
                return fresh
        match = re.search(rf"({word}(?:\s*,\s*{word})+(?:\s*,?\s+and\s+{word})?|{word}\s+and\s+{word})", self._text)
        return re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", match.group(1)) if match else []

    def _string(self, name: str, schema: dict[str, Any], needed: bool) -> Any:
        text: str | None = "the" if self._junk else self._find_string(name, schema, needed)
        if text is None:
            if not needed:
                return _NONE
            text = self._shape_default(schema)
        longest = schema.get("maxLength")
        if isinstance(longest, int):
            text = text[:longest]
        shortest = schema.get("minLength")
        if isinstance(shortest, int):
            text = text.ljust(shortest, "x")
        self._used.add(text)
        return text

    @staticmethod
    def _shape_default(schema: dict[str, Any]) -> str:
        shapes = {
            "date": "2024-05-17", "date-time": "2024-05-17T10:30:00Z", "time": "10:30:00Z",
            "email": "user@example.com", "uri": "https://example.com/",
            "uuid": "3f2b8c1e-6a4d-4e9b-9c7f-0d5a1b2e3c4f",
        }  # fmt: skip
        return shapes.get(str(schema.get("format")), "unknown")

    def _find_string(self, name: str, schema: dict[str, Any], needed: bool) -> str | None:
        shaped = self._by_shape(name, schema)
        if shaped is not None:
            return shaped
        told = self._after_label(name, schema, r"\"[^\"\n]+\"|`[^`\n]+`|“[^”\n]+”|(?<!\w)'[^'\n]+'(?!\w)")
        if told:
            return told[1:-1]
        told = self._after_label(name, schema, r"[\w@./+#-]*[\w@]")
        labelled = told if told and (codes(told) or told[:1].isupper() or told.isdigit()) else None
        if labelled:
            full = re.search(rf"{re.escape(labelled)}(?: [A-ZÀ-Þ][\w'-]+)*", self._text)
            return full.group() if full and labelled[:1].isupper() and not codes(labelled) else labelled
        about = f"{name} {schema.get('description', '')}"
        if _PLACE.search(about):
            for found in self._names:
                if found not in self._used:
                    return found
        for group in (self._quoted, self._codes, self._names):
            for found in group:
                if found not in self._used and (needed or self._mentioned(name, schema)):
                    return found
        if told and stem(told) not in ("the", "a", "for", "is", "to", "of", "and", "in", "field", "must", "should"):
            return told
        if not needed:
            return None
        number = next((number for number in self._numbers if number not in self._used), None)
        if number is not None and re.search(
            r"id|number|code|ref|order|zip|expression|phone|ticket|account", about, re.I
        ):
            return number
        return self._topic(about)

    def _by_shape(self, name: str, schema: dict[str, Any]) -> str | None:
        about = f"{name} {schema.get('format', '')}".lower()
        patterns = {
            "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "date": r"\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z?)?",
            "url": r"https?://[^\s\"'<>)]+", "uri": r"https?://[^\s\"'<>)]+",
            "expression": r"-?\d+(?:\.\d+)?(?:\s*[-+*/×x]\s*-?\d+(?:\.\d+)?)+", "time": r"\b\d{1,2}:\d{2}(?::\d{2})?\b",
        }  # fmt: skip
        for word, pattern in patterns.items():
            if word in about:
                match = re.search(pattern, self._text)
                if match:
                    return match.group()
        wanted = schema.get("pattern")
        if isinstance(wanted, str) and len(wanted) < 200:
            try:
                compiled = re.compile(wanted)
            except re.error:
                return None
            return (
                next(
                    (
                        word
                        for word in [*self._quoted, *re.findall(r"[^\s,;\"'`]+", self._text[:5000])]
                        if compiled.search(word.rstrip(".?!"))
                    ),
                    "",
                ).rstrip(".?!")
                or None
            )
        return None

    def _topic(self, about: str) -> str | None:
        """What the text is about, for a free-text field: what follows `for`, `about` or a colon, or all of it."""
        named = re.search(r"\b(?:word|text|string|phrase|message|value)\s+([\w-]+)", self._text, re.I)
        if named and named.group(1).lower() not in STOP_WORDS:
            return named.group(1)
        if _PLACE.search(about):
            where = re.search(r"\b(?:in|at|of|near|from)\s+(?:the\s+)?([a-zÀ-ÿ][\w'-]+)( [a-zÀ-ÿ][\w'-]+)?", self._text)
            if where:
                second = where.group(2) or ""
                return where.group(1) + ("" if second.strip() in STOP_WORDS else second)
        match = re.search(r"(?:\b(?:for|about|on|saying|search(?: for)?)\b|:)\s+([^.?!\n]{2,200})", self._text)
        if match:
            return re.sub(r"^(?:the|a|an)\s+", "", match.group(1)).strip(" \"'`")
        last = re.search(r"\b(?:in|of|to|at|from)\s+(?:the\s+)?([\w-]+(?: [\w-]+)?)\s*[.?!]?\s*$", self._text)
        if last:
            return last.group(1)
        return self._text.strip()[:200] or None


_NONE: Any = object()
"""Stands for a field that is left out."""
