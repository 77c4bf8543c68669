"""Situations at real gateways and forward proxies: what is on the wire, and what a diagnosis must say about it.

One row is one situation: a real program with one rule, in front of the simulated endpoint, which itself is healthy.
`wire` is what a plain client gets, `due` what the program must say. Neither is written from the program's own output.

    python -m tests.live.situations [WORD]     run the rows with WORD in their name and print what is said of each
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.live import gateways, servers
from tests.live.processes import Running
from tests.live.servers import Certificate
from tests.live.simulated import simulated
from tests.live.situation import KEY, MODEL, Asked, Due, Scene, Situation, Start, Wire, diagnose, faulty, on_the_wire

#: Nothing listens on this port: connections to it are refused.
DEAD = "http://127.0.0.1:1"


def front(
    make: gateways.Make, *, rate: float = 200.0, faults: tuple[str, ...] = (), dead: bool = False, plain: bool = False
) -> Start:
    """A gateway in front of the simulated endpoint. dead: of nothing. plain: http:// is typed at its TLS port."""

    @contextlib.contextmanager
    def start(scene: Scene) -> Iterator[Asked]:
        upstream = DEAD if dead else scene.endpoint(rate, faults)
        with make(upstream, scene.folder, scene.certificate) as running:
            url = running.base_url
            yield Asked(url.replace("https://", "http://") if plain else url, ca=scene.certificate.ca)

    return start


def ruled(make: Callable[..., contextlib.AbstractContextManager[Running]], **rules: Any) -> gateways.Make:
    """A gateway with its rules, over plain HTTP."""
    return lambda upstream, folder, _: make(upstream, folder, **rules)


def secured(make: Callable[..., contextlib.AbstractContextManager[Running]], **rules: Any) -> gateways.Make:
    """The same over TLS. `{ca}` in a text rule becomes the path of the CA's certificate."""

    def start(upstream: str, folder: Path, certificate: Certificate) -> contextlib.AbstractContextManager[Running]:
        filled = {
            name: rule.replace("{ca}", str(certificate.ca)) if isinstance(rule, str) else rule
            for name, rule in rules.items()
        }
        return make(upstream, folder, certificate=certificate, **filled)

    return start


def nginx_with_a_page(
    upstream: str, folder: Path, certificate: Certificate
) -> contextlib.AbstractContextManager[Running]:
    """nginx that answers every error of its backend by a page of its own with status 200."""
    (folder / "error.html").write_text("<!DOCTYPE html><title>Oops</title><p>Something went wrong.</p>\n")
    server = f"location = /error.html {{ root {folder}; internal; }}"
    location = "proxy_intercept_errors on; error_page 400 401 403 404 405 422 500 502 503 =200 /error.html;"
    return gateways.nginx(upstream, folder, server=server, location=location)


def pool(second: str | None, *faults: str, following: str = "proxy_next_upstream off;", member: str = "") -> Start:
    """nginx with two members that it asks by turns: the healthy endpoint, and `second` or one with these faults.

    following: what nginx does when a member fails. member: parameters of the second one.
    """

    @contextlib.contextmanager
    def start(scene: Scene) -> Iterator[Asked]:
        other = (second or scene.endpoint(200.0, faults)).removeprefix("http://")
        line = f"server {other} max_fails=0 {member};"
        made = gateways.nginx(scene.endpoint(200.0, ()), scene.folder, members=[line], location=following)
        with made as running:
            yield Asked(running.base_url)

    return start


def through_squid(rules: str = "", *, tls: bool = False, dead: bool = False) -> Start:
    """A forward proxy on the way to the endpoint. tls: the endpoint is behind TLS. dead: the proxy does not run."""

    @contextlib.contextmanager
    def start(scene: Scene) -> Iterator[Asked]:
        with contextlib.ExitStack() as stack:
            url = f"{scene.endpoint(200.0, ())}/v1"
            if tls:
                made = gateways.caddy(scene.endpoint(200.0, ()), scene.folder, certificate=scene.certificate)
                url = stack.enter_context(made).base_url.replace("http://", "https://")
            proxy = DEAD if dead else stack.enter_context(gateways.squid(scene.folder, rules=rules)).origin
            yield Asked(url, proxy, scene.certificate.ca)

    return start


