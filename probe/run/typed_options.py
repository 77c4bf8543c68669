"""From options as they are typed to the options of a run: endpoint, key, headers, transport, limits.

The command line and fleet files share these rules. Everything that cannot be used is reported here,
before anything is sent. A key is never taken from the command line, since other users of the machine
can read it there. Header rules: RFC 9110, sections 5.1 (names are tokens) and 5.5 (values).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from probe.model import Depth
from probe.parsing import urls
from probe.redaction.key_patterns import looks_like_key
from probe.run.options import Auth, Options
from probe.wire.transport import Transport, Wire

IDLE_S = {Depth.QUICK: 0.0, Depth.STANDARD: 10.0, Depth.DEEP: 75.0}
DEADLINE_S = {Depth.QUICK: 60.0, Depth.STANDARD: 300.0, Depth.DEEP: 1200.0}
#: The limit of one request, in seconds, if none is given.
TIMEOUT_S = 60.0
#: After so many seconds a slow endpoint is only asked for what clients have switches for.
SOON_S = {Depth.QUICK: 40.0, Depth.STANDARD: 100.0}
#: How often a run waits through the longest silence: both transports, and repetitions.
_SILENCES = 4
#: The APIs besides chat completions that are asked: those that are found, at every depth with a name or ``all``.
APIS = ("auto", "chat", "responses", "messages", "all")
_API_SKIPS = {
    "chat": ("responses.*", "messages.*", "apis.*"),
    "responses": ("messages.*",),
    "messages": ("responses.*",),
}

VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Headers whose purpose is to carry a key: a literal value would be a key on the command line or in a file.
CREDENTIAL_HEADER = re.compile(r"(?:^|-)(?:authorization|api-?key|auth-token|access-token|subscription-key)$|^cookie$")
_REFERENCE = re.compile(r"\$\{([^}]{0,256})\}")
_SECRET_HEADER = re.compile(r"key|token|secret|passw|auth|cookie|credential")
#: Headers that the client sets for every request; another value would break the message.
_RESERVED = frozenset(
    ("content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te", "trailer", "accept")
) | {"accept-encoding", "keep-alive", "proxy-connection", "expect"}
_KEY_LIMIT = 16 * 1024
_VARIABLE_WANTED = "--api-key-env takes the name of an environment variable, as in --api-key-env MY_API_KEY"


class Unusable(Exception):
    """Something typed, or a file, cannot be used; the message is one line, says what to write and holds no secret."""


@contextmanager
def as_unusable(*errors: type[Exception]) -> Iterator[None]:
    """Errors whose message is such a line become `Unusable`."""
    try:
        yield
    except errors as error:
        raise Unusable(str(error)) from None


@dataclass(frozen=True)
class Given:
    """The options of a run as typed; None where an option was left out and its default depends on others."""

    model: str | None = None
    api_key_env: str | None = None
    api_key_file: str | None = None
    api_key_stdin: bool = False
    auth: str = "bearer"
    auth_header: str | None = None
    header: tuple[str, ...] = ()
    depth: str = "standard"
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    apis: str = "auto"
    idle: float | None = None
    keepalive: int = 30
    trials: int | None = None
    timeout: float | None = None
    deadline: float | None = None
    max_requests: int | None = None
    max_tokens: int | None = None
    concurrency: int = 4
    ca_bundle: str | None = None
    insecure: bool = False
    proxy: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    http: str | None = None
    out: str = "endpoint-report"
    formats: tuple[str, ...] = ()
    as_json: bool = False
    fail_on: str = "error"
    accept: tuple[str, ...] = ()
    dry_run: bool = False
    open_page: bool = False
    quiet: bool = False
    verbose: bool = False


@dataclass(frozen=True)
class Known:
    """What is known of an endpoint without having been typed; used where nothing else was given."""

    key: str | None = field(default=None, repr=False)
    source: str = "none"
    model: str | None = None
    ca_bundle: str | None = None


def endpoint_and_known(typed: str | None) -> tuple[str, Known]:
    """The endpoint typed, or the environment's together with its key and model.

    A key found in the environment belongs to the endpoint found there and is sent to no other.

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
        Unusable: the endpoint or an option cannot be used.
    """
    with as_unusable(urls.BadEndpoint):
        parsed = urls.parse(endpoint)
    key = key_from(given)
    if key is None and known.key and given.auth != "none":
        key = (known.key, known.source)
    auth = _auth(given, key)
    headers, secrets, written = _headers(given.header, auth)
    proxy = _proxy(given.proxy)
    secrets += urls.login(proxy) if proxy else []
    ca_bundle = given.ca_bundle or known.ca_bundle
    _check_bundle(ca_bundle)
    _check_client_certificate(given.client_cert, given.client_key)
    depth = Depth(given.depth)
    idle = IDLE_S[depth] if given.idle is None else given.idle
    deadline = given.deadline
    if deadline is None:
        deadline = DEADLINE_S[depth] + _SILENCES * max(0.0, idle - IDLE_S[depth])
    return Options(
        endpoint=parsed,
        auth=auth,
        model=_model(given.model) or known.model,
        headers=headers,
        secrets=tuple(secrets),
        written=written,
        depth=depth,
        only=given.only,
        skip=(*given.skip, *_API_SKIPS.get(given.apis, ())),
        also=() if given.apis in ("auto", "chat") else ("responses.create", "messages.create", "apis.*"),
        idle_s=idle,
        keepalive_s=int(given.keepalive),
        trials=given.trials,
        timeout_s=TIMEOUT_S if given.timeout is None else float(given.timeout),
        adaptive=given.timeout is None,
        soon_s=SOON_S.get(depth) if given.deadline is None and not given.only else None,
        deadline_s=float(deadline),
        max_requests=given.max_requests,
        max_tokens=given.max_tokens,
        concurrency=int(given.concurrency),
        transport=Transport(
            ca_bundle=ca_bundle,
            insecure=given.insecure,
            proxy=proxy,
            client_cert=given.client_cert,
            client_key=given.client_key,
            wire=Wire(http=given.http, keepalive_s=int(given.keepalive)),
        ),
    )


def expand_variables(text: str, user: str) -> tuple[str, dict[str, str]]:
    """The text with every ``${VAR}`` replaced from the environment, and the variables used.

    Args:
        user: what needs the variable, for the message.

    Raises:
        Unusable: a reference names no variable, or the variable is not set or empty.
    """
    used: dict[str, str] = {}
    for name in _REFERENCE.findall(text):
        if not VARIABLE_NAME.fullmatch(name):
            raise Unusable(f"${{{name[:40]}}} in {user} is not a variable name; write it like ${{MY_KEY}}")
        value = os.environ.get(name)
        if not value:
            raise Unusable(f"{user} needs the environment variable {name}, which is not set; export it")
        used[name] = value
    return _REFERENCE.sub(lambda found: used[found[1]], text), used


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
        raise Unusable(f"--proxy is not a URL; {instead}") from None
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


def _check_client_certificate(certificate: str | None, key: str | None) -> None:
    """Load certificate and key once, so that a wrong file is reported before anything is sent.

    Raises:
        Unusable: the message names the files and nothing of what is in them.
    """
    if certificate is None:
        if key is not None:
            raise Unusable("--client-key needs the certificate as well; add --client-cert PATH")
        return
    import ssl

    for option, path in (("--client-cert", certificate), ("--client-key", key)):
        try:
            with Path(path).open("rb") if path is not None else nullcontext():
                pass
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a path"
            raise Unusable(f"cannot read the file of {option}, {path} ({reason}); name a PEM file") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError, OSError):
        where = f"{certificate} and {key} are" if key else f"{certificate} is"
        raise Unusable(
            f"{where} no PEM certificate with its private key; give the certificate with --client-cert and its key, "
            "without a passphrase, with --client-key"
        ) from None


# The key ---------------------------------------------------------------------------------------------


def key_from(given: Given) -> tuple[str, str] | None:
    """The key and its source (``env:NAME``, ``file`` or ``stdin``), or None where no source was given.

    Raises:
        Unusable: more than one source, or one that holds no usable key.
    """
    given_by = {
        "--api-key-env": given.api_key_env is not None,
        "--api-key-file": given.api_key_file is not None,
        "--api-key-stdin": given.api_key_stdin,
    }
    sources = [option for option, used in given_by.items() if used]
    if len(sources) > 1:
        raise Unusable(f"the key can come from one place only; leave out {' or '.join(sources)}")
    if sources and given.auth == "none":
        raise Unusable(f"--auth none sends no key; leave out either it or {sources[0]}")
    if given.api_key_env is not None:
        return key_in_variable(given.api_key_env), f"env:{given.api_key_env}"
    if given.api_key_file is not None:
        return _key_in_file(given.api_key_file), "file"
    if given.api_key_stdin:
        return _key_on_stdin(), "stdin"
    return None


def key_in_variable(name: str) -> str:
    """The key in an environment variable.

    Raises:
        Unusable: this is not a variable name, or the variable is missing, empty or holds no key.
    """
    check_variable_name(name)
    value = os.environ.get(name)
    if value is None:
        raise Unusable(f"the environment variable {name} is not set; export it with the key in it")
    return _usable_key(value, f"the environment variable {name}")


def check_variable_name(name: str) -> None:
    """Refuse what is not the name of a variable, above all the key itself.

    Raises:
        Unusable: the message does not repeat it.
    """
    if not VARIABLE_NAME.fullmatch(name) or looks_like_key(name):
        raise Unusable(_VARIABLE_WANTED)


def _key_in_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_KEY_LIMIT + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unusable(f"cannot read the key file {path} ({reason}); name a file that holds the key") from None
    return _decoded_key(content, f"the key file {path}")


def _key_on_stdin() -> str:
    if sys.stdin is None or sys.stdin.closed:
        raise Unusable("--api-key-stdin found no standard input; pipe the key in")
    if sys.stdin.isatty():
        from getpass import getpass

        return _usable_key(getpass("API key: "), "standard input")
    return _decoded_key(sys.stdin.buffer.read(_KEY_LIMIT + 1), "standard input")


def _decoded_key(content: bytes, where: str) -> str:
    if len(content) > _KEY_LIMIT:
        raise Unusable(f"{where} holds more than {_KEY_LIMIT // 1024} KiB, which is not a key; put only the key in it")
    try:
        return _usable_key(content.decode("utf-8-sig"), where)
    except UnicodeDecodeError:
        raise Unusable(f"{where} holds binary data; put only the key in it, as text") from None


#: What is copied along with a key; `docker --env-file` and `set` of cmd.exe keep quotes, a file `.env` has names.
_MORE_THAN_KEY = (
    (re.compile(r"bearer[ :]", re.IGNORECASE), "it begins with `Bearer`, which is added in the header"),
    (re.compile(r"""\A(['"`]).*\1\Z"""), "it is in quotes"),
    (re.compile(r"(?:export )?[A-Z][A-Z0-9_]{0,60}="), "it begins with the name of a variable"),
    (re.compile(r"\$\{?[A-Za-z_]\w{0,60}\}?$|\{\{"), "it is the name of a variable that nothing has replaced"),
)


def _usable_key(text: str, where: str) -> str:
    key = text.strip("\r\n").strip(" \t")
    if not key:
        raise Unusable(f"{where} is empty; put the key in it")
    if "\n" in key or "\r" in key:
        raise Unusable(f"{where} holds more than one line; put only the key in it")
    for pattern, more in _MORE_THAN_KEY:
        if pattern.match(key):
            raise Unusable(f"{where} holds more than the key: {more}; put only the key in it")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Unusable(f"{where} holds a space, a control or a non-ASCII character, which no key has")
    return key


# Headers ---------------------------------------------------------------------------------------------


def _auth(given: Given, key: tuple[str, str] | None) -> Auth:
    """How the key is sent."""
    header = given.auth_header
    if header is not None and not HEADER_NAME.fullmatch(header):
        raise Unusable(f"--auth-header cannot be '{header[:40]}'; write a header name, as in --auth-header X-API-Key")
    if header is not None and header.lower() in _RESERVED | {"host", "user-agent"}:
        raise Unusable(f"--auth-header cannot be {header}, which carries no key; write one like X-API-Key")
    if given.auth == "none":
        if header is not None:
            raise Unusable("--auth none sends no key; leave out --auth-header, or use --auth api-key-header")
        return Auth("none")
    usual = "X-API-Key" if given.auth == "api-key-header" else "Authorization"
    return Auth(given.auth, header or usual, *(key or ()))


def _headers(lines: tuple[str, ...], auth: Auth) -> tuple[dict[str, str], list[tuple[str, str]], dict[str, str]]:
    """The extra headers with ``${VAR}`` replaced, the secrets in them, and their values as typed."""
    values: dict[str, str] = {}
    secrets: list[tuple[str, str]] = []
    typed: dict[str, str] = {}
    for line in lines:
        name, colon, written = line.partition(":")
        name = name.strip(" \t")
        if not colon or not name:
            raise Unusable("--header takes 'Name: value', as in --header 'X-Team: search'")
        if not HEADER_NAME.fullmatch(name):
            raise Unusable(f"--header cannot use the name '{name[:40]}'; letters, digits and - make a header name")
        _check_settable(name, auth, values)
        value, used = expand_variables(written.strip(" \t"), f"the header {name}")
        secrets += used.items()
        if value and not used and (CREDENTIAL_HEADER.search(name.lower()) or looks_like_key(value)):
            raise Unusable(
                f"a key is not taken from the command line; write --header '{name}: ${{MY_KEY}}' and export MY_KEY"
            )
        if not value.isascii() or not value.isprintable():
            raise Unusable(f"the value of the header {name} holds a control or a non-ASCII character; leave that out")
        if not used and value and _SECRET_HEADER.search(name.lower()):
            secrets.append(("HEADER_" + re.sub(r"\W", "_", name).upper(), value))
        if used:
            typed[value] = written.strip(" \t")
        # The HTTP client's default is replaced by name, so the name is spelled as the client spells it.
        values["User-Agent" if name.lower() == "user-agent" else name] = value
    return values, secrets, typed


def _check_settable(name: str, auth: Auth, known: Mapping[str, str]) -> None:
    lower = name.lower()
    if lower in _RESERVED:
        raise Unusable(f"--header cannot set {name}, which each request sets itself; leave it out")
    if lower == auth.header.lower() and auth.key:
        raise Unusable(f"the header {name} carries the key already; leave out --header '{name}: …' or the key")
    if any(lower == other.lower() for other in known):
        raise Unusable(f"the header {name} is given twice; write its values once, joined by a comma")
