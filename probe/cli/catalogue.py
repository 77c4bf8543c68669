"""`checks` and `explain`: the checks, and the diagnoses that they declare."""

from __future__ import annotations

import json
from textwrap import fill
from typing import TYPE_CHECKING

import click

from probe.cli import shell_completion
from probe.cli.options import Unusable, text_or_json
from probe.wording import amount, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probe.model import Diagnosis

_WIDTH = 78


@click.command("checks")
@text_or_json
def checks_command(form: str) -> int:
    """List the checks: id, what each proves, and the most requests it can send."""
    from probe.catalogue import registry
    from reports.text import printable

    found = registry.checks()
    for problem in registry.problems():
        click.echo(f"endpoint-probe: {printable(problem)}", err=True)
    if form == "json":
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
    for check in found:
        depth = "" if check.depth == "quick" else f", from --depth {check.depth} on"
        click.echo(f"{check.id}  (at most {amount(check.max_requests, 'request')}{depth})")
        click.echo(fill(check.proves, _WIDTH, initial_indent="    ", subsequent_indent="    "))
    click.echo(f"\n{len(found)} checks; 'endpoint-probe explain CODE' explains a finding.")
    return 0


@click.command("explain")
@click.argument("code", required=False, shell_complete=shell_completion.codes)
@click.option(
    "--server",
    metavar="S",
    shell_complete=shell_completion.servers,
    help="Show the remedy for this software only, as in --server vllm.",
)
@text_or_json
def explain_command(code: str | None, server: str | None, form: str) -> int:
    """Explain a finding: what it means, why it matters, how to fix it and how to verify the fix.

    Without CODE all codes are listed.
    """
    from probe.catalogue import registry

    catalogue = registry.catalogue()
    if code is None:
        _list_codes(catalogue, form)
        return 0
    diagnosis = catalogue.get(code.strip().lower())
    if diagnosis is None:
        raise Unusable(f"there is no finding code '{code[:60]}'; {_nearest(code, catalogue)}")
    software = None if server is None else _software(server, catalogue)
    checks = [check.id for check in registry.checks() if diagnosis in check.emits]
    (_explain_as_json if form == "json" else _explain_as_text)(diagnosis, software, checks)
    return 0


def _nearest(code: str, catalogue: Mapping[str, Diagnosis]) -> str:
    """A hint at the code that was meant: a similar one, or one with the same fault in another family."""
    wanted = code.strip().lower()
    fault = wanted.rpartition(".")[2]
    same = next((known for known in catalogue if fault and fault in known.partition(".")[2]), None)
    otherwise = did_you_mean(wanted, catalogue, "'endpoint-probe explain' lists them all")
    return did_you_mean(wanted, catalogue, f"did you mean '{same}'?" if same else otherwise, 0.6)


def _software(server: str, catalogue: Mapping[str, Diagnosis]) -> str:
    """The id of a software, from its id or its title ("llama.cpp", "Text Generation WebUI", "LiteLLM proxy").

    Raises:
        Unusable: no remedy names it.
    """
    from probe.catalogue import registry

    guides = registry.guides()
    known = sorted({*guides, *(name for diagnosis in catalogue.values() for name in diagnosis.remedies)})
    by_name = {_alphanumeric(guide.title): name for name, guide in guides.items()}
    by_name |= {_alphanumeric(name): name for name in known}
    wanted = server.strip().lower()
    if wanted in known:
        return wanted
    if _alphanumeric(wanted) in by_name:
        return by_name[_alphanumeric(wanted)]
    hint = did_you_mean(wanted, known, f"use one of {', '.join(known)}")
    raise Unusable(f"no remedy is known for the server '{server[:40]}'; {hint}")


def _alphanumeric(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def _list_codes(catalogue: Mapping[str, Diagnosis], form: str) -> None:
    if form == "json":
        rows = [{"code": d.code, "severity": str(d.severity), "title": d.title} for d in catalogue.values()]
        click.echo(json.dumps(rows, indent=2))
        return
    wide = max(map(len, catalogue), default=0)
    for diagnosis in catalogue.values():
        click.echo(f"{diagnosis.code:<{wide}}  {diagnosis.severity:<7}  {diagnosis.title}")


def _remedy(diagnosis: Diagnosis, software: str | None) -> tuple[str, str]:
    """The remedy in this software and how to verify it; the general ones where no special ones are known."""
    from probe.catalogue import registry

    advice = registry.advice(diagnosis.code, software) if software else None
    if advice is None:
        return diagnosis.remedy, diagnosis.verify
    return advice.do, advice.check or diagnosis.verify


def _explain_as_json(diagnosis: Diagnosis, software: str | None, checks: list[str]) -> None:
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


def _explain_as_text(diagnosis: Diagnosis, software: str | None, checks: list[str]) -> None:
    def section(title: str, text: str) -> None:
        click.echo(f"\n{title}")
        click.echo(fill(text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False))

    def item(text: str) -> None:
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
        for name, special in sorted(diagnosis.remedies.items()):
            item(f"{name}: {special}")
    section("How to verify the fix", verify)
    if diagnosis.sources:
        click.echo("\nSources")
        for source in diagnosis.sources:
            item(source)
    click.echo(f"\nFound by: {', '.join(checks)}")
