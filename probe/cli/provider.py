"""`provider`: endpoints saved under a name, with a reference to their key and the state of their toggles."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from probe.cli import NO_CHAT, CommandGroup
from probe.cli.options import Given, Unusable, as_unusable, request_timeout, shared_options, text_or_json
from probe.cli.settings import Configured
from probe.provider import store
from probe.provider.saved_provider import Provider, Toggle, ToggleChange
from probe.run.typed_options import Known, check_variable_name, key_from, options_for
from probe.wording import did_you_mean
from reports.text import printable

if TYPE_CHECKING:
    from probe.model import Report
    from probe.provider.saved_provider import Found, KeyReference
    from probe.provider.verify import Session, Step

T = TypeVar("T")

#: Options of `run` that are saved with a provider: `add` takes only these, `test` all others.
_SAVED = frozenset(
    "model api_key_env api_key_file api_key_stdin auth auth_header header ca_bundle insecure proxy "
    "client_cert client_key".split()
)


@click.group("provider", cls=CommandGroup, invoke_without_command=True)
@click.pass_context
def provider_command(ctx: click.Context) -> None:
    """Saved providers: add one, test it, and export what was found to a client.

    They are kept in a file of your config folder; keys are in the operating system's
    keyring, an environment variable or a file of yours, never in that file.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


# add -----------------------------------------------------------------------------------------------------


@provider_command.command("add", short_help="Save an endpoint under a name.")
@click.argument("name")
@click.argument("endpoint")
@click.option("--replace", "overwrite", is_flag=True, help="Replace a provider of this name and its toggles.")
@shared_options
def add_command(name: str, endpoint: str, overwrite: bool, **given: Any) -> int:
    """Save an endpoint under a name; nothing is sent.

    A key given with --api-key-stdin goes into the operating system's keyring; of one
    given with --api-key-env or --api-key-file only the variable or the path is kept.
    """
    from probe.provider.saved_provider import NAME

    if not NAME.fullmatch(name):
        raise Unusable(f"'{name[:40]}' is not a usable name; write small letters, digits and -, as in corp-vllm")
    wanted = Given(**given)
    typed = _endpoint(endpoint)
    reference, key = _key(wanted)
    _check(typed, wanted, has_key=reference.kind != "none")
    provider = Provider(
        name=name,
        endpoint=typed,
        model=wanted.model,
        key=reference,
        auth_scheme=wanted.auth,
        auth_header=wanted.auth_header,
        headers=wanted.header,
        ca_bundle=str(Path(wanted.ca_bundle).absolute()) if wanted.ca_bundle else None,
        insecure=wanted.insecure,
        proxy=wanted.proxy,
        client_cert=str(Path(wanted.client_cert).absolute()) if wanted.client_cert else None,
        client_key=str(Path(wanted.client_key).absolute()) if wanted.client_key else None,
    )
    providers = store.Store()
    if not overwrite and any(item.name == name for item in _using(providers.all)):
        raise Unusable(f"there is a provider {name} already; add --replace to replace it")
    if key is not None:
        _with_keyring(lambda keyring: keyring.save(name, key))
    _using(lambda: providers.add(provider, replace=overwrite))
    click.echo(f"saved {name} in {providers.path} (key: {reference}); next: endpoint-probe provider test {name}")
    return 0


add_command.params = [
    item for item in add_command.params if item.name in _SAVED | {"name", "endpoint", "overwrite", "help"}
]


def _endpoint(text: str) -> str:
    from probe.parsing import urls
    from probe.redaction.key_patterns import looks_like_key

    with as_unusable(urls.BadEndpoint):
        parsed = urls.parse(text)
    if urls.credentials_in(parsed.query) or urls.keys_in(parsed.path) or looks_like_key(text):
        raise Unusable("the endpoint holds a key, which is not saved; give it with --api-key-stdin, in a header")
    return parsed.typed


