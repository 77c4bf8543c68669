"""Where the key and the extra headers come from, and what may not be in them.

A key is never taken from the command line, since other users of a machine can read it
there.  Header rules: RFC 9110, sections 5.1 (names are tokens) and 5.5 (values).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from probe.cli.options import Given, Unusable
from probe.redaction.key_patterns import looks_like_key
from probe.run.options import Auth

KEY_LIMIT = 16 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: These carry a key by their purpose; a literal value would be a key on the command line.
_CREDENTIAL = re.compile(r"(?:^|-)(?:authorization|api-?key|auth-token|access-token|subscription-key)$|^cookie$")
_SECRET = re.compile(r"key|token|secret|passw|auth|cookie|credential")
#: What the client sets itself for every request; another value would break the message.
_OWN = frozenset(
    ("content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te", "trailer", "accept")
) | {"accept-encoding", "keep-alive", "proxy-connection", "expect"}


@dataclass(frozen=True)
class Headers:
    """Extra headers, and the secrets in them by the name that replaces them in reports."""

    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def key_from(given: Given) -> tuple[str, str] | None:
    """The key and its source (``env:NAME``, ``file`` or ``stdin``), or None where none was asked for.

    Raises:
        Unusable: more than one source, or one that holds no usable key.
    """
    sources = [
        option
        for option, value in (
            ("--api-key-env", given.api_key_env is not None),
            ("--api-key-file", given.api_key_file is not None),
            ("--api-key-stdin", given.api_key_stdin),
        )
        if value
    ]
    if len(sources) > 1:
        raise Unusable(f"the key can come from one place only; leave out {' or '.join(sources)}")
    if sources and given.auth == "none":
        raise Unusable(f"--auth none sends no key; leave out it or {sources[0]}")
    if given.api_key_env is not None:
        return key_in_variable(given.api_key_env), f"env:{given.api_key_env}"
    if given.api_key_file is not None:
        return _key_in_file(given.api_key_file), "file"
    if given.api_key_stdin:
        return _key_on_stdin(), "stdin"
    return None


def key_in_variable(name: str) -> str:
    """The key that an environment variable holds.

    Raises:
        Unusable: the name is none, or the variable is missing, empty or holds no key.
    """
    if not _NAME.fullmatch(name):
        raise Unusable("--api-key-env takes the name of an environment variable, as in --api-key-env MY_API_KEY")
    value = os.environ.get(name)
    if value is None:
        raise Unusable(f"the environment variable {name} is not set; export it with the key in it")
    return _usable_key(value, f"the environment variable {name}")


def _key_in_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(KEY_LIMIT + 1)
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
    return _decoded_key(sys.stdin.buffer.read(KEY_LIMIT + 1), "standard input")


def _decoded_key(content: bytes, where: str) -> str:
    if len(content) > KEY_LIMIT:
        raise Unusable(f"{where} holds more than {KEY_LIMIT // 1024} KiB, which is no key; put the key alone in it")
    try:
        return _usable_key(content.decode("utf-8-sig"), where)
    except UnicodeDecodeError:
        raise Unusable(f"{where} holds binary data; put the key alone in it, as text") from None


def _usable_key(text: str, where: str) -> str:
    key = text.strip("\r\n").strip(" \t")
    if not key:
        raise Unusable(f"{where} is empty; put the key in it")
    if "\n" in key or "\r" in key:
        raise Unusable(f"{where} holds more than one line; put the key alone in it")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Unusable(f"{where} holds a space, a control or a non-ASCII character, which no key has")
    return key


def auth_from(given: Given, key: tuple[str, str] | None) -> Auth:
    """How the key travels.

    Raises:
        Unusable: ``--auth-header`` is no header name or fits no key.
    """
    header = given.auth_header
    if header is not None and not _TOKEN.fullmatch(header):
        raise Unusable(f"--auth-header cannot be '{header[:40]}'; write a header name, as in --auth-header X-API-Key")
    if header is not None and header.lower() in _OWN | {"host", "user-agent"}:
        raise Unusable(f"--auth-header cannot be {header}, which carries no key; write one like X-API-Key")
    if given.auth == "none":
        if header is not None:
            raise Unusable("--auth none sends no key; leave out --auth-header, or use --auth api-key-header")
        return Auth("none")
    usual = "X-API-Key" if given.auth == "api-key-header" else "Authorization"
    if key is None:
        return Auth(given.auth, header or usual)
    return Auth(given.auth, header or usual, key[0], key[1])


def headers_from(lines: tuple[str, ...], auth: Auth) -> Headers:
    """The extra headers, ``${VAR}`` filled in from the environment.

    Raises:
        Unusable: a line is no header, a variable is missing, or a header is not for the user to set.
    """
    values: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for line in lines:
        name, colon, written = line.partition(":")
        name = name.strip(" \t")
        if not colon or not name:
            raise Unusable("--header takes 'Name: value', as in --header 'X-Team: search'")
        if not _TOKEN.fullmatch(name):
            raise Unusable(f"--header cannot use the name '{name[:40]}'; letters, digits and - make a header name")
        _refuse(name, auth, values)
        written = written.strip(" \t")
        used = _VARIABLE.findall(written)
        for variable in used:
            secrets[variable] = _variable(variable, name)
        value = _VARIABLE.sub(lambda match: secrets[match[1]], written)
        if value and not used and (_CREDENTIAL.search(name.lower()) or looks_like_key(value)):
            raise Unusable(
                f"a key is not taken from the command line; write --header '{name}: ${{MY_KEY}}' and export MY_KEY"
            )
        if not value.isascii() or not value.isprintable():
            raise Unusable(f"the value of the header {name} holds a control or a non-ASCII character; leave that out")
        if not used and value and _SECRET.search(name.lower()):
            secrets["HEADER_" + re.sub(r"\W", "_", name).upper()] = value
        # The client's own default is replaced by name, so the name is written as it writes it.
        values["User-Agent" if name.lower() == "user-agent" else name] = value
    return Headers(values, secrets)


def _refuse(name: str, auth: Auth, known: Mapping[str, str]) -> None:
    lower = name.lower()
    if lower in _OWN:
        raise Unusable(f"--header cannot set {name}, which each request sets itself; leave it out")
    if lower == auth.header.lower() and auth.key:
        raise Unusable(f"the header {name} carries the key already; leave out --header '{name}: …' or the key")
    if any(lower == other.lower() for other in known):
        raise Unusable(f"the header {name} is given twice; write its values once, joined by a comma")


def _variable(variable: str, header: str) -> str:
    if not _NAME.fullmatch(variable):
        raise Unusable(f"${{{variable[:40]}}} in the header {header} names no variable; write it like ${{MY_KEY}}")
    value = os.environ.get(variable)
    if not value:
        raise Unusable(f"the header {header} needs the environment variable {variable}, which is not set; export it")
    return value