def through_mitmproxy(*, tls: bool, trusted: bool = True, rate: float = 60.0) -> Start:
    """A forward proxy that reads TLS with a CA of its own. trusted: the client knows that CA."""

    @contextlib.contextmanager
    def start(scene: Scene) -> Iterator[Asked]:
        with contextlib.ExitStack() as stack:
            url = f"{scene.endpoint(rate, ())}/v1"
            if tls:
                made = gateways.caddy(scene.endpoint(rate, ()), scene.folder, certificate=scene.certificate)
                url = stack.enter_context(made).base_url.replace("http://", "https://")
            proxy = stack.enter_context(gateways.mitmproxy(scene.folder, trusted=scene.certificate.ca))
            ca = scene.folder / "mitmproxy-ca-cert.pem"
            yield Asked(url, proxy.origin, ca if trusted else scene.certificate.ca)

    return start


@contextlib.contextmanager
def _stunnel(scene: Scene) -> Iterator[Asked]:
    upstream = scene.endpoint(200.0, ())
    with gateways.stunnel(upstream, scene.folder, scene.certificate, idle=3) as running:
        yield Asked(running.base_url, ca=scene.certificate.ca)


@contextlib.contextmanager
def _litellm(scene: Scene) -> Iterator[Asked]:
    yield Asked(scene.litellm().base_url)


WHOLE = ("--depth", "standard", "--idle", "0")
#: A 503 is waited out; here it never passes.
BRIEF = ("--depth", "quick", "--deadline", "8")
#: What shows a body limit above what the quick questions need.
SIZES = (*WHOLE, "--only", "limits.*", "--only", "tools.*", "--only", "fingerprint.*")
ERRORS = (*WHOLE, "--only", "errors.*", "--only", "models.*", "--only", "fingerprint.*")
SILENCE = ("--depth", "quick", "--idle", "4.5", "--deadline", "15", "--only", "idle.*", "--only", "fingerprint.*")
HTML_403 = Wire((403,), (("content-type", "text/html"),), "403 Forbidden")


def denied(hop: str, **more: Any) -> Due:
    return Due(("auth.denied",), hop=hop, **more)


def too_large(hop: str, says: str = "") -> Due:
    """A limit on the body that a short question passes and one with tools or a page of text does not."""
    words = (says,) if says else ()
    return Due(("limits.body-size",), hop=hop, exit=1, base="typed", says=words, verdicts={"chat": "works"})


def no_backend(hop: str) -> Due:
    return Due(("errors.upstream",), owner="gateway|server", hop=hop)


def plain_http(hop: str = "") -> Due:
    return Due(("tls.plain-http",), owner="client", hop=hop, says=("https://",))


APACHE_SIZE = """RewriteEngine on
RewriteCond expr "%{HTTP:Content-Length} -gt 1024"
RewriteRule ^ - [R=413,L]"""
FORBIDDEN_BY_RBAC = gateways.envoy_filter(
    "rbac.v3.RBAC",
    rules={
        "action": "DENY",
        "policies": {"all": {"permissions": [{"any": True}], "principals": [{"any": True}]}},
    },
)

