"""`provider`: endpoints saved under a name, with where their key is and what their toggles are."""

from __future__ import annotations

from importlib import import_module

import click

SUBCOMMANDS = {
    "add": "Save an endpoint under a name.",
    "test": "Diagnose it and save its toggles.",
    "verify": "Use it through the openai SDK and say whether its toggles hold.",
    "list": "The saved providers.",
    "show": "One of them, with its toggles.",
    "set": "Set a toggle by hand; tests leave it alone.",
    "remove": "Forget one, and its key in the keyring.",
}


class ProviderGroup(click.Group):
    """A group whose commands are in ``probe.cli.provider_NAME``, each loaded when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        found = import_module(f"probe.cli.provider_{cmd_name}").command
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in SUBCOMMANDS and not args[0].startswith("-"):
            raise click.ClickException(
                f"there is no command 'provider {args[0][:40]}'; use one of {', '.join(SUBCOMMANDS)}"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group("provider", cls=ProviderGroup, invoke_without_command=True, context_settings={"max_content_width": 100})
@click.pass_context
def command(ctx: click.Context) -> None:
    """Saved providers: add one, test it, and export what was found to a client.

    They are kept in a file of your config folder; keys are in the operating system's
    keyring, an environment variable or a file of yours, never in that file.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
