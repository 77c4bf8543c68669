"""`provider remove`: forget a saved provider."""

from __future__ import annotations

import click

from probe.cli.provider_options import using


@click.command("remove", context_settings={"max_content_width": 100})
@click.argument("name")
def command(name: str) -> int:
    """Forget a saved provider, and its key in the keyring."""
    from probe.provider import keyring_keys, store

    gone = using(lambda: store.Store().remove(name))
    if gone.key.kind == "keyring":
        keyring_keys.forget(name)
    click.echo(f"removed {name}")
    return 0
