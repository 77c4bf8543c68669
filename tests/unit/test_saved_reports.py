"""A saved report says of every client what the fresh one did, whatever was cut when it was saved."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model import CAPABILITIES, Exchange, Report, Request, Response, State, Timeline, Verdict
from probe.report import KEPT_BODY, KEPT_STRING, encode, stored
from reports import markdown
from reports.clients.client import export
from reports.clients.compatibility import Answer, rows, works_with
from reports.clients.registry import clients
from reports.clients.settings import CannotExport, settings_of
from tests.unit.configs_cases import BASE, EXTRAS, case

#: Reports of which the property is shown.
EXAMPLES = 200
SIZES = (0, 200, KEPT_STRING - 1, KEPT_STRING + 1, KEPT_BODY - 7, KEPT_BODY + 1, 2 * KEPT_BODY)


def stream(size: int, text: str, end: bytes, content_type: str = "text/event-stream") -> Exchange:
    """A stream of at least this many bytes in which every delta has the text."""
    delta = {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
    frame = f"data: {json.dumps(delta, ensure_ascii=False)}\n\n".encode("utf-8", "surrogatepass")
    body = frame * (1 + size // len(frame)) + end
    return Exchange(
        "x001",
        "stream.shape",
        Request("POST", f"{BASE}/chat/completions", {}, {"stream": True, "messages": []}),
        Response(200, "", "HTTP/1.1", (("Content-Type", content_type),), body),
        Timeline(headers_s=0.1234567),
    )


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any verdicts, facts of any size, and streams around the sizes at which bodies are cut."""
    text = draw(st.sampled_from(["word ", "日本", "\ud800", "x" * 900, "\x00", '"\n', "é" * KEPT_STRING]))
    end = draw(st.sampled_from([b"data: [DONE]\n\n", b"", b"data: {", b"\xff\xfe\n", b'data: {"error": {}}\n\n']))
    kinds = draw(st.sampled_from(["text/event-stream", "application/json", "text/plain"]))
    sizes = draw(st.lists(st.sampled_from(SIZES), max_size=1))
    facts = {
        "context_length": draw(st.sampled_from([None, 2048, 131072])),
        "models": draw(st.sampled_from([[], ["x" * 20_000, "a"], ("b",)])),
        "rejected_params": draw(st.sampled_from([None, ("seed",), ["temperature", "seed"]])),
        "echo_fields": draw(st.sampled_from([None, ("reasoning_content",)])),
    }
    made = case(facts=facts)
    verdicts = {name: Verdict(draw(st.sampled_from(list(State)))) for name in CAPABILITIES}
    verdicts["chat"] = Verdict(State.WORKS)
    return replace(made, capabilities=verdicts, exchanges=tuple(stream(size, text, end, kinds) for size in sizes))


@settings(max_examples=EXAMPLES, deadline=None)
@given(made=reports())
def test_rows_notes_and_exports_of_a_saved_report_are_those_of_the_run(made: Report) -> None:
    fresh = stored(made)  # the form in which a run returns it
    saved = stored(fresh)
    assert encode(saved) == encode(fresh)
    assert rows(saved) == rows(fresh)
    assert markdown.render(saved) == markdown.render(fresh)
    for item in clients():
        if item.needs is None:  # the others' configurations are in their rows
            assert _exported(item, saved) == _exported(item, fresh)


def _exported(client: Any, made: Report) -> Any:
    try:
        return export(client, settings_of(made, extras=EXTRAS))
    except CannotExport as problem:
        return str(problem)


@pytest.mark.parametrize("size", SIZES)
def test_a_body_that_was_cut_is_no_malformed_stream(size: int) -> None:
    made = replace(case(), exchanges=(stream(size, "word ", b"data: [DONE]\n\n"),))
    for report in (made, stored(made), stored(stored(made))):
        (fit,) = works_with(report, [item for item in clients() if item.name == "kenaz"])
        assert fit.answer is Answer.YES
    broken = replace(case(), exchanges=(stream(0, "word ", b"data: {\n\n"),))
    (fit,) = works_with(stored(broken), [item for item in clients() if item.name == "kenaz"])
    assert fit.codes == ("stream.framing",)
