"""Endpoint URLs as people type them, and the base paths to try for one.

Pure functions over text; nothing here resolves a name or opens a connection.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, unquote_plus, urlsplit, urlunsplit

from probe.redaction.key_patterns import looks_like_key

#: Operations of the API, and of others that the same servers have (Ollama, TGI, SageMaker, RunPod), which are pasted
#: together with the base URL, the longest first.
OPERATIONS = tuple(
    (
        "/chat/completions /completions /responses /embeddings /models /chat /messages/count_tokens /messages "
        "/generate_stream /generate /invocations /runsync /run"
    ).split()
)
#: The page of one model, under a version; some ids have an owner before the name.
_ONE_MODEL = re.compile(r"/v\d\w*(/models/[^/]+(?:/[^/]+)?)$")
#: Base paths of known systems, each tried once from the root: Groq and many gateways, OpenRouter and
#: bedrock-access-gateway, Fireworks, DeepInfra, Gemini, Cloudflare's compat route, Databricks, Open WebUI, Z.ai,
#: Volcengine Ark, DashScope, Cohere.
KNOWN_BASES = tuple(
    (
        "/v1 /openai/v1 /api/v1 /inference/v1 /v1/openai /v1beta/openai /api/openai/v1 /openai /api /compat "
        "/serving-endpoints /llm/v1 /api/paas/v4 /api/coding/paas/v4 /api/v3 /compatible-mode/v1 /compatibility/v1"
    ).split()
)
_LIKE = "write it like https://host.example/v1"

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_TWICE = re.compile(r"https?:/{0,2}https?(?::|/)", re.IGNORECASE)
#: Segments of a path that a key follows.
_KEY_SEGMENT = re.compile(r"(?:api[-_]?)?keys?|(?:access[-_]?)?tokens?|secrets?", re.IGNORECASE)
#: Names of query parameters and path segments whose value is a credential.
_CREDENTIAL = re.compile(
    r"key|token|secret|sig|pass|pwd|auth|credential|jwt|session|bearer|cookie|^code$|^sid$|^pw$|^login$", re.IGNORECASE
)
#: Query parameters whose values are known not to be secret: versions, routes, switches of gateways and clouds.
_HARMLESS_PARAM = re.compile(
    r"api[-_]?version|version|ver|v|model|models|deployment|deployment[-_]?(?:id|name)|region|location|zone|provider|"
    r"engine|route|format|alt|stream|beta|debug|verbose|lang|locale|timeout|limit|page|cache",
    re.IGNORECASE,
)


class BadEndpoint(ValueError):
    """The text cannot be an endpoint; the message is one line and says what to write."""


@dataclass(frozen=True)
class Endpoint:
    """The parts of an endpoint as typed.

    ``typed`` is the text with a scheme and without surrounding space; ``query`` is kept because
    gateways such as Azure need it on every request.
    """

    typed: str
    scheme: str
    host: str
    port: int | None
    path: str
    query: str
    scheme_given: bool

    @property
    def origin(self) -> str:
        return origin_of(self.scheme, self.host, self.port)

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def base(self) -> str:
        """Scheme, host and path as typed, query left out."""
        return self.origin + self.path

    def at(self, path: str, operation: str = "") -> str:
        """The URL of an operation under a base path of this origin, query kept."""
        return self.origin + path + operation + (f"?{self.query}" if self.query else "")


def origin_of(scheme: str, host: str, port: int | None) -> str:
    """``scheme://host[:port]`` with brackets around an IPv6 address."""
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" + (f":{port}" if port is not None else "")


def same_origin(left: str, right: str) -> bool:
    """Whether two URLs share scheme, host and port (RFC 6454), default ports filled in."""

    def key(url: str) -> tuple[str, str, int | None]:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        return scheme, (parts.hostname or ""), parts.port or {"http": 80, "https": 443}.get(scheme)

    try:
        return key(left) == key(right)
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: localhost, 127.0.0.0/8, ::1, or the unspecified address, which is dialled so."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _is_private(host: str) -> bool:
    """Whether an address or name is usually served without TLS."""
    if is_loopback(host):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".home.arpa"))


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise BadEndpoint(f"cannot read the endpoint URL ({error}); {_LIKE}") from None
    return parts


