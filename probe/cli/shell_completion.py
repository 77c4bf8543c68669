"""Values that the shell offers after the Tab key, where click cannot know them by itself.

A completion that fails offers nothing: an error message in the middle of a command line
would only disturb.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completion(values: Callable[[], Iterable[tuple[str, str]]]) -> Offer:
    """A click callback that offers those values (each with a help text) that begin with what was typed."""

    def offer(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with contextlib.suppress(Exception):
            return [CompletionItem(name, help=text) for name, text in values() if name.startswith(incomplete)]
        return []

    return offer


@_completion
def codes() -> Iterable[tuple[str, str]]:
    from probe.catalogue import registry

    return [(code, diagnosis.title) for code, diagnosis in registry.catalogue().items()]


@_completion
def servers() -> Iterable[tuple[str, str]]:
    from probe.catalogue import registry

    named = {name for diagnosis in registry.catalogue().values() for name in diagnosis.remedies}
    return [(name, registry.title(name)) for name in sorted(named)]


@_completion
def checks() -> Iterable[tuple[str, str]]:
    from probe.catalogue import registry

    found = registry.checks()
    families = sorted({check.family for check in found})
    return [*((f"{name}.*", f"all of {name}") for name in families), *((check.id, check.title) for check in found)]


@_completion
def faults() -> Iterable[tuple[str, str]]:
    from probe.simulator import all_faults

    return [(item.name, item.summary) for item in all_faults()]


@_completion
def styles() -> Iterable[tuple[str, str]]:
    from probe.simulator import all_styles

    return [(item.name, item.summary) for item in all_styles()]


@_completion
def formats() -> Iterable[tuple[str, str]]:
    from reports.registry import reporters

    return [(name, reporter.filename) for name, reporter in reporters().items()]
