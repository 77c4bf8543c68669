"""What clients make of the deltas of a streamed call.  Pure.

Two clients are kept in mind: one that joins by index and reads a missing one as 0, and
one that appends every string, as the stream helper of the OpenAI Python SDK does.
"""

from __future__ import annotations

import json
from typing import Any

from checks.tools.catalogue import FINISH, NOT_JSON, STREAM_FRAGMENTS, STREAM_INDEX
from checks.tools.markup import Anomaly, Assembly, StreamedCall
from checks.tools.reading import Reading, delta_pointer
from checks.tools.structured_calls import Fault, faults
from probe.api import Severity

_INDEX = ("index-missing", "index-not-int", "index-repeated-for-new-id", "index-negative", "index-huge", "index-gap")
#: What garbles the call for a client that joins by index, and what does so only for one that appends.
_GARBLES = (
    "arguments-repeated-whole",
    "fragments-not-json",
    "arguments-empty",
    "name-in-fragments",
    "name-missing",
    "malformed",
)
_DOUBLES = ("name-repeated-in-fragments",)
#: Some clients begin a call with its first delta and refuse one without id or name (Vercel's AI SDK).
_LATE = ("name-late", "id-late")


def judge(reading: Reading, *, whole_sound: bool, forced: bool = False) -> list[Fault]:
    """Everything wrong with streamed calls.

    Args:
        reading: the streamed answer.
        whole_sound: without streaming the arguments of calls are JSON.
        forced: the call was forced by tool_choice.
    """
    put = reading.assembly
    if put is None:
        return faults(reading, forced=forced)
    found = faults(reading, forced=forced)
    if (counted := _counts_deltas(put, reading)) is not None:
        # One call that looks like many: whatever else seems wrong follows from the index.
        return [counted, *(fault for fault in found if fault.diagnosis is FINISH)]
    pieces = _pieces(put, reading, found, whole_sound)
    if pieces is not None:
        # What does not join is no fault of the arguments themselves, if they come right unstreamed.
        found = [fault for fault in found if fault.diagnosis is not NOT_JSON]
        found.append(pieces)
    index = _index(put, reading)
    if index is not None:
        if index.breaks:
            found = [fault for fault in found if fault.diagnosis is not NOT_JSON and fault is not pieces]
        found.append(index)
    return found


def parsable(reading: Reading | None) -> bool:
    """Whether an answer holds calls, and the arguments of all are JSON."""
    if reading is None or not reading.calls:
        return False
    return not any(fault.diagnosis is NOT_JSON for fault in faults(reading))


def _anomalies(put: Assembly, codes: tuple[str, ...]) -> list[Anomaly]:
    return [item for item in put.anomalies if item.code in codes]


def _counts_deltas(put: Assembly, reading: Reading) -> Fault | None:
    """An index that counts the deltas of one call, so that every piece seems a call of its own."""
    head, *rest = put.intended or (None,)
    if head is None or not rest or any(call.name or call.id for call in rest) or not head.name:
        return None
    try:
        json.loads("".join(call.arguments for call in put.intended))
    except (ValueError, RecursionError):
        return None
    evidence = reading.exchange.shows(
        delta_pointer(reading, None), expected="the same index in every delta of a call", actual="one a delta"
    )
    detail = f"The index counts the deltas and not the calls. {clients(put)}"
    return Fault(STREAM_INDEX, detail, evidence, breaks=True)


def _pieces(put: Assembly, reading: Reading, found: list[Fault], whole_sound: bool) -> Fault | None:
    """Fragments that do not join to the call."""
    garbled = _anomalies(put, _GARBLES)
    typed = any(fault.diagnosis.code == "tools.arguments-not-string" for fault in found)
    if typed:
        garbled = [item for item in garbled if item.code not in ("fragments-not-json", "arguments-empty", "malformed")]
    own = [item for item in garbled if item.code not in ("fragments-not-json", "arguments-empty")]
    if not own and not whole_sound:
        garbled = []  # bad arguments that are as bad without streaming are the arguments' fault
    if garbled:
        return _fault(put, reading, garbled[0], breaks=True)
    doubled = _anomalies(put, _DOUBLES)
    name = next((item for item in doubled if item.code == "name-repeated-in-fragments"), None)
    if name is not None:
        return _fault(put, reading, name, breaks=True)
    mild = doubled or _anomalies(put, _LATE)
    return _fault(put, reading, mild[0], breaks=False) if mild else None


