"""`explain`: what a finding means, from the catalogue that the checks declare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from probe.cli import shell_completion
from probe.cli.options import Unusable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probe.model import Diagnosis

_WIDTH = 78


@click.command("explain", context_settings={"max_content_width": 100})
@click.argument("code", required=False, shell_complete=shell_completion.codes)
@click.option(
    "--server",
    metavar="S",
    shell_complete=shell_completion.servers,
    help="Show the remedy for this software only, as in --server vllm.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)
def command(code: str | None, server: str | None, form: str) -> int:
    """What a finding means, why it matters, how to fix it and how to see that it is fixed.

    Without CODE all codes are listed.
    """
    from probe.catalogue import registry

    catalogue = registry.catalogue()
    if code is None:
        _list(catalogue, form)
        return 0
    diagnosis = catalogue.get(code.strip().lower())
    if diagnosis is None:
        raise Unusable(f"there is no finding code '{code[:60]}'; {_nearest(code, catalogue)}")
    software = None if server is None else _software(server, catalogue)
    checks = [check.id for check in registry.checks() if diagnosis in check.emits]
    if form == "json":
        _as_json(diagnosis, software, checks)
    else:
        _as_text(diagnosis, software, checks)
    return 0


def _nearest(code: str, catalogue: Mapping[str, Diagnosis]) -> str:
    from difflib import get_close_matches

    wanted = code.strip().lower()
    near = get_close_matches(wanted, catalogue, 1, 0.6)
    if not near:
        fault = wanted.rpartition(".")[2]
        near = [known for known in catalogue if fault and fault in known.partition(".")[2]]
    if not near:
        near = get_close_matches(wanted, catalogue, 1, 0.5)
    return f"did you mean '{near[0]}'?" if near else "'endpoint-probe explain' lists them all"


def _software(server: str, catalogue: Mapping[str, Diagnosis]) -> str:
    """The software's id.

    Raises:
        Unusable: no remedy names it.
    """
    from difflib import get_close_matches

    from probe.catalogue import registry

    guides = registry.guides()
    known = sorted({*guides, *(name for diagnosis in catalogue.values() for name in diagnosis.remedies)})
    wanted = server.strip().lower()
    if wanted in known:
        return wanted
    # The id, or the name for readers: "llama.cpp", "Text Generation WebUI", "LiteLLM proxy".
    plain = {_squeezed(guide.title): name for name, guide in guides.items()} | {_squeezed(name): name for name in known}
    if _squeezed(wanted) in plain:
        return plain[_squeezed(wanted)]
    near = get_close_matches(wanted, known, 1, 0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(known)}"
    raise Unusable(f"no remedy is known for the server '{server[:40]}'; {hint}")


def _squeezed(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _list(catalogue: Mapping[str, Diagnosis], form: str) -> None:
    if form == "json":
        import json

        rows = [{"code": d.code, "severity": str(d.severity), "title": d.title} for d in catalogue.values()]
        click.echo(json.dumps(rows, indent=2))
        return
    wide = max(map(len, catalogue), default=0)
    for diagnosis in catalogue.values():
        click.echo(f"{diagnosis.code:<{wide}}  {diagnosis.severity:<7}  {diagnosis.title}")


def _remedy(diagnosis: Diagnosis, software: str | None) -> tuple[str, str]:
    """(what to change in this software, how to see that it worked); the general ones where nothing special is known."""
    from probe.catalogue import registry

    advice = registry.advice(diagnosis.code, software) if software else None
    if advice is None:
        return diagnosis.remedy, diagnosis.verify
    return advice.do, advice.check or diagnosis.verify


def _as_json(diagnosis: Diagnosis, software: str | None, checks: list[str]) -> None:
    import json

    remedy, verify = _remedy(diagnosis, software)
    shown = {
        "code": diagnosis.code,
        "severity": str(diagnosis.severity),
        "owner": str(diagnosis.owner),
        "title": diagnosis.title,
        "what": diagnosis.what,
        "why": diagnosis.why,
        "remedy": remedy,
        "remedies": dict(diagnosis.remedies),
        "verify": verify,
        "sources": list(diagnosis.sources),
        "checks": checks,
        "server": software,
    }
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


def _as_text(diagnosis: Diagnosis, software: str | None, checks: list[str]) -> None:
    from textwrap import fill

    def section(title: str, text: str) -> None:
        click.echo(f"\n{title}")
        click.echo(fill(text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False))

    def listed(text: str) -> None:
        click.echo(fill(text, _WIDTH, initial_indent="  - ", subsequent_indent="    ", break_long_words=False))

    click.echo(f"{diagnosis.code}: {diagnosis.title}")
    click.echo(f"severity {diagnosis.severity}; can be fixed by: {diagnosis.owner}")
    section("What it means", diagnosis.what)
    section("Why it matters", diagnosis.why)
    remedy, verify = _remedy(diagnosis, software)
    if software:
        from probe.catalogue import registry

        title = registry.title(software)
        section(f"How to fix it with {title}", remedy)
        if remedy == diagnosis.remedy:
            click.echo(f"  (This is the general remedy; none is known that is special to {title}.)")
    else:
        section("How to fix it", diagnosis.remedy)
        for name, remedy in sorted(diagnosis.remedies.items()):
            listed(f"{name}: {remedy}")
    section("How to see that it is fixed", verify)
    if diagnosis.sources:
        click.echo("\nSources")
        for source in diagnosis.sources:
            listed(source)
    click.echo(f"\nFound by: {', '.join(checks)}")
