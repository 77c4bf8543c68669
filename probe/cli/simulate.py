"""`demo` and `simulate`: diagnose the simulated endpoint, or serve it to test a client against its faults."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from probe.cli import shell_completion
from probe.cli.options import Given, Unusable, as_unusable, number, several, shared_options, text_or_json

if TYPE_CHECKING:
    from probe.simulator import Simulator

_style = click.option(
    "--style",
    metavar="S",
    shell_complete=shell_completion.styles,
    help="Which server to simulate; 'simulate --list' names them; default: openai.",
)
_fault = several("faults/--fault", "F", "A fault, NAME or NAME=VALUE; repeatable.", shell_completion.faults)


@click.command("demo")
@_style
@_fault
@click.option("--real", is_flag=True, help="Use llama.cpp with a small model instead of the simulation.")
@shared_options
def demo_command(style: str | None, faults: tuple[str, ...], real: bool, **given: Any) -> int:
    """Diagnose a simulated endpoint; no arguments needed.

    With --real the endpoint is llama.cpp's own server with a small real model (extra 'real').
    """
    if real and (style or faults):
        raise Unusable("--real starts a real server, which has no --style and no --fault; leave them out")
    from probe.run.interruption import raise_on_signals

    raise_on_signals()
    return _against_real(Given(**given)) if real else _against_simulated(style or "openai", faults, Given(**given))


def _against_simulated(style: str, faults: tuple[str, ...], given: Given) -> int:
    from probe.cli.run import diagnose
    from probe.run.typed_options import Known, options_for

    with _simulator(style, faults) as simulator:
        bundle = str(simulator.ca_bundle) if simulator.ca_bundle else None
        known = Known(simulator.key, "simulator", simulator.model, bundle)
        return diagnose(options_for(simulator.typed_url, given, known), given)[0]


def _against_real(given: Given) -> int:
    from secrets import token_hex

    from probe.cli.run import diagnose
    from probe.run.typed_options import Known, options_for
    from probe.simulator.llamacpp_demo import RealPartMissing, RealServerFailed, real_server

    key = f"sk-real-{token_hex(16)}"
    with as_unusable(RealPartMissing, RealServerFailed), real_server(api_key=key) as server:
        known = Known(key, "real server", server.model)
        return diagnose(options_for(server.base_url, given, known), given)[0]


@click.command("simulate")
@_style
@_fault
@number("--port", "a port", 0, 65_535, "8080", "Port on 127.0.0.1; default: a free one.", 0)
@click.option("--list", "listing", is_flag=True, help="List the styles and faults, then end.")
@text_or_json
def simulate_command(style: str | None, faults: tuple[str, ...], port: int, listing: bool, form: str) -> int:
    """Serve the simulated endpoint until stopped with Ctrl-C.

    The first line on standard output is the base URL to give a client; the key and the
    model follow on standard error.
    """
    if listing:
        _list(form)
        return 0
    style = style or "openai"
    simulator = _simulator(style, faults, port)
    try:
        simulator.start()
    except OSError as error:
        raise Unusable(f"port {port} cannot be used ({error.strerror}); choose another with --port") from None
    try:
        _serve(simulator, style, faults)
    finally:
        simulator.stop()
    return 0


def _simulator(style: str, faults: tuple[str, ...], port: int = 0) -> Simulator:
    from probe.simulator import Simulator

    with as_unusable(ValueError):
        return Simulator(style, faults, port=port)


def _serve(simulator: Simulator, style: str, faults: tuple[str, ...]) -> None:
    """Print where it is, then wait for Ctrl-C or SIGTERM, which both end a server normally."""
    import signal
    import threading

    stopped = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda _number, _frame: stopped.set())
    print(simulator.typed_url, flush=True)
    lines = [f"style: {style}", f"faults: {', '.join(faults) or 'none'}"]
    if simulator.typed_url != simulator.base_url:
        lines.append(f"base URL without the fault: {simulator.base_url}")
    lines += [f"key: {simulator.key or 'none needed'}", f"model: {simulator.model}"]
    if simulator.ca_bundle:
        lines.append(f"CA bundle: {simulator.ca_bundle}")
    print("\n".join([*lines, "Stop it with Ctrl-C."]), file=sys.stderr, flush=True)
    while not stopped.wait(1.0):  # on some platforms a wait without a limit cannot be interrupted
        pass


def _list(form: str) -> None:
    from probe.simulator import all_faults, all_styles

    if form == "json":
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
    click.echo("\nFaults, and the finding codes that a correct diagnosis gives (some only at --depth deep)")
    for fault in all_faults():
        name = fault.name + ("" if fault.value is None else f"={fault.value}")
        click.echo(f"  {name:<24} {fault.summary}")
        home = f" (with --style {fault.home})" if fault.home != "openai" else ""
        click.echo(f"  {'':<24} -> {', '.join(fault.yields) or 'none: it is harmless'}{home}")
