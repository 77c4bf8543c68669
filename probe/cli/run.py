"""`run`: diagnose one endpoint."""

from __future__ import annotations

from typing import Any

import click

from probe.cli.options import Given, shared_options


@click.command("run", context_settings={"max_content_width": 100})
@click.argument("endpoint", required=False)
@shared_options
def command(endpoint: str | None, **given: Any) -> int:
    """Diagnose one endpoint and write the report.

    ENDPOINT is its URL in whatever form it is at hand: with or without a scheme, /v1, or
    /chat/completions.  Without it OPENAI_BASE_URL is used, and then OPENAI_API_KEY and
    OPENAI_MODEL with it.
    """
    from probe.cli.run_and_report import diagnose
    from probe.cli.settings import endpoint_and_known, options_for

    wanted = Given(**given)
    typed, known = endpoint_and_known(endpoint)
    return diagnose(options_for(typed, wanted, known), wanted)
