"""Joining of streamed tool calls as clients do it, and the anomalies of their fragments.

`delta.tool_calls[]` entries have `index`, and in the first fragment `id`, `type` and `function.name`; later ones have
pieces of `function.arguments` (OpenAI API reference, chat completion chunk object).  Servers differ: some send no index
(Gemini's compatibility endpoint, Mistral), some repeat the id or the name in every fragment, some send an object.

Two clients are compared.  One joins by `index`, reads a missing index as 0, keeps the last id and name, appends
arguments, and drops a whole frame with a field of the wrong type, as typed decoders do (kameas-ai/kenaz-harness,
core/llm/custom/adapter.go).  The other is the stream helper of the OpenAI Python SDK, which appends every string but
`type` and rejects an entry without an index (openai-python, src/openai/lib/streaming/_deltas.py).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

#: The anomalies, and whether each leaves a client that joins by index with a wrong call.
ANOMALIES = {
    "index-missing": False,  # read as 0, which is right for a single call; `assemble` checks for several
    "index-not-int": True,
    "index-repeated-for-new-id": True,
    "index-negative": True,
    "index-huge": True,  # a list grown up to the index uses up the memory
    "index-gap": False,
    "id-missing": True,
    "id-late": False,
    "id-changes": False,
    "id-repeated": False,
    "id-shared": True,
    "name-late": False,
    "name-repeated-in-fragments": True,  # except for clients that keep the last name
    "name-in-fragments": True,
    "name-missing": True,
    "arguments-object": True,
    "arguments-not-string": True,
    "arguments-repeated-whole": True,
    "arguments-empty": False,  # most clients read it as {}
    "fragments-not-json": True,
    "empty-delta": False,
    "type-missing": False,
    "malformed": True,
    "text-among-calls": False,
}


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One anomaly.

    ``code``: a key of ANOMALIES.  ``delta``: position of the delta in the list, None where only the whole stream shows
    it.  ``call``: position among the intended calls, or None.  ``hurts``: it leaves a client that joins by index with a
    wrong call.
    """

    code: str
    delta: int | None
    call: int | None
    hurts: bool


def anomaly(code: str, delta: int | None, call: int | None) -> Anomaly:
    """An anomaly with the effect that its code has in general."""
    return Anomaly(code, delta, call, ANOMALIES[code])


MAX_INDEX = 1024
MAX_FRAGMENTS = 20_000
MAX_CALLS = 256
#: An id or a name of so many characters is no longer added to.
MAX_NAME = 4_000


@dataclass(frozen=True, slots=True)
class StreamedCall:
    """One joined call; strings without a value are empty."""

    index: int
    id: str
    type: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Assembly:
    """The calls that three readers build from the same fragments.

    ``by_index``: a client that joins by index (``dropped``: how many frames it rejects).  ``sdk``: the OpenAI SDK's
    stream helper before ``sdk_error`` (empty without an error).  ``intended``: what the server most likely meant, by
    ids and names where indexes fail.
    """

    by_index: tuple[StreamedCall, ...]
    sdk: tuple[StreamedCall, ...]
    sdk_error: str
    intended: tuple[StreamedCall, ...]
    anomalies: tuple[Anomaly, ...]
    dropped: int


@dataclass(slots=True)
class _Fragment:
    delta: int
    index: int | None
    index_fault: str
    id: str
    type: str
    name: str
    arguments: str
    faults: list[str]
    blank: bool


@dataclass(slots=True)
class _Call:
    index: int
    id: str = ""
    type: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    indexed: bool = True

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def looks_whole(self) -> bool:
        """Whether the arguments so far could be complete; cheap, since it runs per fragment."""
        last = next((p for p in reversed(self.pieces[-8:]) if p.strip()), "").rstrip()
        return last.endswith("}") and (len(self.pieces) > 64 or _is_json(self.arguments))

    def done(self) -> StreamedCall:
        return StreamedCall(self.index, self.id, self.type, self.name, self.arguments)


