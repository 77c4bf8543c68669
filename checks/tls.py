"""Whether the endpoint's certificate is trusted, and for how long.

Judged from the handshake of the first request, by the platform's verifier as clients use it.
"""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from checks.shared.first_request import first_look
from checks.shared.tls_port import CLIENT_CERTIFICATE, no_certificate, wants_certificate
from probe.api import Depth, Diagnosis, Exchange, Owner, Result, Severity, Skip, check

if TYPE_CHECKING:
    from probe.api import Context, Handshake, ProxyInUse

#: Certificates that expire sooner are reported; ACME clients renew 30 days before the end.
EXPIRING_DAYS = 14

UNTRUSTED = Diagnosis(
    code="tls.untrusted",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="TLS certificate not trusted",
    what="The certificate chain does not lead to an authority that this machine trusts (self-signed, or issued by a "
    "private authority).",
    why="Clients refuse the connection before a key or a request is sent.",
    remedy="Give every client the private authority's certificate (endpoint-probe: --ca-bundle FILE; Python and "
    "curl: SSL_CERT_FILE; Node: NODE_EXTRA_CA_CERTS; requests: REQUESTS_CA_BUNDLE), or serve a certificate of a public "
    "authority with its complete chain.",
    verify="`openssl s_client -connect HOST:PORT -servername HOST </dev/null` prints 'Verify return code: 0 (ok)'.",
    sources=("RFC 5280 section 6", "OpenSSL x509_vfy.h verify codes 18-21"),
)
CHAIN_INCOMPLETE = Diagnosis(
    code="tls.chain-incomplete",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Intermediate certificate missing",
    what="The server sends its own certificate without the intermediate one that issued it, so that the chain does not "
    "reach an authority that clients know.",
    why="Browsers fetch or remember the missing certificate, and the libraries of API clients do not: they refuse the "
    "connection before a key or a request is sent.",
    remedy="Let the server send the whole chain: its own certificate first, then each intermediate (certbot: "
    "fullchain.pem and not cert.pem). Until then give every client the intermediate certificate (endpoint-probe: "
    "--ca-bundle FILE; Python and curl: SSL_CERT_FILE; Node: NODE_EXTRA_CA_CERTS).",
    verify="`openssl s_client -connect HOST:PORT -servername HOST </dev/null` prints 'Verify return code: 0 (ok)'.",
    sources=(
        "RFC 8446, section 4.4.2 (certificate_list)",
        "nginx.org, Configuring HTTPS servers: certificate chains",
    ),
)
EXPIRED = Diagnosis(
    code="tls.expired",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="TLS certificate outside its validity period",
    what="The certificate has expired, or is not yet valid by this machine's clock.",
    why="Clients refuse the connection before a key or a request is sent.",
    remedy="Renew the certificate and reload the server. Check this machine's clock if the dates look right.",
    verify="`openssl s_client -connect HOST:PORT </dev/null | openssl x509 -noout -dates` shows a future end date.",
    sources=("RFC 5280 section 4.1.2.5",),
)
EXPIRING = Diagnosis(
    code="tls.expiring",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="TLS certificate expires soon",
    what=f"The certificate expires in less than {EXPIRING_DAYS} days.",
    why="Once it has expired, clients refuse the connection.",
    remedy="Renew the certificate, reload the server, and check that automatic renewal works.",
    verify="`openssl s_client -connect HOST:PORT </dev/null | openssl x509 -noout -enddate` shows a later date.",
    sources=("RFC 5280 section 4.1.2.5",),
)
HOSTNAME = Diagnosis(
    code="tls.hostname",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="TLS certificate for another host name",
    what="The host name in the endpoint URL is not among the names in the certificate.",
    why="Clients refuse the connection before a key or a request is sent.",
    remedy="Use a host name that is in the certificate, or issue a certificate for the host name in the URL.",
    verify="`openssl s_client -connect HOST:PORT -servername HOST </dev/null | openssl x509 -noout -ext "
    "subjectAltName` lists the host.",
    sources=("RFC 9110 section 4.3.4", "RFC 6125"),
)
HANDSHAKE = Diagnosis(
    code="tls.handshake",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="TLS handshake failed",
    what="The TLS handshake failed for a reason other than the certificate; usually the server speaks plain HTTP at "
    "this port, or only TLS versions that this client refuses.",
    why="Clients cannot connect with https://.",
    remedy="If the server is meant to speak plain HTTP (a local one usually does), use http:// in the endpoint URL; "
    "otherwise enable TLS 1.2 or 1.3 at this port.",
    verify="`curl -v https://HOST:PORT/` gets past the handshake.",
    sources=("RFC 8446",),
)


