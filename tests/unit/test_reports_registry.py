"""Formats by name: the built-in ones, and those of plugins."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from probe.model import Report
from reports import registry
from tests.reports_fixtures import healthy


def shout(report: Report) -> bytes:
    """A plugin's reporter."""
    return report.target.endpoint.upper().encode()


shout.filename = "report.loud"  # type: ignore[attr-defined]


def _plug(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else ())


def test_every_built_in_has_its_file() -> None:
    files = {name: reporter.filename for name, reporter in registry.reporters().items()}
    assert files == {
        "json": "report.json",
        "html": "report.html",
        "markdown": "report.md",
        "junit": "report.junit.xml",
        "sarif": "report.sarif",
        "github": "report.github.txt",
        "badge": "report.svg",
        "terminal": "report.txt",
    }


def test_a_plugin_is_one_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    _plug(monkeypatch, EntryPoint("loud", f"{__name__}:shout", registry.GROUP))
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").SimpleNamespace(shout=shout))
    (reporter,) = registry.chosen(["loud"])
    assert reporter.filename == "report.loud"
    assert reporter.render(healthy()) == b"HTTPS://API.EXAMPLE.COM/V1"


def test_a_plugin_replaces_no_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    _plug(monkeypatch, EntryPoint("json", "nowhere:nothing", registry.GROUP))
    (reporter,) = registry.chosen(["json"])
    assert reporter.render(healthy()).startswith(b"{")


def test_a_broken_plugin_is_named_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _plug(monkeypatch, EntryPoint("broken", "nowhere.at.all:render", registry.GROUP))
    assert [reporter.name for reporter in registry.chosen(["html", "json", "html"])] == ["html", "json"]
    with pytest.raises(registry.UnknownFormat, match="'broken' of a plugin cannot be loaded"):
        registry.chosen(["broken"])


def test_an_unknown_format_names_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    _plug(monkeypatch, EntryPoint("loud", "x:y", registry.GROUP))
    with pytest.raises(registry.UnknownFormat, match=r"'pdf'; use one of json, html, .*, loud"):
        registry.chosen(["pdf"])
