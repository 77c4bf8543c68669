"""Remedies and where they are applied: a faulty real part, the words of the remedy that are followed, the mended part.

A remedy is followed to the letter: what goes into the second configuration is the text that stands in the remedy of
the finding, with the placeholders (ADDRESS, HOST) filled in.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from probe.model import Finding
from probe.simulator import Simulator
from probe.wire.transport import Transport
from tests.live import gateways, servers
from tests.live.processes import Running
from tests.live.servers import Certificate
from tests.live.situation import KEY, MODEL, Asked, Scene, Start
from tests.live.situations import (
    DEAD,
    LOGIN,
    front,
    nginx_with_a_page,
    pool,
    ruled,
    secured,
    through_mitmproxy,
    through_squid,
)

HERE = "127.0.0.1"


@dataclass(frozen=True)
class Client:
    """What a client does otherwise because of a remedy: how it asks, and options of the run."""

    asked: Asked
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cure:
    """One remedy, followed.

    code: the finding. ill: the faulty part. follow: texts of the remedy. server: the part with them applied, or
    client: how the client then asks the same part. only: the checks that are run; options: further ones of the run.
    """

    name: str
    code: str
    ill: Start
    follow: tuple[str, ...]
    server: Callable[..., Start] | None = None
    client: Callable[[Asked, Scene, Finding], Client] | None = None
    only: tuple[str, ...] = ("url.*",)
    options: Mapping[str, Any] = field(default_factory=dict)


TLS = ("url.*", "connect.*", "tls.*")
SIZE = ("limits.body", "limits.seen")
SILENCE = {"only": ("idle.silence", "stream.delivery"), "options": {"idle_s": 3.5}}
CACHING = (
    "proxy_cache one; proxy_cache_valid any 1m; proxy_cache_key $uri; proxy_buffering on; "
    "proxy_ignore_headers X-Accel-Buffering Cache-Control;"
)
CACHE = "proxy_cache_path cache keys_zone=one:1m;"
REFUSES = "location = /check { internal; return 403; }"
WANTS_LOGIN = "location = /check { internal; return 401; }"


def nginx(**rules: str) -> Start:
    return front(ruled(gateways.nginx, **rules))


def limited(rate: str, limit: str, http: str = "") -> Start:
    zone = f"limit_req_zone $binary_remote_addr zone=one:1m {rate}; {http}"
    return nginx(http=zone, location=f"limit_req zone=one {limit};")


def haproxy(*rules: str) -> Start:
    return front(ruled(gateways.haproxy, rules="\n    ".join(rules)))


def sized(rule: str) -> Start:
    return haproxy("option http-buffer-request", f"http-request deny deny_status 413 if {{ {rule} }}")


def caddy(*site: str) -> Start:
    return front(ruled(gateways.caddy, site="\n\t".join(site)))


def envoy(kind: str, **values: object) -> Start:
    return front(ruled(gateways.envoy, filters=[gateways.envoy_filter(kind, **values)]))


def rbac(action: str, principal: Mapping[str, object]) -> Start:
    """action: as it stands in a configuration, `action: DENY`."""
    policies = {"all": {"permissions": [{"any": True}], "principals": [principal]}}
    return envoy("rbac.v3.RBAC", rules={"action": action.removeprefix("action: "), "policies": policies})


def envoy_with(**timers: str) -> Start:
    return front(lambda upstream, folder, _: servers.envoy(upstream, folder, **timers), rate=60.0)


def varnish(timer: str) -> Start:
    value = timer.removeprefix(".first_byte_timeout = ").rstrip(";")
    return front(lambda upstream, folder, _: gateways.varnish(upstream, folder, first_byte=value), rate=60.0)


@contextlib.contextmanager
def behind_litellm(scene: Scene) -> Iterator[Asked]:
    yield Asked(scene.litellm().base_url)


def with_model(model: str) -> Callable[[Asked, Scene, Finding], Client]:
    return lambda asked, _, __: Client(asked, {"model": model})


def named_url(asked: Asked, _: Scene, found: Finding) -> Client:
    """The base URL that the remedy gives."""
    (url,) = re.findall(r"Use (https?://\S+) as the base URL", found.remedy)
    return Client(replace(asked, url=url))


def with_certificate(asked: Asked, scene: Scene, _: Finding) -> Client:
    ours = scene.certificate
    return Client(
        asked, {"transport": Transport(ca_bundle=str(ours.ca), client_cert=str(ours.chain), client_key=str(ours.key))}
    )


def with_password(asked: Asked, _: Scene, found: Finding) -> Client:
    """`printf 'USER:PASSWORD' | base64`, sent as Authorization."""
    encoded = base64.b64encode(b"reader:open").decode()
    return Client(asked, {"headers": {"Authorization": f"Basic {encoded}"}})


def with_login(asked: Asked, _: Scene, found: Finding) -> Client:
    """http://USER:PASSWORD@PROXY:PORT."""
    return Client(replace(asked, proxy=str(asked.proxy).replace("http://", "http://user:password@")))


