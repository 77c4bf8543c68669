"""openai-python driven against the mutations, the way its documentation shows."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import openai

from tests.benchmarks.mutations.healthy import MODEL, TOOL
from tests.benchmarks.mutations.table import Mutation

QUESTION: list[Any] = [{"role": "user", "content": "How many rooms?"}]
#: What a client shows: text, calls as [id, name, parsed arguments], finish reason; or the error that ended it.
Shown = dict[str, Any]
CREATE = "openai-python create"
LOOP = "openai-python loop"
BARE_LOOP = "openai-python loop without a check of choices"
HELPER = "openai-python stream()"


def versions() -> dict[str, str]:
    """Version of the driven package and of the interpreter."""
    return {"openai-python": openai.__version__, "python": ".".join(map(str, sys.version_info[:3]))}


def _call(call: Any) -> list[Any]:
    return [call.id, call.function.name, json.loads(call.function.arguments)]


def _create(client: Any, options: dict[str, Any], mutation: Mutation) -> Shown:
    choice = client.chat.completions.create(**options).choices[0]
    calls = [_call(call) for call in choice.message.tool_calls or []]
    return {"text": choice.message.content, "calls": calls, "finish": choice.finish_reason}


def _loop(client: Any, options: dict[str, Any], mutation: Mutation, *, guarded: bool) -> Shown:
    text, finish = "", None
    calls: dict[Any, list[Any]] = {}
    for chunk in client.chat.completions.create(**options, stream=True):
        if guarded and not chunk.choices:
            continue
        choice = chunk.choices[0]
        if choice.delta.content:
            text += choice.delta.content
        for call in choice.delta.tool_calls or []:
            if call.index not in calls:
                calls[call.index] = [call.id, call.function.name, call.function.arguments or ""]
            else:
                calls[call.index][2] += call.function.arguments
        finish = choice.finish_reason or finish
    return {
        "text": text,
        "calls": [[made, name, json.loads(arguments)] for made, name, arguments in calls.values()],
        "finish": finish,
    }


def _helper(client: Any, options: dict[str, Any], mutation: Mutation) -> Shown:
    shown = ""
    with client.chat.completions.stream(**options) as stream:
        for event in stream:
            if event.type == "content.delta":
                shown += event.delta
        choice = stream.get_final_completion().choices[0]
    calls = [_call(call) for call in choice.message.tool_calls or []]
    # The events are what is shown while it streams; the final message is what is kept.
    text = choice.message.content if choice.message.content in (shown, None) else shown
    return {"text": text or shown, "calls": calls, "finish": choice.finish_reason}


def _columns(mutation: Mutation) -> Iterable[tuple[str, Callable[..., Shown]]]:
    if not mutation.kind.streamed:
        yield CREATE, _create
        return
    yield LOOP, lambda *given: _loop(*given, guarded=True)
    if not mutation.asks_usage:
        # A program that asks for the usage chunk knows of chunks without choices.
        yield BARE_LOOP, lambda *given: _loop(*given, guarded=False)
    yield HELPER, _helper


def drive(base: str, mutations: Sequence[Mutation]) -> list[dict[str, Shown]]:
    """What openai-python shows for every mutation served at `base`, by column."""
    seen = []
    with openai.OpenAI(api_key="none", base_url=base, max_retries=0, timeout=10) as client:
        for number, mutation in enumerate(mutations):
            options: dict[str, Any] = {"model": MODEL, "messages": QUESTION}
            if mutation.kind.calls:
                options["tools"] = [TOOL]
            if mutation.asks_usage:
                options["stream_options"] = {"include_usage": True}
            row: dict[str, Shown] = {}
            own = client.with_options(base_url=f"{base}/{number}/v1")
            for column, show in _columns(mutation):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        row[column] = show(own, options, mutation)
                    except Exception as error:  # whatever a client raises is what is measured
                        row[column] = {"error": f"{type(error).__name__}: {error}"}
            seen.append(row)
    return seen
