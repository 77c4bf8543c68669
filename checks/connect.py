"""Whether the endpoint can be reached at all: name, port, connection.

One request tells; what follows uses the same exchange for the model list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.shared.first_request import first_look
from probe.api import Depth, Diagnosis, Exchange, Finding, Owner, Result, Severity, check

if TYPE_CHECKING:
    from probe.api import Context

DNS = Diagnosis(
    code="connect.dns",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="The host name does not resolve",
    what="No address was found for the host in the endpoint URL.",
    why="No request can be sent; every client shows a connection error.",
    remedy="Correct the host name in the endpoint URL, or make the name known to this machine's DNS (VPN, "
    "search domain, /etc/hosts).",
    verify="`getent hosts HOST` prints an address.",
    sources=("POSIX getaddrinfo, EAI_NONAME",),
)
REFUSED = Diagnosis(
    code="connect.refused",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Nothing listens at this host and port",
    what="The host answered the connection attempt with a refusal, or there is no route to it.",
    why="No request can be sent.",
    remedy="Start the server, correct the port in the endpoint URL, or let the server listen on an address that "
    "is reachable from here (many servers listen on 127.0.0.1 only).",
    verify="`curl -i URL/models` prints a status line.",
    sources=("RFC 9293 section 3.5.2 (reset on a closed port)",),
)
TIMEOUT = Diagnosis(
    code="connect.timeout",
    severity=Severity.ERROR,
    owner=Owner.NETWORK,
    title="The endpoint does not answer in time",
    what="The connection was not established, or a request was taken and never answered, within the time limit.",
    why="Clients wait for their own limit and then show a timeout.",
    remedy="Check the address and port, and that no firewall drops the packets; where the connection opens and the "
    "answer never comes, look at the server's log: it hangs or is still loading. --timeout gives it longer.",
    verify="`curl -m 20 -i URL/models` prints a status line.",
    sources=("RFC 9293 section 3.8.3",),
)
RESET = Diagnosis(
    code="connect.reset",
    severity=Severity.ERROR,
    owner=Owner.NETWORK,
    title="The connection is closed before an answer",
    what="The connection opened, and was then reset or closed without a single byte of an HTTP response.",
    why="Clients show a connection error; nothing can be had from the endpoint.",
    remedy="Check that an HTTP server (and not TLS, or another protocol) listens there, and that no firewall or "
    "proxy in between ends the connection; the server's log tells whether the request arrived.",
    verify="`curl -v URL/models` prints a response instead of 'Empty reply' or 'Connection reset'.",
    sources=("RFC 9112 section 9.6",),
)
DIAGNOSES = (DNS, REFUSED, TIMEOUT, RESET)


@check(
    "connect.reach",
    title="Reach the endpoint",
    proves="The host resolves, the port is open, and something there answers HTTP.",
    provides={"reachable"},
    emits=DIAGNOSES,
    max_requests=2,
    least_requests=1,
    depth=Depth.QUICK,
)
async def reach(ctx: Context) -> Result:
    exchange = await first_look(ctx)
    return diagnose_reach(exchange)


def diagnose_reach(exchange: Exchange) -> Result:
    """Reachable, or why not; trouble with TLS is the tls family's to name."""
    if exchange.response is not None:
        return Result(provides=frozenset({"reachable"}))
    finding = unreachable(exchange)
    if finding is None:  # TLS: reached, but no HTTP was spoken
        return Result(note="the TLS handshake failed")
    error = exchange.error
    spoke = exchange.timeline.connect_s is not None and error is not None and error.phase != "tls"
    if finding.code in ("connect.reset", "connect.timeout") and spoke:
        # The port is open. A chat request may fare better than the model list did.
        return Result(provides=frozenset({"reachable"}), note=finding.detail)
    return Result(findings=(finding,))


def unreachable(exchange: Exchange) -> Finding | None:
    """The connect.* finding for an exchange without a response; None for TLS trouble."""
    error = exchange.error
    if error is None or error.kind.startswith("tls-"):
        return None
    diagnosis = {
        "dns": DNS,
        "refused": REFUSED,
        "unreachable": REFUSED,
        "timeout": TIMEOUT,
    }.get(error.kind, RESET)
    where = exchange.request.url
    if error.kind == "dns":
        detail = f"No address for the host of {where}: {error.message}"
    elif diagnosis is REFUSED:
        detail = f"No connection to {where}: {error.message or error.kind}"
    elif diagnosis is TIMEOUT and exchange.timeline.connect_s is None:
        detail = f"The connection for {where} was not established in {exchange.timeline.end_s:.0f} s."
    elif diagnosis is TIMEOUT:
        detail = f"{exchange.request.method} {where} was sent and not answered in {exchange.timeline.end_s:.0f} s."
    else:
        detail = f"{exchange.request.method} {where} got no answer: {error.kind} while {_doing(error.phase)}."
    owner = Owner.SERVER if diagnosis is TIMEOUT and exchange.timeline.connect_s is not None else diagnosis.owner
    return diagnosis.found(detail, exchange.shows("/error/kind", expected="a response", actual=error.kind), owner=owner)


def _doing(phase: str) -> str:
    return {
        "connect": "connecting",
        "tls": "the TLS handshake ran",
        "send": "the request was sent",
        "headers": "the answer was awaited",
        "body": "the answer was read",
    }.get(phase, phase)