NGINX = (
    Situation(
        "nginx asks for a password (Basic)",
        front(ruled(gateways.nginx, server='auth_basic "models"; auth_basic_user_file /dev/null;')),
        Wire((401,), (("www-authenticate", 'Basic realm="models"'), ("server", "nginx")), "401 Authorization Required"),
        Due(("auth.wrong-scheme",), owner="client|key", hop="nginx", says=("Basic",)),
    ),
    Situation(
        "nginx denies the address",
        front(ruled(gateways.nginx, server="deny all;")),
        HTML_403,
        denied("nginx"),
    ),
    Situation(
        "nginx refuses programs by their User-Agent",
        front(ruled(gateways.nginx, server='if ($http_user_agent !~ "OpenAI|Mozilla") { return 403; }')),
        HTML_403,
        denied("nginx", exit=1, base="typed", says=("User-Agent",), verdicts={"chat": "works"}),
    ),
    Situation(
        "nginx refuses the headers of an SDK",
        front(ruled(gateways.nginx, server="if ($http_x_stainless_lang) { return 403; }")),
        Wire((200,), (("server", "nginx"),)),
        denied("nginx", exit=1, base="typed", says=("X-Stainless",), verdicts={"chat": "works"}),
        (*SIZES, "--only", "auth.*"),
    ),
    Situation(
        "nginx auth_request answers 403",
        front(
            ruled(
                gateways.nginx,
                server="location = /check { internal; return 403; }",
                location="auth_request /check;",
            )
        ),
        HTML_403,
        denied("nginx"),
    ),
    Situation(
        "nginx auth_request answers 401",
        front(
            ruled(
                gateways.nginx,
                server="location = /check { internal; return 401; }",
                location="auth_request /check;",
            )
        ),
        Wire((401,), (("server", "nginx"),), "401 Authorization Required"),
        Due(("auth.rejected|auth.denied",), owner="key|gateway", hop="nginx"),
    ),
    Situation(
        "nginx takes bodies up to 1k",
        front(ruled(gateways.nginx, server="client_max_body_size 1k;")),
        Wire((413,), (("server", "nginx"),), "413 Request Entity Too Large", size=1100),
        too_large("nginx", "client_max_body_size"),
        options=WHOLE,
        key=False,
    ),
    Situation(
        "nginx takes bodies up to 8k",
        front(ruled(gateways.nginx, server="client_max_body_size 8k;")),
        Wire((413,), (("server", "nginx"),), "413 Request Entity Too Large", size=8200),
        too_large("nginx", "client_max_body_size"),
        options=WHOLE,
        key=False,
    ),
    Situation(
        "nginx limits the rate with 503",
        front(
            ruled(
                gateways.nginx,
                http="limit_req_zone $binary_remote_addr zone=one:1m rate=2r/s;",
                location="limit_req zone=one;",
            )
        ),
        Wire((200, 503), (("server", "nginx"),), "503 Service Temporarily Unavailable"),
        Due(("limits.rate-limited|limits.overloaded",), hop="nginx", exit=0, base="typed", verdicts={"chat": "works"}),
    ),
    Situation(
        "nginx limits the rate with 429",
        front(
            ruled(
                gateways.nginx,
                http="limit_req_zone $binary_remote_addr zone=one:1m rate=2r/s; limit_req_status 429;",
                location="limit_req zone=one;",
            )
        ),
        Wire((200, 429), (("server", "nginx"),), "429 Too Many Requests"),
        Due(
            ("limits.rate-limited",), owner="gateway|key", hop="nginx", exit=0, base="typed", verdicts={"chat": "works"}
        ),
    ),
    Situation(
        "nginx answers errors by a page with 200",
        front(nginx_with_a_page),
        Wire((200,), body='"choices"'),
        Due(("errors.success-status",), hop="nginx", exit=1, base="typed", says=("error_page",)),
        options=ERRORS,
        key=False,
    ),
    Situation(
        "nginx caches POSTs",
        front(
            ruled(
                gateways.nginx,
                http="proxy_cache_path cache keys_zone=one:1m;",
                location=(
                    "proxy_cache one; proxy_cache_methods GET HEAD POST; proxy_cache_valid any 1m; "
                    "proxy_cache_key $uri; proxy_buffering on; proxy_ignore_headers X-Accel-Buffering Cache-Control;"
                ),
            )
        ),
        Wire((200, 200), body='"choices"'),
        Due(("errors.cached",), hop="nginx", verdicts={"chat": "broken"}),
    ),
    Situation(
        "nginx pool with a dead member",
        pool(DEAD),
        Wire((200, 502), (("server", "nginx"),), "502 Bad Gateway"),
        Due(("errors.unsteady",), hop="nginx", exit=1, base="typed", verdicts={"chat": "works"}),
    ),
    Situation(
        "nginx pool with a member that refuses tools",
        pool(None, "tools-rejected=groq"),
        Wire((200, 200), body='"choices"'),
        Due(("errors.unsteady",), exit=1, base="typed", verdicts={"chat": "works"}),
        options=WHOLE,
        key=False,
    ),
    Situation(
        "http typed at nginx's TLS port",
        front(secured(gateways.nginx), plain=True),
        Wire((400,), (("server", "nginx"),), "The plain HTTP request was sent to HTTPS port"),
        plain_http("nginx"),
    ),
    Situation(
        "nginx wants a client certificate",
        front(secured(gateways.nginx, server="ssl_verify_client on; ssl_client_certificate {ca};")),
        Wire((400,), (("server", "nginx"),), "No required SSL certificate was sent"),
        Due(("tls.client-certificate",), owner="client", hop="nginx", says=("--client-cert",)),
    ),
    Situation(
        "nginx with a dead backend",
        front(ruled(gateways.nginx), dead=True),
        Wire((502,), (("server", "nginx"),), "502 Bad Gateway"),
        no_backend("nginx"),
    ),
)