def _key(given: Given) -> tuple[KeyReference, str | None]:
    """The reference to the key, and the key itself where it has to go into the keyring."""
    from probe.provider.saved_provider import KeyReference

    variable = given.api_key_env
    if variable is not None:
        check_variable_name(variable)
        alone = given.api_key_file is None and not given.api_key_stdin and given.auth != "none"
        if alone and variable not in os.environ:
            return KeyReference("env", variable), None  # it can be exported later
    found = key_from(given)
    if found is None:
        return KeyReference(), None
    if variable is not None:
        return KeyReference("env", variable), None
    if given.api_key_file is not None:
        return KeyReference("file", str(Path(given.api_key_file).absolute())), None
    return KeyReference("keyring"), found[0]


def _check(endpoint: str, given: Given, *, has_key: bool) -> None:
    """Report now what could not be used later.

    Raises:
        Unusable: an option is wrong, or a header or the proxy's URL holds a secret itself.
    """
    without = replace(given, api_key_env=None, api_key_file=None, api_key_stdin=False)
    options = options_for(endpoint, without, Known("unused-key", "saved") if has_key else Known())
    names = [name for name, _ in options.secrets]
    if any(name.startswith("HEADER_") for name in names):
        raise Unusable("a header that carries a secret is saved with a variable, as in --header 'X-Token: ${MY_TOKEN}'")
    if any(name.startswith("PROXY_") for name in names):
        raise Unusable("the proxy's URL holds a password, which is not saved; set HTTPS_PROXY in the environment")


# list, show, set, remove ---------------------------------------------------------------------------------


@provider_command.command("list", short_help="The saved providers.")
@text_or_json
def list_command(form: str) -> int:
    """List the saved providers."""
    from probe.provider.saved_provider import to_data

    found = _using(store.Store().all)
    if form == "json":
        click.echo(json.dumps([to_data(item) for item in found], indent=2))
        return 0
    if not found:
        click.echo("no provider is saved; 'endpoint-probe provider add NAME ENDPOINT' saves one")
    for item in found:
        when = f"tested {item.found.at[:10]}" if item.found else "not tested"
        url = (item.found.base_url if item.found else None) or item.endpoint
        model = item.model or (item.found.model if item.found else None) or "first listed model"
        click.echo(printable(f"{item.name:<20} {url}  {model}  key: {item.key}  {when}"))
    return 0


@provider_command.command("show", short_help="One of them, with its toggles.")
@click.argument("name")
@text_or_json
def show_command(name: str, form: str) -> int:
    """Show a saved provider and its toggles; never its key."""
    from probe.provider.saved_provider import to_data

    provider = _provider(name)
    if form == "json":
        click.echo(json.dumps(to_data(provider), indent=2))
        return 0
    found = provider.found
    rows = [
        ("endpoint", provider.endpoint),
        ("base URL", (found.base_url or "none works") if found else "not tested"),
        ("model", provider.model or (found.model if found else None) or "the first listed"),
        ("key", f"{provider.key}, sent as {found.auth_scheme if found else provider.auth_scheme}"),
        ("tested", found.at if found else f"not yet: endpoint-probe provider test {name}"),
    ]
    click.echo(name)
    for label, value in rows:
        click.echo(printable(f"  {label:<10} {value}"))
    if provider.toggles:
        click.echo("toggles")
    for capability, toggle in provider.toggles.items():
        click.echo(printable(_toggle_line(capability, toggle)))
    return 0


@provider_command.command("set", short_help="Set a toggle by hand; tests leave it alone.")
@click.argument("name")
@click.argument("capability")
@click.argument("value", metavar="on|off|auto")
def set_command(name: str, capability: str, value: str) -> int:
    """Set a toggle by hand: tests leave it alone, until it is set to auto."""
    from probe.model import CAPABILITIES, State

    if capability not in CAPABILITIES:
        hint = did_you_mean(capability, CAPABILITIES, f"there are {', '.join(CAPABILITIES)}")
        raise Unusable(f"there is no capability '{capability[:40]}'; {hint}")
    if value not in ("on", "off", "auto"):
        raise Unusable(f"a toggle is set to on, off or auto, and not to '{value[:20]}'")

    def change(provider: Provider) -> Provider:
        verdict = provider.toggles.get(capability, Toggle()).verdict
        if value == "auto":
            on = None if verdict in (None, State.UNKNOWN) else verdict == State.WORKS
            return provider.with_toggle(capability, Toggle(on, "probe", verdict))
        return provider.with_toggle(capability, Toggle(value == "on", "hand", verdict))

    saved = _using(lambda: store.Store().update(name, change))
    click.echo(_toggle_line(capability, saved.toggles[capability]).strip())
    return 0


