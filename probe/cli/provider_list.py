"""`provider list`: the saved providers."""

from __future__ import annotations

import json

import click

from probe.cli.provider_options import using


@click.command("list", context_settings={"max_content_width": 100})
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
def command(form: str) -> int:
    """List the saved providers."""
    from probe.provider import store
    from probe.provider.saved_provider import to_data
    from reports.text import printable

    found = using(store.Store().all)
    if form == "json":
        click.echo(json.dumps([to_data(item) for item in found], indent=2))
        return 0
    if not found:
        click.echo("no provider is saved; 'endpoint-probe provider add NAME ENDPOINT' saves one")
    for item in found:
        when = f"tested {item.found.at[:10]}" if item.found else "not tested"
        url = (item.found.base_url if item.found else None) or item.endpoint
        model = item.model or (item.found.model if item.found else None) or "first listed model"
        click.echo(printable(f"{item.name:<20} {url}  {model}  key: {item.key}  {when}"))
    return 0
