"""Running one job: from the references in a target to an outcome, on this machine or on a worker elsewhere.

Keys and variables are resolved here, in the process that sends the requests.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from typing import Any

from probe.catalogue import registry
from probe.fleet.job import DEFINITE, Found, Job, Judged, Outcome, Summary, Target
from probe.model import Check, Report, usable
from probe.redaction.redactor import Redactor
from probe.report import encode
from probe.run.options import Options
from probe.run.process_state import Shared
from probe.run.runner import run
from probe.run.typed_options import Given, Known, Unusable, expand_variables, options_for

_MODEL_LIST_CHECK = "models.list"
Pack = Callable[[Report], Awaitable[bytes]]


def options_of(target: Target, model: str | None) -> Options:
    """The options of a run against this target and model.

    Raises:
        Unusable: a variable is missing, a key file cannot be read, or an option is unusable.
    """
    endpoint, used = expand_variables(target.endpoint, "the endpoint")
    values: dict[str, Any] = dict(target.options)
    if target.key is not None and values.get("auth") != "none":
        values[f"api_key_{target.key[0]}"] = target.key[1]
    headers = tuple(f"{name}: {value}" for name, value in target.headers.items())
    try:
        options = options_for(endpoint, Given(model=model, header=headers, **values), Known())
    except Unusable as error:  # it may quote the endpoint, and is kept in the store
        raise Unusable(Redactor(used.items()).text(str(error))) from None
    return replace(options, secrets=(*options.secrets, *used.items()))


def packed(report: Report) -> bytes:
    """report.json, compressed with gzip."""
    return gzip.compress(encode(report), 6, mtime=0)


async def _pack_here(report: Report) -> bytes:
    return packed(report)


async def probe(job: Job, shared: Shared | None = None, pack: Pack = _pack_here) -> Outcome:
    """Run one job to its outcome.

    A verdict that differs from the known one is tried again as often as the job says, to
    distinguish a change from flapping.  A problem of the endpoint or the target is not
    raised; it is in the outcome.

    Args:
        pack: compresses the report, possibly in another process.
    """
    try:
        options = options_of(job.target, job.cell.model or None)
    except Unusable as error:
        return Outcome(job.cell, problem=str(error))
    if job.discover:
        return await _discovered(job, options, shared)
    checks = registry.select(options.depth, options.only, options.skip, options.also)
    report = await run(options, checks=checks, shared=shared)
    states = {name: [str(verdict.verdict)] for name, verdict in report.capabilities.items()}
    last = report
    for _ in range(job.confirm):
        changed = _changed(job, states)
        if not changed:
            break
        judges = _judges(options, report, changed)
        options = _reduced(options, last)
        needed = sum(check.least_requests or check.max_requests for check in judges)
        if options.max_tokens == 0 or (options.max_requests is not None and options.max_requests < needed):
            break  # what is tried again counts in the target's budget too
        last = again = await run(options, checks=judges, shared=shared)
        for name in changed:
            state = str(again.capabilities[name].verdict) if name in again.capabilities else "unknown"
            if state in DEFINITE or name == "chat":
                states[name].append(state)
    return Outcome(job.cell, summary_of(report, states), await pack(report))


async def _discovered(job: Job, options: Options, shared: Shared | None) -> Outcome:
    """The models that the endpoint lists and the target's globs select."""
    report = await run(replace(options, only=(_MODEL_LIST_CHECK,), skip=()), shared=shared)
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
        return Outcome(job.cell, problem=f"none of the {len(listed)} listed models matches include and exclude")
    return Outcome(job.cell, models=tuple(dict.fromkeys(chosen)))


def _changed(job: Job, states: dict[str, list[str]]) -> list[str]:
    """The capabilities whose verdict differs from the known one."""
    return [
        name
        for name, (state, *_) in states.items()
        if (state in DEFINITE or name == "chat") and job.known.get(name) in DEFINITE and state != job.known[name]
    ]


def _reduced(options: Options, done: Report) -> Options:
    """The options with what is left of the budget after a run."""
    requests, tokens = options.max_requests, options.max_tokens
    spent = done.run.prompt_tokens + done.run.completion_tokens
    return replace(
        options,
        max_requests=None if requests is None else max(0, requests - done.run.requests),
        max_tokens=None if tokens is None else max(0, tokens - spent),
    )


def _judges(options: Options, report: Report, names: Collection[str]) -> list[Check]:
    """The checks that judge these capabilities, with the checks that they require."""
    judges = {check for name in names for check in report.capabilities[name].checks}
    return registry.select(options.depth, tuple(sorted(judges)), options.skip) if judges else []


def plain(text: str, longest: int = 4000) -> str:
    """Text that every database accepts: without NUL and lone surrogates, and not too long."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:longest]


def summary_of(report: Report, trials: dict[str, list[str]]) -> Summary:
    """What the store keeps in tables of a report; the first trial is the verdict, the others its confidence."""
    verdicts = []
    for name, verdict in report.capabilities.items():
        states = trials.get(name) or [str(verdict.verdict)]
        agreed = Counter(states)[states[0]]
        confidence = verdict.confidence * agreed / len(states)
        verdicts.append(Judged(name, states[0], confidence, verdict.finding, plain(verdict.note), len(states), agreed))
    info, target, server = report.run, report.target, report.server
    return Summary(
        run_id=info.id,
        started_at=info.started_at,
        finished_at=info.finished_at,
        duration_s=info.duration_s,
        depth=info.depth,
        complete=info.complete,
        usable=usable(report),
        endpoint=plain(target.endpoint),
        base_url=target.base_url and plain(target.base_url),
        model=target.model and plain(target.model),
        requests=info.requests,
        prompt_tokens=info.prompt_tokens,
        completion_tokens=info.completion_tokens,
        software=plain(server.software, 100),
        version=server.version and plain(server.version, 200),
        hops=tuple(plain(hop.software, 100) for hop in server.hops),
        verdicts=tuple(verdicts),
        findings=tuple(
            Found(**{each.name: plain(str(getattr(item, each.name))) for each in fields(Found)})
            for item in report.findings
        ),
    )