OTHERS = (
    Situation(
        "HAProxy denies",
        front(ruled(gateways.haproxy, rules="http-request deny")),
        Wire((403,), (("content-type", "text/html"),), "Request forbidden by administrative rules."),
        denied("haproxy"),
    ),
    Situation(
        "HAProxy takes bodies up to 1k",
        front(
            ruled(
                gateways.haproxy,
                rules=(
                    "option http-buffer-request\n    http-request deny deny_status 413 if { req.body_size gt 1024 }"
                ),
            )
        ),
        Wire((413,), (("content-type", "text/html"),), "413 Payload Too Large", size=1100),
        too_large("haproxy"),
        options=SIZES,
        key=False,
    ),
    Situation(
        "http typed at HAProxy's TLS port",
        front(secured(gateways.haproxy), plain=True),
        Wire((0,)),
        plain_http(),
    ),
    Situation(
        "HAProxy with a dead backend",
        front(ruled(gateways.haproxy), dead=True),
        Wire((503,), (("content-type", "text/html"),), "No server is available to handle this request."),
        no_backend("haproxy"),
        options=BRIEF,
    ),
    Situation(
        "Caddy denies",
        front(ruled(gateways.caddy, site="respond 403")),
        Wire((403,), (("server", "Caddy"),)),
        denied("caddy"),
    ),
    Situation(
        "Caddy takes bodies up to 1k",
        front(ruled(gateways.caddy, site="request_body {\n\t\tmax_size 1KB\n\t}")),
        Wire((413,), (("server", "Caddy"),), size=1100),
        too_large("caddy", "max_size"),
        options=SIZES,
        key=False,
    ),
    Situation(
        "http typed at Caddy's TLS port",
        front(secured(gateways.caddy), plain=True),
        Wire((400,), (), "Client sent an HTTP request to an HTTPS server."),
        plain_http(),
    ),
    Situation(
        "Caddy with a dead backend",
        front(ruled(gateways.caddy), dead=True),
        Wire((502,), (("server", "Caddy"),)),
        no_backend("caddy"),
    ),
    Situation(
        "Caddy ends every answer after 5 s",
        front(ruled(gateways.caddy, options="servers {\n\t\ttimeouts {\n\t\t\twrite 5s\n\t\t}\n\t}"), rate=14.0),
        Wire((200,), (("via", "1.1 Caddy"),), '"choices"'),
        Due(("idle.total-deadline",), owner="gateway", hop="caddy", exit=1, base="typed", facts={"idle_limit_s": 5.0}),
        options=("--depth", "quick", "--only", "idle.*", "--only", "stream.*", "--only", "fingerprint.*"),
    ),
    Situation(
        "Envoy denies (RBAC)",
        front(ruled(gateways.envoy, filters=[FORBIDDEN_BY_RBAC])),
        Wire((403,), (("server", "envoy"),), "RBAC: access denied"),
        denied("envoy"),
    ),
    Situation(
        "Envoy takes bodies up to 1k",
        front(ruled(gateways.envoy, filters=[gateways.envoy_filter("buffer.v3.Buffer", max_request_bytes=1024)])),
        Wire((413,), (("server", "envoy"),), "Payload Too Large", size=1100),
        too_large("envoy", "max_request_bytes"),
        options=SIZES,
        key=False,
    ),
    Situation(
        "http typed at Envoy's TLS port",
        front(secured(gateways.envoy), plain=True),
        Wire((0,)),
        plain_http(),
    ),
    Situation(
        "Envoy with a dead backend",
        front(ruled(gateways.envoy), dead=True),
        Wire((503,), (("server", "envoy"),), "upstream connect error"),
        no_backend("envoy"),
        options=BRIEF,
    ),
    Situation(
        "Apache denies",
        front(ruled(gateways.apache, access="Require all denied")),
        Wire((403,), (("server", "Apache"),), "You don't have permission to access this resource."),
        denied("apache"),
    ),
    Situation(
        "Apache takes bodies up to 1k",
        # LimitRequestBody does not count where Apache is a proxy.
        front(ruled(gateways.apache, server=APACHE_SIZE)),
        Wire((413,), (("server", "Apache"),), "Request Entity Too Large", size=1100),
        too_large("apache"),
        options=SIZES,
        key=False,
    ),
    Situation(
        "http typed at Apache's TLS port",
        front(secured(gateways.apache), plain=True),
        Wire((400,), (("server", "Apache"),), "speaking plain HTTP to an SSL-enabled server port"),
        plain_http("apache"),
    ),
    Situation(
        "Apache with a dead backend",
        front(ruled(gateways.apache), dead=True),
        Wire((503,), (("server", "Apache"),), "Service Unavailable"),
        no_backend("apache"),
        options=BRIEF,
    ),
    Situation(
        "Traefik denies the address",
        front(
            ruled(gateways.traefik, middlewares={"known": {"ipAllowList": {"sourceRange": ["192.0.2.0/24"]}}}),
        ),
        Wire((403,), (), "Forbidden"),
        denied(""),
    ),
    Situation(
        "Traefik takes bodies up to 1k",
        front(ruled(gateways.traefik, middlewares={"small": {"buffering": {"maxRequestBodyBytes": 1024}}})),
        Wire((413,), (), "Request Entity Too Large", size=1100),
        too_large(""),
        options=SIZES,
        key=False,
    ),
    Situation(
        "http typed at Traefik's TLS port",
        front(secured(gateways.traefik), plain=True),
        Wire((404,), (), "404 page not found"),
        plain_http(),
    ),
    Situation(
        "Traefik with a dead backend",
        front(ruled(gateways.traefik), dead=True),
        Wire((502,), (), "Bad Gateway"),
        no_backend(""),
    ),
    Situation(
        "Traefik ends every answer after 5 s",
        front(ruled(gateways.traefik, timeouts={"writeTimeout": "5s"}), rate=14.0),
        Wire((200,), (), '"choices"'),
        Due(("idle.total-deadline",), exit=1, base="typed", facts={"idle_limit_s": 5.0}),
        options=("--depth", "quick", "--only", "idle.*", "--only", "stream.*", "--only", "fingerprint.*"),
    ),
    Situation(
        "Varnish waits 3 s for the first byte",
        front(lambda upstream, folder, _: gateways.varnish(upstream, folder, first_byte="3s"), rate=60.0),
        Wire((200,), (("via", "1.1 varnish"),), '"choices"'),
        Due(
            ("idle.l7-timeout",),
            hop="varnish",
            exit=1,
            base="typed",
            says=("first_byte_timeout",),
            facts={"idle_limit_s": 3.0},
        ),
        options=SILENCE,
    ),
    Situation(
        "Varnish with a dead backend",
        front(ruled(gateways.varnish), dead=True),
        Wire((503,), (("server", "Varnish"),), "Backend fetch failed"),
        no_backend("varnish"),
        options=BRIEF,
    ),
    Situation(
        "stunnel resets after 3 s of silence",
        _stunnel,
        Wire((200,), body='"choices"'),
        Due(("idle.l4-reset",), owner="network", exit=1, base="typed", facts={"idle_limit_s": 3.0}),
        options=SILENCE,
    ),
)