def assemble(deltas: Iterable[object]) -> Assembly:
    """Join the tool calls of one streamed choice; never raises.

    Args:
        deltas: the `delta` of each chunk in order, any JSON value.
    """
    fragments: list[_Fragment] = []
    anomalies: list[Anomaly] = []
    refused: set[int] = set()
    text_after = -1
    for number, delta in enumerate(deltas):
        entries, faults = _entries(delta)
        for fault in faults:
            anomalies.append(anomaly(fault, number, None))
            if fault == "malformed":
                refused.add(number)
        if fragments and text_after < 0 and isinstance(delta, dict) and delta.get("content"):
            text_after = number
            anomalies.append(anomaly("text-among-calls", number, None))
        for entry in entries:
            if len(fragments) >= MAX_FRAGMENTS:
                break
            fragment = _fragment(number, entry)
            fragments.append(fragment)
            if fragment.index_fault == "index-not-int" or fragment.faults:
                refused.add(number)
    intended = _intend(fragments, anomalies)
    anomalies += _of_whole(intended)
    sdk, sdk_error = _as_sdk(fragments)
    joined = _by_index(fragments, refused)
    if [(c.name, c.arguments) for c in joined] != [(c.name, c.arguments) for c in intended]:
        anomalies = [replace(a, hurts=True) if a.code == "index-missing" else a for a in anomalies]
    return Assembly(
        tuple(c.done() for c in joined),
        tuple(c.done() for c in sdk),
        sdk_error,
        tuple(c.done() for c in intended),
        tuple(anomalies),
        len(refused),
    )


def _entries(delta: object) -> tuple[list[object], list[str]]:
    if not isinstance(delta, dict):
        return [], [] if delta is None else ["malformed"]
    calls = delta.get("tool_calls")
    if calls is None:
        return [], []
    if not isinstance(calls, list):
        return [], ["malformed"]
    return calls, [] if calls else ["empty-delta"]


def _text(value: object, faults: list[str], fault: str = "malformed") -> str:
    if isinstance(value, str):
        return value
    if value is not None:
        faults.append(fault)
    return ""


def _fragment(number: int, entry: object) -> _Fragment:
    faults: list[str] = []
    if not isinstance(entry, dict):
        return _Fragment(number, None, "", "", "", "", "", ["malformed"], False)
    function: Any = entry.get("function")
    if function is not None and not isinstance(function, dict):
        faults.append("malformed")
    function = function if isinstance(function, dict) else {}
    raw = function.get("arguments")
    if isinstance(raw, dict):
        faults.append("arguments-object")
        arguments = _dump(raw)
    elif raw is not None and not isinstance(raw, str):
        faults.append("arguments-not-string")
        arguments = _dump(raw)
    else:
        arguments = raw or ""
    index = entry.get("index")
    fault = ""
    if index is None:
        fault = "index-missing"
    elif isinstance(index, bool) or not isinstance(index, int):
        fault, index = "index-not-int", None
    elif index < 0:
        fault = "index-negative"
    elif index > MAX_INDEX:
        fault = "index-huge"
    identity = _text(entry.get("id"), faults)
    kind = _text(entry.get("type"), faults)
    name = _text(function.get("name"), faults)
    blank = not (identity or name or arguments or faults)
    return _Fragment(number, index, fault, identity, kind, name, arguments, faults, blank)


