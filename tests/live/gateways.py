"""Gateways and forward proxies with a single rule each: what the situations put in front of the simulated endpoint.

Like `servers.py`, each is a context manager around a running program, raises PartMissing when the program cannot be
had and StartFailed when it does not come up. The rule is written in the program's own configuration language and
given as text, so that a table of situations shows it as an operator would write it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.live import servers
from tests.live.parts import program
from tests.live.processes import Running, free_port, serving
from tests.live.servers import Certificate, write_config

APACHE_MODULES = "/usr/lib/apache2/modules"
_APACHE_LOADS = ("mpm_event", "authn_core", "authz_core", "authz_host", "proxy", "proxy_http", "rewrite", "ssl")
_ENVOY = "type.googleapis.com/envoy.extensions"
_ROUTER = {"name": "router", "typed_config": {"@type": f"{_ENVOY}.filters.http.router.v3.Router"}}


def nginx(
    upstream: str,
    folder: Path,
    *,
    http: str = "",
    server: str = "",
    location: str = "",
    members: Sequence[str] = (),
    certificate: Certificate | None = None,
) -> contextlib.AbstractContextManager[Running]:
    """nginx with directives at each level. members: further lines of the pool; certificate: its port speaks TLS."""
    values: dict[str, str] = {"in_http": http, "in_server": server, "in_location": location, "listening": ""}
    values["members"] = "\n".join([f"server {urlsplit(upstream).netloc} max_fails=0;", *members])
    if certificate:
        values["listening"] = " ssl"
        values["in_server"] += f"\nssl_certificate {certificate.chain};\nssl_certificate_key {certificate.key};"
    return servers.nginx("situation", upstream, folder, certificate=certificate, **values)


def haproxy(
    upstream: str, folder: Path, *, rules: str = "", certificate: Certificate | None = None
) -> contextlib.AbstractContextManager[Running]:
    """HAProxy with rules in its frontend. certificate: its port speaks TLS."""
    binding = f" ssl crt {certificate.chain_and_key}" if certificate else ""
    return servers.haproxy("situation", upstream, folder, certificate=certificate, in_frontend=rules, binding=binding)


def caddy(
    upstream: str, folder: Path, *, options: str = "", site: str = "", certificate: Certificate | None = None
) -> contextlib.AbstractContextManager[Running]:
    """Caddy with global options and directives of its site. certificate: its port speaks TLS."""
    if certificate:
        site = f"tls {certificate.chain} {certificate.key}\n\t{site}"
    scheme = "https" if certificate else "http"
    return servers.caddy("situation", upstream, folder, in_global=options, in_site=site, scheme=scheme)


@contextlib.contextmanager
def envoy(
    upstream: str,
    folder: Path,
    *,
    filters: Sequence[Mapping[str, object]] = (),
    certificate: Certificate | None = None,
) -> Iterator[Running]:
    """Envoy with HTTP filters in front of its router. certificate: its port speaks TLS."""
    transport: dict[str, object] = {
        "name": "raw",
        "typed_config": {"@type": f"{_ENVOY}.transport_sockets.raw_buffer.v3.RawBuffer"},
    }
    if certificate:
        files = {
            "certificate_chain": {"filename": str(certificate.chain)},
            "private_key": {"filename": str(certificate.key)},
        }
        tls = f"{_ENVOY}.transport_sockets.tls.v3.DownstreamTlsContext"
        context = {"@type": tls, "common_tls_context": {"tls_certificates": [files]}}
        transport = {"name": "tls", "typed_config": context}
    binary = program("envoy")

    def command(port: int) -> list[str | Path]:
        values = {"filters": json.dumps([*filters, _ROUTER]), "transport": json.dumps(transport)}
        path = write_config("envoy-situation.yaml", folder, upstream, port, values)
        return [binary, "-c", path, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]

    with serving("envoy", command, folder, scheme="https" if certificate else "http") as running:
        yield running


def envoy_filter(kind: str, **values: object) -> dict[str, object]:
    """An HTTP filter of Envoy in its JSON form. kind: the last part of its type, such as `rbac.v3.RBAC`."""
    return {"name": kind.split(".")[0], "typed_config": {"@type": f"{_ENVOY}.filters.http.{kind}", **values}}


@contextlib.contextmanager
def apache(
    upstream: str,
    folder: Path,
    *,
    server: str = "",
    access: str = "Require all granted",
    certificate: Certificate | None = None,
) -> Iterator[Running]:
    """Apache httpd with directives of its server and the access rule of its proxy. certificate: its port speaks TLS."""
    binary = program("apache")
    if certificate:
        files = f"SSLCertificateFile {certificate.chain}\nSSLCertificateKeyFile {certificate.key}"
        server = f"SSLEngine on\n{files}\n{server}"
    # It refuses to work as root and must be let into the test's folder otherwise; www-data needs no file there.
    account = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    modules = "\n".join(f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so" for name in _APACHE_LOADS)
    values = {"folder_of_modules": APACHE_MODULES, "modules": modules, "account": account}
    values |= {"in_server": server, "in_proxy": access}

    def command(port: int) -> list[str | Path]:
        path = write_config("apache-situation.conf", folder, upstream, port, values)
        return [binary, "-D", "FOREGROUND", "-f", path]

    with serving("apache", command, folder, scheme="https" if certificate else "http") as running:
        yield running


@contextlib.contextmanager
def traefik(
    upstream: str,
    folder: Path,
    *,
    middlewares: Mapping[str, object] | None = None,
    timeouts: Mapping[str, object] | None = None,
    certificate: Certificate | None = None,
) -> Iterator[Running]:
    """Traefik with middlewares (name -> their settings) and `respondingTimeouts`. certificate: its port speaks TLS."""
    binary = program("traefik")
    used = dict(middlewares or {})
    routes = {
        "names": json.dumps(list(used)),
        "middlewares": f"middlewares: {json.dumps(used)}" if used else "",
        "tls": "tls: {}" if certificate else "",
        "certificates": "",
    }
    if certificate:
        files = {"certFile": str(certificate.chain), "keyFile": str(certificate.key)}
        routes["certificates"] = f"tls: {json.dumps({'certificates': [files]})}"

    def command(port: int) -> list[str | Path]:
        values = {
            "transport": json.dumps({"respondingTimeouts": {"idleTimeout": "180s", **(timeouts or {})}}),
            "routes": write_config("traefik-routes.yaml", folder, upstream, port, routes),
        }
        return [binary, f"--configfile={write_config('traefik-situation.yaml', folder, upstream, port, values)}"]

    scheme = "https" if certificate else "http"

    def ready(port: int) -> bool:
        # It accepts connections before it has read its routes, and answers 404 until then.
        verify = ssl.create_default_context(cafile=str(certificate.ca)) if certificate else True
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(f"{scheme}://127.0.0.1:{port}/", verify=verify, trust_env=False, timeout=5)
            return answer.text != "404 page not found\n"
        return False

    with serving("traefik", command, folder, scheme=scheme, ready=ready) as running:
        yield running


@contextlib.contextmanager
def squid(folder: Path, *, rules: str = "") -> Iterator[Running]:
    """Squid as a forward proxy with access rules in front of `http_access allow localhost`."""
    binary = program("squid")
    # Started as root it always changes to an account of its own, which must be able to write its folder.
    account = ""
    if os.geteuid() == 0:
        account = "cache_effective_user proxy"
        user = pwd.getpwnam("proxy")
        os.chown(folder, user.pw_uid, user.pw_gid)

    def command(port: int) -> list[str | Path]:
        values = {"account": account, "rules": rules}
        path = write_config("squid-situation.conf", folder, "http://127.0.0.1", port, values)
        # -n: a name of its own, so that several can run; it is also the name of its shared memory.
        return [binary, "--foreground", "-n", f"probe{port}", "-d", "1", "-f", path]

    with serving("squid", command, folder) as running:
        yield running


@contextlib.contextmanager
def varnish(upstream: str, folder: Path, *, first_byte: str = "60s") -> Iterator[Running]:
    """Varnish without a cache in front of `upstream`. first_byte: its `first_byte_timeout`."""
    binary = program("varnish")

    def command(port: int) -> list[str | Path]:
        path = write_config("varnish-situation.vcl", folder, upstream, port, {"first_byte": first_byte})
        storage = ["-s", "malloc,16m", "-p", "thread_pools=1", "-p", "thread_pool_min=10"]
        jail = ["-j", "none"]
        work = ["-n", folder / f"varnish-{port}", "-T", f"127.0.0.1:{free_port()}"]
        return [binary, *jail, "-F", "-a", f"127.0.0.1:{port}", "-f", path, *work, *storage]

    with serving("varnish", command, folder) as running:
        yield running


@contextlib.contextmanager
def stunnel(upstream: str, folder: Path, certificate: Certificate, *, idle: int) -> Iterator[Running]:
    """stunnel that speaks TLS and resets a connection after `idle` seconds without a byte."""
    binary = program("stunnel")
    values = {"certificate_and_key": certificate.chain_and_key, "idle": idle}

    def command(port: int) -> list[str | Path]:
        return [binary, write_config("stunnel-situation.conf", folder, upstream, port, values)]

    with serving("stunnel", command, folder, scheme="https") as running:
        yield running


@contextlib.contextmanager
def mitmproxy(folder: Path, *, trusted: Path | None = None) -> Iterator[Running]:
    """mitmproxy as a forward proxy; it passes an answer on when it has the whole of it, which is its default.

    trusted: PEM file of the CA that it trusts for what is behind it. Its own CA is `folder/mitmproxy-ca-cert.pem`.
    """
    binary = program("mitmproxy")

    def command(port: int) -> list[str | Path]:
        words = [binary, "--listen-host", "127.0.0.1", "--listen-port", str(port), "--set", f"confdir={folder}"]
        words += ["--set", f"ssl_verify_upstream_trusted_ca={trusted}"] if trusted else []
        return [*words, "--quiet"]

    with serving("mitmproxy", command, folder) as running:
        yield running


Make = Callable[[str, Path, Certificate], contextlib.AbstractContextManager[Running]]
"""A gateway still to be started: origin of what is behind it, its folder, a certificate it may use."""


@contextlib.contextmanager
def litellm(models: Mapping[str, Mapping[str, object]], folder: Path, *, master_key: str) -> Iterator[Running]:
    """LiteLLM's proxy with several models. models: the id it lists -> its `litellm_params`."""
    listed = [{"model_name": name, "litellm_params": dict(params)} for name, params in models.items()]
    # A refused question takes its model out of service; with the default of 5 s the next question would meet that.
    router = {"cooldown_time": 1, "num_retries": 0}
    config = {"model_list": listed, "general_settings": {"master_key": master_key}, "router_settings": router}
    with servers.litellm_with(config, folder) as running:
        yield running
