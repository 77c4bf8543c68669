"""From what a client shows to an outcome, and from outcomes to a severity."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.benchmarks.mutations.drive_python import Shown
from tests.benchmarks.mutations.healthy import CALLS, CLOSING
from tests.benchmarks.mutations.table import Mutation

_LONGEST_MESSAGE = 90
OK = "ok"
NOTHING = "nothing"
#: The text or call is right, and the client sees no finish reason.
NO_FINISH = "no finish reason"
#: Columns whose failure is an error: what a program that follows the documentation does.
PLAIN = frozenset(
    (
        "openai-python create",
        "openai-python loop",
        "openai-node create",
        "openai-node loop",
        "AI SDK generateText",
        "AI SDK generateText with tools",
        "AI SDK streamText",
        "AI SDK streamText with tools",
    )
)
_FINISH = {"stop": "stop", "tool_calls": "tool-calls"}


def _cut(error: str) -> str:
    flat = re.sub(r"\s+", " ", error).strip()
    # Validation messages repeat the value: what is wrong stands after it.
    flat = re.sub(r"Value: .*?Error message: ", "", flat)
    return flat if len(flat) <= _LONGEST_MESSAGE else f"{flat[:_LONGEST_MESSAGE]}…"


def _text(shown: Any, wanted: str) -> str:
    if shown is None or shown == "":
        return NOTHING
    if not isinstance(shown, str):
        return f"wrong: content is {json.dumps(shown)[:40]}"
    return OK if shown == wanted else f"wrong: {shown[:40]!r}"


def _calls(shown: Any, count: int) -> str:
    if not shown:
        return NOTHING
    wanted = [(name, json.loads(arguments)) for _, name, arguments in CALLS[:count]]
    if [(call[1], call[2]) for call in shown] != wanted:
        return f"wrong: calls {json.dumps([call[1:] for call in shown])[:60]}"
    ids = [call[0] for call in shown]
    if not all(isinstance(made, str) and made for made in ids):
        return f"wrong: call id is {json.dumps(ids[0])}"
    return OK if len(set(ids)) == len(ids) else "wrong: two calls have one id"


def judge(column: str, shown: Shown, mutation: Mutation) -> str:
    """The outcome of one cell: `ok`, `raises: …`, `nothing`, `wrong: …`, or, where only the finish reason is not the
    healthy one, `no finish reason` or `finish reason …`."""
    if "error" in shown:
        return f"raises: {_cut(str(shown['error']))}"
    sdk = column.startswith("AI SDK")
    if mutation.kind.calls:
        outcome = _calls(shown.get("calls"), mutation.kind.calls)
        if outcome == OK and sdk:
            # The calls were executed; the answer to their results is what a person waits for.
            outcome = OK if shown.get("text") == CLOSING else "wrong: stops after the call"
    else:
        outcome = _text(shown.get("text"), mutation.text)
    if outcome != OK:
        return outcome
    finish = shown.get("finish")
    if finish == (_FINISH[mutation.kind.finish] if sdk else mutation.kind.finish):
        return OK
    return f"finish reason {json.dumps(finish)}" if finish else NO_FINISH


def fails(outcome: str) -> bool:
    """Whether a client cannot use the answer: it raises, shows nothing, something else, or sees no finish reason."""
    return outcome != OK and not outcome.startswith("finish reason ")


def severity(outcomes: Mapping[str, str]) -> str:
    """error, warning or info for the outcomes of a mutation by column.

    error: a plain call or loop of openai-python or openai-node, or the AI SDK, fails, shows nothing or something wrong,
    or sees no finish reason.  warning: that happens only in helpers (`.stream()`), in loops that do not check `choices`
    or in typed clients, or a client sees another finish reason than the healthy one.  info: none of it.
    """
    if any(column in PLAIN and fails(outcome) for column, outcome in outcomes.items()):
        return "error"
    return "info" if all(outcome == OK for outcome in outcomes.values()) else "warning"
