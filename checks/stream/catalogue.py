"""The diagnoses of the stream family: those of the bytes, and those of the arrival times."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_SSE = "WHATWG HTML, section 9.2 Server-sent events"
_CHUNK = "OpenAI API reference, The chat completion chunk object"
_UNTIL_THEN = "Until then set Streaming off in the client."

REJECTED = Diagnosis(
    code="stream.rejected",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Streaming rejected",
    what="A chat request that is answered without streaming is refused with `stream: true`.",
    why="Clients stream by default, to show the first words at once, and get only the error.",
    remedy="Enable streaming at the server or gateway; until then set Streaming off in the client, and expect long "
    "answers to arrive after a long silence.",
    sources=("Kong AI Proxy plugin reference, response_streaming", _CHUNK),
)
REQUIRED = Diagnosis(
    code="stream.required",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Answers only as a stream",
    what="A chat request without `stream: true` is refused, and the same request with it is answered.",
    why="Clients that ask for whole answers (summaries, titles, structured output, the test of a connection) fail, "
    "although the URL, the key and the model are right.",
    remedy="Set Streaming on in the client, or put a gateway in front that collects the stream. Where the refusal "
    "names a parameter for thinking, whole answers may come with thinking switched off.",
    sources=("infiniflow/ragflow#5912", "Alibaba Cloud Model Studio documentation: deep thinking"),
)
NOT_SSE = Diagnosis(
    code="stream.not-sse",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="No event stream for a streaming request",
    what="A request with `stream: true` was answered with success and a body that is not a server-sent event stream.",
    why="Streaming clients find no event and show an empty answer or a format error.",
    remedy=f"Let the server or gateway forward `stream: true` and the event stream. {_UNTIL_THEN}",
    sources=(_SSE, _CHUNK),
)
CONTENT_TYPE = Diagnosis(
    code="stream.content-type",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Event stream with the wrong media type",
    what="The body is a server-sent event stream, and its Content-Type is not text/event-stream.",
    why="Browsers' EventSource and strict libraries refuse it; proxies do not recognise the stream, and buffer or "
    "compress it.",
    remedy="Send `Content-Type: text/event-stream` with the stream, and configure proxies not to replace it.",
    sources=(f"{_SSE}: processing model, step on the response's MIME type",),
)
FRAMING = Diagnosis(
    code="stream.framing",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Malformed events in the stream",
    what="Lines or events of the stream violate the server-sent events standard or the chunk format.",
    why="Clients skip what they cannot read, or stop with an error: text is missing, or there is no answer at all.",
    remedy="Send each chunk as one event: a line `data: ` with one JSON object, then an empty line. If a gateway "
    f"rewrites the stream, disable the rewriting. {_UNTIL_THEN}",
    sources=(_SSE, _CHUNK),
)
NO_DONE = Diagnosis(
    code="stream.no-done",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Stream ends without [DONE]",
    what="The answer is complete, with a finish reason, and the final `data: [DONE]` is missing.",
    why="Many clients take the end of the response as the end of the answer; those that wait for [DONE] report an "
    "incomplete stream. A cut connection cannot be distinguished from a finished answer.",
    remedy="End streams with `data: [DONE]` and an empty line.",
    sources=("OpenAI API reference, Streaming: the stream is terminated by data: [DONE]",),
)
TRUNCATED = Diagnosis(
    code="stream.truncated",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Stream ends before the answer is complete",
    what="The stream ended without a finish reason and without [DONE], or the connection broke.",
    why="The answer is truncated, and clients that take the end of the response for the end of the answer do not "
    "notice.",
    remedy="Look for the cause in the server's log: a crashed worker, an aborted generation, a proxy that lost its "
    f"backend. {_UNTIL_THEN}",
    sources=(_CHUNK, "RFC 9112, section 8 Handling Incomplete Messages"),
)
INTERRUPTED = Diagnosis(
    code="stream.interrupted",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Streams cut by the next request",
    what="A stream breaks off when another request arrives, without a finish reason; alone it is complete.",
    why="Clients send requests side by side (titles, suggestions, a second chat), and each of them cuts the answer "
    "that is being written.",
    remedy="Let the server queue requests in place of ending the running one, or serve several at once. Until then "
    "limit the client to one request at a time.",
    verify="Run endpoint-probe again: the finding is gone.",
    sources=("abetlen/llama-cpp-python, llama_cpp/server/app.py: interrupt_requests", _CHUNK),
)
NO_USAGE = Diagnosis(
    code="stream.no-usage",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="No token usage in streams",
    what='The request asked for token counts with `stream_options: {"include_usage": true}`, and there are none.',
    why="Clients cannot show or limit the cost of a streamed answer, nor the fill level of the context.",
    remedy="Update the server to a version that supports `stream_options.include_usage`, or count tokens in the "
    "client.",
    sources=("OpenAI API reference, stream_options.include_usage",),
)
ERROR_IN_BAND = Diagnosis(
    code="stream.error-in-band",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Error inside the stream",
    what="After status 200 an event of the stream contains an error in place of the rest of the answer.",
    why="Clients that read only the status and `choices` ignore it: the answer stops without an error message.",
    remedy="Find the error text in the server's log and fix its cause. Use a client that reads `error` in the events "
    "of a stream.",
    sources=("OpenAI API reference, Streaming errors", "OpenRouter API docs, Errors: mid-stream error handling"),
)
UTF8 = Diagnosis(
    code="stream.utf8",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Non-ASCII characters corrupted in streams",
    what="A stream contains bytes that are not UTF-8, halves of characters, or replacement characters where the answer "
    "without streaming is correct.",
    why="Umlauts, Chinese, emoji and typographic quotes are garbled; strict clients stop with a decoding error.",
    remedy="Let the server hold back an incomplete character until its last byte is available, and send UTF-8. No hop "
    "may decode the stream in pieces or in another encoding.",
    sources=(f"{_SSE}: event streams are always decoded as UTF-8", "RFC 8259, section 8.1"),
)


# Arrival times --------------------------------------------------------------------------------------

_NGINX = "nginx.org, ngx_http_proxy_module: proxy_buffering, X-Accel-Buffering, proxy_http_version"
#: The clause of a remedy that is left out where the server sends the header already.
ACCEL = ", or let the server send `X-Accel-Buffering: no`"
_STREAMS = "Run endpoint-probe again: facts.delivery is streaming."

HELD = Diagnosis(
    code="stream.held",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="Stream buffered until the answer is complete",
    what="The events of a stream arrive together at the end of the generation, and the first one arrives later the "
    "longer the answer is.",
    why="The user sees nothing until the answer is complete, and a long answer is one long silence in which proxies "
    "and clients time out.",
    remedy="Find the hop that buffers the response and disable buffering and compression of text/event-stream there"
    f"{ACCEL}. A download scanner on the client's side has the same effect: try from another network. If it cannot be "
    "fixed, set Streaming off in the client; nothing is lost by it.",
    verify=f"{_STREAMS} By hand: `curl -N` shows the lines one by one.",
    sources=(_NGINX, "Microsoft Learn, Application Gateway: server-sent events", "AWS API Gateway, response streaming"),
)
REPLAYED = Diagnosis(
    code="stream.replayed",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Stream starts after the answer is complete",
    what="The events arrive one by one, and the first one arrives later the longer the answer is: the answer is "
    "generated completely and then sent as a stream.",
    why="The first word takes as long as without streaming; clients with a time limit for it fail on long answers.",
    remedy="Use a model or gateway setting that streams from the backend; if there is none, raise the client's time "
    "limit for the first token.",
    verify=_STREAMS,
    sources=("LiteLLM docs, fake_stream",),
)
SIZE_BUFFERED = Diagnosis(
    code="stream.size-buffered",
    severity=Severity.WARNING,
    owner=Owner.GATEWAY,
    title="Stream buffered by size",
    what="The stream arrives in pieces of about the same number of bytes, which end in the middle of events.",
    why="Short answers arrive in one piece at the end, long ones in jumps. Heartbeats stay in the buffer, so idle "
    "timers expire nevertheless.",
    remedy=f"Disable response buffering of text/event-stream at the hop that buffers{ACCEL}.",
    verify=_STREAMS,
    sources=(_NGINX, "nginx.org, ngx_http_ssl_module: ssl_buffer_size"),
)
COALESCED = Diagnosis(
    code="stream.coalesced",
    severity=Severity.WARNING,
    owner=Owner.GATEWAY,
    title="Events coalesced by a flush timer",
    what="Complete events arrive in regular bursts of several, some tenths of a second apart.",
    why="Text appears in jerks; no text is lost, and idle timers are not affected.",
    remedy="Disable the flush delay at the hop that coalesces the events; it affects the appearance only.",
    verify=_STREAMS,
    sources=("HAProxy configuration manual, option http-no-delay",),
)
COMPRESSED = Diagnosis(
    code="stream.compressed",
    severity=Severity.WARNING,
    owner=Owner.GATEWAY,
    title="Compression delays the stream",
    what="With `Accept-Encoding: gzip` the events arrive late and together; with `Accept-Encoding: identity` the same "
    "request streams.",
    why="HTTP libraries offer gzip by default, so most clients show nothing until the end.",
    remedy="Exclude text/event-stream from compression at the gateway, or let the compressor flush after every event. "
    "In the client: send `Accept-Encoding: identity` with streaming requests.",
    verify="`curl -N --compressed` shows the lines one by one.",
    sources=("nginx.org, ngx_http_gzip_module", "HTTPX docs, default headers (Accept-Encoding)"),
)
DELIVERIES = {"held": HELD, "replayed": REPLAYED, "size-buffered": SIZE_BUFFERED, "coalesced": COALESCED}

# The answer as a whole ----------------------------------------------------------------------------

TEXT_DIFFERS = Diagnosis(
    code="stream.text-differs",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Streamed text is not the answer's text",
    what="The text that a client joins from `delta.content` is not the text of the answer: parts are lost, sent twice, "
    "not strings, or in another field.",
    why="The user sees an empty, garbled or doubled answer, while the same question without streaming is answered "
    "correctly, so that a test without streaming passes.",
    remedy="Update the server or gateway that writes the stream; each chunk has to hold the new text alone, as a "
    "string in `choices[0].delta.content`. Until then switch streaming off in the client.",
    verify="The joined `delta.content` of a stream equals the `message.content` of the same request without streaming.",
    sources=(
        "OpenAI API reference, chat completion chunk object: delta.content",
        "cloudflare/ai issue 651, infiniflow/ragflow issue 15286, vllm-project/vllm issues 23429 and 40816",
    ),
)
FINISH_REASON = Diagnosis(
    code="stream.finish-reason",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Finish reason of a stream missing or misplaced",
    what="A streamed text answer has no finish reason, an empty one, one before its last text, or several.",
    why="Clients end the answer at the first finish reason and lose what follows, or wait for one that does not come; "
    "the Vercel AI SDK reports the answer as unfinished.",
    remedy="Let the server or gateway send `finish_reason: null` in every chunk but the last, and one of `stop`, "
    "`length`, `tool_calls` or `content_filter` in the last one.",
    verify="In the same request's stream exactly one chunk has a finish reason, and no text follows it.",
    sources=(
        "OpenAI API reference, chat completion chunk object: finish_reason",
        "open-webui/open-webui issue 16377",
    ),
)
NOT_ASKED = Diagnosis(
    code="stream.not-asked",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Event stream although none was asked for",
    what="A request without `stream: true` was answered by an event stream in place of one JSON object.",
    why="Clients that do not stream read the body as JSON and fail, or take the text of the events for the answer.",
    remedy="Let the server or gateway stream only where the request has `stream: true`; the API's default is false.",
    verify="The same request without `stream` is answered with Content-Type application/json and one object.",
    sources=(
        "OpenAI API reference, create chat completion: stream defaults to false",
        "kaito-project/kaito issue 1880, unslothai/unsloth issue 6570",
    ),
)
