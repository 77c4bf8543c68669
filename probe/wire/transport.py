"""How requests are sent, as plain values: options can be read without loading an HTTP library."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wire:
    """How a request is sent; requests of one Wire share a connection pool.

    Attributes:
        http: ``"1"``, ``"2"`` or None for the server's preference (2 only over TLS).
        keepalive_s: TCP keepalive idle time and interval in whole seconds; 0 is off.
        accept_encoding: the compression offered; httpx and Go offer gzip by default.
        fresh: a connection of its own, closed afterwards.
        pool_idle_s: how long an idle connection is kept for reuse; None is for ever.
        silence_s: after so many seconds without a byte the TCP peer is probed (``probe.wire.tcp``),
            on a connection of the exchange's own; None is never.
        most_reads: of a body, which ends there.
    """

    http: str | None = None
    keepalive_s: int = 30
    accept_encoding: str = "gzip, deflate"
    fresh: bool = False
    pool_idle_s: float | None = 30.0
    silence_s: float | None = None
    #: 5,000 tokens streamed one by one are 5,000.
    most_reads: int = 12_000


@dataclass(frozen=True)
class Transport:
    """The transport of every request of a run.

    Attributes:
        ca_bundle: a PEM file of certificates to trust in addition to the system's.
        insecure: do not verify certificates.
        proxy: a proxy URL; None takes the environment's, as a client would.
        client_cert, client_key: PEM files of the certificate that the client presents and of its key; without the
            second the first holds both.
    """

    ca_bundle: str | None = None
    insecure: bool = False
    proxy: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    wire: Wire = field(default_factory=Wire)
