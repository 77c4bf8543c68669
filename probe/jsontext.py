"""Reading JSON from strangers: strict where a client is strict, and never an exception.

A client written in Go, Rust or JavaScript refuses ``NaN`` and ``Infinity`` (RFC 8259
section 6), so they make a body no JSON here as well.
"""

from __future__ import annotations

import json
from typing import Any


class _NotJson(ValueError):
    pass


def _refuse(name: str) -> Any:
    raise _NotJson(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def parse(content: bytes | str) -> Any:
    """The JSON value in ``content``, or None where it holds none.

    Also None for nesting deeper than the interpreter allows and for numbers with more
    digits than it converts.  JSON ``null`` is None as well: no API answer is ``null``.
    """
    value, _ = parse_or_reason(content)
    return value


def parse_or_reason(content: bytes | str) -> tuple[Any, str | None]:
    """The JSON value, and why there is none (None where there is one)."""
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        return _DECODER.decode(text), None
    except _NotJson as constant:
        return None, f"{constant} is no JSON number"
    except UnicodeDecodeError as error:
        return None, f"invalid UTF-8 at byte {error.start}"
    except RecursionError:
        return None, "nested too deeply"
    except json.JSONDecodeError as error:
        return None, f"{error.msg} at character {error.pos}"
    except ValueError:
        return None, "a number is too long"


def member(value: Any, *path: str | int) -> Any:
    """The value at a path of keys and indexes, or None where the path breaks off.

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


def count_at(value: Any, *path: str | int) -> int | None:
    """The non-negative integer at a path, or None (booleans are no counts)."""
    found = member(value, *path)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        return None
    return found
