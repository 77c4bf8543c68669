"""What the shell offers after the Tab key, where click cannot know it by itself.

A completion that fails offers nothing: an error message in the middle of somebody's
command line helps nobody.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offering(values: Callable[[], Iterable[tuple[str, str]]]) -> Offer:
    """A click callback that offers those of the values (with a help text each) that begin as typed."""

    def offer(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        with contextlib.suppress(Exception):
            return [CompletionItem(name, help=text) for name, text in values() if name.startswith(incomplete)]
        return []

    return offer


def _codes() -> Iterable[tuple[str, str]]:
    from probe.catalogue import registry

    return [(code, diagnosis.title) for code, diagnosis in registry.catalogue().items()]


def _servers() -> Iterable[tuple[str, str]]:
    from probe.catalogue import registry

    named = {name for diagnosis in registry.catalogue().values() for name in diagnosis.remedies}
    return [(name, registry.title(name)) for name in sorted(named)]


def _checks() -> Iterable[tuple[str, str]]:
    from probe.catalogue import registry

    found = registry.checks()
    families = sorted({check.family for check in found})
    return [*((f"{name}.*", f"all of {name}") for name in families), *((check.id, check.title) for check in found)]


def _faults() -> Iterable[tuple[str, str]]:
    from probe.simulator import all_faults

    return [(item.name, item.summary) for item in all_faults()]


def _styles() -> Iterable[tuple[str, str]]:
    from probe.simulator import all_styles

    return [(item.name, item.summary) for item in all_styles()]


def _formats() -> Iterable[tuple[str, str]]:
    from reports.registry import reporters

    return [(name, reporter.filename) for name, reporter in reporters().items()]


codes = _offering(_codes)
servers = _offering(_servers)
checks = _offering(_checks)
faults = _offering(_faults)
styles = _offering(_styles)
formats = _offering(_formats)
