"""`provider show`: one saved provider."""

from __future__ import annotations

import json

import click

from probe.cli.provider_options import provider_of, toggle_line


@click.command("show", context_settings={"max_content_width": 100})
@click.argument("name")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
def command(name: str, form: str) -> int:
    """Show a saved provider and its toggles; never its key."""
    from probe.provider.saved_provider import to_data
    from reports.text import printable

    provider = provider_of(name)
    if form == "json":
        click.echo(json.dumps(to_data(provider), indent=2))
        return 0
    found = provider.found
    rows = [
        ("endpoint", provider.endpoint),
        ("base URL", (found.base_url or "none works") if found else "not tested"),
        ("model", provider.model or (found.model if found else None) or "the first listed"),
        ("key", f"{provider.key}, sent as {found.auth_scheme if found else provider.auth_scheme}"),
        ("tested", found.at if found else f"not yet: endpoint-probe provider test {name}"),
    ]
    click.echo(name)
    for label, value in rows:
        click.echo(printable(f"  {label:<10} {value}"))
    if provider.toggles:
        click.echo("toggles")
    for capability, toggle in provider.toggles.items():
        click.echo(printable(toggle_line(capability, toggle)))
    return 0
