"""TLS certificates that a client must refuse or warn about, and connections that end before an answer."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_request, on_tls
from probe.simulator.response import Response, no_response
from probe.simulator.tls import LOOPBACK, ServerTLS, issue, make, require_client_certificate, serve

# Certificates ------------------------------------------------------------------------------------------

_CERTIFICATES = {
    "tls": ("good", (), "https with a valid certificate (its authority is written to a file)"),
    "tls-untrusted": ("untrusted", ("tls.untrusted",), "https with a certificate of an unknown authority"),
    "tls-expired": ("expired", ("tls.expired",), "https with an expired certificate"),
    "tls-expiring": ("expiring", ("tls.expiring",), "https with a certificate that expires in three days"),
    "tls-hostname": ("hostname", ("tls.hostname",), "https with a certificate for another host name"),
}
#: One fault a kind of certificate; the valid one is harmless.
FAULTS = tuple(
    Fault.variant(name, summary, yields=yields, certificate=kind)
    for name, (kind, yields, summary) in _CERTIFICATES.items()
)


@on_tls("https without the intermediate certificate (its root is written to a file)", "tls.chain-incomplete")
def tls_chain_incomplete(fault: Fault, tls: ServerTLS | None) -> ServerTLS | None:
    """The root is known, and the intermediate certificate below it is not sent."""
    root = issue("Simulated Root", organization="Simulated Trust Services")
    intermediate = issue("Simulated Intermediate", root, organization="Simulated Trust Services")
    return serve([issue("localhost", intermediate, names=LOOPBACK)], root)


@on_tls("https that requires a certificate of the client", "tls.client-certificate")
def tls_client_certificate(fault: Fault, tls: ServerTLS | None) -> ServerTLS | None:
    """A certificate of the client is required (mutual TLS)."""
    return require_client_certificate(tls or make("good"))


class PlainHttp(Fault):
    """The port speaks TLS, and the user types http://."""

    name = "tls-plain-http"
    summary = "http:// is typed at a port that speaks TLS"
    yields = ("tls.plain-http",)
    certificate = "good"

    def typed_url(self, url: str) -> str:
        return url.replace("https://", "http://", 1)


# Connections without an answer -------------------------------------------------------------------------


@on_request("every connection is reset when a request arrives", "connect.reset")
def connect_reset(fault: Fault, call: Call) -> Response | None:
    """The connection is accepted and reset when the request arrives."""
    return no_response("reset")


@on_request("requests are read and never answered", "connect.timeout")
def connect_silent(fault: Fault, call: Call) -> Response | None:
    """The connection is accepted and nothing is ever sent on it."""
    return no_response("hang")