@provider_command.command("remove", short_help="Forget one, and its key in the keyring.")
@click.argument("name")
def remove_command(name: str) -> int:
    """Forget a saved provider, and its key in the keyring."""
    from probe.provider import keyring_keys

    removed = _using(lambda: store.Store().remove(name))
    if removed.key.kind == "keyring":
        keyring_keys.forget(name)
    click.echo(f"removed {name}")
    return 0


# test ----------------------------------------------------------------------------------------------------


@provider_command.command("test", cls=Configured, short_help="Diagnose it and save its toggles.")
@click.argument("name")
@shared_options
def test_command(name: str, **given: Any) -> int:
    """Diagnose a saved provider as `run` does, and save its toggles.

    A toggle that was set by hand is kept, and where the verdict differs it is shown.
    """
    from probe.cli.run import diagnose

    provider = _provider(name)
    wanted = _with_saved(Given(**given), provider)
    if not wanted.dry_run:
        formats = wanted.formats or ("json", "html")
        wanted = replace(wanted, formats=tuple(dict.fromkeys(("json", *formats))))
    status, report = diagnose(options_for(provider.endpoint, wanted, _known(provider)), wanted)
    if report is None:
        return status
    if not report.run.complete:
        print("the run was not completed, so the toggles are unchanged; try a longer --deadline", file=sys.stderr)
        return status
    print("Toggles saved:", *map(_change_line, _save(provider, report)), sep="\n",
          file=sys.stderr if wanted.as_json or wanted.quiet else sys.stdout)  # fmt: skip
    return status


test_command.params = [item for item in test_command.params if item.name not in _SAVED]


def _save(tested: Provider, report: Report) -> list[ToggleChange]:
    """Save what a test found.

    Raises:
        Unusable: the provider is another one by now, to which the result does not belong.
    """
    from probe.provider.saved_provider import with_verdicts
    from probe.report import encode

    changes: list[ToggleChange] = []

    def update(provider: Provider) -> Provider:
        if replace(provider, toggles={}, found=None) != replace(tested, toggles={}, found=None):
            raise store.StoreError(
                f"{tested.name} was replaced while it was tested, so nothing was saved; test it again"
            )
        changed, found = with_verdicts(provider, report)
        changes.extend(found)
        return changed

    _using(lambda: store.Store().update(tested.name, update))
    _using(lambda: store.save_report(tested.name, encode(report)))
    return changes


# verify --------------------------------------------------------------------------------------------------


@provider_command.command("verify", short_help="Use it through the openai SDK and check its toggles.")
@click.argument("name")
@request_timeout
@text_or_json
def verify_command(name: str, timeout: float, form: str) -> int:
    """Use a saved provider through the openai SDK: a chat, a streamed chat, a tool round trip, a picture.

    Only what its toggles allow is requested. The exit status is 0 where everything worked,
    1 where something failed that a toggle promises, 3 where the chat failed.
    """
    from probe.provider.verify import Held, SdkMissing, holds, verify

    with as_unusable(SdkMissing):
        steps = verify(_session(_provider(name), float(timeout)))
    _show_steps(name, steps, form)
    if steps[0].held is Held.FAILED:
        return NO_CHAT
    return 0 if holds(steps) else 1


