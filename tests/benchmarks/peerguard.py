"""Keeps a peer's traffic on loopback: copied as ``sitecustomize.py`` to where the peer's Python looks first.

Every name that is looked up and every address that is connected to raises an audit event (PEP 578) before anything
is sent; one that is not this machine is noted in the file that ``PEER_GUARD`` names, and refused.  The peers are pure
Python; a program that is not would need a network namespace.
"""

import os
import sys

_LOCAL = ("127.0.0.1", "localhost", "::1", "", None)


def _guard(event: str, arguments: tuple) -> None:  # type: ignore[type-arg]
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        host = arguments[1][0] if isinstance(arguments[1], tuple) and arguments[1] else None
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in _LOCAL:
        with open(os.environ["PEER_GUARD"], "a") as noted:  # noqa: PTH123 - pathlib is a heavy import at every start
            noted.write(f"{event} {host}\n")
        raise OSError(f"kept on loopback: {host}")


if "PEER_GUARD" in os.environ:
    sys.addaudithook(_guard)