DENIED_BY_SQUID = Wire((0,))
LOGIN = """auth_param basic program /usr/lib/squid/basic_fake_auth
acl known proxy_auth REQUIRED
http_access deny !known"""
PROXIES = (
    Situation(
        "Squid in between",
        through_squid(),
        Wire((200,), (("via", "1.1 squid.test"),), '"choices"'),
        Due((), exit=0, base="typed", hop="squid", proxy=True, verdicts={"chat": "works"}),
    ),
    Situation(
        "the proxy does not run",
        through_squid(dead=True),
        Wire((0,)),
        Due(("connect.proxy",), owner="client|network", proxy=True),
    ),
    Situation(
        "Squid wants a login",
        through_squid(LOGIN),
        Wire((407,), (("proxy-authenticate", "Basic"),), "Cache Access Denied"),
        Due(("connect.proxy",), owner="client", hop="squid", proxy=True, says=("407",)),
    ),
    Situation(
        "Squid wants a login for TLS",
        through_squid(
            LOGIN,
            tls=True,
        ),
        DENIED_BY_SQUID,
        Due(("connect.proxy",), owner="client", proxy=True, says=("407",)),
    ),
    Situation(
        "Squid refuses CONNECT",
        through_squid("acl tunnel method CONNECT\nhttp_access deny tunnel", tls=True),
        DENIED_BY_SQUID,
        Due(("connect.proxy",), owner="network|client", proxy=True, says=("CONNECT",)),
    ),
    Situation(
        "Squid denies the endpoint",
        through_squid("http_access deny all"),
        Wire((403,), (("x-squid-error", "ERR_ACCESS_DENIED"),), "Access Denied"),
        Due(("connect.proxy|auth.denied",), owner="network|gateway|client", hop="squid", proxy=True),
    ),
    Situation(
        "mitmproxy with a CA that is not trusted",
        through_mitmproxy(tls=True, trusted=False),
        Wire((0,)),
        Due(("tls.untrusted",), owner="client|network", proxy=True, says=("proxy", "--ca-bundle")),
    ),
    Situation(
        "mitmproxy with its CA trusted",
        through_mitmproxy(tls=True, rate=200.0),
        Wire((200,), body='"choices"'),
        Due((), exit=0, base="typed", proxy=True, verdicts={"chat": "works"}),
        options=("--depth", "quick", "--only", "url.*", "--only", "tls.*", "--only", "connect.*", "--only", "models.*"),
    ),
    Situation(
        "mitmproxy holds answers",
        through_mitmproxy(tls=False),
        Wire((200,), body='"choices"'),
        Due(("stream.held",), owner="network|gateway", exit=1, base="typed", proxy=True, says=("proxy",)),
        options=("--depth", "quick", "--only", "stream.*", "--only", "fingerprint.*"),
    ),
)