def _session(provider: Provider, timeout_s: float) -> Session:
    from probe.parsing.urls import same_origin
    from probe.provider.verify import Session
    from probe.run.runner import redactor_for

    found = _tested(provider)
    options = options_for(provider.endpoint, _with_saved(Given(), provider), _known(provider))
    if not same_origin(found.base_url or "", options.endpoint.origin):
        raise Unusable(
            f"the saved base URL of {provider.name} is not on the origin of its endpoint, to which the key belongs; "
            f"write: endpoint-probe provider test {provider.name}, or save the other URL with: provider add --replace"
        )
    header = found.auth_header or ("Authorization" if found.auth_scheme == "bearer" else options.auth.header)
    auth = replace(options.auth, scheme=found.auth_scheme, header=header)
    only = found.facts.get("max_tokens_param") in ("max_completion_tokens", ["max_completion_tokens"])
    return Session(
        base_url=found.base_url or "",
        model=provider.model or found.model or "",
        headers={**options.headers, **auth.headers()},
        query=options.endpoint.query,
        on={name: toggle.on for name, toggle in provider.toggles.items()},
        limit_param="max_completion_tokens" if only else "max_tokens",
        timeout_s=timeout_s,
        transport=options.transport,
        redactor=redactor_for(options),
    )


def _show_steps(name: str, steps: list[Step], form: str) -> None:
    from probe.provider.verify import holds

    if form == "json":
        shown = {"provider": name, "holds": holds(steps), "steps": [asdict(step) for step in steps]}
        click.echo(json.dumps(shown, indent=2))
        return
    for step in steps:
        took = f" ({step.seconds:.1f} s)" if step.seconds else ""
        click.echo(printable(f"{step.name:<16} {step.held:<15} {step.note}{took}"))
    click.echo(f"{name}: {'its toggles hold' if holds(steps) else 'its toggles do not hold; test it again'}")


# Shared --------------------------------------------------------------------------------------------------


def _using(act: Callable[[], T]) -> T:
    """Use the store; its errors become one line.

    Raises:
        Unusable: the file cannot be used, or there is no such provider.
    """
    with as_unusable(store.StoreError):
        return act()


def _with_keyring(act: Callable[[Any], T]) -> T:
    """Use the operating system's keyring; its errors become one line.

    Raises:
        Unusable: there is no keyring, or it holds no such key.
    """
    from probe.provider import keyring_keys

    with as_unusable(keyring_keys.KeyProblem):
        return act(keyring_keys)


def _provider(name: str) -> Provider:
    return _using(lambda: store.Store().get(name))


def _with_saved(given: Given, provider: Provider) -> Given:
    """The options with what is saved filled in."""
    kind, locator = provider.key.kind, provider.key.locator
    return replace(
        given,
        model=provider.model,
        api_key_env=locator if kind == "env" else None,
        api_key_file=locator if kind == "file" else None,
        auth=provider.auth_scheme,
        auth_header=provider.auth_header,
        header=provider.headers,
        ca_bundle=provider.ca_bundle,
        insecure=provider.insecure,
        proxy=provider.proxy,
        client_cert=provider.client_cert,
        client_key=provider.client_key,
    )


def _known(provider: Provider) -> Known:
    """The key, where it is in the keyring."""
    if provider.key.kind != "keyring":
        return Known()
    return Known(_with_keyring(lambda keyring: keyring.load(provider.name)), "keyring")


def _tested(provider: Provider) -> Found:
    """The result of the last test.

    Raises:
        Unusable: there was no test, or no chat completion in it.
    """
    found = provider.found
    test = f"endpoint-probe provider test {provider.name}"
    if found is None:
        raise Unusable(f"{provider.name} was not tested yet; write: {test}")
    if not found.base_url or not (provider.model or found.model):
        raise Unusable(f"the last test of {provider.name} had no chat completion; write: {test}")
    return found


def _word(on: bool | None) -> str:
    return {True: "on", False: "off", None: "client's default"}[on]


def _toggle_line(name: str, toggle: Toggle) -> str:
    """A toggle and where its value comes from."""
    origin = toggle.verdict or ""
    if toggle.by == "hand":
        origin = "set by hand" + (f"; verdict of the last test: {toggle.verdict}" if toggle.verdict else "")
    return f"  {name:<22} {_word(toggle.on):<17} {origin}".rstrip()


def _change_line(change: ToggleChange) -> str:
    """A toggle after a test, with the value before or the value that was set by hand."""
    line = f"  {change.capability:<22} {_word(change.after):<17} {change.verdict}"
    if change.kept:
        return f"{line}; kept {_word(change.after)} as set by hand"
    if change.before is not None and change.before != change.after:
        return f"{line}; was {_word(change.before)}"
    return line
