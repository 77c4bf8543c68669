"""`run`: diagnose one endpoint, with progress, report files, the printed result and the exit status."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe import gate
from probe.cli import FOUND, INTERRUPTED, NO_CHAT, internal
from probe.cli.options import Given, Unusable, as_unusable, shared_options, write
from probe.cli.settings import Configured
from probe.model import lacks_chat
from probe.wording import amount

if TYPE_CHECKING:
    from probe.cli.progress import Display
    from probe.model import Check, Report
    from probe.run.interruption import Interrupted
    from probe.run.options import Options
    from reports.registry import Reporter


#: Where a report names the program: bytes from its beginning; and how, in the formats that people write by hand.
_HEAD = 20_000
_OWN = {
    ".md": rb"\A## endpoint-probe: ",
    ".txt": rb"\A(?:::\w+ |Endpoint  )(?s:.){0,20000}endpoint-probe",
}
_KEY = "OPENAI_API_KEY"
#: The speed of a typical run, in tokens per second.
USUAL_RATE = 60


_EXAMPLES = """\b
Examples:
  endpoint-probe run https://llm.example.com/v1 --api-key-env LLM_KEY
  endpoint-probe run localhost:8000 --model qwen3 --depth deep --open
"""


@click.command("run", cls=Configured, epilog=_EXAMPLES)
@click.argument("endpoint", required=False)
@shared_options
def run_command(endpoint: str | None, **given: Any) -> int:
    """Diagnose one endpoint and write the report.

    ENDPOINT is its URL in any form: with or without a scheme, /v1, or /chat/completions.
    Without it OPENAI_BASE_URL is used, together with OPENAI_API_KEY and OPENAI_MODEL.
    """
    from probe.run.typed_options import endpoint_and_known, options_for

    typed, known = endpoint_and_known(endpoint)
    if endpoint and not (given["quiet"] or given["auth"] == "none" or _names_key(given)) and os.environ.get(_KEY):
        print(
            f"endpoint-probe: {_KEY} is set and is not sent, because it belongs to OPENAI_BASE_URL and the endpoint "
            f"was typed; to send it: --api-key-env {_KEY}",
            file=sys.stderr,
        )
    return diagnose(options_for(typed, Given(**given), known), Given(**given))[0]


def _names_key(given: Mapping[str, Any]) -> bool:
    return any(given[name] for name in ("api_key_env", "api_key_file", "api_key_stdin", "header"))


def diagnose(options: Options, given: Given) -> tuple[int, Report | None]:
    """Run the chosen checks, write the reports, print the result.

    Returns:
        The exit status, and the report, or None where nothing was sent.

    Raises:
        Unusable: a glob, a format or the output folder cannot be used; nothing was sent.
    """
    from probe.run.interruption import Interrupted

    interrupted = Interrupted()
    with interrupted.listening():  # from here until the last file is complete
        return _diagnose(options, given, interrupted)


def _diagnose(options: Options, given: Given, interrupted: Interrupted) -> tuple[int, Report | None]:
    from probe.catalogue import registry
    from probe.cli.progress import make_display
    from reports.registry import UnknownFormat, chosen
    from reports.text import printable

    checks = select(options)
    accept = accepted_codes(given.accept)
    with as_unusable(UnknownFormat):
        reporters = chosen(given.formats or ("json", "html"))
    if given.dry_run:
        show_plan(checks, options, as_json=given.as_json)
        return 0, None
    out = Path(given.out)
    check_folder(out)
    for problem in registry.problems():
        print(f"endpoint-probe: {printable(problem)}", file=sys.stderr)
    report, ended_early = _run(options, checks, make_display(given, options, checks), interrupted, reporters)
    report = replace(report, run=replace(report.run, fail_on=given.fail_on, accept=accept))
    remove_stale(out, {reporter.filename for reporter in reporters})
    written = _write_all(report, reporters, out)
    _print_result(report, given, written)
    if given.open_page:
        _open(written)
    return status_of(report, interrupted=ended_early), report


def select(options: Options) -> list[Check]:
    """The checks of a run.

    Raises:
        Unusable: a glob matches no check, or no check is left.
    """
    from probe.catalogue import registry

    with as_unusable(registry.RegistryError):
        found = registry.select(options.depth, options.only, options.skip, options.also)
    if not found:
        raise Unusable("no check is left to run; 'endpoint-probe checks' lists the ids for --only and --skip")
    return found


def accepted_codes(accept: Sequence[str]) -> tuple[str, ...]:
    """The values of `--accept`.

    Raises:
        Unusable: a code is not in the catalogue, or a day is none.
    """
    from probe.catalogue import registry

    if not accept:
        return ()  # reading the catalogue takes time
    with as_unusable(gate.BadAcceptance):
        return gate.checked(accept, registry.catalogue())


def check_folder(folder: Path) -> None:
    """Make the folder and verify that it can be written, before anything is sent.

    Raises:
        Unusable: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".endpoint-probe."):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unusable(f"cannot write reports to {folder} ({reason}); name another folder with --out") from None
    except ValueError:
        raise Unusable("--out holds a character no path has; name a folder, as in --out endpoint-report") from None