def without_proxy(asked: Asked, _: Scene, __: Finding) -> Client:
    return Client(replace(asked, proxy=None))


def trusting_the_proxy(asked: Asked, scene: Scene, _: Finding) -> Client:
    return Client(replace(asked, ca=scene.folder / "mitmproxy-ca-cert.pem"))


def nginx_with_a_password(upstream: str, folder: Path, _: Certificate) -> contextlib.AbstractContextManager[Running]:
    (folder / "users").write_text("reader:{PLAIN}open\n")
    return gateways.nginx(upstream, folder, server=f'auth_basic "models"; auth_basic_user_file {folder}/users;')


NGINX = (
    Cure(
        "nginx asks for a password: send it",
        "auth.wrong-scheme",
        front(nginx_with_a_password),
        ("printf 'USER:PASSWORD' | base64", "--header 'Authorization: ${VARIABLE}'"),
        client=with_password,
    ),
    Cure(
        "nginx denies: allow the address",
        "auth.denied",
        nginx(server="deny all;"),
        ("allow ADDRESS;", "before the `deny`"),
        lambda allow, _: nginx(server=f"{allow} deny all;"),
    ),
    Cure(
        "nginx auth_request 403: off",
        "auth.denied",
        nginx(server=REFUSES, location="auth_request /check;"),
        ("auth_request off;",),
        lambda off: nginx(server=REFUSES, location=off),
    ),
    Cure(
        "nginx auth_request 401: off",
        "auth.rejected",
        nginx(server=WANTS_LOGIN, location="auth_request /check;"),
        ("auth_request off;",),
        lambda off: nginx(server=WANTS_LOGIN, location=off),
        options={"key": KEY},
    ),
    Cure(
        "nginx takes small bodies: a larger size",
        "limits.body-size",
        nginx(server="client_max_body_size 8k;"),
        ("client_max_body_size 32m;",),
        lambda size: nginx(server="client_max_body_size 8k;", location=size),
        only=SIZE,
    ),
    Cure(
        "nginx limits the rate with 503: a higher one",
        "limits.overloaded",
        limited("rate=1r/s", ""),
        ("rate=50r/s", "burst=100 nodelay", "limit_req_status 429;"),
        limited,
        only=("url.*", "limits.seen"),
    ),
    Cure(
        "nginx limits the rate with 429: a higher one",
        "limits.rate-limited",
        limited("rate=1r/s", "", "limit_req_status 429;"),
        ("rate=50r/s", "burst=100 nodelay"),
        lambda rate, burst: limited(rate, burst, "limit_req_status 429;"),
        only=("url.*", "limits.seen"),
    ),
    Cure(
        "nginx answers errors by a page with 200: no more",
        "errors.success-status",
        front(nginx_with_a_page),
        ("Remove `error_page … =200` (and `proxy_intercept_errors on`)",),
        lambda _: nginx(),
        only=("errors.seen", "models.identity"),
    ),
    Cure(
        "nginx caches POSTs: other methods only",
        "errors.cached",
        nginx(http=CACHE, location=f"{CACHING} proxy_cache_methods GET HEAD POST;"),
        ("proxy_cache_methods GET HEAD;",),
        lambda methods: nginx(http=CACHE, location=f"{CACHING} {methods}"),
        only=("errors.cached",),
    ),
    Cure(
        "nginx pool with a dead member: the next one",
        "errors.unsteady",
        pool(DEAD),
        ("proxy_next_upstream error timeout;",),
        lambda following: pool(DEAD, following=following),
        only=("errors.unsteady", "models.identity", "roles.*"),
    ),
    Cure(
        "nginx pool with a member that refuses tools: down",
        "errors.unsteady",
        pool(None, "tools-rejected=groq"),
        ("`down`",),
        lambda down: pool(None, "tools-rejected=groq", member=down.strip("`")),
        only=("errors.unsteady", "tools.call", "tools.choice", "tools.results"),
    ),
    Cure(
        "http at nginx's TLS port: https",
        "tls.plain-http",
        front(secured(gateways.nginx), plain=True),
        ("Use https://127.0.0.1:",),
        client=named_url,
    ),
    Cure(
        "nginx wants a client certificate: give it",
        "tls.client-certificate",
        front(secured(gateways.nginx, server="ssl_verify_client on; ssl_client_certificate {ca};")),
        ("--client-cert FILE --client-key FILE",),
        client=with_certificate,
        only=TLS,
    ),
)

