"""`provider set`: a toggle by hand."""

from __future__ import annotations

import click

from probe.cli.options import Unusable
from probe.cli.provider_options import provider_of, toggle_line, using


@click.command("set", context_settings={"max_content_width": 100})
@click.argument("name")
@click.argument("capability")
@click.argument("value", metavar="on|off|auto")
def command(name: str, capability: str, value: str) -> int:
    """Set a toggle by hand: tests leave it alone, until it is set to auto."""
    from difflib import get_close_matches

    from probe.model import CAPABILITIES, State
    from probe.provider import store
    from probe.provider.saved_provider import Provider, Toggle

    if capability not in CAPABILITIES:
        near = get_close_matches(capability, CAPABILITIES, 1, 0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(CAPABILITIES)}"
        raise Unusable(f"there is no capability '{capability[:40]}'; {hint}")
    if value not in ("on", "off", "auto"):
        raise Unusable(f"a toggle is set to on, off or auto, and not to '{value[:20]}'")
    provider_of(name)

    def change(provider: Provider) -> Provider:
        verdict = provider.toggles.get(capability, Toggle()).verdict
        if value == "auto":
            known = verdict is not None and verdict != State.UNKNOWN
            return provider.with_toggle(capability, Toggle(verdict == State.WORKS if known else None, "probe", verdict))
        return provider.with_toggle(capability, Toggle(value == "on", "hand", verdict))

    made = using(lambda: store.Store().update(name, change))
    click.echo(toggle_line(capability, made.toggles[capability]).strip())
    return 0
