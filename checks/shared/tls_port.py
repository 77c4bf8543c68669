"""A port that speaks TLS: http:// typed at it, or https:// without the certificate that it wants of the client.

Servers that notice plain HTTP at a TLS port say so in words of their own; others close the connection, or answer it
with a TLS alert, and one TLS handshake shows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from probe.api import Diagnosis, Exchange, Finding, Owner, Severity, completion

if TYPE_CHECKING:
    from probe.api import Handshake

PLAIN_HTTP = Diagnosis(
    code="tls.plain-http",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="http:// used at a port that speaks TLS",
    what="The endpoint URL begins with http://, and the port accepts only TLS.",
    why="Every request is refused or closed, and a key that is sent like this travels unencrypted.",
    remedy="Use https:// in the endpoint URL.",
    verify="`curl -i https://HOST:PORT/v1/models` prints a status line of the API.",
    sources=(
        "nginx.org, ngx_http_ssl_module: error code 497",
        "golang/go net/http: 'client sent an HTTP request to an HTTPS server'",
        "apache/httpd modules/ssl/ssl_engine_kernel.c: speaking plain HTTP to an SSL-enabled server port",
    ),
)
CLIENT_CERTIFICATE = Diagnosis(
    code="tls.client-certificate",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="Client certificate required",
    what="The server requires a certificate of the client (mutual TLS), and got none or one that it does not accept.",
    why="Every request is refused before the key is looked at.",
    remedy="Get a certificate and its key from the operator, and give both to the client (endpoint-probe: "
    "--client-cert FILE --client-key FILE; HTTPX and the OpenAI SDK: an ssl.SSLContext with load_cert_chain).",
    verify="`curl --cert FILE --key FILE -i https://HOST:PORT/v1/models` prints a status line of the API.",
    sources=(
        "RFC 8446, sections 4.3.2 and 6.2 (certificate_required)",
        "nginx.org, ngx_http_ssl_module: ssl_verify_client, error codes 495 and 496",
    ),
)
#: How nginx (497), Apache, Go's net/http (Caddy) and others answer plain HTTP at a TLS port.
_SAYS_TLS = re.compile(
    r"plain HTTP request was sent to (?:an )?HTTPS port|speaking plain HTTP to an SSL|"
    r"HTTP request to an HTTPS server|requires TLS\b|"
    r"this (?:port|server) (?:only )?(?:speaks|requires) (?:https|tls|ssl)|"
    r"\bonly\b.{0,30}\b(?:over|via|through|using) https\b|\bhttps (?:is )?required\b",
    re.IGNORECASE,
)
#: How nginx (495, 496), and servers that speak of it at all, ask for the certificate of the client.
_SAYS_CERTIFICATE = re.compile(
    r"No required SSL certificate was sent|The SSL certificate error|"
    r"client certificate (?:is )?(?:required|missing|not (?:provided|sent|presented))|"
    r"(?:requires?|provide|missing) (?:a |the )?(?:valid )?client[ -]certificate",
    re.IGNORECASE,
)
#: Failures of a port that does not understand HTTP, or closes what it does not understand.
_NOT_HTTP = ("closed", "reset", "protocol", "truncated")
#: The first bytes of a TLS alert, as an HTTP client quotes them when it finds them in place of a status line.
_ALERT = re.compile(r"\\x15\\x03|\x15\x03")
_LOOKED_AT = 4000


def _text(exchange: Exchange) -> str:
    return exchange.response.text[:_LOOKED_AT] if exchange.response else ""


def says_tls(exchange: Exchange) -> bool:
    """Whether the answer to plain HTTP says that the port speaks TLS."""
    if exchange.response is None:
        return bool(exchange.error and _ALERT.search(exchange.error.message))
    return 400 <= exchange.response.status < 500 and bool(_SAYS_TLS.search(_text(exchange)))


def may_be_tls(exchange: Exchange) -> bool:
    """Whether plain HTTP ended as it does at a port that speaks TLS without saying so."""
    response, error = exchange.response, exchange.error
    if response is None:
        # A protocol error before the request left this program is its own, as for a key that no header can carry.
        own = error is not None and error.kind == "protocol" and error.phase == "connect"
        return error is not None and error.kind in _NOT_HTTP and not own
    return response.status == 400 and response.json is None


def may_have_moved(exchange: Exchange) -> bool:
    """Whether plain HTTP was answered as by a router that knows the path over TLS alone (Traefik)."""
    response = exchange.response
    return response is not None and response.status == 404 and response.json is None


def wants_certificate(exchange: Exchange) -> bool:
    """Whether the server refused the connection, or the request, for want of a certificate of the client."""
    if exchange.error is not None and exchange.error.kind == "tls-client-certificate":
        return True
    refused = exchange.status in (400, 401, 403, 495, 496) and not completion.is_completion(exchange)
    return refused and exchange.request.url.startswith("https:") and bool(_SAYS_CERTIFICATE.search(_text(exchange)))


def plain_http(exchange: Exchange, base: str, why: str) -> Finding:
    """The finding about http:// at a TLS port.

    Args:
        base: the URL as typed, in full.
        why: a sentence on how the port is known to speak TLS.
    """
    right = "https://" + base.removeprefix("http://")
    if exchange.response is not None:
        evidence = exchange.shows_status("an answer of the API")
        how = f"status {exchange.status}"
    else:
        kind = exchange.error.kind if exchange.error else "no response"
        evidence = exchange.shows("/error/kind", expected="a response", actual=kind)
        how = f"no response ({kind})"
    return PLAIN_HTTP.found(
        f"{exchange.request.url} got {how}. {why}",
        evidence,
        remedy=f"Use {right} as the base URL.",
    )


def no_certificate(exchange: Exchange, given: bool, handshake: Handshake | None = None) -> Finding:
    """The finding about the certificate that the server wants of the client.

    Args:
        given: a certificate was presented, so that it is the one that was refused.
        handshake: a handshake without a certificate, where it was needed to tell.
    """
    if exchange.error is not None:
        said = exchange.error.message
        evidence = exchange.shows("/error/kind", expected="a finished handshake", actual=exchange.error.kind)
    else:
        said = f"status {exchange.status}: {' '.join(completion.error_text(exchange).split())[:160]}"
        evidence = exchange.shows_status("an answer of the API")
    how = "The certificate given was refused" if given else "The server wants a certificate of the client"
    more = " It sent a CertificateRequest." if handshake is not None and handshake.wants_certificate else ""
    remedy = (
        "Give a certificate that the server's authority for clients has issued, is still valid and has the purpose "
        "clientAuth, together with its key (--client-cert FILE --client-key FILE)."
    )
    return CLIENT_CERTIFICATE.found(
        f"{how}: {exchange.request.url}: {said}.{more}", evidence, remedy=remedy if given else None
    )
