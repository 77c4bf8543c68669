"""The diagnoses of silence: timers above HTTP and state lost below it."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

L7_TIMEOUT = Diagnosis(
    code="idle.l7-timeout",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="A proxy or server gives up when no byte comes for a while",
    what="A request was ended while the server was still silent: an error such as 504 in place of the answer, or a "
    "response that broke off. The time counts from the last byte: with bytes flowing the same answer arrives.",
    why="Whatever is silent for longer is lost: answers without streaming, long prompts, queues, hidden thinking. "
    "Clients show a gateway error or a cut answer.",
    remedy="Keep streaming on, since every token starts the timer anew; let the server send heartbeats (SSE comments) "
    "at least every 15 s and twice as often as the timer; and raise the response or read timeout of the proxy. TCP "
    "keepalive does not help here.",
    verify="Run endpoint-probe again with --idle larger than the limit: long_silence works.",
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
    title="A hop ends every answer some time after the request",
    what="Answers end at the same time after the request, streamed or not, however many bytes are flowing.",
    why="Longer answers are always cut. Heartbeats, keepalive and streaming do not help.",
    remedy="Raise or switch off the total response timeout of the gateway; until then limit max_tokens so that an "
    "answer is written within the limit.",
    verify="Run endpoint-probe again with --idle larger than the limit: the finding is gone.",
    sources=(
        "Envoy FAQ: How do I configure timeouts? (route timeout)",
        "AWS API Gateway quotas: integration timeout; response transfer mode",
    ),
)
L4_DROPPED = Diagnosis(
    code="idle.l4-dropped",
    severity=Severity.ERROR,
    owner=Owner.NETWORK,
    title="The network forgets silent connections without a word",
    what="A silent connection stopped working below HTTP: its TCP peer no longer answers, while new connections work.",
    why="The answer is sent and never arrives; the client waits until its own limit.",
    remedy="Switch on TCP keepalive in the client with an idle time of at most half the limit (30 s is common; whole "
    "seconds only), or raise the idle timeout of the NAT, firewall or load balancer in between. Heartbeats in the "
    "stream help as well.",
    verify="Run endpoint-probe again with --keepalive at half the limit: long_silence works.",
    sources=(
        "tcp(7): TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT",
        "RFC 5382, REQ-5: NAT timeouts of established connections",
        "Microsoft Learn, Azure Load Balancer: TCP reset and idle timeout",
    ),
)
L4_RESET = Diagnosis(
    code="idle.l4-reset",
    severity=Severity.ERROR,
    owner=Owner.NETWORK,
    title="The network resets silent connections",
    what="A silent connection was ended by a TCP reset, or answered a keepalive probe with one; proxies end "
    "connections politely, so this comes from below HTTP.",
    why="The answer is lost, and the client shows a connection reset.",
    remedy="Switch on TCP keepalive in the client with an idle time of at most half the limit (30 s is common; whole "
    "seconds only), or raise the idle timeout of the firewall or load balancer in between. Heartbeats in the stream "
    "help as well.",
    verify="Run endpoint-probe again with --keepalive at half the limit: long_silence works.",
    sources=("RFC 9293, section 3.5.2 Reset generation", "tcp(7): TCP_KEEPIDLE"),
)
REUSE_CLOSED = Diagnosis(
    code="idle.reuse-closed",
    severity=Severity.WARNING,
    owner=Owner.GATEWAY,
    title="A kept connection is dead when it is used again",
    what="A connection that was kept open after an answer failed when the next request was sent on it: it had not "
    "been closed visibly, so a client cannot know.",
    why="The first request after a pause fails with a reset or without an answer; a POST is not repeated by careful "
    "clients, so the user sees the error.",
    remedy="Let the hop that drops idle connections close them (FIN) instead, with a keep-alive timeout longer than "
    "that of the hop before it; in the client, keep idle connections for less than the limit (HTTPX: "
    "keepalive_expiry), or repeat the request once.",
    verify="Run endpoint-probe again: the finding is gone.",
    sources=("RFC 9112, section 9.3.1 Retrying requests", "HTTPX docs: Limits, keepalive_expiry"),
)