def _fault(put: Assembly, reading: Reading, item: Anomaly, *, breaks: bool) -> Fault:
    evidence = reading.exchange.shows(
        delta_pointer(reading, item.delta), expected="pieces that join to the call", actual=_WORDS[item.code]
    )
    detail = f"The streamed call: {_WORDS[item.code]}. {clients(put)}"
    return Fault(STREAM_FRAGMENTS, detail, evidence, breaks, severity=None if breaks else Severity.WARNING)


def _index(put: Assembly, reading: Reading) -> Fault | None:
    """A missing or shared index."""
    listed = _anomalies(put, _INDEX)
    if not listed:
        return None
    worst = next((item for item in listed if item.hurts), listed[0])
    evidence = reading.exchange.shows(
        delta_pointer(reading, worst.delta), expected="index 0, 1, 2 … , one a call", actual=_WORDS[worst.code]
    )
    detail = f"Streamed calls: {_WORDS[worst.code]}. {clients(put)}"
    severity = None if worst.hurts else Severity.WARNING
    if not worst.hurts:
        detail += " With one call at a time that does no harm; several would run together."
        if worst.code == "index-gap":
            helpers = "The `.stream()` helpers of openai-python and openai-node fail on it; plain loops join the call."
            detail = f"Streamed calls: {_WORDS[worst.code]}. {clients(put)} {helpers}"
    return Fault(STREAM_INDEX, detail, evidence, worst.hurts, severity=severity)


_WORDS = {
    "index-missing": "deltas come without an index",
    "index-not-int": "an index is no whole number",
    "index-repeated-for-new-id": "several calls share an index",
    "index-negative": "an index is negative",
    "index-huge": "an index is far too high",
    "index-gap": "the indexes do not start at 0 or leave gaps",
    "arguments-repeated-whole": "later deltas repeat the arguments from their beginning",
    "fragments-not-json": "the joined arguments are no JSON",
    "arguments-empty": "no delta carries the arguments",
    "name-in-fragments": "the name comes in pieces",
    "name-missing": "no delta carries the name",
    "malformed": "a delta has a member of the wrong type",
    "name-repeated-in-fragments": "the name is repeated in later deltas of the same call",
    "id-repeated": "the id is repeated in later deltas of the same call",
    "id-changes": "the id changes from delta to delta",
    "name-late": "the first delta of the call lacks the name, on which strict clients end with an error",
    "id-late": "the first delta of the call lacks the id, on which strict clients end with an error",
}


def clients(put: Assembly) -> str:
    """What the two clients get, in a sentence."""
    text = f"A client that joins by index gets {_calls(put.by_index)}"
    if put.dropped:
        text += f" (and refuses {put.dropped} frame{'s' if put.dropped > 1 else ''})"
    sdk = _calls(put.sdk)
    if put.sdk_error:
        text += (
            f"; one that appends every string, as the OpenAI SDK's helper does, stops with an error ({put.sdk_error})"
        )
    elif sdk != _calls(put.by_index):
        text += f"; one that appends every string, as the OpenAI SDK's helper does, gets {sdk}"
    if _calls(put.intended) != _calls(put.by_index):
        text += f"; meant is {_calls(put.intended)}"
    return f"{text}."


def _calls(calls: tuple[StreamedCall, ...]) -> str:
    if not calls:
        return "no call"
    shown = [f"{call.name or '(no name)'}({_short(call.arguments)})" for call in calls[:4]]
    return f"{len(calls)} call{'s' if len(calls) > 1 else ''}: {', '.join(shown)}"


def _short(arguments: Any) -> str:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, default=str)
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:50]}…{text[-25:]}"