OTHERS = (
    Cure(
        "HAProxy denies: allow the address",
        "auth.denied",
        haproxy("http-request deny"),
        ("http-request allow if { src ADDRESS }",),
        lambda allow: haproxy(allow, "http-request deny"),
    ),
    Cure(
        "HAProxy takes small bodies: a larger size",
        "limits.body-size",
        sized("req.body_size gt 1024"),
        ("req.body_size gt 33554432",),
        sized,
        only=SIZE,
    ),
    Cure(
        "Caddy denies: others only",
        "auth.denied",
        caddy("respond 403"),
        ("@others not remote_ip ADDRESS", "respond @others 403"),
        caddy,
    ),
    Cure(
        "Caddy takes small bodies: a larger size",
        "limits.body-size",
        caddy("request_body {", "max_size 1KB", "}"),
        ("max_size 32MB",),
        lambda size: caddy("request_body {", size, "}"),
        only=SIZE,
    ),
    Cure(
        "Envoy denies: an action that allows",
        "auth.denied",
        rbac("action: DENY", {"any": True}),
        ("action: ALLOW", "direct_remote_ip"),
        lambda action, principal: rbac(action, {principal: {"address_prefix": HERE, "prefix_len": 32}}),
    ),
    Cure(
        "Envoy takes small bodies: a larger size",
        "limits.body-size",
        envoy("buffer.v3.Buffer", max_request_bytes=1024),
        ("max_request_bytes", "33554432"),
        lambda name, size: envoy("buffer.v3.Buffer", **{name: int(size)}),
        only=SIZE,
    ),
    Cure(
        "Envoy ends every answer: no timer",
        "idle.total-deadline",
        envoy_with(route_timeout="2s"),
        ("timeout: 0s",),
        lambda timer: envoy_with(route_timeout=timer.removeprefix("timeout: ")),
        **SILENCE,
    ),
    Cure(
        "Apache denies: allow the address",
        "auth.denied",
        front(ruled(gateways.apache, access="Require all denied")),
        ("Require ip ADDRESS",),
        lambda access: front(ruled(gateways.apache, access=access)),
    ),
    Cure(
        "Varnish waits for the first byte: longer",
        "idle.l7-timeout",
        varnish("2s"),
        (".first_byte_timeout = 3600s;",),
        varnish,
        **SILENCE,
    ),
    Cure(
        "Squid denies: allow the host",
        "connect.proxy",
        through_squid("http_access deny all"),
        ("acl models dstdomain HOST", "http_access allow models"),
        lambda *rules: through_squid("\n".join([*rules, "http_access deny all"])),
    ),
    Cure(
        "Squid wants a login: in its URL",
        "connect.proxy",
        through_squid(LOGIN),
        ("http://USER:PASSWORD@PROXY:PORT",),
        client=with_login,
    ),
    Cure(
        "the proxy does not run: leave it out",
        "connect.proxy",
        through_squid(dead=True),
        ("leave out --proxy",),
        client=without_proxy,
    ),
    Cure(
        "mitmproxy reads TLS: trust it",
        "tls.untrusted",
        through_mitmproxy(tls=True, trusted=False),
        ("--ca-bundle FILE",),
        client=trusting_the_proxy,
        only=TLS,
    ),
)

_SOUND = {"model": f"openai/{MODEL}", "api_key": "none"}


#: What a backend behind LiteLLM refuses: the finding, the fault of the simulated backend, and the checks that see it.
REFUSED = {
    "seed": ("params.unknown-rejected", "param-rejected-unnamed=seed", ("params.*",)),
    "stream_options": ("stream.rejected", "stream-options-rejected", ("stream.shape", "params.*")),
}
DROPS = 'additional_drop_params: ["'


def litellm_models(endpoint: Callable[[float, tuple[str, ...]], str]) -> Mapping[str, Mapping[str, object]]:
    """LiteLLM's models, each faulty one beside the same with the remedy applied."""
    origin = endpoint(200.0, ())
    base = f"{origin}/v1"
    no_system = {**_SOUND, "api_base": f"{endpoint(200.0, ('system-rejected',))}/v1"}
    models: dict[str, Mapping[str, object]] = {
        "wrong-base": {**_SOUND, "api_base": origin},
        "wrong-model": {**_SOUND, "model": "openai/no-such-model", "api_base": base},
        "dead-backend": {**_SOUND, "api_base": f"{DEAD}/v1"},
        "mended": {**_SOUND, "api_base": base},
        "no-system": no_system,
        "no-system-mended": {**no_system, "supports_system_message": False},
    }
    for name, (_, fault, _) in REFUSED.items():
        models[name] = {**_SOUND, "api_base": f"{endpoint(200.0, (fault,))}/v1"}
        models[f"{name}-dropped"] = {**models[name], "additional_drop_params": [name]}
    return models


