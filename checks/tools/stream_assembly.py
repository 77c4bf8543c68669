"""Faults of the deltas of a streamed call, and the calls that clients build from them.  Pure.

Two clients are compared: one that joins by index and reads a missing index as 0, and one that appends every string, as
the stream helper of the OpenAI Python SDK does.
"""

from __future__ import annotations

import json
from typing import Any

from checks.tools.catalogue import FINISH, NOT_JSON, NOT_STRING, STREAM_FRAGMENTS, STREAM_INDEX
from checks.tools.markup import Anomaly, Assembly, StreamedCall
from checks.tools.reading import Reading, delta_pointer
from checks.tools.structured_calls import Fault, faults
from probe.api import Severity, wording

_INDEX = ("index-missing", "index-not-int", "index-repeated-for-new-id", "index-negative", "index-huge", "index-gap")
#: Anomalies that garble the call for a client that joins by index; then the one that does so for one that appends.
_GARBLES = (
    "arguments-repeated-whole",
    "fragments-not-json",
    "arguments-empty",
    "name-in-fragments",
    "name-missing",
    "malformed",
)
_REPEATS = ("name-repeated-in-fragments",)
#: Vercel's AI SDK rejects a call whose first delta has no id or name.
_LATE = ("name-late", "id-late")


def stream_faults(reading: Reading, *, whole_sound: bool, forced: bool = False) -> list[Fault]:
    """The faults of streamed calls.

    Args:
        whole_sound: without streaming the arguments of calls are JSON.
        forced: the call was forced by tool_choice.
    """
    found = faults(reading, forced=forced)
    joined = reading.assembly
    if joined is None:
        return found
    if (counted := _counts_deltas(joined, reading)) is not None:
        # One call that looks like many: other faults follow from the index.
        return [counted, *(fault for fault in found if fault.diagnosis is FINISH)]
    pieces = _fragments(joined, reading, found, whole_sound)
    if pieces is not None:
        # Fragments that do not join explain arguments that are not JSON.
        found = [fault for fault in found if fault.diagnosis is not NOT_JSON]
        found.append(pieces)
    index = _index(joined, reading)
    if index is not None:
        if index.breaks:
            found = [fault for fault in found if fault.diagnosis is not NOT_JSON and fault is not pieces]
        found.append(index)
    return found


def parsable(reading: Reading | None) -> bool:
    """Whether an answer has calls, all with arguments that are JSON."""
    if reading is None or not reading.calls:
        return False
    return not any(fault.diagnosis is NOT_JSON for fault in faults(reading))


def _anomalies(joined: Assembly, codes: tuple[str, ...]) -> list[Anomaly]:
    return [item for item in joined.anomalies if item.code in codes]


def _counts_deltas(joined: Assembly, reading: Reading) -> Fault | None:
    """An index that counts the deltas of one call, so that each looks like a call of its own."""
    head, *rest = joined.intended or (None,)
    if head is None or not rest or any(call.name or call.id for call in rest) or not head.name:
        return None
    try:
        json.loads("".join(call.arguments for call in joined.intended))
    except (ValueError, RecursionError):
        return None
    expected, actual = "the same index in every delta of a call", "one per delta"
    evidence = reading.exchange.shows(delta_pointer(reading, None), expected=expected, actual=actual)
    detail = f"The index counts the deltas instead of the calls. {clients(joined)}"
    return Fault(STREAM_INDEX, detail, evidence, breaks=True)


def _fragments(joined: Assembly, reading: Reading, found: list[Fault], whole_sound: bool) -> Fault | None:
    """The worst fault of the fragments: they do not join to the call, or repeat parts of it."""
    garbled = _anomalies(joined, _GARBLES)
    if any(call.elsewhere for call in reading.calls):
        return None  # the arguments are in another member, which is the finding
    of_arguments = ("fragments-not-json", "arguments-empty")
    if any(fault.diagnosis is NOT_STRING for fault in found):
        garbled = [item for item in garbled if item.code not in (*of_arguments, "malformed")]
    if not whole_sound and all(item.code in of_arguments for item in garbled):
        garbled = []  # the arguments are as bad without streaming
    if worst := garbled or _anomalies(joined, _REPEATS):
        return _fault(joined, reading, worst[0], breaks=True)
    late = _anomalies(joined, _LATE)
    return _fault(joined, reading, late[0], breaks=False) if late else None


def _fault(joined: Assembly, reading: Reading, item: Anomaly, *, breaks: bool) -> Fault:
    pointer, what = delta_pointer(reading, item.delta), _WORDS[item.code]
    evidence = reading.exchange.shows(pointer, expected="fragments that join to the call", actual=what)
    detail = f"In the streamed call {what}. {clients(joined)}"
    return Fault(STREAM_FRAGMENTS, detail, evidence, breaks, severity=None if breaks else Severity.WARNING)


def _index(joined: Assembly, reading: Reading) -> Fault | None:
    """The worst fault of the index."""
    anomalies = _anomalies(joined, _INDEX)
    if not anomalies:
        return None
    worst = next((item for item in anomalies if item.hurts), anomalies[0])
    pointer, what = delta_pointer(reading, worst.delta), _WORDS[worst.code]
    evidence = reading.exchange.shows(pointer, expected="index 0, 1, 2 …, one per call", actual=what)
    detail = f"In the streamed calls {what}. {clients(joined)}"
    if not worst.hurts and worst.code == "index-gap":
        detail += " The `.stream()` helpers of openai-python and openai-node fail on it; plain loops join the call."
    elif not worst.hurts:
        detail += " A single call is still usable; several calls would be merged."
    return Fault(STREAM_INDEX, detail, evidence, worst.hurts, severity=None if worst.hurts else Severity.WARNING)


_WORDS = {
    "index-missing": "deltas have no index",
    "index-not-int": "an index is not an integer",
    "index-repeated-for-new-id": "several calls share an index",
    "index-negative": "an index is negative",
    "index-huge": "an index is far too high",
    "index-gap": "the indexes do not start at 0 or have gaps",
    "arguments-repeated-whole": "later deltas repeat the arguments from the start",
    "fragments-not-json": "the joined arguments are not JSON",
    "arguments-empty": "no delta has the arguments",
    "name-in-fragments": "the name is split over several deltas",
    "name-missing": "no delta has the name",
    "malformed": "a delta has a member of the wrong type",
    "name-repeated-in-fragments": "later deltas of the same call repeat the name",
    "name-late": "the first delta lacks the name, which strict clients reject",
    "id-late": "the first delta lacks the id, which strict clients reject",
}


def clients(joined: Assembly) -> str:
    """The calls that the two clients build, in a sentence."""
    text = f"A client that joins by index gets {_calls(joined.by_index)}"
    if joined.dropped:
        text += f" (and rejects {wording.amount(joined.dropped, 'chunk')})"
    appending = "; one that appends every string, like the OpenAI SDK's helper, "
    if joined.sdk_error:
        text += f"{appending}stops with an error ({joined.sdk_error})"
    elif (sdk := _calls(joined.sdk)) != _calls(joined.by_index):
        text += f"{appending}gets {sdk}"
    if _calls(joined.intended) != _calls(joined.by_index):
        text += f"; the model made {_calls(joined.intended)}"
    return f"{text}."


def _calls(calls: tuple[StreamedCall, ...]) -> str:
    if not calls:
        return "no call"
    listed = [f"{call.name or '(no name)'}({_shortened(call.arguments)})" for call in calls[:4]]
    return f"{wording.amount(len(calls), 'call')}: {', '.join(listed)}"


def _shortened(arguments: Any) -> str:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, default=str)
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:50]}…{text[-25:]}"
