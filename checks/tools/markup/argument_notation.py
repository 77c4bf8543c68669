"""Arguments that are not JSON: Python keywords, Gemma's `key:value`, the text between XML tags."""

from __future__ import annotations

import json
import re
from typing import Any

from checks.tools.markup.leak import Arguments, LeakedCall
from checks.tools.markup.text_scan import MAX_CALLS, Scan

_CALL_HEAD = re.compile(r"([^\W\d][\w.\-]{0,127})(?:\.call)?[ \t]{0,4}\(")
_KEYWORD = re.compile(r"([^\W\d]\w{0,127})\s{0,8}=(?!=)")
_GEMMA_KEY = re.compile(r'(?:<\|"\|>|<escape>|["\'])?([\w.\-$]{1,128})(?:<\|"\|>|<escape>|["\'])?\s{0,8}:')
_GEMMA_BARE = re.compile(r"[^,{}\[\]\n]{0,4000}")
_GEMMA_QUOTES = ('<|"|>', "<escape>")


def keywords(scan: Scan, pos: int) -> tuple[Arguments, int, bool] | None:
    """Read `a=1, b="x")` behind an opening parenthesis.

    Returns (arguments, offset behind the closing parenthesis, closed), or None where something
    stands there that is no argument list. Positional arguments come back as their raw text,
    because no parser can name them (vLLM tool_parsers/utils.py refuses them).
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
    """Read `f(a=1), g(b="x")`, with or without square brackets, commas or newlines between.

    Returns the calls and the offset behind the last thing read. Empty where the text at `pos`
    is no such list.
    """
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
    """Read one value of Gemma's notation (`{k:<|"|>v<|"|>,n:42}`, `<escape>` in FunctionGemma).

    Source: vLLM parser/gemma4.py and tool_parsers/functiongemma_tool_parser.py. Returns
    (value, offset behind it, whether it was closed).
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
    """The value of one XML-like parameter.

    Its text is decoded as JSON unless the schema, or the markup itself (is_text), says that it is
    a string. One newline at each end belongs to the markup (vLLM parser/qwen3.py).
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
