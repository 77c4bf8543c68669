"""Judges the arguments of a tool call: a string, holding JSON, that fits the tool's schema.

The chat completions reference says of `function.arguments` that it is a string with JSON in it
(OpenAI API reference, chat completions, message tool calls). The schema is checked with the
jsonschema library, which is imported on first use.
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
    """One place that is off the schema: JSON pointer into the arguments, what was asked, what was there."""

    pointer: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of one call's arguments.

    `verdict`: `ok`; `not-string` (an object or another value stands where a string belongs, and
    `errors` still tells how it fits the schema); `not-json`; `off-schema`; `not-judged` (too long
    or too deep to be worth checking). `value` is the decoded arguments, None where they could not
    be decoded. `detail` is one sentence, empty for `ok`.
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
    raise ValueError(f"{name} is no JSON value")


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
    """Where a decoded value is off a JSON Schema (draft 2020-12 unless `$schema` says otherwise).

    At most MAX_ERRORS, in the order of their pointers.
    """
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
    """Judge `function.arguments` of one call against the tool's parameter schema.

    arguments: what stood in the field, of any type. schema: the `parameters` that were offered,
    None where there were none (then only string and JSON are judged). Never raises.
    """
    if isinstance(arguments, str):
        if len(arguments) > MAX_CHARS:
            return Judgement("not-judged", None, (), f"longer than {MAX_CHARS} characters")
        try:
            value = json.loads(arguments, parse_constant=_no_constant)
        except RecursionError:
            return Judgement("not-judged", None, (), f"nested deeper than {MAX_DEPTH} levels")
        except ValueError as error:
            why = "empty, where `{}` is meant" if not arguments.strip() else str(error)
            return Judgement("not-json", None, (), f"the string does not hold JSON: {why}")
    else:
        value = arguments
    if _depth(value, MAX_DEPTH) > MAX_DEPTH:
        return Judgement("not-judged", None, (), f"nested deeper than {MAX_DEPTH} levels")
    try:
        errors = _errors(value, schema)
    except Exception as error:
        # The schema is this program's own; a value that upsets the validator is not judged by it.
        return Judgement("not-judged", value, (), f"the validator gave up: {type(error).__name__}")
    if not isinstance(arguments, str):
        kind = _kind(arguments)
        return Judgement("not-string", value, errors, f"the field holds {kind}, not a string with JSON in it")
    if errors:
        where = ", ".join(e.pointer or "the whole" for e in errors[:3])
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
