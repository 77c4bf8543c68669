"""The diagnoses of the idle family; those of timers are shared with the stream family."""

from __future__ import annotations

from checks.shared.timers import L7_TIMEOUT, TOTAL_DEADLINE
from probe.api import Diagnosis, Owner, Severity

_KEEPALIVE = (
    "Enable TCP keepalive in the client with an idle time of at most half the limit (30 s is common; whole seconds "
    "only), or raise the idle timeout of the NAT, firewall or load balancer in between. Heartbeats in the stream help "
    "as well."
)
_VERIFY = "Run endpoint-probe again with --keepalive at half the limit: long_silence works."

L4_DROPPED = Diagnosis(
    code="idle.l4-dropped",
    severity=Severity.ERROR,
    owner=Owner.NETWORK,
    title="Idle TCP connections silently dropped",
    what="A silent connection stopped working below HTTP: its TCP peer no longer answers, while new connections work.",
    why="The answer is sent and never arrives; the client waits until its own limit.",
    remedy=_KEEPALIVE,
    verify=_VERIFY,
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
    title="Idle TCP connections reset",
    what="A silent connection was ended by a TCP reset, or answered a keepalive probe with one. Proxies close "
    "connections with FIN, so the reset comes from below HTTP.",
    why="The answer is lost, and the client reports a connection reset.",
    remedy=_KEEPALIVE,
    verify=_VERIFY,
    sources=("RFC 9293, section 3.5.2 Reset generation", "tcp(7): TCP_KEEPIDLE"),
)
REUSE_CLOSED = Diagnosis(
    code="idle.reuse-closed",
    severity=Severity.WARNING,
    owner=Owner.GATEWAY,
    title="Kept connection fails on reuse",
    what="A connection that was kept open after an answer failed when the next request was sent on it. It had not been "
    "closed visibly, so clients cannot know.",
    why="The first request after a pause fails with a reset or without an answer. Careful clients do not repeat a "
    "POST, and the user sees the error.",
    remedy="Let the hop that drops idle connections close them (FIN), with a longer keep-alive timeout than that of "
    "the hop in front of it. In the client, keep idle connections for less than the limit (HTTPX: keepalive_expiry), "
    "or repeat the request once.",
    verify="Run endpoint-probe again: the finding is gone.",
    sources=("RFC 9112, section 9.3.1 Retrying requests", "HTTPX docs: Limits, keepalive_expiry"),
)

__all__ = ["L4_DROPPED", "L4_RESET", "L7_TIMEOUT", "REUSE_CLOSED", "TOTAL_DEADLINE"]
