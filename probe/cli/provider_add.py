"""`provider add`: save an endpoint under a name."""

from __future__ import annotations

import os
from dataclasses import replace as replace_in
from pathlib import Path
from typing import Any

import click

from probe.cli.options import Given, Unusable, shared_options
from probe.cli.provider_options import SAVED, plain_options, using


@click.command("add", context_settings={"max_content_width": 100})
@click.argument("name")
@click.argument("endpoint")
@click.option("--replace", is_flag=True, help="Write a provider of this name anew; its toggles are forgotten.")
@shared_options
def command(name: str, endpoint: str, replace: bool, **given: Any) -> int:
    """Save an endpoint under a name; nothing is sent.

    A key given with --api-key-stdin goes into the operating system's keyring; of one
    given with --api-key-env or --api-key-file only the variable or the path is kept.
    """
    from probe.provider import store
    from probe.provider.saved_provider import NAME, Provider

    if not NAME.fullmatch(name):
        raise Unusable(f"'{name[:40]}' is no usable name; write small letters, digits and -, as in corp-vllm")
    wanted = plain_options(**given)
    typed = _endpoint(endpoint)
    reference, key = _key(name, wanted)
    _check(typed, wanted, has_key=reference.kind != "none")
    provider = Provider(
        name=name,
        endpoint=typed,
        model=wanted.model,
        key=reference,
        auth_scheme=wanted.auth,
        auth_header=wanted.auth_header,
        headers=wanted.header,
        ca_bundle=str(Path(wanted.ca_bundle).absolute()) if wanted.ca_bundle else None,
        insecure=wanted.insecure,
        proxy=wanted.proxy,
    )
    kept = store.Store()
    if not replace and any(item.name == name for item in using(kept.all)):
        raise Unusable(f"there is a provider {name} already; add --replace to write it anew")
    if key is not None:
        _into_keyring(name, key)
    using(lambda: kept.add(provider, replace=replace))
    click.echo(f"saved {name} in {kept.path} (key: {reference}); next: endpoint-probe provider test {name}")
    return 0


def _endpoint(text: str) -> str:
    from probe.parsing import urls
    from reports.clients.settings import looks_like_key

    try:
        parsed = urls.parse(text)
    except urls.BadEndpoint as error:
        raise Unusable(str(error)) from None
    if urls.secret_params(parsed.query) or looks_like_key(text):
        raise Unusable("the endpoint holds a key, which is not saved; give it with --api-key-stdin, in a header")
    return parsed.typed


def _key(name: str, given: Given) -> tuple[Any, str | None]:
    """Where the key is, and the key itself where it has to go into the keyring."""
    from probe.cli.credentials import key_from
    from probe.provider.saved_provider import KeyReference
    from reports.clients.settings import looks_like_key

    variable = given.api_key_env
    if variable is not None and looks_like_key(variable):
        raise Unusable("--api-key-env takes the name of an environment variable, as in --api-key-env MY_API_KEY")
    if variable is not None and variable.isidentifier() and variable not in os.environ and _only(given):
        return KeyReference("env", variable), None  # it can be exported later
    found = key_from(given)
    if found is None:
        return KeyReference(), None
    if variable is not None:
        return KeyReference("env", variable), None
    if given.api_key_file is not None:
        return KeyReference("file", str(Path(given.api_key_file).absolute())), None
    return KeyReference("keyring"), found[0]


def _into_keyring(name: str, key: str) -> None:
    from probe.provider import keyring_keys

    try:
        keyring_keys.save(name, key)
    except keyring_keys.KeyProblem as error:
        raise Unusable(str(error)) from None


def _only(given: Given) -> bool:
    return given.api_key_file is None and not given.api_key_stdin and given.auth != "none" and given.api_key_env != ""


def _check(endpoint: str, given: Given, *, has_key: bool) -> None:
    """Everything that could not be used later is said now."""
    from probe.cli.settings import Known, options_for

    without = replace_in(given, api_key_env=None, api_key_file=None, api_key_stdin=False)
    options = options_for(endpoint, without, Known("unused-key", "saved") if has_key else Known())
    if any(item.startswith("HEADER_") for item in options.secrets):
        raise Unusable("a header that carries a secret is saved with a variable, as in --header 'X-Token: ${MY_TOKEN}'")
    if "PROXY_PASSWORD" in options.secrets:
        raise Unusable("the proxy's URL holds a password, which is not saved; set HTTPS_PROXY in the environment")


command.params = [
    item for item in command.params if item.name in SAVED | {"name", "endpoint", "replace"} or item.name == "help"
]
