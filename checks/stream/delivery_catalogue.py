"""The diagnoses that follow from when the bytes of a stream arrive."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_NGINX = "nginx.org, ngx_http_proxy_module: proxy_buffering, X-Accel-Buffering, proxy_http_version"
_UNBUFFERED = {
    "nginx": "In the location: `proxy_buffering off; proxy_http_version 1.1; gzip off;` (or let the backend "
    "send `X-Accel-Buffering: no`, which nginx obeys unless proxy_ignore_headers names it).",
    "azure-app-gateway": "Switch response buffering off (`az network application-gateway update --set "
    "globalConfiguration.enableResponseBuffering=false`).",
    "aws-api-gateway": "Set the integration's response transfer mode to STREAM (REST APIs buffer by default).",
    "apache": "Set `flushpackets=on` on ProxyPass and take mod_deflate off text/event-stream.",
    "haproxy": "Take text/event-stream out of `compression type`, and set `option http-no-delay`.",
    "kong": "Set `response_buffering: false` on the route, and remove plugins that read the response body.",
    "traefik": "Remove the Buffering and Compress middlewares from this router.",
}

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
    remedies=_UNBUFFERED,
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
    remedies={
        "litellm": "Remove `fake_stream: true` from the model's litellm_params; guardrails that run post_call also "
        "make it wait for the whole answer.",
        "koboldcpp": "With tools it generates first and streams afterwards; without tools it streams.",
        "portkey": "Take output guardrails off streamed requests: they need the whole answer.",
    },
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
    remedies={
        **_UNBUFFERED,
        "nginx": "In the location: `proxy_buffering off; proxy_http_version 1.1;`. Over TLS and HTTP/1.1 it also "
        "collects a whole TLS record when buffering is on: `ssl_buffer_size 4k` helps a little, buffering off cures.",
    },
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
    remedies={
        "haproxy": "Set `option http-no-delay` in the frontend or backend (without it about 200 ms are collected).",
        "caddy": "Set `flush_interval -1` in reverse_proxy.",
        "traefik": "Set the service's `responseForwarding.flushInterval` to `-1`.",
        "apache": "Set `flushpackets=on` on ProxyPass.",
        "vllm": "Start it with `--stream-interval 1` (a larger value sends several tokens at once).",
        "sglang": "Start it with `--stream-interval 1`.",
    },
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
    remedies={
        "nginx": "Remove text/event-stream (and `*`) from `gzip_types`, or set `gzip off` in the location; "
        "`proxy_buffering off` also cures it.",
        "haproxy": "Remove text/event-stream from `compression type`.",
        "apache": "`SetEnvIf Request_URI ... no-gzip 1`, or take text/event-stream out of AddOutputFilterByType "
        "DEFLATE.",
        "envoy": "Remove text/event-stream from the compressor filter's content_type list.",
        "traefik": "Add text/event-stream to the Compress middleware's excludedContentTypes.",
    },
    verify="`curl -N --compressed` shows the lines one by one.",
    sources=("nginx.org, ngx_http_gzip_module", "HTTPX docs, default headers (Accept-Encoding)"),
)
DELIVERIES = {
    "held": HELD,
    "replayed": REPLAYED,
    "size-buffered": SIZE_BUFFERED,
    "coalesced": COALESCED,
}