def mapped(
    name: str, code: str, model: str, *follow: str, only: tuple[str, ...] = ("url.*",), mended: str = "mended"
) -> Cure:
    options = {"model": model, "key": KEY}
    return Cure(name, code, behind_litellm, follow, client=with_model(mended), only=only, options=options)


GATEWAYS = (
    mapped("LiteLLM's api_base lacks /v1", "models.not-enabled", "wrong-base", "`api_base`", "usually ends in `/v1`"),
    mapped("LiteLLM's wrong model", "models.not-enabled", "wrong-model", "`openai/` and the exact id of the backend"),
    *(
        mapped(f"LiteLLM's backend refuses {name}: drop it", code, name, DROPS, only=only, mended=f"{name}-dropped")
        for name, (code, _, only) in REFUSED.items()
    ),
    mapped(
        "LiteLLM's backend refuses system messages: as user messages",
        "roles.system-rejected",
        "no-system",
        "supports_system_message: False",
        only=("roles.*",),
        mended="no-system-mended",
    ),
    mapped("LiteLLM's dead backend", "errors.upstream", "dead-backend", "`api_base` is the backend’s base URL"),
)

CURES = (*NGINX, *OTHERS, *GATEWAYS)


@dataclass(frozen=True)
class InForce:
    """A fault of the server behind a part whose settings are right already.

    never: words of remedies that are in force and so must not be given.
    """

    name: str
    code: str
    start: Start
    never: tuple[str, ...]
    only: tuple[str, ...]


def behind(make: Callable[..., contextlib.AbstractContextManager[Running]], fault: str) -> Start:
    return front(ruled(make), rate=60.0, faults=(fault,))


def sends_accel(style: str, fault: str) -> Start:
    """A server whose streams say `X-Accel-Buffering: no`, without anything in front."""

    @contextlib.contextmanager
    def start(_: Scene) -> Iterator[Asked]:
        with Simulator(style, [fault], key=None, rate_tokens_s=60.0) as server:
            yield Asked(server.base_url)

    return start


BUFFERING = ("proxy_buffering", "X-Accel-Buffering", "proxy_http_version")
PAGES = ("error_page", "proxy_intercept_errors")
DELIVERY = ("stream.delivery",)
SEEN = ("errors.seen", "models.identity")
IN_FORCE = (
    InForce("proxy_buffering off, held", "stream.held", behind(gateways.nginx, "stream-held"), BUFFERING, DELIVERY),
    InForce(
        "proxy_buffering off, pieces",
        "stream.size-buffered",
        behind(gateways.nginx, "stream-size-buffered"),
        BUFFERING,
        DELIVERY,
    ),
    InForce(
        "X-Accel-Buffering sent",
        "stream.held",
        sends_accel("textgen-webui", "stream-held"),
        ("X-Accel-Buffering",),
        DELIVERY,
    ),
    InForce(
        "http-no-delay set",
        "stream.coalesced",
        behind(gateways.haproxy, "stream-coalesced"),
        ("http-no-delay",),
        DELIVERY,
    ),
    InForce(
        "Caddy flushes events",
        "stream.coalesced",
        behind(gateways.caddy, "stream-coalesced"),
        ("flush_interval",),
        DELIVERY,
    ),
    InForce(
        "no error_page, error objects with 200",
        "errors.success-status",
        behind(gateways.nginx, "errors-success-status"),
        PAGES,
        SEEN,
    ),
    InForce(
        "no error_page, the server's pages with 200",
        "errors.success-status",
        behind(gateways.nginx, "errors-page-200"),
        PAGES,
        SEEN,
    ),
    InForce(
        "no error_page, errors of another shape",
        "errors.shape",
        behind(gateways.nginx, "errors-shape=detail"),
        PAGES,
        SEEN,
    ),
    InForce(
        "no limit_req, the server's own limit",
        "limits.rate-limited",
        behind(gateways.nginx, "rate-limited=2"),
        ("limit_req",),
        ("limits.seen", "roles.*"),
    ),
)


def filled(text: str) -> str:
    """A text of a remedy with its placeholders filled in for this machine."""
    return text.replace("ADDRESS", HERE).replace("HOST", HERE)