def parse(text: str) -> Endpoint:
    """The parts of a typed endpoint.

    A missing scheme becomes ``http`` for this machine and private names, and ``https`` otherwise; a
    fragment is dropped.

    Raises:
        BadEndpoint: it is empty, has no host, another scheme, a user name or password,
            or characters that no URL may contain.
    """
    typed = text.strip()
    if not typed:
        raise BadEndpoint(f"the endpoint is empty; {_LIKE}")
    _check_letters(typed)
    if re.search(r"[\x00-\x20\x7f\\<>\"{}|^`]", typed):
        raise BadEndpoint(f"the endpoint has a space or a character that no URL may contain; {_LIKE}")
    if looks_like_key(typed) and not re.search(r"[./:]", typed):  # it must not be looked up as a host name
        raise BadEndpoint("the endpoint looks like a key; write its URL, and name the key with --api-key-env")
    if _TWICE.match(typed):
        raise BadEndpoint(f"the endpoint has its scheme twice; {_LIKE}")
    if re.match(r"https?[;,.]?//", typed, re.IGNORECASE):
        raise BadEndpoint(f"the endpoint has no colon after its scheme; {_LIKE}")
    given = bool(_SCHEME.match(typed))
    if not given and re.match(r"^[A-Za-z][A-Za-z0-9+.-]*:/?[^0-9/]", typed):
        raise BadEndpoint(f"'{typed[:40]}' is not an http or https URL; {_LIKE}")
    parts = _split(typed if given else "//" + typed.lstrip("/"))
    scheme = parts.scheme.lower()
    host = (parts.hostname or "").replace("%25", "%")  # the zone of an address is written so in a URL (RFC 6874)
    if given and scheme not in ("http", "https"):
        raise BadEndpoint(f"the scheme '{scheme[:20]}' is not supported; use http:// or https://")
    if not host:
        raise BadEndpoint(f"the endpoint names no host; {_LIKE}")
    if parts.username is not None or parts.password is not None:
        raise BadEndpoint("the endpoint contains a user name or password; remove it and use --api-key-env")
    host = _host(host)
    if "[" in parts.netloc and ":" not in host:
        raise BadEndpoint(f"'{host[:60]}' is not an IPv6 address; {_LIKE}")
    if parts.port is not None and not 0 < parts.port < 65536:
        raise BadEndpoint(f"port {parts.port} is out of range; use 1 to 65535")
    if not given:
        scheme = "http" if _is_private(host) else "https"
    path = parts.path if parts.path.isascii() else quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    full = urlunsplit((scheme, parts.netloc, parts.path, parts.query, ""))
    return Endpoint(full, scheme, host, parts.port, path, parts.query, given)


def _check_letters(typed: str) -> None:
    """Name a letter that came along when the URL was copied.

    Raises:
        BadEndpoint: it is a quotation mark, or cannot be seen.
    """
    if "'" in (typed[0], typed[-1]):
        raise BadEndpoint("the endpoint has a quotation mark (') around it; leave that out")
    for letter in typed:
        kind = unicodedata.category(letter)
        if kind in ("Pi", "Pf") or letter in '"`\u201a\u201e':
            raise BadEndpoint(f"the endpoint has a quotation mark ({letter}) in it; leave that out")
        if kind in ("Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp") and letter != " ":
            raise BadEndpoint(
                f"the endpoint has an invisible character (U+{ord(letter):04X}) in it; type the URL again"
            )


