"""The diagnoses of the shape family, and that of events that are not chunks."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_SOURCES = (
    "openai/openai-openapi, CreateChatCompletionResponse and CreateChatCompletionStreamResponse",
    "openai-python 3.57.0, openai-node 7.57.0 and @ai-sdk/openai-compatible 3.0.92, run against each deviation",
)

ANSWER = Diagnosis(
    code="shape.answer",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Answer in a form that clients cannot read",
    what="A successful answer has a field that is missing, empty or of a type that the API does not have there; or the "
    "whole completion is not JSON, inside an envelope, or of another content type. The evidence names the field and "
    "its value; the detail names the clients that fail.",
    why="Clients with declared types refuse the whole answer (Vercel AI SDK, Go, Rust, Java); those without fail "
    "later, where the field is used, or show nothing. A client that does not read the field works, so that the fault "
    "seems to be the client's.",
    remedy="On the server or gateway that writes the answer, send the field as the API describes it. Update the "
    "software first: most of these deviations have been fixed in newer versions.",
    verify="The field of the same request's answer has the type that the API describes.",
    sources=_SOURCES,
)
CHUNK = Diagnosis(
    code="shape.chunk",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Stream chunk has a field clients cannot read",
    what="A chunk of a streamed answer has a field that is missing, empty or of a type that the API does not have "
    "there. The evidence names the event, the field and its value; the detail names the clients that fail.",
    why="A client with declared types ends the stream with an error in the middle of the answer; others lose the text "
    "of the chunk or run a call with the wrong arguments.",
    remedy="On the server or gateway that writes the stream, send the field as the API describes it. Update the "
    "software first: most of these deviations have been fixed in newer versions.",
    verify="Every chunk of the same request's stream has the type that the API describes.",
    sources=_SOURCES,
)
FOREIGN_EVENTS = Diagnosis(
    code="stream.foreign-events",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Stream holds events that are not chunks",
    what="Between the chunks of the streamed answer there are data events of another kind: no `choices`, no `usage` "
    "and no `error`.",
    why="Most clients parse every data event as a chunk: openai-python and openai-node fail where they read "
    "`choices[0]`, the Vercel AI SDK ends the stream with a validation error.",
    remedy="On the server or gateway, send heartbeats as comment lines (`: ping`), and other events in a response of "
    "its own or not at all.",
    verify="Every data event of the same request's stream but `[DONE]` holds `choices`.",
    sources=(
        "WHATWG HTML, section 9.2.6: comment lines are ignored by every reader",
        *_SOURCES,
    ),
)
