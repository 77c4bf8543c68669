"""`checks`: what can be proved, and what each check may spend."""

from __future__ import annotations

import click


@click.command("checks", context_settings={"max_content_width": 100})
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)
def command(form: str) -> int:
    """List the checks: id, what each proves, and the most requests it can send."""
    from probe.catalogue import registry
    from reports.text import printable

    found = registry.checks()
    for problem in registry.problems():
        click.echo(f"endpoint-probe: {printable(problem)}", err=True)
    if form == "json":
        import json

        rows = [
            {
                "id": check.id,
                "version": check.version,
                "family": check.family,
                "title": check.title,
                "proves": check.proves,
                "depth": str(check.depth),
                "requires": sorted(check.requires),
                "provides": sorted(check.provides),
                "codes": [diagnosis.code for diagnosis in check.emits],
                "max_requests": check.max_requests,
                "max_tokens": check.max_tokens,
                "waiting_s": check.max_seconds,
                "exclusive": check.exclusive,
            }
            for check in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return 0
    from textwrap import fill

    for check in found:
        spends = f"at most {check.max_requests} request{'' if check.max_requests == 1 else 's'}"
        depth = "" if check.depth == "quick" else f", from --depth {check.depth} on"
        click.echo(f"{check.id}  ({spends}{depth})")
        click.echo(fill(check.proves, 78, initial_indent="    ", subsequent_indent="    "))
    click.echo(f"\n{len(found)} checks; 'endpoint-probe explain CODE' tells what a finding means.")
    return 0
