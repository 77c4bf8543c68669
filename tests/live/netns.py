"""A client, a router and a server in network namespaces of their own, so that connections can be lost below HTTP.

    client 10.213.1.2 -- 10.213.1.1 router 10.213.2.1 -- 10.213.2.2 server

The router forwards, and can be told to drop or reset what passes, or to forget connections that are silent for
long, as NAT gateways and firewalls do. Needs root, `ip` and `iptables` on Linux.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_numbers = itertools.count()
CLIENT, SERVER = "10.213.1.2", "10.213.2.2"
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class NamespaceError(Exception):
    """A command that builds or changes the network failed; the text says which and why."""


def available() -> str | None:
    """None when this machine lets the network be built, else the reason why not (one line)."""
    if not sys.platform.startswith("linux"):
        return "network namespaces exist on Linux only"
    if os.geteuid() != 0:
        return "network namespaces need root"
    for name in ("ip", "iptables"):
        if shutil.which(name, path=_PATH) is None:
            return f"{name} is not installed (Debian: iproute2, iptables)"
    try:
        with network() as net:
            net.forget_after(30)
            net.heal()
    except NamespaceError as refused:
        return f"this machine refuses it: {refused}"
    return None


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "PATH": _PATH})
    if done.returncode:
        raise NamespaceError(f"{' '.join(words)}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")


@dataclass(frozen=True)
class Network:
    """The three namespaces, by name. The router's ways of losing a connection act on the traffic of both directions."""

    client: str
    router: str
    server: str

    def command(self, namespace: str, words: Sequence[str]) -> list[str]:
        """The command line that runs `words` inside one of the namespaces; it can be given to subprocess."""
        return ["ip", "netns", "exec", namespace, *words]

    def popen(self, namespace: str, words: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        """Start a program inside a namespace, as leader of its own process group. Options as for subprocess.Popen."""
        settings: dict[str, object] = {"env": {**os.environ, "PATH": _PATH}, "start_new_session": True, **options}
        return subprocess.Popen(self.command(namespace, words), **settings)  # type: ignore[call-overload, no-any-return]

    def drop(self) -> None:
        """From now on the router swallows every packet, as a firewall does that has forgotten the connection."""
        self._forward("-j", "DROP")

    def reset(self) -> None:
        """From now on the router answers every TCP packet with a reset to its sender."""
        self._forward("-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset")

    def forget_after(self, seconds: int, *, answer_reset: bool = False) -> None:
        """Let the router track connections and forget those silent for `seconds`.

        What belongs to no known connection is then dropped, or answered with a reset. Connections made after
        this call are tracked.
        """
        # Without this a forgotten connection would be taken up again at its next packet.
        self._sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
        self._sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", seconds)
        self._sysctl("net.netfilter.nf_conntrack_tcp_timeout_unacknowledged", seconds)
        self._sysctl("net.netfilter.nf_conntrack_tcp_timeout_max_retrans", seconds)
        refuse = ["-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"] if answer_reset else ["-j", "DROP"]
        self._iptables("-A", "FORWARD", "-m", "conntrack", "--ctstate", "NEW,ESTABLISHED,RELATED", "-j", "ACCEPT")
        self._iptables("-A", "FORWARD", *refuse)

    def heal(self) -> None:
        """Undo drop, reset and forget_after: everything passes again."""
        self._iptables("-F", "FORWARD")

    def _forward(self, *rule: str) -> None:
        self._iptables("-I", "FORWARD", "1", *rule)

    def _iptables(self, *words: str) -> None:
        _run("ip", "netns", "exec", self.router, "iptables", "-w", *words)

    def _sysctl(self, name: str, value: int) -> None:
        path = "/proc/sys/" + name.replace(".", "/")
        _run("ip", "netns", "exec", self.router, "sh", "-c", f"echo {value} > {path}")


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Build the network, and take it down with everything that still runs in it. Raises NamespaceError."""
    mark = f"{os.getpid()}x{next(_numbers)}"
    net = Network(client=f"ep{mark}c", router=f"ep{mark}r", server=f"ep{mark}s")
    try:
        for name in (net.client, net.router, net.server):
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        for end, address, gateway in ((net.client, CLIENT, "10.213.1.1"), (net.server, SERVER, "10.213.2.1")):
            inner = f"r{end[-1]}{mark}"
            _run("ip", "-n", end, "link", "add", "up0", "type", "veth", "peer", "name", inner, "netns", net.router)
            for namespace, link, ip in ((end, "up0", address), (net.router, inner, gateway)):
                _run("ip", "-n", namespace, "addr", "add", f"{ip}/24", "dev", link)
                _run("ip", "-n", namespace, "link", "set", link, "up")
            _run("ip", "-n", end, "route", "add", "default", "via", gateway)
        _run("ip", "netns", "exec", net.router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        yield net
    finally:
        for name in (net.client, net.router, net.server):
            _kill_inside(name)
            subprocess.run(
                ["ip", "netns", "del", name], capture_output=True, check=False, env={**os.environ, "PATH": _PATH}
            )


def _kill_inside(namespace: str) -> None:
    """Kill what still runs in a namespace of ours."""
    listed = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    for pid in listed.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), 9)
