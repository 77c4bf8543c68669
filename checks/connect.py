"""Whether the endpoint can be reached: host name, port, connection.

Judged from the first request of the run, whose answer is used for the model list as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from checks.shared.first_request import first_look
from checks.shared.proxy import PROXY, diagnose_proxy
from checks.shared.tls_port import (
    PLAIN_HTTP,
    may_be_tls,
    may_have_moved,
    plain_http,
    says_tls,
    wants_certificate,
)
from probe.api import Auth, Depth, Diagnosis, Exchange, Finding, Owner, Result, Severity, check, urls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.api import Address, Context

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
    verify="`curl -i BASE/models` prints a status line.",
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
    verify="`curl -m 20 -i BASE/models` prints a status line.",
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
    verify="`curl -v BASE/models` prints a response instead of 'Empty reply' or 'Connection reset'.",
    sources=("RFC 9112 section 9.6",),
)
ADDRESS_FAMILY = Diagnosis(
    code="connect.address-family",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="One of the host's addresses does not answer",
    what="The host name resolves to several addresses, and a connection to one of them is refused or not accepted, "
    "while another works. Often the name is localhost, and the server listens on 127.0.0.1 and not on ::1.",
    why="Clients that try only the first address cannot connect; others connect late, or only sometimes.",
    remedy="Let the server listen on every address of the name, correct the name's records, or use the address that "
    "works in the endpoint URL.",
    verify="`curl -4 -i BASE/models` and `curl -6 -i BASE/models` both print a status line.",
    sources=(
        "RFC 8305 (Happy Eyeballs)",
        "nodejs.org, dns.setDefaultResultOrder: the order is verbatim from Node.js 17 on, which can put ::1 first",
    ),
)
DIAGNOSES = (DNS, REFUSED, TIMEOUT, RESET)
_CONTAINERS = (
    "In a container localhost is the container itself, where host.docker.internal or the name of the server's service "
    "is meant; on the host those names are not known."
)
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
    emits=(*DIAGNOSES, PROXY, PLAIN_HTTP, ADDRESS_FAMILY),
    max_requests=2,
    least_requests=1,
    depth=Depth.QUICK,
)
async def reach(ctx: Context) -> Result:
    first = await first_look(ctx)
    if (proxy := ctx.proxy) is not None and (finding := diagnose_proxy(first, proxy)) is not None:
        return Result((finding,))
    if ctx.options.endpoint.scheme == "http" and (why := await _speaks_tls(ctx, first)):
        return Result((plain_http(first, ctx.options.endpoint.base, why),))
    if wants_certificate(first) or await _refuses_without_certificate(ctx, first):
        return Result(note="the server wants a certificate of the client")
    result = diagnose_reach(first)
    if "reachable" in result.provides:
        return result | diagnose_addresses(await ctx.addresses(), first)
    return result


async def _speaks_tls(ctx: Context, first: Exchange) -> str:
    """How it is known that a port speaks TLS to which plain HTTP was sent; empty where it does not."""
    if says_tls(first):
        return "The answer says that this port speaks TLS."
    if may_be_tls(first):
        seen = await ctx.handshake()
        return "A TLS handshake with this port is answered in TLS." if seen is not None and seen.spoken else ""
    if not may_have_moved(first):
        return ""
    seen = await ctx.handshake()
    if seen is None or not seen.finished:
        return ""
    secure = "https://" + first.request.url.removeprefix("http://")
    second = await ctx.send("GET", secure, auth=Auth("none"), timeout_s=ctx.options.timeout_s, patient=False)
    if second.response is None or second.status == first.status:
        return ""
    return f"Over TLS the same port answers with status {second.status}."


async def _refuses_without_certificate(ctx: Context, first: Exchange) -> bool:
    """Whether a connection was closed for want of a certificate of the client; ``tls.certificate`` reports it."""
    closed = first.error is not None and first.error.kind in ("reset", "closed")
    if ctx.options.endpoint.scheme != "https" or not closed:
        return False
    seen = await ctx.handshake()
    return seen is not None and seen.wants_certificate


def diagnose_addresses(tried: Sequence[Address], exchange: Exchange) -> Result:
    """Whether each address of the host accepts connections, where one does."""
    works = [item.text for item in tried if item.trouble is None]
    broken = [item for item in tried if item.trouble is not None]
    if not works or not broken:
        return Result()
    how = {"refused": "refuses connections", "timeout": "accepts no connection in time"}
    said = ", ".join(f"{item.text} {how[item.trouble or 'timeout']}" for item in broken)
    finding = ADDRESS_FAMILY.found(
        f"Of the addresses of the host, {said}; {', '.join(works)} {'works' if len(works) == 1 else 'work'}.",
        exchange.shows("/request/url", expected="every address of the host answers", actual=said),
    )
    return Result((finding,))


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
    host = urlsplit(url).hostname or ""
    inside = diagnosis in (DNS, REFUSED) and (urls.is_loopback(host) or "." not in host or host.endswith(".internal"))
    remedy = f"{diagnosis.remedy} {_CONTAINERS}" if inside else None
    evidence = exchange.shows("/error/kind", expected="a response", actual=error.kind)
    return diagnosis.found(detail, evidence, owner=owner, remedy=remedy)