GATEWAYS = (
    Situation(
        "LiteLLM with a dead backend",
        _litellm,
        Wire((500,), (), "litellm.InternalServerError"),
        Due(("errors.upstream",), owner="gateway|server", hop="litellm"),
        options=("--depth", "quick", "--model", "dead-backend"),
    ),
    Situation(
        "LiteLLM with an api_base that lacks /v1",
        _litellm,
        Wire((404,), (), "litellm.BadRequestError: OpenAIException - Invalid URL"),
        Due(("models.not-enabled|errors.upstream",), hop="litellm", base="typed", says=("api_base",)),
        options=("--depth", "quick", "--model", "wrong-base"),
    ),
    Situation(
        "LiteLLM with a wrong upstream model",
        _litellm,
        Wire((404,), (), "litellm.NotFoundError"),
        Due(("models.not-enabled",), hop="litellm", base="typed", says=("litellm_params",)),
        options=("--depth", "quick", "--model", "wrong-model"),
    ),
)

SITUATIONS = (*NGINX, *OTHERS, *PROXIES, *GATEWAYS)


def litellm_models(endpoint: Callable[[float, tuple[str, ...]], str]) -> Mapping[str, Mapping[str, object]]:
    """LiteLLM's models that cannot be had, each for another reason, and one that can."""
    origin = endpoint(200.0, ())
    return {
        "dead-backend": {"model": f"openai/{MODEL}", "api_base": f"{DEAD}/v1", "api_key": "none"},
        "wrong-base": {"model": f"openai/{MODEL}", "api_base": origin, "api_key": "none"},
        "wrong-model": {"model": "openai/no-such-model", "api_base": f"{origin}/v1", "api_key": "none"},
        "sound": {"model": f"openai/{MODEL}", "api_base": f"{origin}/v1", "api_key": "none"},
    }


