"""One job from references to an outcome: the same on this machine and on a worker elsewhere."""

from __future__ import annotations

import gzip
import os
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from typing import Any

from probe.catalogue import registry
from probe.cli.options import Given, Unusable
from probe.cli.settings import Known, options_for
from probe.fleet.job import DEFINITE, Found, Job, Judged, Outcome, Summary, Target
from probe.model import Check, Report, usable
from probe.report import encode
from probe.run.options import Options
from probe.run.process_state import Shared
from probe.run.runner import run

# From a target of the fleet file to the options of a run: where references become keys. ------------
#
# This happens in the process that sends the requests, be it here or on a worker elsewhere.

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
#: What the command line would give where the file says nothing.
_USUAL: Mapping[str, Any] = {
    "auth": "bearer",
    "depth": "standard",
    "keepalive": 30,
    "timeout": 60.0,
    "concurrency": 4,
    "out": ".",
    "fail_on": "never",
    "api_key_stdin": False,
    "insecure": False,
    "as_json": False,
    "dry_run": False,
    "quiet": True,
    "verbose": False,
}
_MANY = ("header", "only", "skip", "formats")


class BadTarget(ValueError):
    """A target's references or options cannot be used here; the message is one line and holds no secret."""


def filled(text: str, what: str) -> tuple[str, dict[str, str]]:
    """The text with ``${VAR}`` filled in from the environment, and the variables used.

    Raises:
        BadTarget: a variable is not set.
    """
    used: dict[str, str] = {}
    for name in _VARIABLE.findall(text):
        value = os.environ.get(name)
        if not value:
            raise BadTarget(f"{what} needs the environment variable {name}, which is not set; export it")
        used[name] = value
    return _VARIABLE.sub(lambda match: used[match[1]], text), used


def given_for(target: Target, model: str | None) -> Given:
    """The target's options as the command line would have them."""
    values: dict[str, Any] = {item.name: None for item in fields(Given)} | dict(_USUAL)
    values |= dict.fromkeys(_MANY, ()) | dict(target.options)
    values["model"] = model
    values["header"] = tuple(f"{name}: {value}" for name, value in target.headers.items())
    if target.key is not None and values["auth"] != "none":
        values[f"api_key_{target.key[0]}"] = target.key[1]
    return Given(**values)


def options_of(target: Target, model: str | None) -> Options:
    """The options of a run against this target and model.

    Raises:
        BadTarget: a variable is missing, a key file cannot be read, or an option is unusable.
    """
    endpoint, used = filled(target.endpoint, "the endpoint")
    try:
        options = options_for(endpoint, given_for(target, model), Known())
    except Unusable as error:
        raise BadTarget(error.format_message()) from None
    return replace(options, secrets={**options.secrets, **used})


# One job from references to an outcome: the same on this machine and on a worker elsewhere. --------

#: What a model list is asked for with.
_LISTING = "models.list"


Pack = Callable[[Report], Awaitable[bytes]]


def packed(report: Report) -> bytes:
    """report.json, compressed with gzip."""
    return gzip.compress(encode(report), 6, mtime=0)


async def _here(report: Report) -> bytes:
    return packed(report)


async def probe(job: Job, shared: Shared | None = None, pack: Pack = _here) -> Outcome:
    """Run one job to its outcome; ``pack`` compresses the report, in another process where this one has more to do.

    A verdict that differs from the known one is tried again as often as the job says, so
    that a flapping one can be told from a change.  Nothing is raised for what is wrong with
    the endpoint or the target; it is in the outcome.
    """
    try:
        options = options_of(job.target, job.cell.model or None)
    except BadTarget as error:
        return Outcome(job.cell, problem=str(error))
    if job.discover:
        return await _discovered(job, options, shared)
    report = await run(options, checks=_chosen(options), shared=shared)
    said = {name: [str(verdict.verdict)] for name, verdict in report.capabilities.items()}
    for _ in range(job.confirm):
        doubtful = _doubtful(job, said)
        if not doubtful:
            break
        again = await run(options, checks=_again(options, report, doubtful), shared=shared)
        for name in doubtful:
            state = str(again.capabilities[name].verdict) if name in again.capabilities else "unknown"
            if state in DEFINITE or name == "chat":
                said[name].append(state)
    return Outcome(job.cell, summary_of(report, said), await pack(report))


def _chosen(options: Options) -> list[Check]:
    return registry.select(options.depth, options.only, options.skip)


async def _discovered(job: Job, options: Options, shared: Shared | None) -> Outcome:
    """What the endpoint lists, by the target's globs."""
    only = replace(options, only=(_LISTING,), skip=(), depth=options.depth)
    report = await run(only, shared=shared)
    listed = report.facts.get("models")
    if not isinstance(listed, list | tuple) or not listed:
        reasons = [item.title for item in report.findings] or ["no list came back"]
        return Outcome(job.cell, problem=f"its models could not be listed: {reasons[0]}")
    target = job.target
    chosen = [
        str(name)
        for name in listed
        if plain(str(name), 500) == str(name)
        and any(fnmatchcase(str(name), glob) for glob in target.include)
        and not any(fnmatchcase(str(name), glob) for glob in target.exclude)
    ]
    if not chosen:
        return Outcome(job.cell, problem=f"none of the {len(listed)} listed models fits include and exclude")
    return Outcome(job.cell, models=tuple(dict.fromkeys(chosen)))


def _doubtful(job: Job, said: dict[str, list[str]]) -> list[str]:
    """The capabilities whose verdict differs from the known one: those are tried again."""
    return [
        name
        for name, states in said.items()
        if (states[0] in DEFINITE or name == "chat")
        and job.known.get(name) in DEFINITE
        and states[0] != job.known[name]
    ]


def _again(options: Options, report: Report, names: Collection[str]) -> list[Check]:
    """The checks that judge these capabilities, with what they need."""
    judges = {check for name in names for check in report.capabilities[name].checks}
    return registry.select(options.depth, tuple(sorted(judges)), options.skip) if judges else []


def plain(text: str, longest: int = 4000) -> str:
    """Text that every database takes: no NUL, no lone surrogate, and not too long."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:longest]


def summary_of(report: Report, said: dict[str, list[str]]) -> Summary:
    """What is kept of a run beside the report; the first trial gives the verdict, the others how sure it is."""
    verdicts = []
    for name, verdict in report.capabilities.items():
        states = said.get(name) or [str(verdict.verdict)]
        agreed = Counter(states)[states[0]]
        sure = verdict.confidence * agreed / len(states)
        note = plain(verdict.note)
        verdicts.append(Judged(name, states[0], sure, verdict.finding, note, len(states), agreed))
    info = report.run
    return Summary(
        run_id=info.id,
        started_at=info.started_at,
        finished_at=info.finished_at,
        duration_s=info.duration_s,
        depth=info.depth,
        complete=info.complete,
        usable=usable(report),
        endpoint=plain(report.target.endpoint),
        base_url=report.target.base_url and plain(report.target.base_url),
        model=report.target.model and plain(report.target.model),
        requests=info.requests,
        prompt_tokens=info.prompt_tokens,
        completion_tokens=info.completion_tokens,
        software=plain(report.server.software, 100),
        version=report.server.version and plain(report.server.version, 200),
        hops=tuple(plain(hop.software, 100) for hop in report.server.hops),
        verdicts=tuple(verdicts),
        findings=tuple(
            Found(
                item.code,
                str(item.severity),
                str(item.owner),
                item.check,
                plain(item.title),
                plain(item.detail),
                plain(item.remedy),
            )
            for item in report.findings
        ),
    )
