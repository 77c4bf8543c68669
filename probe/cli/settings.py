"""From what was typed to the options of a run; everything unusable is said here, before anything is sent."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from probe.cli.credentials import auth_from, headers_from, key_from, key_in_variable
from probe.cli.options import Given, Unusable
from probe.model import Depth
from probe.parsing import urls
from probe.run.options import Options
from probe.wire.transport import Transport, Wire

IDLE_S = {Depth.QUICK: 0.0, Depth.STANDARD: 10.0, Depth.DEEP: 75.0}
DEADLINE_S = {Depth.QUICK: 60.0, Depth.STANDARD: 300.0, Depth.DEEP: 1200.0}
#: A longer silence than the depth's own is met a few times (both transports, and once more to be sure).
_SILENCES = 4


@dataclass(frozen=True)
class Known:
    """What is known of an endpoint that was not typed: for the simulated and the bundled one.

    Each is used where the user gave nothing else.
    """

    key: str | None = field(default=None, repr=False)
    source: str = "none"
    model: str | None = None
    ca_bundle: str | None = None


def endpoint_and_known(typed: str | None) -> tuple[str, Known]:
    """The endpoint typed, or the environment's together with its key and model.

    A key found in the environment belongs to the endpoint found there and goes to no other.

    Raises:
        Unusable: neither names an endpoint.
    """
    if typed is not None:
        return typed, Known()
    base = os.environ.get("OPENAI_BASE_URL", "").strip()
    if not base:
        raise Unusable("name the endpoint, as in: endpoint-probe run https://host.example/v1 (or set OPENAI_BASE_URL)")
    key = key_in_variable("OPENAI_API_KEY") if os.environ.get("OPENAI_API_KEY", "").strip() else None
    model = os.environ.get("OPENAI_MODEL", "").strip() or None
    return base, Known(key, "env:OPENAI_API_KEY" if key else "none", model)


def options_for(endpoint: str, given: Given, known: Known) -> Options:
    """The options of a run against this endpoint.

    Raises:
        Unusable: anything typed cannot be used.
    """
    try:
        parsed = urls.parse(endpoint)
    except urls.BadEndpoint as error:
        raise Unusable(str(error)) from None
    key = key_from(given)
    if key is None and known.key and given.auth != "none":
        key = (known.key, known.source)
    auth = auth_from(given, key)
    headers = headers_from(given.header, auth)
    secrets = dict(headers.secrets)
    proxy = _proxy(given.proxy)
    if proxy and urlsplit(proxy).password:
        secrets["PROXY_PASSWORD"] = urlsplit(proxy).password or ""
    ca_bundle = given.ca_bundle or known.ca_bundle
    _check_bundle(ca_bundle)
    depth = Depth(given.depth)
    idle = IDLE_S[depth] if given.idle is None else given.idle
    return Options(
        endpoint=parsed,
        auth=auth,
        model=_model(given.model) or known.model,
        headers=headers.values,
        secrets=secrets,
        depth=depth,
        only=given.only,
        skip=given.skip,
        idle_s=idle,
        keepalive_s=int(given.keepalive),
        trials=given.trials,
        timeout_s=float(given.timeout),
        deadline_s=_deadline(given, depth, idle),
        max_requests=given.max_requests,
        max_tokens=given.max_tokens,
        concurrency=int(given.concurrency),
        transport=Transport(
            ca_bundle=ca_bundle,
            insecure=given.insecure,
            proxy=proxy,
            wire=Wire(http=given.http, keepalive_s=int(given.keepalive)),
        ),
    )


def _deadline(given: Given, depth: Depth, idle: float) -> float:
    if given.deadline is not None:
        return float(given.deadline)
    return DEADLINE_S[depth] + _SILENCES * max(0.0, idle - IDLE_S[depth])


def _model(model: str | None) -> str | None:
    if model is None:
        return None
    if not model.strip():
        raise Unusable("--model is empty; write a model id, or leave it out to take the listed one")
    if not model.isprintable() or len(model) > 500:
        raise Unusable("--model holds a control character or is too long; write the id as the endpoint lists it")
    return model


def _proxy(proxy: str | None) -> str | None:
    if proxy is None:
        return None
    instead = "write it like --proxy http://proxy.example:3128"
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        _ = parts.port
    except ValueError:
        raise Unusable(f"--proxy is no URL; {instead}") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise Unusable(f"--proxy cannot use the scheme '{parts.scheme[:20]}'; {instead}")
    if not parts.hostname or not proxy.isascii() or not proxy.isprintable() or " " in proxy:
        raise Unusable(f"--proxy names no host; {instead}")
    return parts.geturl()


def _check_bundle(path: str | None) -> None:
    if path is None:
        return
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (ssl.SSLError, ValueError):
        raise Unusable(f"the CA bundle {path} holds no certificate; name a PEM file of certificates") from None
    except OSError as error:
        raise Unusable(f"cannot read the CA bundle {path} ({error.strerror}); name a PEM file") from None
