"""The report formats by name, built-in and from plugins.

A plugin's entry point in the group ``endpoint_probe.reporters`` is a callable that takes
a ``probe.model.Report`` and returns bytes; its attribute ``filename`` (default ``report.NAME``)
names its file.  Modules are imported when a format is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from probe.model import Report

GROUP = "endpoint_probe.reporters"
#: The function and the file of each built-in format.
_BUILT_IN = {
    "json": ("probe.report.encode", "report.json"),
    "html": ("reports.html.page.render", "report.html"),
    "markdown": ("reports.markdown.render", "report.md"),
    "junit": ("reports.junit.render", "report.junit.xml"),
    "sarif": ("reports.sarif.render", "report.sarif"),
    "github": ("reports.github.render", "report.github.txt"),
    "badge": ("reports.html.badge.render", "report.svg"),
    "terminal": ("reports.terminal.render", "report.txt"),
}


class UnknownFormat(ValueError):
    """A format that does not exist or cannot be loaded; the message is one line."""


@dataclass(frozen=True)
class Reporter:
    """A format: its name, its file, and the function from a report to the file's bytes; or one of a plugin."""

    name: str
    filename: str
    render: Callable[[Report], bytes]
    built_in: bool = False


def built_in_files() -> list[str]:
    """The names of the files of the built-in formats."""
    return [filename for _, filename in _BUILT_IN.values()]


def _built_in(name: str) -> Reporter:
    function, filename = _BUILT_IN[name]
    module, _, attribute = function.rpartition(".")

    def render(report: Report) -> bytes:
        content: bytes = getattr(import_module(module), attribute)(report)
        return content

    return Reporter(name, filename, render, built_in=True)


def _plugins() -> dict[str, EntryPoint]:
    """The plugins by format; none replaces a built-in format."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _BUILT_IN}


def _plugged(point: EntryPoint) -> Reporter:
    try:
        render = point.load()
    except Exception as error:  # a plugin may raise anything when it is imported
        raise UnknownFormat(
            f"the format '{point.name}' of a plugin cannot be loaded ({type(error).__name__}); "
            f"repair or uninstall {point.value}"
        ) from None
    return Reporter(point.name, str(getattr(render, "filename", f"report.{point.name}")), render)


def reporters() -> dict[str, Reporter]:
    """Every format by name.

    Raises:
        UnknownFormat: a plugin cannot be loaded.
    """
    found = {name: _built_in(name) for name in _BUILT_IN}
    return found | {name: _plugged(point) for name, point in _plugins().items()}


def chosen(names: Iterable[str]) -> list[Reporter]:
    """The reporters of these names, each once, in their order.

    Raises:
        UnknownFormat: there is no such format, or its plugin cannot be loaded.
    """
    found = []
    for name in dict.fromkeys(names):
        if name in _BUILT_IN:
            found.append(_built_in(name))
            continue
        plugins = _plugins()
        if name not in plugins:
            raise UnknownFormat(
                f"there is no format '{name[:40]}'; use one of {', '.join([*_BUILT_IN, *sorted(plugins)])}"
            )
        found.append(_plugged(plugins[name]))
    return found
