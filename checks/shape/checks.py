"""Every chat completion of the run, read as clients read it.  Sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from checks.shape.catalogue import ANSWER, CHUNK, FOREIGN_EVENTS
from checks.shape.reading import Deviation, deviations, is_chat, is_chunk
from checks.shared.fields import MISSING
from probe.api import Depth, Diagnosis, Evidence, Exchange, Finding, Result, Severity, check, completion, wording

if TYPE_CHECKING:
    from probe.api import Context

#: Fields that other families judge: where one of these codes was given, the field is not reported again.
_JUDGED_ELSEWHERE: Mapping[str, frozenset[str]] = {
    "tool_calls[].id": frozenset({"tools.id-missing", "tools.id-duplicate"}),
    "function.arguments": frozenset({"tools.arguments-not-string", "tools.no-arguments", "tools.arguments-not-json"}),
    "function.name": frozenset({"tools.stream-fragments", "tools.stream-index"}),
    "tool_calls[].type": frozenset({"tools.stream-index"}),
    "error": frozenset({"stream.error-in-band"}),
}
_FINISH_OF_CALLS = frozenset({"tools.finish-reason", "tools.result-rejected"})
_FINISH_OF_TEXTS = frozenset({"stream.finish-reason", "tools.result-rejected"})
_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)
#: Deviations that a detail names; the others are counted.
_NAMED = 3
_SHOWN = 60


@check(
    "shape.all",
    title="Read every successful answer as clients read it",
    proves="The fields of every answer and chunk have the types that clients expect.",
    requires={"chat"},
    after={"*"},
    emits=(ANSWER, CHUNK, FOREIGN_EVENTS),
    max_requests=0,
    depth=Depth.QUICK,
)
async def read_all(ctx: Context) -> Result:
    # What answers at a base that was tried and is not the one in use says nothing of the chat operation.
    chat_url = ctx.target.chat_url
    mine = [one for one in ctx.exchanges if one.check != "url.resolve" or chat_url in (None, one.request.url)]
    return diagnose_shape(mine, ctx.codes)


def diagnose_shape(exchanges: Sequence[Exchange], codes: frozenset[str] = frozenset()) -> Result:
    """The deviations that break a client, one finding for answers and one for chunks.  Pure.

    Args:
        exchanges: of the run; those that are not chat completions are skipped.
        codes: the finding codes given so far.
    """
    every = deviations(exchanges)
    seen = [item for item in every if not _judged(item, codes)]
    harmful = [item for item in seen if _is_harmful(item)]
    findings: list[Finding] = []
    fails: dict[str, str] = {}
    for diagnosis, where in ((ANSWER, "answer"), (CHUNK, "chunk")):
        mine = sorted(
            (item for item in harmful if item.where == where), key=lambda item: _ORDER.index(item.rule.severity)
        )
        if mine:
            findings.append(_finding(diagnosis, _first_of_each(mine)))
    findings += _foreign(exchanges)
    for item in filter(_is_harmful, every):
        for client, how in (item.rule.fails or {}).items():
            # Without a finish reason the text or the call is right all the same; the AI SDK alone runs no call then.
            if "finish reason" not in how or (client.startswith("AI SDK") and item.answer == "tool"):
                fails.setdefault(client, f"`{item.field}` {_state(item)}: {how}")
    harmless = sorted({item.field for item in seen if item not in harmful})
    note = f"deviations that break no known client: {', '.join(harmless[:6])}" if harmless else ""
    return Result(tuple(findings), facts={"failing_clients": fails} if fails else {}, note=note)


def _first_of_each(items: Iterable[Deviation]) -> list[Deviation]:
    """The first deviation of each field and kind, in the order given."""
    first: dict[tuple[str, str], Deviation] = {}
    for item in items:
        first.setdefault((item.field, item.kind), item)
    return list(first.values())


def _is_harmful(item: Deviation) -> bool:
    return item.rule.severity is not Severity.INFO and not item.rule.allowed


def _judged(item: Deviation, codes: frozenset[str]) -> bool:
    if item.field.endswith("finish_reason"):
        owners = _FINISH_OF_CALLS if item.answer == "tool" else _FINISH_OF_TEXTS
        return bool(codes & owners)
    return any(item.field.endswith(field) and codes & owners for field, owners in _JUDGED_ELSEWHERE.items())


def _finding(diagnosis: Diagnosis, found: Sequence[Deviation]) -> Finding:
    said = [f"{_field(item)} {_state(item)}: {_clients(item)}" for item in found[:_NAMED]]
    more = f"; {len(found) - _NAMED} more fields deviate" if len(found) > _NAMED else ""
    return diagnosis.found(
        f"{'; '.join(said)}{more}.", *(_evidence(item) for item in found[:8]), severity=found[0].rule.severity
    )


def _field(item: Deviation) -> str:
    return f"`{item.field}`"


def _state(item: Deviation) -> str:
    """What the field holds, as a phrase."""
    phrases = {
        "missing": "is missing",
        "null": "is null",
        "empty string": "is an empty string",
        "empty list": "is an empty list",
        "empty object": "is an empty object",
        "list": "is a list",
        "object": "is an object",
        "marked": "begins with a byte order mark",
        "changing": "is another one in later chunks of the same stream",
        "uncounted": "is 0 for answers with text",
        "uncounted prompt": "is 0 in every answer",
        "thinking": "comes a second time in the field of the thinking",
        "repeated": "is sent again in later fragments of the same call",
    }
    return phrases.get(item.kind) or f"is {_value(item.value)}"


def _value(value: Any) -> str:
    """A small JSON value as text for a sentence."""
    if isinstance(value, str):
        return f'the string "{wording.shown(value, _SHOWN)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "another type"


def _clients(item: Deviation) -> str:
    """The clients that fail, the plain ones first, without the names of their functions where several fail alike."""
    names = list(dict.fromkeys(_library(name) for name in item.rule.fails or {}))
    shown = ", ".join(names[:4])
    return (
        f"{shown} and {len(names) - 4} more fail"
        if len(names) > 4
        else f"{shown} {wording.form(len(names), 'fails', 'fail')}"
    )


def _library(client: str) -> str:
    """``openai-python create`` -> ``openai-python``; helpers keep their name."""
    if "stream()" in client or "without a check" in client:
        return client
    for known in ("openai-python", "openai-node", "AI SDK"):
        if client.startswith(known):
            return known
    return client.partition(" ")[2] or client


def _evidence(item: Deviation) -> Evidence:
    actual = "missing" if item.value is MISSING else item.value
    if isinstance(actual, str):
        actual = actual[:200]
    elif not isinstance(actual, int | float | bool | None):
        actual = item.kind
    return item.exchange.shows(item.pointer, expected="the type that the API describes", actual=actual)


def _foreign(exchanges: Iterable[Exchange]) -> list[Finding]:
    """Data events that are not chunks of the stream."""
    for exchange in exchanges:
        if not (is_chat(exchange) and completion.is_stream(exchange)):
            continue
        stream = completion.read_stream(exchange)
        chunks = [chunk for chunk in stream.chunks if is_chunk(chunk.body)]
        foreign = [chunk for chunk in stream.chunks if not is_chunk(chunk.body) and not _carries_error(chunk.body)]
        if not foreign or not chunks:
            continue
        first = foreign[0]
        event = stream.stream.events[first.index]
        name = f" of the type `{event.event[:40]}`" if event.event not in ("", "message") else ""
        detail = (
            f"Event {first.index} of the stream{name} is not a chunk: {event.data[:_SHOWN]}; "
            f"{wording.amount(len(foreign), 'such event')} among {len(chunks)} chunks."
        )
        pointer = f"/response/events/{first.index}/data"
        return [FOREIGN_EVENTS.found(detail, exchange.shows(pointer, expected="choices", actual=event.data[:200]))]
    return []


def _carries_error(body: Any) -> bool:
    return isinstance(body, dict) and any(body.get(name) for name in ("error", "detail", "message"))
