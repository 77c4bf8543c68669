"""A walk through the catalogue: every code complete, unique, explained.

That each is given by a run against a simulated fault is the matter of tests/scenarios/test_every_fault.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checks.fingerprint.systems import signatures
from probe.catalogue import registry
from probe.model import Diagnosis, Severity
from probe.simulator import all_faults

ROOT = Path(__file__).parent.parent.parent
#: The codes that the contract promises at least, by family.
PROMISED = {
    "connect": "dns refused timeout reset",
    "tls": "untrusted expired expiring hostname",
    "url": "missing-v1 trailing-slash operation-path duplicate-path redirects not-an-api no-chat cleartext",
    "auth": "required rejected wrong-scheme not-checked models-exempt wrong-status key-reflected denied sign-in",
    "models": "no-list not-listed id-unknown id-not-checked id-differs not-enabled",
    "content": "blocks-rejected blocks-ignored blocks-truncated null-rejected",
    "roles": "system-ignored system-rejected developer-rejected",
    "tools": "rejected not-enabled ignored parser-missing text-call not-called arguments-not-json arguments-not-string "
    "arguments-off-schema id-missing id-duplicate finish-reason choice-ignored result-rejected result-ignored "
    "stream-leak stream-index stream-fragments",
    "output": "json-object-rejected json-object-ignored schema-rejected schema-ignored",
    "vision": "rejected ignored misread",
    "stream": "rejected not-sse held replayed size-buffered coalesced compressed content-type framing no-done "
    "truncated no-usage error-in-band utf8",
    "idle": "l7-timeout total-deadline l4-dropped l4-reset reuse-closed",
    "params": "max-tokens-rejected max-completion-tokens-rejected max-tokens-ignored stop-ignored unknown-rejected "
    "sampling-rejected",
    "errors": "shape success-status server-error upstream cached unsteady",
    "limits": "rate-limited quota context-silent body-size loading overloaded",
}
CATALOGUE = registry.catalogue()
ENTRIES = pytest.mark.parametrize("diagnosis", CATALOGUE.values(), ids=CATALOGUE.keys())
#: Software a remedy may be written for; a typing mistake would never be shown to anyone.
SOFTWARE = frozenset(signatures())


@pytest.mark.parametrize("family", PROMISED)
def test_every_promised_code_is_there(family: str) -> None:
    missing = [f"{family}.{fault}" for fault in PROMISED[family].split() if f"{family}.{fault}" not in CATALOGUE]
    assert missing == []


@ENTRIES
def test_every_section_is_filled(diagnosis: Diagnosis) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*\.[a-z0-9]+(-[a-z0-9]+)*", diagnosis.code)
    for text in (diagnosis.title, diagnosis.what, diagnosis.why, diagnosis.remedy, diagnosis.verify):
        assert len(text.split()) >= 2, text
    assert not diagnosis.title.endswith(".")
    assert len(diagnosis.title) <= 90
    assert diagnosis.sources
    for text in (diagnosis.what, diagnosis.why, diagnosis.remedy, *diagnosis.remedies.values()):
        assert text.strip() == text
        assert "TODO" not in text
    assert set(diagnosis.remedies) <= SOFTWARE


def test_a_title_names_one_thing() -> None:
    titles = [diagnosis.title for diagnosis in CATALOGUE.values()]
    assert sorted({title for title in titles if titles.count(title) > 1}) == []


def test_faults_name_only_codes_that_exist() -> None:
    unknown = {code for fault in all_faults() for code in fault.yields} - set(CATALOGUE)
    assert unknown == set()


def test_checks_are_in_the_family_of_their_file_and_say_what_they_prove() -> None:
    for check in registry.checks():
        module = check.run.__module__.split(".")
        assert module[0] == "checks" or not module[0].startswith("probe")
        assert len(check.proves.split()) >= 4, check.id
        assert check.title, check.id
        assert check.max_requests >= 0
        assert check.max_requests == 0 or check.max_tokens >= 0


def test_what_a_check_requires_is_provided_by_another() -> None:
    provided = {name for check in registry.checks() for name in check.provides}
    for check in registry.checks():
        assert check.requires <= provided, check.id


def test_an_absent_feature_that_is_honestly_refused_is_no_fault() -> None:
    """Contract, section 2: an optional capability refused with a clear error is information."""
    for code in (
        "vision.rejected",
        "output.json-object-rejected",
        "output.schema-rejected",
        "roles.developer-rejected",
    ):
        if code in CATALOGUE:
            assert CATALOGUE[code].severity is Severity.INFO, code