def _run(
    options: Options, checks: list[Check], display: Display, interrupted: Interrupted, reporters: list[Reporter]
) -> tuple[Report, bool]:
    """Run the checks; returns the report, and whether a signal ended the run early."""
    import anyio

    from probe.run.interruption import hush
    from probe.run.runner import run
    from probe.wire.resolver_threads import use_daemon_threads

    async def main() -> Report:
        hush()
        use_daemon_threads()
        return await run(options, emit=display.emit, interrupted=interrupted, checks=checks, rehearse=rehearse)

    def rehearse(report: Report) -> None:
        import_module("reports.terminal")
        for reporter in reporters:
            if reporter.built_in:  # a plugin's may have effects
                reporter.render(report)

    with display:
        report = anyio.run(main)
    return report, interrupted.signal is not None and not report.run.complete


def _write_all(report: Report, reporters: list[Reporter], out: Path) -> list[Path]:
    """Write every format.

    A reporter that raises is a bug of this program and does not stop the others; nor does a full disk, which must not
    cost the result that is printed, too.
    """
    from reports.text import printable

    written = []
    for reporter in sorted(reporters, key=lambda item: item.name != "json"):  # the others can be made from it
        path = out / reporter.filename
        try:
            content = reporter.render(report)
        except Exception as error:
            print(f"endpoint-probe: {path} was not made: {internal(error)}", file=sys.stderr)
            continue
        try:
            write(path, content, "name another folder with --out")
        except Unusable as problem:  # a disk that is full by now: what was found is printed all the same
            print(f"endpoint-probe: {printable(str(problem))}", file=sys.stderr)
            break
        written.append(path)
    return written


def _print_result(report: Report, given: Given, written: list[Path]) -> None:
    """The result on standard output."""
    if given.as_json:
        from probe.report import encode

        sys.stdout.buffer.write(encode(report))
        return
    from reports.terminal import print_report

    print_report(report, written, quiet=given.quiet)
    if "github" in given.formats:
        _annotate(report)


def _open(written: Sequence[Path]) -> None:
    """Open the page in the user's browser, or say why not."""
    page = next((path for path in written if path.suffix == ".html"), None)
    if page is None or click.launch(str(page.absolute())) != 0:
        why = "no HTML report was written" if page is None else f"no browser could be started for {page}"
        print(f"endpoint-probe: --open: {why}", file=sys.stderr)


def _annotate(report: Report) -> None:
    """Annotations for GitHub on standard output, and the job's summary, which may fail without harm."""
    from reports import github

    print(github.render(report).decode(), end="")
    try:
        github.add_summary(report)
    except OSError as error:
        print(f"endpoint-probe: the job's summary was not written ({error.strerror})", file=sys.stderr)


