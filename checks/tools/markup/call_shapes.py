"""JSON values that are tool calls, and arguments in other formats than JSON.

The shapes are those that models were trained on and servers read: `{"name", "arguments"}`
(Hermes, Mistral, Granite; vLLM tool_parsers/hermes_tool_parser.py), `{"name", "parameters"}`
(Llama 3, InternLM; tool_parsers/llama_tool_parser.py), `{"tool_calls": [..]}` and
`{"tool_call": {..}}` (llama.cpp common/chat.cpp, generic format), `{"function": {..}}` (the chat
completions API), `{"type": "tool_use", "input"}` (Anthropic messages API),
`{"action", "action_input"}` (LangChain agents), `{"tool_name", "parameters"}` (Cohere Command R),
`{"name", "args"}` (vLLM parser/inkling.py), `{NAME: {..}}` (tool_parsers/apertus_tool_parser.py).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from checks.tools.markup.leak import MAX_CALLS, Arguments, LeakedCall
from checks.tools.markup.text_scan import Scan, Tools

_NAME_KEYS = ("name", "tool_name", "function_name", "tool", "function", "action", "recipient_name")
_ARGUMENT_KEYS = (
    "arguments", "parameters", "args", "input", "params", "tool_input", "action_input", "kwargs",
    "tool_args", "tool_arguments", "function_args", "inputs",
)  # fmt: skip
# Keys whose value may be a plain word, as in {"action": "search", "action_input": "Paris"}.
_LOOSE_KEYS = frozenset({"input", "tool_input", "action_input"})
_NAME = re.compile(r"[^\W\d][\w.\-/:]{0,127}")
_TYPE_NAMES = frozenset(
    "string str number integer int float double boolean bool object array list dict null any".split()
)
_PLACEHOLDER = re.compile(
    r"(?:example_|my_|your_|some_|the_)?(?:function|tool|func|fn|method)(?:[_\-. ]?(?:name|call|\d))?"
    r"|name|string|example[\w\-]*|foo|bar|.*\.\.|<.*>|\{.*\}|\$.*",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A call in JSON: its name (in the offered spelling where it is offered) and arguments.

    ``style`` is the key of the arguments, ``flat`` where they are members next to the name, ``keyed`` for
    `{NAME: {..}}`.  ``holder`` is the JSON object, by identity.
    """

    name: str
    arguments: Any
    style: str
    name_key: str
    holder: Any
    offered: bool


def is_placeholder(name: str) -> bool:
    """Whether a name is a placeholder, as in documentation and echoed templates."""
    return _PLACEHOLDER.fullmatch(name.strip()) is not None


def _describes(arguments: Any, tools: Tools, name: str) -> bool:
    """Whether the arguments are a schema or a description rather than values."""
    if not isinstance(arguments, dict):
        return False
    known = tools.properties(name)
    if arguments.get("type") == "object" and "type" not in known:
        return "properties" in arguments or "required" in arguments or len(arguments) == 1
    if isinstance(arguments.get("properties"), dict) and "properties" not in known:
        return True
    if not arguments:
        return False
    return all(_describes_one(key, value, known.get(key)) for key, value in arguments.items())


def _describes_one(key: str, value: Any, schema: Any) -> bool:
    if isinstance(value, dict):
        kind = value.get("type")
        wants_object = isinstance(schema, dict) and schema.get("type") == "object"
        return isinstance(kind, str) and kind.lower() in _TYPE_NAMES and not wants_object
    if not isinstance(value, str):
        return False
    if isinstance(schema, dict) and value in schema.get("enum", ()):
        return False
    repeated = isinstance(schema, dict) and schema.get("description") == value
    word = value.strip()
    # "null" is more often a value than the name of a type.
    named = word.lower() in _TYPE_NAMES - {"null"}
    return repeated or named or word == "..." or re.fullmatch(r"<[^<>]*>", word) is not None


def read_shape(value: Any, tools: Tools) -> Shape | None:
    """One JSON object as a call, or None where it is not one (a definition is not)."""
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    if isinstance(inner, dict) and "name" in inner:
        found = read_shape(inner, tools)
        return found and Shape(found.name, found.arguments, found.style, "function", value, found.offered)
    argument_key = next((k for k in _ARGUMENT_KEYS if k in value), None)
    for key in _NAME_KEYS:
        written = value.get(key)
        if not isinstance(written, str):
            continue
        name = tools.resolve(written)
        if name is None and not (_NAME.fullmatch(written) and argument_key):
            continue
        return _with_arguments(value, key, name or written, name is not None, argument_key, tools)
    return _keyed(value, tools)


