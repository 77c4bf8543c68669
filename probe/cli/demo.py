"""`demo`: see a diagnosis without owning an endpoint."""

from __future__ import annotations

from typing import Any

import click

from probe.cli import shell_completion
from probe.cli.options import Given, Unusable, shared_options


@click.command("demo", context_settings={"max_content_width": 100})
@click.option(
    "--style",
    metavar="S",
    shell_complete=shell_completion.styles,
    help="Which server is simulated; 'simulate --list' names them.",
)
@click.option(
    "--fault",
    "faults",
    metavar="F",
    multiple=True,
    shell_complete=shell_completion.faults,
    help="A fault to simulate; repeatable.",
)
@click.option("--real", is_flag=True, help="llama.cpp with a small model in place of the simulation.")
@shared_options
def command(style: str | None, faults: tuple[str, ...], real: bool, **given: Any) -> int:
    """Diagnose a simulated endpoint; no arguments needed.

    With --real it is llama.cpp's own server with a small real model (extra 'real').
    """
    wanted = Given(**given)
    if real and (style or faults):
        raise Unusable("--real is a real server, which has no --style and no --fault; leave them out")
    return _against_real(wanted) if real else _against_simulated(style or "openai", faults, wanted)


def _against_simulated(style: str, faults: tuple[str, ...], wanted: Given) -> int:
    from probe.cli.run_and_report import diagnose
    from probe.cli.settings import Known, options_for
    from probe.run.interruption import raise_on_signals
    from probe.simulator import Simulator

    raise_on_signals()
    try:
        simulator = Simulator(style, faults)
    except ValueError as error:
        raise Unusable(str(error)) from None
    with simulator:
        bundle = str(simulator.ca_bundle) if simulator.ca_bundle else None
        known = Known(simulator.key, "simulator", simulator.model, bundle)
        return diagnose(options_for(simulator.typed_url, wanted, known), wanted)


def _against_real(wanted: Given) -> int:
    from secrets import token_hex

    from probe.cli.run_and_report import diagnose
    from probe.cli.settings import Known, options_for
    from probe.run.interruption import raise_on_signals
    from probe.simulator.llamacpp_demo import RealPartMissing, RealServerFailed, real_server

    raise_on_signals()
    key = f"sk-real-{token_hex(16)}"
    try:
        with real_server(api_key=key) as server:
            known = Known(key, "real server", server.model)
            return diagnose(options_for(server.base_url, wanted, known), wanted)
    except (RealPartMissing, RealServerFailed) as error:
        raise Unusable(str(error)) from None
