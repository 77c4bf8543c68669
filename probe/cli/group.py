"""The commands by name.  A command's module is imported when the command is used."""

from __future__ import annotations

from importlib import import_module

import click

from probe.version import VERSION

#: What `--help` shows of each command; the module of the same name holds it.
COMMANDS = {
    "run": "Diagnose one endpoint and write the report.",
    "demo": "The same against a simulated endpoint; needs no arguments.",
    "simulate": "Serve the simulated endpoint until stopped.",
    "checks": "List the checks: what each proves and may spend.",
    "explain": "What a finding means, why it matters, how to fix it.",
    "export": "Write a client's provider configuration from a saved report.",
    "render": "Write a saved report.json in another format.",
    "diff": "What changed between two saved reports.",
    "audit": "Diagnose a whole fleet of endpoints and models, one matrix.",
    "history": "What earlier audits said, and when it changed.",
    "provider": "Saved providers: add, test, verify, list, show, set, remove.",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and loads one when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"probe.cli.{cmd_name}"), "command")  # noqa: B009
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, 1, 0.5)
            if near:
                hint = f"did you mean '{near[0]}'?"
            elif "/" in name or "." in name:
                hint = f"to diagnose an endpoint write: endpoint-probe run {name}"
            else:
                hint = f"use one of {', '.join(COMMANDS)}"
            raise click.ClickException(f"there is no command '{name}'; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 nothing found at or above --fail-on, 1 something was, 2 the command line or a file "
    "is unusable, 3 no chat completion could be had, 130 interrupted.",
)
@click.version_option(VERSION, "-V", "--version", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Tells what an OpenAI-compatible chat endpoint can really do, what is wrong with it, and who can fix it."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
