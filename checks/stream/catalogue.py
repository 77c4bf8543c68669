"""The diagnoses that follow from the bytes of a stream."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_SSE = "WHATWG HTML, section 9.2 Server-sent events"
_CHUNK = "OpenAI API reference, The chat completion chunk object"

REJECTED = Diagnosis(
    code="stream.rejected",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Streaming is refused",
    what="The same chat request that is answered without streaming is refused with `stream: true`.",
    why="Clients stream by default, so that the first words show at once; such a client gets only the error.",
    remedy="Switch streaming on at the server or gateway; until then set Streaming off in the client, and "
    "expect long answers to come after a long silence.",
    remedies={
        "kong": "In the AI Proxy plugin set `config.response_streaming: allow`.",
        "aws-api-gateway": "Set the integration's response transfer mode to STREAM (REST APIs buffer by default).",
    },
    sources=("Kong AI Proxy plugin reference, response_streaming", _CHUNK),
)
NOT_SSE = Diagnosis(
    code="stream.not-sse",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="A streaming request is not answered by an event stream",
    what="The request had `stream: true`, and the answer is a success that is no server-sent event stream.",
    why="A streaming client finds no event in it and shows an empty answer, or an error about its format.",
    remedy="Let the server or gateway pass `stream: true` on and forward the event stream; until then set "
    "Streaming off in the client.",
    remedies={
        "litellm": "Remove `fake_stream` from the model's settings, and let `stream` reach the backend.",
        "kong": "In the AI Proxy plugin set `config.response_streaming: allow`, and remove plugins that read "
        "the response body.",
        "aws-api-gateway": "Set the integration's response transfer mode to STREAM (REST APIs buffer by default).",
    },
    sources=(_SSE, _CHUNK),
)
CONTENT_TYPE = Diagnosis(
    code="stream.content-type",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="The event stream has another media type",
    what="The body is a server-sent event stream, and its Content-Type is not text/event-stream.",
    why="Browsers' EventSource and strict libraries refuse it; proxies do not recognise the stream, and buffer or "
    "compress it.",
    remedy="Send `Content-Type: text/event-stream` with the stream, and let no proxy replace it.",
    remedies={
        "nginx": "Remove `proxy_hide_header Content-Type` and any `add_header Content-Type` or `default_type` "
        "that replaces the server's own.",
    },
    sources=(f"{_SSE}: processing model, step on the response's MIME type",),
)
FRAMING = Diagnosis(
    code="stream.framing",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="The events of the stream cannot be read",
    what="Lines or events of the stream are not what the standard and the chunk format ask for.",
    why="Clients skip what they cannot read, or stop with an error: text is missing, or no answer comes at all.",
    remedy="Let the server send each chunk as one event: a line `data: ` with one JSON object, then an empty line. "
    "Where a gateway rewrites the stream, take that rewriting out. Until then set Streaming off in the client.",
    remedies={
        "ollama": "Use the OpenAI-compatible base URL that ends in /v1; /api/chat streams bare JSON lines.",
        "mistral": "Models that think send `content` as a list of parts; choose another model, or a client that "
        "reads parts.",
        "litellm": "Update LiteLLM, and remove custom callbacks that change the streamed chunks.",
    },
    sources=(_SSE, _CHUNK),
)
NO_DONE = Diagnosis(
    code="stream.no-done",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="The stream ends without [DONE]",
    what="The answer is whole, with a finish reason, and the final `data: [DONE]` is missing.",
    why="Many clients take the end of the response as the end of the answer; those that wait for [DONE] report an "
    "incomplete stream. A cut connection can no longer be told from a finished answer.",
    remedy="Let the server end its streams with `data: [DONE]` and an empty line.",
    remedies={
        "transformers": "transformers serve never sends it; use a client that ends at the finish reason, or put "
        "a gateway in front that adds it.",
    },
    sources=("OpenAI API reference, Streaming: the stream is terminated by data: [DONE]",),
)
TRUNCATED = Diagnosis(
    code="stream.truncated",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="The stream breaks off before its end",
    what="The stream ended without a finish reason and without [DONE], or the connection broke while it came.",
    why="The answer is cut, and a client that takes the end of the response for the end of the answer does not "
    "notice it.",
    remedy="Look for the end in the server's log: a crashed worker, a generation that was aborted, a proxy that lost "
    "its backend. Until then set Streaming off in the client.",
    remedies={
        "nginx": "Look in error.log for 'upstream prematurely closed connection', and set `proxy_http_version 1.1`: "
        "over HTTP/1.0 nginx passes a cut answer on as a clean end.",
        "llama-cpp-python": "Start it with `--interrupt_requests False`: by default a second request ends the first "
        "stream.",
        "envoy": "Look at the access log's response flags (UC, UR, UPE), which say how the backend was lost.",
    },
    sources=(_CHUNK, "RFC 9112, section 8 Handling Incomplete Messages"),
)
NO_USAGE = Diagnosis(
    code="stream.no-usage",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Streams do not tell how many tokens they used",
    what='The request asked for token counts with `stream_options: {"include_usage": true}`, and none came.',
    why="Clients cannot show or limit what a streamed answer costs, nor see how full the context is.",
    remedy="Update the server to one that honours `stream_options.include_usage`, or count tokens in the client.",
    remedies={
        "vllm": "Start it with `--enable-force-include-usage`.",
        "llama-cpp-python": "Its server does not know `stream_options`; llama.cpp's own `llama-server` does.",
        "koboldcpp": "It sends no usage in streams; count in the client.",
        "litellm": "Set `general_settings: always_include_stream_usage: true`.",
    },
    sources=("OpenAI API reference, stream_options.include_usage",),
)
ERROR_IN_BAND = Diagnosis(
    code="stream.error-in-band",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="An error comes inside the stream",
    what="After the status 200 an event of the stream holds an error instead of the rest of the answer.",
    why="Clients that look only at the status and at `choices` drop it: the answer stops and nothing is said.",
    remedy="Look up the error text in the server's log and mend its cause; use a client that reads `error` in the "
    "events of a stream.",
    remedies={
        "groq": "code `tool_use_failed`: the model wrote a call that does not fit the schema; simplify the tools or "
        "try again.",
        "vllm": "The engine failed while it generated; its log has the traceback (often out of memory: lower "
        "`--gpu-memory-utilization` or `--max-num-seqs`).",
    },
    sources=("OpenAI API reference, Streaming errors", "OpenRouter API docs, Errors: mid-stream error handling"),
)
UTF8 = Diagnosis(
    code="stream.utf8",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Characters outside ASCII are spoilt in streams",
    what="A stream holds bytes that are no UTF-8, halves of characters, or replacement signs where the unstreamed "
    "answer has the right characters.",
    why="Umlauts, Chinese, emoji and typographic quotes turn into garbage; strict clients stop with a decoding error.",
    remedy="Let the server hold back an unfinished character until its last byte is there, and send UTF-8; let no "
    "hop decode the stream in pieces or in another encoding.",
    remedies={
        "vllm": "Update it; the incremental detokeniser of old versions cut characters.",
        "transformers": "Update it; text must be decoded with the tokens before it, not token by token.",
    },
    sources=(f"{_SSE}: event streams are always decoded as UTF-8", "RFC 8259, section 8.1"),
)
