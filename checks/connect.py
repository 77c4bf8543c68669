"""Whether the endpoint can be reached: host name, port, connection.

Judged from the first request of the run, whose answer is used for the model list as well.
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
    title="Host name not found",
    what="No address was found for the host in the endpoint URL.",
    why="No request can be sent; every client reports a connection error.",
    remedy="Correct the host name in the endpoint URL, or make the name resolvable on this machine (VPN, search "
    "domain, /etc/hosts).",
    verify="`getent hosts HOST` prints an address.",
    sources=("POSIX getaddrinfo, EAI_NONAME",),
)
REFUSED = Diagnosis(
    code="connect.refused",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Connection refused",
    what="The host refused the connection, or there is no route to it.",
    why="No request can be sent.",
    remedy="Start the server, correct the port in the endpoint URL, or let the server listen on an address that can "
    "be reached from this machine (many servers listen on 127.0.0.1 only).",
    verify="`curl -i URL/models` prints a status line.",
    sources=("RFC 9293 section 3.5.2 (reset on a closed port)",),
)
TIMEOUT = Diagnosis(
    code="connect.timeout",
    severity=Severity.ERROR,
    owner=Owner.NETWORK,
    title="No answer within the time limit",
    what="The connection was not established, or a request was sent and not answered, within the time limit.",
    why="Clients wait for their own limit and then report a timeout.",
    remedy="Check the address and the port, and that no firewall drops the packets. If the connection opens and no "
    "answer arrives, see the server's log: it hangs or is still loading. --timeout sets a longer limit.",
    verify="`curl -m 20 -i URL/models` prints a status line.",
    sources=("RFC 9293 section 3.8.3",),
)
RESET = Diagnosis(
    code="connect.reset",
    severity=Severity.ERROR,
    owner=Owner.NETWORK,
    title="Connection closed before a response",
    what="The connection opened, and was reset or closed before a single byte of an HTTP response.",
    why="Clients report a connection error for every request.",
    remedy="Check that an HTTP server (and not TLS or another protocol) listens at this port, and that no firewall or "
    "proxy closes the connection. The server's log shows whether the request arrived.",
    verify="`curl -v URL/models` prints a response instead of 'Empty reply' or 'Connection reset'.",
    sources=("RFC 9112 section 9.6",),
)
DIAGNOSES = (DNS, REFUSED, TIMEOUT, RESET)
_BY_KIND = {"dns": DNS, "refused": REFUSED, "unreachable": REFUSED, "timeout": TIMEOUT}
_PHASES = {
    "connect": "while connecting",
    "tls": "during the TLS handshake",
    "send": "while the request was sent",
    "headers": "before the response headers",
    "body": "while the response was read",
}


@check(
    "connect.reach",
    title="Reach the endpoint",
    proves="The host resolves, the port is open, and an HTTP server answers there.",
    provides={"reachable"},
    emits=DIAGNOSES,
    max_requests=2,
    least_requests=1,
    depth=Depth.QUICK,
)
async def reach(ctx: Context) -> Result:
    return diagnose_reach(await first_look(ctx))


def diagnose_reach(exchange: Exchange) -> Result:
    """Reachable, or why not.  TLS errors are named by the tls family."""
    if exchange.response is not None:
        return Result(provides=frozenset({"reachable"}))
    finding = unreachable(exchange)
    error = exchange.error
    if finding is None or error is None:
        return Result(note="the TLS handshake failed")
    connected = exchange.timeline.connect_s is not None and error.phase != "tls"
    if finding.code in ("connect.reset", "connect.timeout") and connected:
        # The port is open, and a chat request may be answered although the model list was not.
        return Result(provides=frozenset({"reachable"}), note=finding.detail)
    return Result((finding,))


def unreachable(exchange: Exchange) -> Finding | None:
    """The connect.* finding for an exchange without a response; None for a TLS error."""
    error = exchange.error
    if error is None or error.kind.startswith("tls-"):
        return None
    diagnosis = _BY_KIND.get(error.kind, RESET)
    owner = diagnosis.owner
    url, method = exchange.request.url, exchange.request.method
    if diagnosis is DNS:
        detail = f"No address for the host of {url}: {error.message}"
    elif diagnosis is REFUSED:
        detail = f"No connection to {url}: {error.message or error.kind}"
    elif diagnosis is RESET:
        detail = f"{method} {url} got no answer: {error.kind} {_PHASES.get(error.phase, error.phase)}."
    elif exchange.timeline.connect_s is None:
        detail = f"The connection for {url} was not established in {exchange.timeline.end_s:.0f} s."
    else:
        detail = f"{method} {url} was sent and not answered in {exchange.timeline.end_s:.0f} s."
        owner = Owner.SERVER
    return diagnosis.found(detail, exchange.shows("/error/kind", expected="a response", actual=error.kind), owner=owner)
