"""`provider remove`: forget a saved provider."""

from __future__ import annotations

import click

from probe.cli.providers.shared import using


@click.command("remove", context_settings={"max_content_width": 100})
@click.argument("name")
def command(name: str) -> int:
    """Forget a saved provider, and its key in the keyring."""
    from probe.provider import keys, store

    gone = using(lambda: store.Store().remove(name))
    if gone.key.kind == "keyring":
        keys.forget(name)
    click.echo(f"removed {name}")
    return 0
