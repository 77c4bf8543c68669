"""`simulate`: the simulated endpoint, for trying one's own client against its faults."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from probe.cli import shell_completion
from probe.cli.options import Number, Unusable

if TYPE_CHECKING:
    from probe.simulator import Simulator


@click.command("simulate", context_settings={"max_content_width": 100})
@click.option(
    "--style",
    metavar="S",
    default="openai",
    show_default=True,
    shell_complete=shell_completion.styles,
    help="Which server is simulated.",
)
@click.option(
    "--fault",
    "faults",
    metavar="F",
    multiple=True,
    shell_complete=shell_completion.faults,
    help="A fault, repeatable; NAME or NAME=VALUE.",
)
@click.option(
    "--port",
    metavar="N",
    default=0,
    type=click.UNPROCESSED,
    callback=Number("a port", 0, 65_535, whole=True, example="8080"),
    help="Port on 127.0.0.1; default: a free one.",
)
@click.option("--list", "listing", is_flag=True, help="Name the styles and faults, then end.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How --list is printed.")
def command(style: str, faults: tuple[str, ...], port: int, listing: bool, form: str) -> int:
    """Serve the simulated endpoint until stopped with Ctrl-C.

    The first line on standard output is the base URL to give a client; the key and the
    model follow on standard error.
    """
    if listing:
        _list(form)
        return 0
    from probe.simulator import Simulator

    try:
        simulator = Simulator(style, faults, port=int(port))
    except ValueError as error:
        raise Unusable(str(error)) from None
    try:
        simulator.start()
    except OSError as error:
        raise Unusable(f"port {port} cannot be used ({error.strerror}); choose another with --port") from None
    try:
        _serve(simulator, style, faults)
    finally:
        simulator.stop()
    return 0


def _serve(simulator: Simulator, style: str, faults: tuple[str, ...]) -> None:
    """Say where it is, then wait for Ctrl-C or SIGTERM: for a server both are the normal end."""
    import signal
    import threading

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    print(simulator.typed_url, flush=True)
    lines = [f"style: {style}", f"faults: {', '.join(faults) or 'none'}"]
    if simulator.typed_url != simulator.base_url:
        lines.append(f"base URL without the fault: {simulator.base_url}")
    lines += [f"key: {simulator.key or 'none needed'}", f"model: {simulator.model}"]
    if simulator.ca_bundle:
        lines.append(f"CA bundle: {simulator.ca_bundle}")
    print("\n".join([*lines, "Stop it with Ctrl-C."]), file=sys.stderr, flush=True)
    # A wait without a limit cannot be interrupted on every platform.
    while not stopped.wait(1.0):
        pass


def _list(form: str) -> None:
    from probe.simulator import all_faults, all_styles

    if form == "json":
        import json

        shown = {
            "styles": [{"name": item.name, "summary": item.summary} for item in all_styles()],
            "faults": [
                {"name": item.name, "summary": item.summary, "yields": list(item.yields), "value": item.value}
                for item in all_faults()
            ],
        }
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo("Styles")
    for style in all_styles():
        click.echo(f"  {style.name:<24} {style.summary}")
    click.echo("\nFaults, and the findings that a right diagnosis gives")
    for fault in all_faults():
        name = fault.name + ("" if fault.value is None else f"={fault.value}")
        click.echo(f"  {name:<24} {fault.summary}")
        click.echo(f"  {'':<24} -> {', '.join(fault.yields) or 'nothing: it is harmless'}")
