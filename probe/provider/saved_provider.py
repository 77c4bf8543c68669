"""A saved provider: its data, its form in the file, and the toggles that a test gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from probe.model import CAPABILITIES, Report, State, tried

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
KEY_KINDS = ("none", "env", "file", "keyring")
SCHEMES = ("bearer", "api-key-header", "none")


class BadEntry(ValueError):
    """An entry of the file that cannot be read; the message says what is wrong with it."""


@dataclass(frozen=True)
class KeyReference:
    """Where the key is: an environment variable, a file, the keyring, or nowhere.

    ``locator`` is the variable's name or the file's path; in the keyring the key is under
    the provider's name.
    """

    kind: str = "none"
    locator: str = ""

    def __str__(self) -> str:
        return {"none": "no key", "keyring": "the keyring"}.get(self.kind, f"{self.kind} {self.locator}")


@dataclass(frozen=True)
class Toggle:
    """A capability's switch: on, off, or None for the client's default.

    ``by`` is probe or hand; ``verdict`` is that of the last test.
    """

    on: bool | None = None
    by: str = "probe"
    verdict: str | None = None


@dataclass(frozen=True)
class Found:
    """The result of the last test: the URL and model to use, how the key is sent, and some facts."""

    at: str
    base_url: str | None = None
    model: str | None = None
    auth_scheme: str = "bearer"
    auth_header: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Provider:
    """An endpoint under a name; ``headers`` are lines as typed, with ``${VAR}`` in place of secrets."""

    name: str
    endpoint: str
    model: str | None = None
    key: KeyReference = KeyReference()
    auth_scheme: str = "bearer"
    auth_header: str | None = None
    headers: tuple[str, ...] = ()
    ca_bundle: str | None = None
    insecure: bool = False
    proxy: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    toggles: Mapping[str, Toggle] = field(default_factory=dict)
    found: Found | None = None

    def by_hand(self) -> dict[str, bool]:
        """The toggles that a person has set."""
        return {
            name: toggle.on for name, toggle in self.toggles.items() if toggle.by == "hand" and toggle.on is not None
        }

    def with_toggle(self, capability: str, toggle: Toggle) -> Provider:
        """The same provider with one toggle changed."""
        return replace(self, toggles={**self.toggles, capability: toggle})


def to_data(provider: Provider) -> dict[str, Any]:
    """The provider as the file holds it."""
    data: dict[str, Any] = {
        "name": provider.name,
        "endpoint": provider.endpoint,
        "model": provider.model,
        "key": {"kind": provider.key.kind, "locator": provider.key.locator},
        "auth": {"scheme": provider.auth_scheme, "header": provider.auth_header},
        "headers": list(provider.headers),
        "transport": {
            "ca_bundle": provider.ca_bundle,
            "insecure": provider.insecure,
            "proxy": provider.proxy,
            "client_cert": provider.client_cert,
            "client_key": provider.client_key,
        },
        "toggles": {
            name: {"on": item.on, "by": item.by, "verdict": item.verdict} for name, item in provider.toggles.items()
        },
        "found": None,
    }
    if provider.found is not None:
        found = provider.found
        data["found"] = {
            "at": found.at,
            "base_url": found.base_url,
            "model": found.model,
            "auth": {"scheme": found.auth_scheme, "header": found.auth_header},
            "facts": dict(found.facts),
        }
    return data


def from_data(data: Any) -> Provider:
    """A provider read from the file; unknown fields are ignored.

    Raises:
        BadEntry: a field is missing or of another type.
    """
    if not isinstance(data, Mapping):
        raise BadEntry("it is not an object")
    name = _text(data, "name")
    if not NAME.fullmatch(name):
        raise BadEntry("its name cannot be used")
    try:
        return _provider(data, name)
    except BadEntry as error:
        raise BadEntry(f"{name}: {error}") from None


def _provider(data: Mapping[str, Any], name: str) -> Provider:
    key, auth, transport = (_part(data, part) for part in ("key", "auth", "transport"))
    headers = data.get("headers", [])
    if not isinstance(headers, list) or not all(isinstance(line, str) for line in headers):
        raise BadEntry("headers is not a list of lines")
    return Provider(
        name=name,
        endpoint=_text(data, "endpoint"),
        model=_text_or_none(data, "model"),
        key=KeyReference(_one_of(key, "kind", KEY_KINDS, "none"), _text_or_none(key, "locator") or ""),
        auth_scheme=_one_of(auth, "scheme", SCHEMES, "bearer"),
        auth_header=_text_or_none(auth, "header"),
        headers=tuple(headers),
        ca_bundle=_text_or_none(transport, "ca_bundle"),
        insecure=transport.get("insecure") is True,
        proxy=_text_or_none(transport, "proxy"),
        client_cert=_text_or_none(transport, "client_cert"),
        client_key=_text_or_none(transport, "client_key"),
        toggles={item: _toggle(item, value) for item, value in _part(data, "toggles").items() if item in CAPABILITIES},
        found=_found(data.get("found")),
    )


def _toggle(name: str, data: Any) -> Toggle:
    if not isinstance(data, Mapping) or not (data.get("on") is None or isinstance(data["on"], bool)):
        raise BadEntry(f"the toggle {name} is neither true, false nor null")
    return Toggle(data.get("on"), _one_of(data, "by", ("probe", "hand"), "probe"), _text_or_none(data, "verdict"))


def _found(data: Any) -> Found | None:
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise BadEntry("found is not an object")
    auth = _part(data, "auth")
    return Found(
        _text(data, "at"),
        _text_or_none(data, "base_url"),
        _text_or_none(data, "model"),
        _one_of(auth, "scheme", SCHEMES, "bearer"),
        _text_or_none(auth, "header"),
        dict(_part(data, "facts")),
    )


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadEntry(f"{name} is not an object")
    return value


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise BadEntry(f"{name} is missing")
    return value


def _text_or_none(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise BadEntry(f"{name} is not a text")
    return value


def _one_of(data: Mapping[str, Any], name: str, known: tuple[str, ...], default: str) -> str:
    value = data.get(name)
    if value is None:
        return default
    if value not in known:
        raise BadEntry(f"{name} is not one of {', '.join(known)}")
    return str(value)


# From a test's verdicts to toggles -----------------------------------------------------------------------

#: Facts that a client needs to be set up.
_FACTS = (
    "block_content_roles",
    "context_length",
    "max_tokens_param",
    "models",
    "reasoning_field",
    "rejected_params",
    "roles",
)


@dataclass(frozen=True)
class ToggleChange:
    """How a test changed one toggle; ``kept`` where it was set by hand and differs from the verdict."""

    capability: str
    before: bool | None
    after: bool | None
    verdict: str
    kept: bool = False


def with_verdicts(provider: Provider, report: Report) -> tuple[Provider, list[ToggleChange]]:
    """The provider with the toggles that a report gives, and what changed.

    A capability that the run did not try keeps its toggle.  A toggle set by hand keeps its
    value; the verdict is saved with it.
    """
    toggles: dict[str, Toggle] = dict(provider.toggles)
    changes = []
    for name in CAPABILITIES:
        verdict = report.capabilities.get(name)
        if verdict is None or not tried(verdict):
            continue
        old = toggles.get(name, Toggle())
        on = None if verdict.verdict is State.UNKNOWN else verdict.verdict is State.WORKS
        by_hand = old.by == "hand"
        new = Toggle(old.on if by_hand else on, old.by, str(verdict.verdict))
        toggles[name] = new
        kept = by_hand and on is not None and old.on != on
        changes.append(ToggleChange(name, old.on, new.on, str(verdict.verdict), kept))
    auth = report.target.auth
    found = Found(
        at=report.run.finished_at,
        base_url=report.target.base_url,
        model=report.target.model,
        auth_scheme=auth.scheme if auth.scheme in ("bearer", "api-key-header") else "none",
        auth_header=auth.header,
        facts={name: report.facts[name] for name in _FACTS if report.facts.get(name) is not None},
    )
    ordered = {name: toggles[name] for name in CAPABILITIES if name in toggles}
    return replace(provider, toggles=ordered, found=found), changes
