"""What the commands on saved providers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from probe.cli.options import Given, Unusable
from probe.cli.settings import Known
from probe.provider import store
from probe.provider.saved_provider import Found, Provider, Toggle

Made = TypeVar("Made")

#: Parameters of the shared options that a saved provider has itself.
SAVED = frozenset(
    "model api_key_env api_key_file api_key_stdin auth auth_header header ca_bundle insecure proxy".split()
)


def using(act: Callable[[], Made]) -> Made:
    """Do something with the store; its errors become one line.

    Raises:
        Unusable: the file cannot be used, or there is no such provider.
    """
    try:
        return act()
    except store.StoreError as error:
        raise Unusable(str(error)) from None


def provider_of(name: str) -> Provider:
    """A saved provider.

    Raises:
        Unusable: there is none, or the file cannot be used.
    """
    return using(lambda: store.Store().get(name))


def plain_options(**known: Any) -> Given:
    """The shared options for a command that has only some of them; the rest is as `run` without options."""
    values: dict[str, Any] = {item.name: None for item in fields(Given)}
    values |= {"auth": "bearer", "depth": "quick", "keepalive": 0, "timeout": 60.0, "concurrency": 1, "out": ""}
    values |= dict.fromkeys(("header", "only", "skip", "formats"), ())
    values |= dict.fromkeys(("api_key_stdin", "insecure", "as_json", "dry_run", "quiet", "verbose"), False)
    return Given(**{**values, "fail_on": "error", **known})


def with_saved(given: Given, provider: Provider) -> Given:
    """The shared options with what is saved filled in."""
    kind, locator = provider.key.kind, provider.key.locator
    return replace(
        given,
        model=provider.model,
        api_key_env=locator if kind == "env" else None,
        api_key_file=locator if kind == "file" else None,
        api_key_stdin=False,
        auth=provider.auth_scheme,
        auth_header=provider.auth_header,
        header=provider.headers,
        ca_bundle=provider.ca_bundle,
        insecure=provider.insecure,
        proxy=provider.proxy,
    )


def known_of(provider: Provider) -> Known:
    """The key, where it lies in the keyring.

    Raises:
        Unusable: it is not there.
    """
    if provider.key.kind != "keyring":
        return Known()
    from probe.provider import keyring_keys

    try:
        return Known(keyring_keys.load(provider.name), "keyring")
    except keyring_keys.KeyProblem as error:
        raise Unusable(str(error)) from None


def tested(provider: Provider) -> Found:
    """What the last test found.

    Raises:
        Unusable: there was none, or it found no chat.
    """
    if provider.found is None:
        raise Unusable(f"{provider.name} was not tested yet; write: endpoint-probe provider test {provider.name}")
    if not provider.found.base_url or not (provider.model or provider.found.model):
        raise Unusable(
            f"the last test of {provider.name} had no chat completion; "
            f"write: endpoint-probe provider test {provider.name}"
        )
    return provider.found


def word(on: bool | None) -> str:
    """A toggle for people."""
    return {True: "on", False: "off", None: "client's default"}[on]


def toggle_line(name: str, toggle: Toggle) -> str:
    """A toggle with where it comes from."""
    said = f"  {name:<22} {word(toggle.on):<17}"
    if toggle.by == "hand":
        said += f" set by hand; the last test said {toggle.verdict}" if toggle.verdict else " set by hand"
    elif toggle.verdict:
        said += f" {toggle.verdict}"
    return said.rstrip()
