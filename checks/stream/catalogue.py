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
    sources=(f"{_SSE}: event streams are always decoded as UTF-8", "RFC 8259, section 8.1"),
)


# The diagnoses that follow from when the bytes of a stream arrive. ---------------------------------

_NGINX = "nginx.org, ngx_http_proxy_module: proxy_buffering, X-Accel-Buffering, proxy_http_version"

HELD = Diagnosis(
    code="stream.held",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="The stream is held back until the answer is complete",
    what="The events of a stream all arrive together at the end of the generation, and the longer the answer, the "
    "later the first of them.",
    why="The user sees nothing until everything is there, and a long answer is one long silence in which proxies and "
    "clients give up.",
    remedy="Find the hop that collects the response: switch response buffering and compression off for "
    "text/event-stream there, or let the server send `X-Accel-Buffering: no`. A download scanner on the client's "
    "side does the same: try from another network. While it cannot be mended, set Streaming off in the client: "
    "nothing is lost by it.",
    verify="Run endpoint-probe again: facts.delivery is streaming. By hand: `curl -N` shows the lines one by one.",
    sources=(_NGINX, "Microsoft Learn, Application Gateway: server-sent events", "AWS API Gateway, response streaming"),
)
REPLAYED = Diagnosis(
    code="stream.replayed",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="The answer is generated whole and then played back as a stream",
    what="The events come one by one, and the first of them comes later the longer the answer is: the stream starts "
    "when the generation is over.",
    why="It looks like streaming, and the wait for the first word is as long as without it; clients with a limit on "
    "that wait give up on long answers.",
    remedy="Use a model or gateway setting that streams from the backend; where it cannot be had, raise the client's "
    "limit for the first token.",
    verify="Run endpoint-probe again: facts.delivery is streaming.",
    sources=("LiteLLM docs, fake_stream",),
)
SIZE_BUFFERED = Diagnosis(
    code="stream.size-buffered",
    severity=Severity.WARNING,
    owner=Owner.GATEWAY,
    title="The stream passes through a buffer that is flushed when it is full",
    what="The stream arrives in pieces of about the same number of bytes, cut in the middle of events.",
    why="Short answers come in one piece at the end, long ones in jumps; heartbeats stick in the buffer, so that "
    "idle timers fire all the same.",
    remedy="Switch response buffering off for text/event-stream at the hop that buffers, or let the server send "
    "`X-Accel-Buffering: no`.",
    verify="Run endpoint-probe again: facts.delivery is streaming.",
    sources=(_NGINX, "nginx.org, ngx_http_ssl_module: ssl_buffer_size"),
)
COALESCED = Diagnosis(
    code="stream.coalesced",
    severity=Severity.WARNING,
    owner=Owner.GATEWAY,
    title="Events are bunched together and passed on by a timer",
    what="Whole events arrive in bursts at an even pace of some tenths of a second, several in each.",
    why="Text appears in jerks. It does no harm to timers and loses nothing.",
    remedy="Switch the flush delay off at the hop that bunches them; it is a matter of looks.",
    verify="Run endpoint-probe again: facts.delivery is streaming.",
    sources=("HAProxy configuration manual, option http-no-delay",),
)
COMPRESSED = Diagnosis(
    code="stream.compressed",
    severity=Severity.WARNING,
    owner=Owner.GATEWAY,
    title="Events are withheld when the client accepts compression",
    what="With `Accept-Encoding: gzip` the events come late and together; with `Accept-Encoding: identity` the same "
    "request streams.",
    why="HTTP libraries offer gzip without being asked, so most clients meet it: nothing is shown until the end.",
    remedy="Take text/event-stream out of what is compressed at the gateway, or let the compressor flush after every "
    "event. In the client: send `Accept-Encoding: identity` with streaming requests.",
    verify="`curl -N --compressed` shows the lines one by one.",
    sources=("nginx.org, ngx_http_gzip_module", "HTTPX docs, default headers (Accept-Encoding)"),
)
DELIVERIES = {
    "held": HELD,
    "replayed": REPLAYED,
    "size-buffered": SIZE_BUFFERED,
    "coalesced": COALESCED,
}
