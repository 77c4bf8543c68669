"""Golden files: each format of three reports, compared byte by byte.

After a wanted change, `UPDATE_GOLDEN=1 pytest tests/unit/test_reports_golden.py` writes
them anew; the difference is then read in the diff.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from probe.model import Report
from probe.report import decode, encode
from reports.registry import reporters
from tests.reports_fixtures import faulty, healthy, hostile

GOLDEN = Path(__file__).parent.parent / "golden"


def _small_hostile() -> Report:
    return hostile(300)


_REPORTS: dict[str, Callable[[], Report]] = {"healthy": healthy, "faulty": faulty, "hostile": _small_hostile}


def comparable(content: bytes) -> bytes:
    """The page without its style sheet, script and their hashes, which have files of their own."""
    content = without_configurations(content)
    for tag in (b"style", b"script"):
        content = re.sub(rb"<" + tag + rb">.*?</" + tag + rb">", b"<" + tag + rb"/>", content, flags=re.DOTALL)
    return re.sub(rb"sha256-[A-Za-z0-9+/=]+|sha256-(?:[A-Za-z0-9+/]|&#\d+;)+=*", b"sha256-...", content)


def without_configurations(content: bytes) -> bytes:
    """Without the clients' configurations, which have tests of their own and change with the clients."""
    content = re.sub(
        rb'(<details class="config" id="[^"]+">).*?</details>', rb"\1...</details>", content, flags=re.DOTALL
    )
    found = rb"(<details><summary>Configuration for [^<]+</summary>).*?</details>"
    return re.sub(found, rb"\1...</details>", content, flags=re.DOTALL)


def without_catalogue(content: bytes) -> bytes:
    """The SARIF log without what its rules repeat from the catalogue."""
    log = json.loads(content)
    for rule in log["runs"][0]["tool"]["driver"]["rules"]:
        rule.update(fullDescription="...", help="...", defaultConfiguration="...")
    return json.dumps(log, indent=2, ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize("name", sorted(_REPORTS))
@pytest.mark.parametrize("form", ["json", "html", "markdown", "junit", "sarif", "terminal"])
def test_a_format_is_as_it_was(name: str, form: str) -> None:
    reporter = reporters()[form]
    made = reporter.render(_REPORTS[name]())
    if form == "html":
        made = comparable(made)
    elif form == "sarif":
        made = without_catalogue(made)
    elif form == "markdown":
        made = without_configurations(made)
    file = GOLDEN / f"{name}.{reporter.filename}"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_bytes(made)
    assert file.read_bytes() == made, f"{file.name} changed; UPDATE_GOLDEN=1 writes it anew"


@pytest.mark.parametrize("name", sorted(_REPORTS))
def test_a_saved_report_renders_as_the_run_did(name: str) -> None:
    report = _REPORTS[name]()
    again = decode(encode(report))
    for form in ("html", "markdown", "junit", "sarif", "terminal"):
        reporter = reporters()[form]
        assert comparable(reporter.render(again)) == comparable(reporter.render(report)), form
