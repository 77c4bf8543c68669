"""`provider verify`: use a saved provider through the openai SDK."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from probe.cli.options import Number, Unusable
from probe.cli.provider_options import known_of, plain_options, provider_of, tested, with_saved

if TYPE_CHECKING:
    from probe.provider.saved_provider import Provider
    from probe.provider.verify import Session, Step

NO_CHAT = 3


@click.command("verify", context_settings={"max_content_width": 100})
@click.argument("name")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.UNPROCESSED,
    callback=Number("seconds", 0.1, 86_400, example="60"),
    default=60,
    show_default=True,
    help="Limit of one request.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
def command(name: str, timeout: float, form: str) -> int:
    """Use a saved provider through the openai SDK: a chat, a streamed chat, a tool round trip, a picture.

    Only what its toggles allow is asked for. The exit status is 0 where everything held,
    1 where something failed that a toggle promises, 3 where there was no chat.
    """
    from probe.provider.verify import Held, SdkMissing, holds, verify

    provider = provider_of(name)
    session = _session(provider, float(timeout))
    try:
        steps = verify(session)
    except SdkMissing as error:
        raise Unusable(str(error)) from None
    _show(name, steps, form)
    if steps[0].held is Held.FAILED:
        return NO_CHAT
    return 0 if holds(steps) else 1


def _session(provider: Provider, timeout_s: float) -> Session:
    from urllib.parse import parse_qsl

    from probe.cli.settings import options_for
    from probe.parsing import urls
    from probe.provider.verify import Session
    from probe.wire.client import ssl_context

    found = tested(provider)
    options = options_for(provider.endpoint, with_saved(plain_options(), provider), known_of(provider))
    key = options.auth.key
    scheme, header = found.auth_scheme, found.auth_header or options.auth.header
    headers = dict(options.headers)
    if key and scheme == "api-key-header":
        headers[header] = key
    return Session(
        base_url=found.base_url or "",
        model=provider.model or found.model or "",
        key=key if key and scheme == "bearer" else None,
        headers=headers,
        query=dict(parse_qsl(urls.parse(provider.endpoint).query)),
        on={name: toggle.on for name, toggle in provider.toggles.items()},
        limit_param=_limit(found.facts.get("max_tokens_param")),
        timeout_s=timeout_s,
        proxy=provider.proxy,
        tls=ssl_context(options.transport) if options.endpoint.scheme == "https" else None,
    )


def _limit(fact: Any) -> str:
    told = fact if isinstance(fact, list) else [fact]
    return "max_completion_tokens" if told == ["max_completion_tokens"] else "max_tokens"


def _show(name: str, steps: list[Step], form: str) -> None:
    from probe.provider.verify import holds
    from reports.text import printable

    if form == "json":
        import json

        shown = {"provider": name, "holds": holds(steps), "steps": [asdict(step) for step in steps]}
        click.echo(json.dumps(shown, indent=2))
        return
    for step in steps:
        took = f" ({step.seconds:.1f} s)" if step.seconds else ""
        click.echo(printable(f"{step.name:<16} {step.held:<15} {step.note}{took}"))
    verdict = "its toggles hold" if holds(steps) else "its toggles do not hold; test it again"
    click.echo(f"{name}: {verdict}")
    sys.stdout.flush()