def _with_arguments(
    value: dict[str, Any], key: str, name: str, offered: bool, argument_key: str | None, tools: Tools
) -> Shape | None:
    if argument_key is not None:
        arguments = value[argument_key]
        described = _describes(arguments, tools, name) or ("description" in value and not arguments)
        if described or not (arguments is None or isinstance(arguments, dict | str)):
            return None
        return Shape(name, arguments, argument_key, key, value, offered)
    rest = {k: v for k, v in value.items() if k not in (key, "type", "id")}
    if not rest:
        # A name alone is a call only of a tool that is known to have no required arguments.
        bare = tools.schemas.get(name) is not None and not tools.required(name)
        return Shape(name, None, "flat", key, value, offered) if bare else None
    if key not in tools.properties(name) and tools.fits(name, rest) and not _describes(rest, tools, name):
        return Shape(name, rest, "flat", key, value, offered)
    return None


def _keyed(value: dict[str, Any], tools: Tools) -> Shape | None:
    if len(value) != 1:
        return None
    ((key, arguments),) = value.items()
    name = tools.resolve(key)
    if name is None or not tools.fits(name, arguments) or _describes(arguments, tools, name):
        return None
    return Shape(name, arguments, "keyed", key, value, True)


def _keyed_together(item: Any, tools: Tools) -> list[Shape]:
    """`{NAME: {..}, OTHER: {..}}` where every key is an offered tool and every value fits it."""
    if not isinstance(item, dict) or not 2 <= len(item) <= 16:
        return []
    each = [_keyed({key: value}, tools) for key, value in item.items()]
    return [Shape(s.name, s.arguments, "keyed", s.name_key, item, True) for s in each if s] if all(each) else []


def usable(shape: Shape, alone: bool) -> bool:
    """Whether the arguments can be those of a call; ``alone``: the JSON is the whole message, so any text can."""
    if isinstance(shape.arguments, str):
        text = shape.arguments.strip()
        return alone or shape.style in _LOOSE_KEYS or text.startswith("{") or not text
    return True


def shapes_in(value: Any, tools: Tools) -> list[Shape]:
    """Every call in a JSON value, outermost first; calls are not searched for inside a call."""
    found: list[Shape] = []
    queue = [value]
    while queue and len(found) < 64:
        item = queue.pop(0)
        shape = read_shape(item, tools)
        if shape is not None:
            found.append(shape)
        elif several := _keyed_together(item, tools):
            found.extend(several)
        elif isinstance(item, dict) and not _is_definition(item):
            queue[:0] = [v for v in item.values() if isinstance(v, dict | list)]
        elif isinstance(item, list):
            queue[:0] = [v for v in item[:256] if isinstance(v, dict | list)]
    return found


def _is_definition(item: dict[str, Any]) -> bool:
    """Whether an object defines a tool, or is a request or response of the API, which may contain other calls."""
    if isinstance(item.get("messages"), list) or isinstance(item.get("choices"), list):
        return True
    body = item.get("function") if isinstance(item.get("function"), dict) else item
    return (
        isinstance(body, dict)
        and "name" in body
        and any(
            isinstance(body.get(k), dict) and ("properties" in body[k] or body[k].get("type") == "object")
            for k in ("parameters", "input_schema", "inputSchema", "schema", "arguments")
        )
    )


def call_from(shape: Shape, scan: Scan, pos: int, end: int, read_parts: Any) -> LeakedCall:
    """The call of a shape with the offsets of its object in the text, or ``pos`` and ``end`` where they are unknown."""
    part = read_parts.part(shape.holder)
    start, stop, closed = (part.start, part.end, part.closed) if part else (pos, end, read_parts.complete)
    arguments: Arguments = shape.arguments
    if isinstance(arguments, dict):
        inner = read_parts.part(arguments)
        if inner is not None and not inner.closed:
            arguments = scan.text[inner.start : inner.end]
    return LeakedCall(shape.name, arguments, start, stop, closed)


# Arguments that are not JSON: Python keywords, Gemma's `key:value`, the text between XML tags --------

_CALL_HEAD = re.compile(r"([^\W\d][\w.\-]{0,127})(?:\.call)?[ \t]{0,4}\(")
_KEYWORD = re.compile(r"([^\W\d]\w{0,127})\s{0,8}=(?!=)")
_GEMMA_KEY = re.compile(r'(?:<\|"\|>|<escape>|["\'])?([\w.\-$]{1,128})(?:<\|"\|>|<escape>|["\'])?\s{0,8}:')
_GEMMA_BARE = re.compile(r"[^,{}\[\]\n]{0,4000}")
_GEMMA_QUOTES = ('<|"|>', "<escape>")