class Endpoints:
    """Simulated endpoints and LiteLLM for many situations: each started when it is first asked for, and kept.

    models: LiteLLM's, given what makes the endpoints behind it.
    """

    def __init__(
        self,
        stack: contextlib.ExitStack,
        folder: Callable[[], Path],
        models: Callable[
            [Callable[[float, tuple[str, ...]], str]], Mapping[str, Mapping[str, object]]
        ] = litellm_models,
    ) -> None:
        self._stack = stack
        self._models = models
        self._folder = folder
        self._kept: dict[tuple[float, tuple[str, ...]], str] = {}
        self._litellm: Running | None = None

    def endpoint(self, rate: float, faults: tuple[str, ...]) -> str:
        if (rate, faults) not in self._kept:
            running = self._stack.enter_context(simulated(self._folder(), rate=rate, faults=faults))
            self._kept[rate, faults] = running.origin
        return self._kept[rate, faults]

    def litellm(self) -> Running:
        if self._litellm is None:
            made = gateways.litellm(self._models(self.endpoint), self._folder(), master_key=KEY)
            self._litellm = self._stack.enter_context(made)
        return self._litellm


def main(words: Sequence[str]) -> int:
    """Print what is said of each row; the status is 1 where the wire is not as a row says."""
    part = words[0] if words else ""
    bad = 0
    with contextlib.ExitStack() as stack:
        top = new_folder(None)
        stack.callback(shutil.rmtree, top, ignore_errors=True)
        folder = partial(new_folder, top)
        ends = Endpoints(stack, folder)
        certificate = servers.make_certificate(folder())
        for situation in SITUATIONS:
            if part not in situation.name:
                continue
            scene = Scene(ends.endpoint, ends.litellm, folder(), certificate)
            with situation.start(scene) as asked:
                trouble = on_the_wire(situation, asked)
                begin = time.monotonic()
                status, report = diagnose(situation, asked, scene.folder / "out")
                if os.environ.get("KEEP"):
                    Path(os.environ["KEEP"], situation.name.replace(" ", "_") + ".json").write_text(json.dumps(report))
                took = time.monotonic() - begin
            said = ", ".join(f"{item['code']} ({item['owner']})" for item in report["findings"]) or "nothing"
            wrong = "; ".join(faulty(situation, asked, status, report))
            bad += trouble is not None
            print(f"{situation.name} | {took:.1f} s | exit {status}: {said} | {wrong or 'right'}", flush=True)
            if trouble:
                print(f"    NOT ON THE WIRE: {trouble}", flush=True)
    return 1 if bad else 0


def new_folder(top: Path | None) -> Path:
    """A new folder that others may enter, in `top` or among the temporary ones: some parts give up root's rights."""
    path = Path(tempfile.mkdtemp(prefix="situations-", dir=top))
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))


@contextlib.contextmanager
def shared_scenes(
    models: Callable[..., Mapping[str, Mapping[str, object]]] = litellm_models,
) -> Iterator[Callable[[], Scene]]:
    """Gives a function that makes a new scene: the endpoints and LiteLLM with these models are shared."""
    top = new_folder(None)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, top, ignore_errors=True)
        ends = Endpoints(stack, partial(new_folder, top), models)
        certificate = servers.make_certificate(new_folder(top))
        yield lambda: Scene(ends.endpoint, ends.litellm, new_folder(top), certificate)