def _dump(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _by_index(fragments: list[_Fragment], refused: set[int]) -> list[_Call]:
    calls: dict[int, _Call] = {}
    for part in fragments:
        if part.delta in refused:
            continue
        call = calls.setdefault(part.index or 0, _Call(part.index or 0))
        call.id = part.id or call.id
        call.type = part.type or call.type
        call.name = part.name or call.name
        call.pieces.append(part.arguments)
    return list(calls.values())


def _as_sdk(fragments: list[_Fragment]) -> tuple[list[_Call], str]:
    """As accumulate_delta does it: the first list is used unchanged, later entries go by list position."""
    calls: list[_Call] = []
    first = fragments[0].delta if fragments else -1
    for part in fragments:
        if part.faults:
            return calls, "a field has a type that no string can be appended to"
        at = part.index
        if part.delta == first:
            at = None
        elif at is None:
            return calls, "an entry without an integer as `index` is rejected"
        if at is None or not -len(calls) <= at < len(calls):
            where = len(calls) if at is None else at
            if abs(where) > sys.maxsize:  # list.insert raises OverflowError
                return calls, "an `index` beyond a machine word is rejected"
            calls.insert(where, _Call(part.index or 0, part.id, part.type, part.name, [part.arguments]))
            continue
        call = calls[at]
        call.id += part.id if len(call.id) < MAX_NAME else ""
        call.type = part.type or call.type
        call.name += part.name if len(call.name) < MAX_NAME else ""
        call.pieces.append(part.arguments)
    return calls, ""


def _target(calls: list[_Call], part: _Fragment) -> _Call | None:
    """The call that a fragment continues, or None where it starts a new one."""
    if part.id and (same := next((c for c in reversed(calls) if c.id == part.id), None)):
        if part.index is None or same.index == part.index or not same.indexed:
            return same
        return next((c for c in reversed(calls) if c.indexed and c.index == part.index), None)
    if part.index is not None:
        call = next((c for c in reversed(calls) if c.indexed and c.index == part.index), None)
    else:
        call = calls[-1] if calls else None
    if call is None:
        return None
    if not (part.name and call.name) or (part.index is not None and not (part.id and call.id)):
        return call
    # A repeated name continues the same call, unless that looks complete or has another name.
    begins = part.name != call.name or call.looks_whole()
    return None if begins else call


def _intend(fragments: list[_Fragment], anomalies: list[Anomaly]) -> list[_Call]:
    calls: list[_Call] = []
    reported: set[tuple[str, int]] = set()

    def report(code: str, part: _Fragment, call: int | None) -> None:
        key = (code, -1 if call is None else call)
        if key not in reported:
            reported.add(key)
            anomalies.append(anomaly(code, part.delta, call))

    for part in fragments:
        if part.faults and not (part.id or part.name or part.arguments):
            report(part.faults[0], part, None)
            continue
        target = _target(calls, part)
        fresh = target is None
        if target is None:
            if part.index is not None and any(c.indexed and c.index == part.index for c in calls):
                report("index-repeated-for-new-id", part, len(calls))
            if (part.blank and part.index is None) or len(calls) >= MAX_CALLS:
                report("empty-delta" if part.blank else "malformed", part, None)
                continue
            index = part.index if part.index is not None else len(calls)
            target = _Call(index, indexed=part.index is not None)
            calls.append(target)
        place = next(i for i, c in enumerate(calls) if c is target)
        for fault in [part.index_fault, *part.faults]:
            if fault:
                report(fault, part, place)
        if part.blank and not fresh:
            report("empty-delta", part, place)
        _identity(target, part, place, fresh, report)
        target.type = target.type or part.type
        target.pieces.append(part.arguments)
    return calls


def _identity(call: _Call, part: _Fragment, place: int, fresh: bool, report: Any) -> None:
    if part.id:
        if call.id and call.id != part.id:
            report("id-changes", part, place)
        elif call.id:
            report("id-repeated", part, place)
        elif not fresh:
            report("id-late", part, place)
        call.id = call.id or part.id
    if part.name:
        if call.name and call.name == part.name:
            report("name-repeated-in-fragments", part, place)
        elif call.name and not any(call.pieces):
            report("name-in-fragments", part, place)
            call.name += part.name if len(call.name) < MAX_NAME else ""
        elif not call.name and not fresh:
            report("name-late", part, place)
        call.name = call.name or part.name


def _of_whole(calls: list[_Call]) -> list[Anomaly]:
    """Anomalies that only the complete calls show."""
    found: list[Anomaly] = []
    ids = [c.id for c in calls if c.id]
    numbers = [c.index for c in calls if c.indexed]
    if numbers and min(numbers) >= 0 and sorted(set(numbers)) != list(range(len(set(numbers)))):
        found.append(anomaly("index-gap", None, None))
    for place, call in enumerate(calls):
        if not call.id:
            found.append(anomaly("id-missing", None, place))
        elif ids.count(call.id) > 1:
            found.append(anomaly("id-shared", None, place))
        if not call.name:
            found.append(anomaly("name-missing", None, place))
        if not call.type:
            found.append(anomaly("type-missing", None, place))
        text = call.arguments
        if not text.strip():
            found.append(anomaly("arguments-empty", None, place))
        elif not _is_json(text):
            whole = _repeated_whole(call)
            if whole is not None:
                found.append(anomaly("arguments-repeated-whole", None, place))
                call.pieces = [whole]
            else:
                found.append(anomaly("fragments-not-json", None, place))
    return found


def _repeated_whole(call: _Call) -> str | None:
    """The arguments where fragments repeat the text so far, or the last one repeats all of it."""
    pieces = [p for p in call.pieces if p]
    if len(pieces) < 2 or not _is_json(pieces[-1]):
        return None
    grows = all(later.startswith(earlier) for earlier, later in pairwise(pieces))
    return pieces[-1] if grows or "".join(pieces[:-1]) == pieces[-1] else None