def keywords(scan: Scan, pos: int) -> tuple[Arguments, int, bool] | None:
    """Read `a=1, b="x")` after an opening parenthesis: (arguments, offset after the closing one, closed), or None.

    Positional arguments are returned as raw text, since their names are unknown (vLLM tool_parsers/utils.py rejects
    them).
    """
    text, size, start = scan.text, len(scan.text), pos
    values: dict[str, Any] = {}
    positional = False
    while True:
        pos = scan.skip(pos)
        if pos >= size:
            return (values if not positional else text[start:pos]), size, False
        if text[pos] == ")":
            return (values if not positional else text[start:pos]), pos + 1, True
        match = _KEYWORD.match(text, pos)
        if match:
            pos = match.end()
        read = scan.json_at(pos)
        if read is None:
            cut = scan.skip(pos) >= size
            return (values, size, False) if cut else None
        if match is None:
            positional = True
        else:
            values[match.group(1)] = read.value
        if not read.complete:
            return (text[start:size], size, False) if read.cut else None
        pos = scan.skip(read.end)
        if pos < size and text[pos] == ",":
            pos += 1
        elif pos < size and text[pos] != ")":
            return None


def call_list(scan: Scan, pos: int, end: int | None = None) -> tuple[list[LeakedCall], int]:
    """Read `f(a=1), g(b="x")`, with or without brackets, commas or line feeds: (calls, offset after the last)."""
    text = scan.text
    size = len(text) if end is None else end
    calls: list[LeakedCall] = []
    pos = scan.skip(pos)
    bracket = pos < size and text[pos] == "["
    if bracket:
        pos = scan.skip(pos + 1)
    while len(calls) < MAX_CALLS:
        match = _CALL_HEAD.match(text, pos, size)
        found = keywords(scan, match.end()) if match else None
        if match is None or found is None:
            return ([], pos) if bracket and pos < size and text[pos] != "]" else (calls, pos)
        name = match.group(1).removesuffix(".call")
        calls.append(LeakedCall(name, found[0], pos, found[1], found[2]))
        pos = scan.skip(found[1])
        if pos >= size:
            return calls, pos
        if text[pos] in ",;":
            pos = scan.skip(pos + 1)
        elif bracket and text[pos] == "]":
            return calls, pos + 1
        elif bracket:
            return [], pos
    return calls, pos


def gemma_value(text: str, pos: int, depth: int = 0) -> tuple[Any, int, bool]:
    """Read one value in Gemma's format (`{k:<|"|>v<|"|>,n:42}`, `<escape>` in FunctionGemma).

    Source: vLLM parser/gemma4.py and tool_parsers/functiongemma_tool_parser.py.  Returns (value, offset after it,
    whether it was closed).
    """
    for quote in _GEMMA_QUOTES:
        if text.startswith(quote, pos):
            begin = pos + len(quote)
            end = text.find(quote, begin)
            return (text[begin:], len(text), False) if end < 0 else (text[begin:end], end + len(quote), True)
    opener = text[pos : pos + 1]
    if opener in ("{", "[") and depth < 16:
        return _gemma_group(text, pos, opener, depth)
    if opener == '"' and (end := text.find('"', pos + 1)) > 0:
        return text[pos + 1 : end], end + 1, True
    match = _GEMMA_BARE.match(text, pos)
    end = match.end() if match else pos
    word = text[pos:end].strip()
    try:
        return json.loads(word), end, end < len(text)
    except ValueError:
        return word, end, end < len(text)


def _gemma_group(text: str, pos: int, opener: str, depth: int) -> tuple[Any, int, bool]:
    closer = "}" if opener == "{" else "]"
    group: Any = {} if opener == "{" else []
    pos += 1
    while pos < len(text):
        if text[pos] in " ,\n\t":
            pos += 1
            continue
        if text[pos] == closer:
            return group, pos + 1, True
        key = ""
        if opener == "{":
            match = _GEMMA_KEY.match(text, pos)
            if match is None:
                return group, pos, False
            key, pos = match.group(1), match.end()
            while pos < len(text) and text[pos] in " \n\t":
                pos += 1
        value, after, closed = gemma_value(text, pos, depth + 1)
        if opener == "{":
            group[key] = value
        else:
            group.append(value)
        if not closed or after <= pos:
            return group, max(after, pos), False
        pos = after
    return group, len(text), False


def typed(scan: Scan, tool: str, key: str, raw: str, is_text: bool | None = None) -> Any:
    """The value of one XML-like parameter: JSON, unless the schema or the markup (``is_text``) makes it a string.

    One line feed at each end belongs to the markup (vLLM parser/qwen3.py).
    """
    raw = raw.removeprefix("\n").removesuffix("\n")
    if is_text is None:
        is_text = scan.tools.wants_text(tool, key)
    if is_text or not raw.strip() or len(raw) > 200_000:
        return raw
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return {"True": True, "False": False, "None": None}.get(raw.strip(), raw)
