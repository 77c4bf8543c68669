"""The diagnoses of timers above HTTP, which both streams and silent requests reveal."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

L7_TIMEOUT = Diagnosis(
    code="idle.l7-timeout",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="Idle timeout at a proxy or server",
    what="A request was ended while the server was still silent: with an error such as 504, or with a truncated "
    "response. The time counts from the last byte: with bytes flowing the same answer arrives.",
    why="Longer silences end the request: answers without streaming, long prompts, queues, hidden thinking. Clients "
    "show a gateway error or a truncated answer.",
    remedy="Keep streaming on, since every token restarts the timer. Let the server send heartbeats (SSE comments) at "
    "least every 15 s and twice within the limit, and raise the response or read timeout of the proxy. TCP keepalive "
    "does not help.",
    verify="Run endpoint-probe again with --idle above the limit: long_silence works.",
    sources=(
        "nginx.org, ngx_http_proxy_module: proxy_read_timeout",
        "HAProxy configuration manual: timeout server",
        "Envoy FAQ: How do I configure timeouts?",
        "WHATWG HTML, section 9.2.7 Authoring notes: a comment line every 15 seconds or so",
    ),
)
TOTAL_DEADLINE = Diagnosis(
    code="idle.total-deadline",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="Total response deadline at a proxy or server",
    what="Answers end at the same time after the request, streamed or not, even while bytes are flowing.",
    why="Longer answers are always truncated. Heartbeats, keepalive and streaming do not help.",
    remedy="Raise or disable the total response timeout of the gateway; until then set max_tokens so that an answer is "
    "written within the limit.",
    verify="Run endpoint-probe again with --idle above the limit: the finding is gone.",
    sources=(
        "Envoy FAQ: How do I configure timeouts? (route timeout)",
        "AWS API Gateway quotas: integration timeout; response transfer mode",
    ),
)
#: The remedy where an answer without streaming is lost when it is complete: a deadline of writing.
WRITE_DEADLINE = (
    "Raise or disable the write timeout of the server or proxy: Traefik: `writeTimeout: 0` in "
    "`transport.respondingTimeouts` of the entry point; Caddy: `write 0` in `timeouts` of `servers`; a Go program: "
    "`WriteTimeout` of its http.Server. Until then set max_tokens so that an answer is written within the limit."
)
