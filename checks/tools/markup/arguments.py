"""The arguments of a tool call: whether they are a string with JSON in it that fits the tool's schema.

Source: OpenAI API reference, chat completions, message tool calls.  The schema is checked with jsonschema, which is
imported on first use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

Verdict = Literal["ok", "not-string", "not-json", "off-schema", "not-judged"]

MAX_CHARS = 2_000_000
MAX_DEPTH = 64
MAX_ERRORS = 20
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class SchemaError:
    """One place that is off the schema, as a JSON pointer into the arguments."""

    pointer: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result for one call's arguments.

    ``verdict``: ``ok``; ``not-string`` (another JSON value in place of the string; ``errors`` still compares it with
    the schema); ``not-json``; ``off-schema``; ``not-judged`` (too long or too deep).  ``value``: the decoded
    arguments, None where they cannot be decoded.  ``detail``: one sentence, empty for ``ok``.
    """

    verdict: Verdict
    value: Any
    errors: tuple[SchemaError, ...]
    detail: str

    @property
    def ok(self) -> bool:
        """Whether a client can use the arguments as they are."""
        return self.verdict == "ok"

    @property
    def on_schema(self) -> bool:
        """Whether the decoded value fits the schema, however it was wrapped."""
        return self.verdict in ("ok", "not-string") and not self.errors


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _depth(value: Any, most: int) -> int:
    """Nesting depth of a JSON value, counted up to `most` + 1."""
    layer, depth = [value], 0
    while layer and depth <= most:
        inside: list[Any] = []
        for item in layer:
            if isinstance(item, dict):
                inside.extend(item.values())
            elif isinstance(item, list):
                inside.extend(item)
        layer = [v for v in inside if isinstance(v, dict | list)]
        if not layer:
            return depth + 1
        depth += 1
    return depth


def _show(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=True, default=str)
    except (ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _pointer(path: Any) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join("/" + part for part in parts)


def schema_errors(value: Any, schema: dict[str, Any]) -> tuple[SchemaError, ...]:
    """Where a value is off a JSON Schema (draft 2020-12 unless `$schema` differs): MAX_ERRORS at most, by pointer."""
    from jsonschema.validators import Draft202012Validator, validator_for

    validator = validator_for(schema, default=Draft202012Validator)(schema)
    found = []
    for error in validator.iter_errors(value):
        expected = f"{error.validator}: {_show(error.validator_value)}"
        found.append(SchemaError(_pointer(error.absolute_path), expected, _show(error.instance)))
        if len(found) >= MAX_ERRORS:
            break
    return tuple(sorted(found, key=lambda e: (e.pointer, e.expected)))


def judge(arguments: object, schema: dict[str, Any] | None) -> Judgement:
    """Judge `function.arguments` of one call; never raises.

    Args:
        arguments: the value of the field, of any type.
        schema: the tool's `parameters`; None to judge only string and JSON.
    """
    if isinstance(arguments, str):
        if len(arguments) > MAX_CHARS:
            return Judgement("not-judged", None, (), f"longer than {MAX_CHARS} characters")
        try:
            value = json.loads(arguments, parse_constant=_no_constant)
        except RecursionError:
            return Judgement("not-judged", None, (), f"nested deeper than {MAX_DEPTH} levels")
        except ValueError as error:
            why = "it is empty (expected `{}`)" if not arguments.strip() else str(error)
            return Judgement("not-json", None, (), f"the string is not JSON: {why}")
    else:
        value = arguments
    if _depth(value, MAX_DEPTH) > MAX_DEPTH:
        return Judgement("not-judged", None, (), f"nested deeper than {MAX_DEPTH} levels")
    try:
        errors = _errors(value, schema)
    except Exception as error:
        # The schema is this program's own, so the value made the validator fail.
        return Judgement("not-judged", value, (), f"the validator failed: {type(error).__name__}")
    if not isinstance(arguments, str):
        kind = _kind(arguments)
        return Judgement("not-string", value, errors, f"the field is {kind}, not a string that contains JSON")
    if errors:
        where = ", ".join(e.pointer or "the value" for e in errors[:3])
        return Judgement("off-schema", value, errors, f"off the tool's schema at {where}")
    return Judgement("ok", value, (), "")


def _errors(value: Any, schema: dict[str, Any] | None) -> tuple[SchemaError, ...]:
    if not isinstance(value, dict):
        return (SchemaError("", "an object with the arguments", _show(value)),)
    return schema_errors(value, schema) if schema else ()


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    return {dict: "an object", list: "an array", int: "a number", float: "a number"}.get(
        type(value), f"a value of type {type(value).__name__}"
    )
