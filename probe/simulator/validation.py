"""Validation of chat requests: the problems are found here, and each style words its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: `kind` is missing, type, value or conflict; `param` names the field, `value` is its value."""

    kind: str
    param: str
    message: str
    value: Any = None
    wanted: str = ""
    code: str | None = None


_TYPE_NAMES = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def _missing(param: str) -> Problem:
    return Problem("missing", param, f"Missing required parameter: '{param}'.", code="missing_required_parameter")


def _wrong_type(param: str, value: Any, wanted: str) -> Problem:
    message = f"Invalid type for '{param}': expected {wanted}, but got {_TYPE_NAMES[type(value)]} instead."
    return Problem("type", param, message, value, wanted, "invalid_type")


def _unknown_value(param: str, value: Any, supported: str, wanted: str = "") -> Problem:
    message = f"Invalid value: '{value}'. Supported values are: {supported}."
    return Problem("value", param, message, value, wanted, "invalid_value")


def problems(body: Any, *, vision: bool = True) -> Iterator[Problem]:
    """Everything wrong with a chat request, the gravest first; a style may accept some of it."""
    if not isinstance(body, dict):
        yield _wrong_type("body", body, "an object")
        return
    if "messages" not in body:
        yield _missing("messages")
        return
    messages = body["messages"]
    if not isinstance(messages, list):
        yield _wrong_type("messages", messages, "an array of objects")
        return
    if not messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        yield Problem("value", "messages", message, messages, "a non-empty array", "empty_array")
    for place, turn in enumerate(messages):
        problem = _message_problem(f"messages[{place}]", turn, vision)
        if problem:
            yield problem
    yield from _parameter_problems(body)
    yield from _tool_problems(body)
    yield from _format_problems(body.get("response_format"))


def _message_problem(where: str, turn: Any, vision: bool) -> Problem | None:
    if not isinstance(turn, dict):
        return _wrong_type(where, turn, "an object")
    role, content = turn.get("role"), turn.get("content")
    if role is None:
        return _missing(f"{where}.role")
    if role not in ROLES:
        supported = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'"
        return _unknown_value(f"{where}.role", role, supported, "a known role")
    if content is None:
        if role == "assistant" and (turn.get("tool_calls") or turn.get("function_call")):
            return None
        message = f"Invalid value for 'content': expected a string, got null. ({where}.content)"
        return Problem("type", f"{where}.content", message, None, "a string", "invalid_type")
    if isinstance(content, list):
        return _parts_problem(f"{where}.content", content, vision)
    if not isinstance(content, str):
        return _wrong_type(f"{where}.content", content, "one of a string or array of objects")
    if role == "tool" and not turn.get("tool_call_id"):
        message = f"Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'. ({where})"
        return Problem("missing", f"{where}.tool_call_id", message, code="missing_required_parameter")
    return None


def _parts_problem(where: str, parts: list[Any], vision: bool) -> Problem | None:
    for place, part in enumerate(parts):
        if not isinstance(part, dict):
            return _wrong_type(f"{where}[{place}]", part, "an object")
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("text"), str):
            continue
        if kind == "image_url" and isinstance(part.get("image_url"), dict):
            if vision:
                continue
            message = "Invalid content type. image_url is only supported by certain models."
            return Problem("value", f"{where}[{place}].type", message, kind, "text", "image")
        supported = "'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'"
        return _unknown_value(f"{where}[{place}].type", kind, supported, "text or image_url")
    return None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parameter_problems(body: dict[str, Any]) -> Iterator[Problem]:
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
        if body.get(name) is not None and not _is_number(body[name]):
            yield _wrong_type(name, body[name], "a decimal")
    temperature = body.get("temperature")
    if _is_number(temperature) and not 0 <= temperature <= 2:
        message = (
            f"Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got {temperature} instead."
        )
        yield Problem("value", "temperature", message, temperature, "0 to 2", "decimal_above_max_value")
    for name in ("max_tokens", "max_completion_tokens", "n", "seed", "top_logprobs"):
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            yield _wrong_type(name, value, "an integer")
        elif name in ("max_tokens", "max_completion_tokens", "n") and value < 1:
            message = f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} instead."
            yield Problem("value", name, message, value, "at least 1", "integer_below_min_value")
    for name in ("stream", "logprobs", "parallel_tool_calls"):
        if body.get(name) is not None and not isinstance(body[name], bool):
            yield _wrong_type(name, body[name], "a boolean")
    stop = body.get("stop")
    if stop is not None and not isinstance(stop, str | list):
        yield _wrong_type("stop", stop, "one of a string or array of strings")
    if isinstance(stop, list) and len(stop) > 4:
        message = (
            f"Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array "
            f"with length {len(stop)} instead."
        )
        yield Problem("value", "stop", message, stop, "at most 4", "array_above_max_length")
    if body.get("stream_options") is not None and body.get("stream") is not True:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        yield Problem("conflict", "stream_options", message, body["stream_options"])


def _tool_problems(body: dict[str, Any]) -> Iterator[Problem]:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if tools is not None and not isinstance(tools, list):
        yield _wrong_type("tools", tools, "an array of objects")
        return
    names = []
    for place, tool in enumerate(tools or []):
        function = tool.get("function") if isinstance(tool, dict) else None
        names.append(function.get("name") if isinstance(function, dict) else None)
        if not isinstance(names[-1], str):
            yield _missing(f"tools[{place}].function.name")
    if choice not in (None, "none") and not tools:
        message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        yield Problem("conflict", "tool_choice", message, choice)
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        yield _unknown_value("tool_choice", choice, "'none', 'auto', and 'required'")
    if isinstance(choice, dict):
        name = (choice.get("function") or {}).get("name")
        if name not in names:
            message = f"Tool choice '{name}' not found in 'tools' parameter."
            yield Problem("value", "tool_choice", message, choice, code="invalid_value")


def _format_problems(form: Any) -> Iterator[Problem]:
    if form is None:
        return
    kind = form.get("type") if isinstance(form, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        yield _unknown_value("response_format.type", kind, "'json_object', 'json_schema', and 'text'")
    if kind == "json_schema" and not isinstance(form.get("json_schema"), dict):
        yield _missing("response_format.json_schema")
