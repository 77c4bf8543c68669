"""The result on a terminal: verdicts, findings with their remedy, and the paths of the report.

Everything fits into 80 columns.  Text of the endpoint passes through ``printable`` and is never read
as markup.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from probe.model import Finding, Outcome, Report, Severity, State
from reports import summary
from reports.text import inert, printable

WIDTH = 80
_VERDICT_STYLE = {
    State.WORKS: "green",
    State.BROKEN: "bold red",
    State.IGNORED: "red",
    State.REJECTED: "yellow",
    State.UNKNOWN: "dim",
}
_SEVERITY_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def render(report: Report) -> bytes:
    """The result as plain text, 80 columns wide."""
    buffer = io.StringIO()
    console = Console(
        file=buffer, width=WIDTH, no_color=True, force_terminal=False, emoji=False, markup=False, highlight=False
    )
    _print(console, report)
    lines = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())
    return inert(lines).encode() + b"\n"  # a line may begin anywhere in a text now


def print_report(report: Report, written: Sequence[Path], *, quiet: bool = False) -> None:
    """Print the result on standard output.

    Args:
        written: the report files, which are named at the end.
        quiet: print only one line.
    """
    if quiet:
        where = f"; report: {', '.join(map(str, _in_order(written)))}" if written else ""
        print(printable(f"{summary.in_one_line(report)}{where}"))
        return
    console = Console(highlight=False, emoji=False, markup=False)
    if console.is_terminal:
        console.width = min(console.width, WIDTH)
        with console.capture() as captured:
            _print(console, report)
        print(inert(captured.get()), end="")
    else:
        print(render(report).decode(), end="")
    if written:
        shown = Text("Report: ")
        for number, path in enumerate(_in_order(written)):
            shown.append(", " if number else "")
            # OSC 8, which rich writes on a terminal only.
            shown.append(
                printable(str(path)), style=Style(link=path.absolute().as_uri()) if console.is_terminal else ""
            )
        console.print(shown, soft_wrap=True)


def _in_order(written: Sequence[Path]) -> list[Path]:
    """The paths, with the page first, which people open."""
    return sorted(written, key=lambda path: path.suffix != ".html")


def _print(console: Console, report: Report) -> None:
    console.print(_head(report))
    if any(verdict.checks for verdict in report.capabilities.values()):
        console.print(_verdicts(report))
    untried = summary.untried(report)
    if untried and len(untried) < len(report.capabilities):
        console.print(Text(printable(f"Not tried: {', '.join(untried)}.") + "\n", style="dim"))
    for finding in report.findings:
        console.print(_finding(finding))
    for check in report.checks:
        if check.outcome is Outcome.ERROR:
            console.print(Text(printable(f"{check.id} crashed {summary.OWN_FAULT}: {check.reason}"), style="magenta"))
    if not report.run.complete:
        console.print(Text(summary.INCOMPLETE, style="yellow"))
    if known := summary.acceptances(report):
        console.print(Text(printable(known)))
    line = f"{summary.found(report)}; checks: {summary.outcomes(report.checks)}.\n{summary.spent(report)}."
    console.print(Text(line[0].upper() + line[1:]))
    console.print(Text(printable(summary.made(report)), style="dim"))


def _head(report: Report) -> RenderableType:
    target = report.target
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    known = report.server.software != "unknown" or report.server.hops
    for name, text, style in (
        ("Endpoint", target.endpoint, ""),
        ("Base URL", target.base_url if target.base_url != target.endpoint else None, "bold"),
        ("Model", target.model, ""),
        ("Server", summary.server(report) if known else None, ""),
    ):
        if text:
            grid.add_row(name, Text(printable(text, 300), style=style))
    style = {"good": "bold green", "mixed": "bold yellow", "bad": "bold red"}[summary.state(report)]
    return Group(grid, Text(), Text(printable(summary.headline(report)), style=style), Text())


def _verdicts(report: Report) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    table.add_column("Capability", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Sure", justify="right", no_wrap=True)
    table.add_column("Why", overflow="fold")
    untried = set(summary.untried(report))
    for name, verdict in report.capabilities.items():
        if name in untried:
            continue
        sure = "" if verdict.verdict is State.UNKNOWN else f"{verdict.confidence:.0%}"
        why = f"{verdict.finding}: {verdict.note}" if verdict.finding else verdict.note
        table.add_row(
            printable(name, 24),
            Text(str(verdict.verdict), style=_VERDICT_STYLE[verdict.verdict]),
            sure,
            printable(why, 160),
        )
    return Group(table, Text())


def _finding(finding: Finding) -> RenderableType:
    title = Text()
    title.append(summary.SEVERITY_WORDS[finding.severity].upper(), style=_SEVERITY_STYLE[finding.severity])
    title.append(f"  {printable(finding.code, 80)}", style="bold")
    title.append(f"  {printable(finding.title, 200)}")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    if finding.detail and finding.detail != finding.title:
        grid.add_row("Seen", printable(finding.detail, 600))
    if finding.remedy:
        grid.add_row("Fix", printable(finding.remedy, 900))
    grid.add_row("Who", str(finding.owner))
    return Group(title, Padding(grid, (0, 0, 1, 2)))
