"""Values for a JSON Schema, taken from a text where it contains them."""

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
    """Fills schemas from one text. A value is used for one field only; `junk` gives values without sense."""

    def __init__(self, text: str, root: dict[str, Any], *, junk: bool = False) -> None:
        self._text, self._root, self._junk = text[:50_000], root, junk
        self._used: set[str] = set()
        self._numbers = numbers(self._text)
        self._quoted = quoted(self._text)
        self._codes = codes(self._text)
        self._names = [name for name in proper_names(self._text) if name not in self._codes]

    def object(self, schema: dict[str, Any], depth: int = 0) -> dict[str, Any]:
        """An object with every required property and those optional ones that the text contains."""
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
        """A value for one field; `_NONE` if it is optional and the text contains none."""
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
                    if step and isinstance(target, dict):
                        target = target.get(step.replace("~1", "/").replace("~0", "~"), {})
                schema = {**(target if isinstance(target, dict) else {}), **_without(schema, "$ref")}
            elif schema.get("allOf"):
                merged = _without(schema, "allOf")
                for part in map(self._resolve, schema["allOf"]):
                    properties = {**merged.get("properties", {}), **part.get("properties", {})}
                    required = [*merged.get("required", []), *part.get("required", [])]
                    merged = {**merged, **part, "required": required}
                    if properties:
                        merged["properties"] = properties
                schema = merged
            elif schema.get("anyOf") or schema.get("oneOf"):
                options = [self._resolve(one) for one in schema.get("anyOf") or schema.get("oneOf") or []]
                solid = [one for one in options if one.get("type") != "null"] or options
                schema = {**_without(schema, "anyOf", "oneOf"), **solid[0]}
            else:
                break
        return schema

    # Fields in the text --------------------------------------------------------------------------------

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

    # Values by type ------------------------------------------------------------------------------------

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
                # Where the text names several choices, the one after the field's name is meant.
                if len({str(choice) for _, _, choice in places}) > 1:
                    found = self._after_label(name, {}, "|".join(re.escape(str(choice)) for choice in choices)) or ""
                    exact = [choice for choice in choices if str(choice).lower() == found.lower()]
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
        if text is not None and text.lstrip("-").isdigit() and number == float(text):
            return int(text)  # longer ones would lose digits as floating point numbers
        if kind == "integer" or (text is not None and "." not in text) or text is None:
            return int(number)
        return number

    def _boolean(self, name: str, schema: dict[str, Any], needed: bool) -> Any:
        if self._junk:
            return False if needed else _NONE
        found = self._after_label(name, schema, r"true|false|yes|no|on|off|enabled|disabled")
        if found is not None:
            return found.lower() in ("true", "yes", "on", "enabled")
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
            words = content_words(self._text)
            made = [one for one in items["enum"] if content_words(str(one)) & words or str(one) in self._text]
        elif items.get("type") in ("integer", "number"):
            listed = self._after_label(name, schema, r"\[?-?\d+(?:\.\d+)?(?:\s*(?:,|and|, and)\s*-?\d+(?:\.\d+)?)*")
            found = numbers(listed) if listed else [number for number in self._numbers if number not in self._used]
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
        listed = self._after_label(name, schema, rf"\[?{word}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+){word})+")
        if listed:
            parts = (part.strip("\"'`[] ") for part in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", listed))
            return [part for part in parts if part]
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
        inside = self._after_label(name, schema, r"\"[^\"\n]+\"|`[^`]+`|“[^”\n]+”|(?<!\w)'[^'\n]+'(?!\w)")
        if inside:
            return inside[1:-1]
        word = self._after_label(name, schema, r"[\w@./+#-]*[\w@]")
        if word and (codes(word) or word[:1].isupper() or word.isdigit()):
            full = re.search(rf"{re.escape(word)}(?: [A-ZÀ-Þ][\w'-]+)*", self._text)
            return full.group() if full and word[:1].isupper() and not codes(word) else word
        about = f"{name} {schema.get('description', '')}"
        if _PLACE.search(about):
            for found in self._names:
                if found not in self._used:
                    return found
        for group in (self._quoted, self._codes, self._names):
            for found in group:
                if found not in self._used and (needed or self._mentioned(name, schema)):
                    return found
        if word and stem(word) not in ("the", "a", "for", "is", "to", "of", "and", "in", "field", "must", "should"):
            return word
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
            words = (word.rstrip(".?!") for word in [*self._quoted, *re.findall(r"[^\s,;\"'`]+", self._text[:5000])])
            return next((word for word in words if compiled.search(word)), None) or None
        return None

    def _topic(self, about: str) -> str | None:
        """The topic of the text, for a field of free text: the words after `for`, `about` or a colon, or all of it."""
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
"""The value of a field that is left out."""


def _without(schema: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in names}