def _host(host: str) -> str:
    """The host as it is dialled: names by IDNA 2008, as httpx has them.

    Raises:
        BadEndpoint: it is not a host name or address, or another host than the one typed would be dialled.
    """
    wrong = f"'{host[:60]}' is not a host name; {_LIKE}"
    name = host.rstrip(".")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise BadEndpoint(f"'{host[:60]}' is not an IPv6 address; {_LIKE}") from None
    if not host.isascii():
        import idna

        try:
            dialled = idna.encode(host.lower()).decode("ascii")
            same = idna.decode(dialled) == host.lower()
        except (idna.IDNAError, UnicodeError):
            raise BadEndpoint(wrong) from None
        if not same:
            raise BadEndpoint(f"'{host[:60]}' would be looked up as '{dialled[:60]}'; write the host in plain letters")
        return dialled
    if re.fullmatch(r"(?:[0-9]+|0[xX][0-9A-Fa-f]*)", name.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise BadEndpoint(f"'{host[:60]}' is not an IPv4 address: four numbers from 0 to 255; {_LIKE}") from None
    if len(host) > 253 or re.search(r"[^A-Za-z0-9._-]", host) or ".." in host or not name:
        raise BadEndpoint(wrong)
    return host


def _params(query: str) -> list[tuple[str, str]]:
    """Names and values as written; a value without a name has the name ``""``."""
    parts = [part.partition("=") for part in re.split(r"[&;]", query) if part]
    return [(name, value) if equals and value else ("", name) for name, equals, value in parts]


def credentials_in(query: str) -> list[tuple[str, str]]:
    """Query parameters (name, value as written) that are credentials, judged by their names and values."""
    return [
        (name, value)
        for name, value in _params(query)
        if (_CREDENTIAL.search(name) and not _HARMLESS_PARAM.fullmatch(name))
        or looks_like_key(unquote_plus(value))
        or _is_random(value)
    ]


def keys_in(path: str) -> list[str]:
    """Segments of a path that are like a key or follow a word for one."""
    segments = path.split("/")
    return [
        item
        for before, item in zip(["", *segments], segments, strict=False)
        if looks_like_key(unquote(item)) or _is_random(item) or (len(item) > 7 and _KEY_SEGMENT.fullmatch(before))
    ]


def _is_random(text: str) -> bool:
    """Whether a text is long, of digits and letters of both cases, and without a longer row of small ones: no word,
    number or UUID."""
    kinds = (str.islower, str.isupper, str.isdigit)
    plain = len(text) >= 20 and text.isascii() and text.isalnum()
    return plain and all(any(map(kind, text)) for kind in kinds) and not re.search(r"[a-z]{6}", text)


def secrets_in(endpoint: Endpoint) -> list[tuple[str, str]]:
    """What must not be shown of a typed URL, by names ``URL_SECRET`` and following: keys in its path, and every value
    of its query but of parameters that are known to be harmless."""
    found = keys_in(endpoint.path)
    found += [
        value
        for name, value in _params(endpoint.query)
        if not _HARMLESS_PARAM.fullmatch(name or value) or looks_like_key(value) or _is_random(value)
    ]
    pairs = []
    for number, value in enumerate(dict.fromkeys(found)):
        name = f"URL_SECRET_{number}" if number else "URL_SECRET"
        pairs += [(name, form) for form in dict.fromkeys((value, unquote_plus(value), unquote(value, "latin-1")))]
    return pairs


def login(proxy: str) -> list[tuple[str, str]]:
    """User name and password in a proxy's URL, as written and decoded; a token may be given as the user."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError:
        return []
    pairs = (("PROXY_PASSWORD", parts.password or ""), ("PROXY_USER", parts.username or ""))
    return [(name, form) for name, value in pairs for form in dict.fromkeys((value, unquote(value))) if form]


def _squeezed(path: str) -> str:
    """The path without doubled slashes and trailing slash."""
    return re.sub(r"/{2,}", "/", path).rstrip("/")


def clean_path(path: str) -> str:
    """A base path without doubled slashes, trailing slash and pasted operation."""
    path = _squeezed(path)
    operation = operation_in(path)
    return path[: -len(operation)].rstrip("/") if operation else path


def is_plain(path: str) -> bool:
    """Whether a path that an endpoint names may become a base URL: clients and shells expand other characters."""
    return re.fullmatch(r"[A-Za-z0-9._~/-]*", path) is not None


def operation_in(path: str) -> str | None:
    """The operation that a typed path ends with, or None."""
    path = _squeezed(path).lower()
    ending = next((operation for operation in OPERATIONS if path.endswith(operation)), None)
    one = None if ending or _VERSION.search(path) else _ONE_MODEL.search(path)
    return one[1] if one else ending


def has_duplicate(path: str) -> bool:
    """Whether path segments are repeated (``/v1/v1``, ``/v4/v1``, ``/openai/v1/openai/v1``)."""
    return undouble(path) != _squeezed(path)


def undouble(path: str) -> str:
    """The path with repeated runs of one or two segments kept once, and the first of two versions in a row."""
    segments = [segment for segment in path.split("/") if segment]
    segments = [
        segment
        for place, segment in enumerate(segments)
        if not (place and all(_VERSION.fullmatch(f"/{one}") for one in segments[place - 1 : place + 1]))
    ]
    changed = True
    while changed:
        changed = False
        for length in (2, 1):
            for start in range(len(segments) - 2 * length + 1):
                if segments[start : start + length] == segments[start + length : start + 2 * length]:
                    del segments[start : start + length]
                    changed = True
                    break
    return "".join("/" + segment for segment in segments)


_VERSION = re.compile(r"/v\d+(beta\d*)?$")


def is_versionless(path: str) -> bool:
    """Whether a base path has no version such as ``/v1`` at its end, pasted extras removed."""
    return not _VERSION.search(undouble(clean_path(path)))


def candidates(endpoint: Endpoint) -> Iterator[str]:
    """Base paths to try, each once: as typed, without pasted extras, with ``/v1``, those of known systems.

    Under a typed path those come first that begin with it (``/api/paas`` for ``/api/paas/v4``).
    """
    clean = clean_path(endpoint.path)
    single = undouble(clean)
    trail = [endpoint.path, clean, single]
    bare = _VERSION.sub("", single)
    if bare == single:
        trail.append(single + "/v1")
    if single:
        below = (known for known in KNOWN_BASES if known.startswith(single + "/"))
        trail += ["/v1", *([bare] if bare != single else []), *below, bare + "/openai/v1"]
    trail += [*KNOWN_BASES, *(bare + known for known in KNOWN_BASES if bare), bare, ""]
    yield from dict.fromkeys(trail)
