"""Which mutations the program names, judged on the mutated answer alone.

The same pure functions that judge a run are given one recorded exchange: the shape of the answer, the events and the
text of a stream, and the calls.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from checks.shape.checks import diagnose_shape
from checks.stream import event_stream
from checks.stream.agreement import diagnose_agreement, difference, text_streams
from checks.tools import stream_assembly, structured_calls
from checks.tools.reading import Kind, read
from probe.api import Inconclusive
from probe.model import Exchange, Finding, Report, Request, Response, Severity, State, Timeline
from reports.clients.compatibility import Answer, works_with
from tests.benchmarks.mutations.healthy import TOOL
from tests.benchmarks.mutations.outcomes import NO_FINISH, PLAIN, fails
from tests.benchmarks.mutations.table import HEALTHY, Mutation, payload
from tests.unit.configs_cases import case

HEALTHY_TEXT = Mutation("text", "", HEALTHY)
#: Deviations that break none of the clients run here, and others in public reports: they are named all the same.
REPORTED = {
    "no [DONE]": "huggingface/inference-benchmarker refuses the stream: ikawrakow/ik_llama.cpp issue 467",
    "finish chunk before the last content": "open-webui/open-webui issue 16377: the text after it is lost",
    "finish reason in every chunk": "open-webui/open-webui issue 16377: the text after the first is lost",
    "finish chunk twice": "open-webui/open-webui issue 16377: the answer ends twice",
    "ids differ between chunks": "openai/openai-go, ChatCompletionAccumulator.AddChunk drops them: "
    "microsoft/foundry-local issue 144",
}
URL = "http://127.0.0.1/v1/chat/completions"


def exchange(mutation: Mutation) -> Exchange:
    """The mutated answer as the program records it."""
    body: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    if mutation.kind.calls:
        body["tools"] = [TOOL]
    if mutation.kind.streamed:
        body["stream"] = True
    kind = "text/event-stream" if mutation.kind.streamed else "application/json"
    response = Response(200, "OK", "HTTP/1.1", (("Content-Type", kind),), payload(mutation))
    return Exchange("x001", "test", Request("POST", URL, {}, body), response, Timeline(end_s=0.1))


def findings(mutation: Mutation) -> tuple[Finding, ...]:
    """What the program finds in the mutated answer."""
    seen = exchange(mutation)
    found: list[Finding] = []
    if mutation.kind.streamed:
        with contextlib.suppress(Inconclusive):
            found += event_stream.diagnose_shape(event_stream.Seen(seen)).findings
        streams = text_streams([seen])
        found += diagnose_agreement(streams, difference(streams, [exchange(HEALTHY_TEXT)])).findings
    if mutation.kind.calls:
        found += (fault.finding() for fault in _faults(seen))
    found += diagnose_shape([seen], frozenset(item.code for item in found)).findings
    # Not asked for here: counts of tokens, which a client that does not ask for them does not miss.
    return tuple(item for item in found if item.code != "stream.no-usage")


def _faults(seen: Exchange) -> Iterable[structured_calls.Fault]:
    reading = read(seen)
    if reading.kind is not Kind.CALLED:
        return ()
    if reading.streamed:
        return stream_assembly.stream_faults(reading, whole_sound=True)
    return structured_calls.faults(reading)


#: The client whose row tells of a library, and whether its row is judged by whole or streamed answers.
_ROWS = {"AI SDK": "ai-sdk", "openai-python": "openai-python", "openai-node": "openai-node"}


def wrong_rows(rows: Sequence[tuple[Mutation, Mapping[str, str]]]) -> list[tuple[Mutation, str]]:
    """Mutations after which the row of a client says yes although its library failed in plain use.

    A client that shows the right text or call and only sees no finish reason did not fail.
    """
    wrong = []
    for mutation, outcomes in rows:
        failing = {
            library
            for library in _ROWS
            for column, outcome in outcomes.items()
            if column in PLAIN and column.startswith(library) and fails(outcome) and outcome != NO_FINISH
        }
        if not failing:
            continue
        answers = {fit.client: fit.answer for fit in works_with(_report(mutation))}
        wrong += [(mutation, library) for library in sorted(failing) if answers[_ROWS[library]] is Answer.YES]
    return wrong


def _report(mutation: Mutation) -> Report:
    """A report of an endpoint that is healthy but for the mutation."""
    found = findings(mutation)
    seen = exchange(mutation)
    shape = diagnose_shape([seen], frozenset(item.code for item in found))
    states: dict[str, Any] = {}
    for item in found:
        if item.severity is Severity.ERROR and item.code.startswith("tools."):
            states["streaming_tools" if mutation.kind.streamed else "tools"] = (State.BROKEN, item.code)
        elif item.severity is Severity.ERROR and item.code.startswith("stream."):
            states["streaming"] = (State.BROKEN, item.code)
    return case(states, facts=dict(shape.facts), codes=tuple(item.code for item in found))


def named(mutation: Mutation) -> Mapping[str, Severity]:
    """The codes that are given as error or warning."""
    return {item.code: item.severity for item in findings(mutation) if item.severity is not Severity.INFO}


def missed(rows: Sequence[tuple[Mutation, Mapping[str, str]]]) -> list[Mutation]:
    """Mutations at which a client's plain use fails and that the program does not name as error or warning."""
    return [
        mutation
        for mutation, outcomes in rows
        if any(column in PLAIN and fails(outcome) for column, outcome in outcomes.items()) and not named(mutation)
    ]


def false_alarms(rows: Sequence[tuple[Mutation, Mapping[str, str]]]) -> list[tuple[Mutation, Mapping[str, Severity]]]:
    """Mutations that hurt no client, or that the API allows and no plain use minds, named all the same."""
    found = []
    for mutation, outcomes in rows:
        hurts = any(fails(outcome) or outcome.startswith("finish reason ") for outcome in outcomes.values())
        if not hurts and mutation.deviation not in REPORTED and (codes := named(mutation)):
            found.append((mutation, codes))
    return found
