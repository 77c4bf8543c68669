"""Reading JSON of any origin: strict where clients are strict, bounded, and without exceptions.

A client written in Go, Rust or JavaScript rejects ``NaN`` and ``Infinity`` (RFC 8259 section 6),
and most reject a number beyond 64-bit floats, so a body with one is not JSON here either.  A value
in memory takes up to sixty times the size of its text, so the number of values is limited.
"""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any

#: Members and elements of one document: a long model list has some ten thousand.
MOST_VALUES = 120_000
#: Levels of nesting; Go's encoding/json stops at 10,000, serde_json at 128.
DEEPEST = 200
#: The reading of a longer body is not kept for the life of its exchange.
SMALL = 64 * 1024

_LONE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _NotJson(ValueError):
    pass


def _refuse(name: str) -> Any:
    raise _NotJson(f"{name} is not a JSON number")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _NotJson(f"{text[:20]} is beyond the range of a 64-bit float")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_number)


def parse(content: bytes | str) -> Any:
    """The JSON value in ``content``, or None.

    None also for a value that is nested deeper than ``DEEPEST``, has more than ``MOST_VALUES`` values
    or a number out of range.  Half a surrogate pair becomes U+FFFD, as in Go.  JSON ``null`` is None
    too: no API answer is ``null``.
    """
    value, _ = parse_or_reason(content)
    return value


@lru_cache(maxsize=1)
def parse_large(content: bytes) -> Any:
    """As ``parse``; only the last result is kept."""
    return parse(content)


@lru_cache(maxsize=1)
def text_large(content: bytes) -> str:
    """The content as UTF-8 text, as in ``Response.text``; only the last result is kept."""
    return content.decode("utf-8", "replace")


def parse_or_reason(content: bytes | str) -> tuple[Any, str | None]:
    """The JSON value, and the reason if there is none."""
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        opened = text.count("[") + text.count("{")
        if opened + text.count(",") > MOST_VALUES:
            return None, f"more than {MOST_VALUES} values"
        value = _DECODER.decode(text)
        if opened > DEEPEST and deeper(value, DEEPEST):
            return None, "nested too deeply"
        return (_whole(value) if _ESCAPED_SURROGATE.search(text) else value), None
    except _NotJson as said:
        return None, str(said)
    except UnicodeDecodeError as error:
        return None, f"invalid UTF-8 at byte {error.start}"
    except RecursionError:
        return None, "nested too deeply"
    except json.JSONDecodeError as error:
        return None, f"{error.msg} at character {error.pos}"
    except ValueError:
        return None, "a number is too long"


def deeper(value: Any, levels: int) -> bool:
    """Whether a JSON value is nested deeper than so many levels; found without recursion."""
    waiting = [(value, 0)]
    while waiting:
        current, depth = waiting.pop()
        if not isinstance(current, dict | list):
            continue
        if depth >= levels:
            return True
        children = current.values() if isinstance(current, dict) else current
        waiting.extend((child, depth + 1) for child in children if isinstance(child, dict | list))
    return False


def _whole(value: Any) -> Any:
    """The value with every half of a surrogate pair replaced; nesting is bounded already."""
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return value


def member(value: Any, *path: str | int) -> Any:
    """The value at a path of keys and indexes, or None if the path does not exist.

    ``member(body, "choices", 0, "message")`` never raises, whatever ``body`` is.
    """
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return None
            value = value[step]
        else:
            if not isinstance(value, dict) or step not in value:
                return None
            value = value[step]
    return value


def text_at(value: Any, *path: str | int) -> str:
    """The string at a path, or the empty string."""
    found = member(value, *path)
    return found if isinstance(found, str) else ""


#: The largest count: JavaScript's largest safe integer.
_MOST_COUNTED = 2**53


def count_at(value: Any, *path: str | int) -> int | None:
    """The integer from 0 to 2**53 at a path, or None; a boolean is not a count.

    12.0 is 12, since JSON has one kind of number (RFC 8259 section 6).
    """
    found = member(value, *path)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= _MOST_COUNTED:
        return None
    return found
