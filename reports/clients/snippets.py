"""Small pieces of generated code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reports.clients.settings import Settings


def header(settings: Settings, mark: str) -> list[str]:
    """The comment on top of a generated module; the endpoint's own words are not repeated in it."""
    day = settings.report.run.started_at[:10]
    when = f" of {day}" if day.replace("-", "").isdigit() else ""
    return [f"{mark} Written by endpoint-probe from the report{when}. What was not determined is left out.", ""]


def arguments(values: Mapping[str, str]) -> list[str]:
    """Keyword arguments from names and source texts."""
    return [f"{name}={value}" for name, value in values.items()]


def call(callee: str, words: Iterable[str]) -> list[str]:
    """The lines of a call, one argument a line."""
    return [f"{callee}(", *(f"    {word}," for word in words), ")"]