@check(
    "tls.certificate",
    title="Check the TLS certificate",
    proves="The certificate is trusted, valid today, and issued for this host.",
    provides={"tls"},
    emits=(UNTRUSTED, CHAIN_INCOMPLETE, EXPIRED, EXPIRING, HOSTNAME, HANDSHAKE, CLIENT_CERTIFICATE),
    max_requests=2,
    depth=Depth.QUICK,
)
async def certificate(ctx: Context) -> Result:
    if ctx.options.endpoint.scheme != "https":
        raise Skip("the endpoint is not https")
    first = await first_look(ctx)
    kind = first.error.kind if first.error else ""
    seen = await ctx.handshake() if kind in _LOOKED_INTO else None
    given = ctx.options.transport.client_cert is not None
    if wants_certificate(first) or (seen is not None and seen.wants_certificate):
        return Result((no_certificate(first, given, seen),))
    missing = ctx.missing_issuer(seen) if seen is not None and kind == "tls-untrusted" else None
    return diagnose_certificate(first, time.time(), missing=missing, sent=seen, proxy=ctx.proxy)


#: Failures that a second handshake explains further.  A server with TLS 1.3 that refuses a client without a certificate
#: closes after the client's side of the handshake is done, so that the alert may be lost in a reset.
_LOOKED_INTO = ("tls-untrusted", "tls-other", "reset", "closed")
_BY_KIND = {"tls-untrusted": UNTRUSTED, "tls-expired": EXPIRED, "tls-hostname": HOSTNAME, "tls-other": HANDSHAKE}


def diagnose_certificate(
    exchange: Exchange,
    now: float,
    *,
    missing: str | None = None,
    sent: Handshake | None = None,
    proxy: ProxyInUse | None = None,
) -> Result:
    """Judge the handshake.

    Args:
        now: the current time, in seconds since the epoch.
        missing: the name of the intermediate certificate that the server did not send.
        sent: the handshake that shows the certificates sent.
        proxy: what is in between, and may present certificates of its own.
    """
    if exchange.response is not None:
        return _validity(exchange, now)
    error = exchange.error
    diagnosis = _BY_KIND.get(error.kind if error else "")
    if error is None or diagnosis is None:
        raise Skip("there was no TLS handshake")
    detail = f"{exchange.request.url}: {error.message}"
    evidence = exchange.shows("/error/kind", expected="a verified certificate", actual=error.kind)
    if diagnosis is UNTRUSTED and missing is not None:
        count = len(sent.chain) if sent is not None else 1
        detail += f". Of the chain {count} {'certificate was' if count == 1 else 'certificates were'} sent; the one of "
        return Result((CHAIN_INCOMPLETE.found(f"{detail}the issuer ({missing}) is missing.", evidence),))
    if diagnosis is UNTRUSTED and proxy is not None:
        detail += f". The requests go through the proxy {proxy.url}, which may read TLS with an authority of its own."
        remedy = (
            "If the proxy inspects TLS, give every client its authority's certificate (endpoint-probe: --ca-bundle "
            "FILE; Python and curl: SSL_CERT_FILE; Node: NODE_EXTRA_CA_CERTS), or let the endpoint's host bypass the "
            f"proxy (NO_PROXY={_host_of(exchange)})."
        )
        return Result((UNTRUSTED.found(detail, evidence, owner=Owner.NETWORK, remedy=remedy),))
    if diagnosis is HANDSHAKE and "ALERT_HANDSHAKE_FAILURE" in error.message.upper():
        detail += " (the server refused: no version or cipher in common, or it wants a client certificate)"
    return Result((diagnosis.found(detail, evidence),))


def _host_of(exchange: Exchange) -> str:
    """The host that a request was for."""
    return urlsplit(exchange.request.url).hostname or "HOST"


def _validity(exchange: Exchange, now: float) -> Result:
    tls = exchange.response.tls if exchange.response else None
    until = (tls or {}).get("not_after")
    if not until:
        return Result(note="the certificate was not verified")
    left = (ssl.cert_time_to_seconds(until) - now) / 86400
    result = Result(provides=frozenset({"tls"}), facts={"tls_days_left": int(left)})
    if left >= EXPIRING_DAYS:
        return result
    finding = EXPIRING.found(
        f"The certificate is valid until {until}, {max(0, int(left))} days from now.",
        exchange.shows("/response/status", expected=f"{EXPIRING_DAYS} days or more", actual=f"{left:.1f} days"),
    )
    return result | Result((finding,))