def remove_stale(folder: Path, kept: Collection[str]) -> None:
    """Remove the reports that an earlier run left in the folder and this one does not replace.

    A file with the name of a built-in format is an earlier run's if this program's name stands where that format has
    it.  People write files of these names, too, and mention the program in them.
    """
    from reports.registry import built_in_files

    for name in built_in_files():
        path = folder / name
        if name in kept or path.is_symlink() or not path.is_file():
            continue
        with contextlib.suppress(OSError):
            with path.open("rb") as file:
                head = file.read(_HEAD)
            if re.search(_OWN.get(path.suffix, rb"endpoint-probe"), head):
                path.unlink()


def status_of(report: Report, *, interrupted: bool) -> int:
    """The exit status of a finished run: interruption first, then no chat completion, then findings."""
    if interrupted:
        return INTERRUPTED
    if lacks_chat(report):
        return NO_CHAT
    return FOUND if gate.failing(report) else 0


def show_plan(checks: Sequence[Check], options: Options, *, as_json: bool) -> None:
    """Print the most requests, tokens and seconds of each check, what it typically spends, and the totals.

    A run may send fewer: checks share requests, and a check whose requirements are not met is
    skipped.  A budget given on the command line is the upper limit of the totals.
    """
    from probe.catalogue.typical import typical

    requests = sum(check.max_requests for check in checks)
    tokens = sum(check.max_tokens for check in checks)
    seconds = sum(check.max_seconds for check in checks)
    at_most = {
        "requests": min(requests, options.max_requests or requests),
        "tokens": min(tokens, options.max_tokens or tokens),
        "seconds": options.deadline_s,
    }
    costs = [typical(check) for check in checks]
    usual = {
        "requests": sum(cost.requests for cost in costs),
        "tokens": sum(cost.prompt + cost.completion for cost in costs),
        "seconds": round(
            max((options.idle_s for cost in costs if cost.waits), default=0.0)
            + sum(cost.completion for cost in costs) / USUAL_RATE / 3,
            1,
        ),
    }
    endpoint = options.endpoint.origin + options.endpoint.path
    if as_json:
        rows = [
            {
                "id": check.id,
                "title": check.title,
                "max_requests": check.max_requests,
                "max_tokens": check.max_tokens,
                "waiting_s": check.max_seconds,
                "typical_requests": typical(check).requests,
                "typical_tokens": typical(check).prompt + typical(check).completion,
                "exclusive": check.exclusive,
            }
            for check in checks
        ]
        plan = {"endpoint": endpoint, "depth": str(options.depth), "checks": rows, "typical": usual, "at_most": at_most}
        print(json.dumps(plan, indent=2))
        return
    wide = max(len(check.id) for check in checks)
    print(f"Nothing is sent. At most, against {endpoint}:\n")
    print(f"{'check':<{wide}}  requests  tokens  seconds of waiting  typical requests  tokens")
    for check, cost in zip(checks, costs, strict=True):
        alone = "  (runs alone)" if check.exclusive else ""
        most = f"{check.max_requests:>8}  {check.max_tokens:>6}  {check.max_seconds:>18g}"
        print(f"{check.id:<{wide}}  {most}  {cost.requests:>16}  {cost.prompt + cost.completion:>6}{alone}")
    total = f"{requests:>8}  {tokens:>6}  {seconds:>18g}  {usual['requests']:>16}  {usual['tokens']:>6}"
    print(f"{'total':<{wide}}  {total}")
    limits = f"{amount(int(at_most['requests']), 'request')}, {amount(int(at_most['tokens']), 'token')}"
    print(
        f"\nThe run ends after {limits} or {options.deadline_s:g} s at the latest; "
        f"the limit of one request is {options.timeout_s:g} s. "
        f"\nA typical run of a healthy endpoint sends {amount(int(usual['requests']), 'request')}, spends about "
        f"{amount(int(usual['tokens']), 'token')} and takes about {usual['seconds']:g} s at {USUAL_RATE} tokens/s."
    )
