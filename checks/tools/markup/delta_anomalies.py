"""What can be odd about the fragments of streamed tool calls, and whom it hurts.

Two clients are kept in mind. One joins by `index`, reads a missing index as 0, keeps the last id
and name, appends arguments, and drops a whole frame whose fields have the wrong type, as typed
decoders do (kameas-ai/kenaz-harness, core/llm/custom/adapter.go). The other is the stream helper
of the OpenAI Python SDK, which appends every string but `type` and refuses an entry without an
index (openai-python, src/openai/lib/streaming/_deltas.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One anomaly: whether it hurts a client that joins by index, the SDK's helper, and why."""

    hurts: bool
    hurts_sdk: bool
    why: str


RULES: dict[str, Rule] = {
    "index-missing": Rule(
        False, True, "A missing index is read as 0, which is right for one call and runs several together."
    ),
    "index-not-int": Rule(True, True, "A typed client refuses the whole frame, so the fragment is lost."),
    "index-repeated-for-new-id": Rule(
        True, True, "Two calls share an index, so their arguments are joined into one that is no JSON."
    ),
    "index-negative": Rule(True, True, "A client that keeps calls in a list has no place for the index."),
    "index-huge": Rule(True, False, "A client that grows its list up to the index runs out of memory."),
    "index-gap": Rule(
        False, True, "Joined by index the calls are whole; a client that uses it as a list position splits them."
    ),
    "id-missing": Rule(True, True, "Without an id the result of the call cannot be sent back."),
    "id-late": Rule(False, False, "The id is there once the fragments are joined by index."),
    "id-changes": Rule(
        False, True, "Joined by index it stays one call under its last id; a client that keys on ids sees several."
    ),
    "id-repeated": Rule(
        False, True, "Joined by index the same id is set again; a client that appends strings doubles it."
    ),
    "id-shared": Rule(True, True, "Two calls have the same id, so their results cannot be told apart."),
    "name-late": Rule(False, False, "The name is there once the fragments are joined by index."),
    "name-repeated-in-fragments": Rule(
        True, True, "A client that appends names doubles it; only one that keeps the last name is spared."
    ),
    "name-in-fragments": Rule(
        True, False, "A client that keeps the last name it saw is left with the end of the name."
    ),
    "name-missing": Rule(True, True, "A call without a name cannot be carried out."),
    "arguments-object": Rule(True, True, "A typed client expects a string and refuses the whole frame."),
    "arguments-not-string": Rule(True, True, "A typed client expects a string and refuses the whole frame."),
    "arguments-repeated-whole": Rule(
        True, True, "Every fragment repeats the text so far, so what is appended is no JSON."
    ),
    "arguments-empty": Rule(False, False, "No arguments at all; most clients read that as {}."),
    "fragments-not-json": Rule(True, True, "The joined arguments are no JSON, so the call cannot be carried out."),
    "empty-delta": Rule(False, False, "A fragment without content changes nothing."),
    "type-missing": Rule(False, False, "Only functions are called, so the type is not needed."),
    "malformed": Rule(True, True, "A part of the delta has the wrong type; a typed client refuses the frame."),
    "text-among-calls": Rule(False, False, "Text and calls arrive mixed; joined apart, both are whole."),
}


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One thing that was odd.

    `code`: a key of RULES. `delta`: position of the delta in the list, None where only the whole
    shows it. `call`: position among the intended calls, None where it belongs to none. `hurts`:
    whether a client that joins by index is left with something wrong; `hurts_sdk`: whether the
    OpenAI SDK's stream helper is. `why`: one sentence.
    """

    code: str
    delta: int | None
    call: int | None
    hurts: bool
    hurts_sdk: bool
    why: str


def anomaly(code: str, delta: int | None, call: int | None, hurts: bool | None = None) -> Anomaly:
    """An anomaly with the wording of its rule; hurts: overrides the rule where the case decides."""
    rule = RULES[code]
    return Anomaly(code, delta, call, rule.hurts if hurts is None else hurts, rule.hurts_sdk, rule.why)
