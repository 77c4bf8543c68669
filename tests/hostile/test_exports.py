"""What an endpoint or a redirect can put into an export: an id, a URL, a header's name.  Nothing changes but its value.

For each exporter the file with the hostile value is compared with the file with a plain one, in which only that value
is replaced; or nothing is written at all, with one line that says why.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from probe.model import Report
from reports.clients.client import Exported, export
from reports.clients.data_client import load, names
from reports.clients.documents import parsed
from reports.clients.registry import CLIENTS, client
from reports.clients.settings import CannotExport, settings_of
from tests.unit.configs_cases import BASE, DOCUMENTS, EXTRAS, case

PLAIN = "plainvalue"
#: Pieces that end a string, a line, a field or a document somewhere, or that something replaces.
PIECES = (
    *("'", '"', "`", "\\", "\\n", "\\'", '\\"', "'''", '"""', "''", "\\u0022", "%22", "&quot;", "\u2028", "\u2029"),
    *("$HOME", "${HOME}", "$(id)", "`id`", "$((1))", "${{ secrets.K }}", "{env:HOME}", "{file:/etc/passwd}", "%HOME%"),
    *("os.environ/HOME", "{{ 7*7 }}", "{% raw %}", "{0}", "{model}", "<%= 1 %>", "#{1}", "!!python/object:x", "!!map"),
    *(
        "a: b",
        "- a",
        "# c",
        "a # c",
        "? a",
        "| a",
        "> a",
        "&a",
        "*a",
        "[a]",
        "{a}",
        "{a: b}",
        "---",
        "...",
        "~",
        "null",
    ),
    *("true", "no", "0x10", "1e3", "012", "1_000", "2026-01-01", "NaN", ".inf", "=", "a=b", "[a.b]", "a]b", "<<", "@a"),
    *("//", "/* a */", "-- a", ";", "a;b", "a && b", "a | b", "> /tmp/x", "!x", "~root", "*", "?", "a b", " a", "a "),
    *(
        "../../etc",
        "/abs",
        "a/b/c",
        "a:b",
        "a@b",
        "a,b",
        "<b>",
        "</script>",
        "<!--",
        "]]>",
        "&amp;",
        "\u202e",
        "é",
        "日本",
    ),
    *(
        "\U0001f600",
        "\u00a0",
        "x" * 250,
        "-rf",
        "--help",
        "%s",
        "%n",
        "__proto__",
        "constructor",
        "$schema",
        "on",
        "NONE",
    ),
)
IDS = [*PIECES[:101], "')import os#", '"});process.exit(1);//']
URLS = [
    f"http://127.0.0.1:9999/{part}/v1"
    for part in (
        "$HOME",
        "${HOME}",
        "$(id)",
        "`id`",
        "'a",
        '"a',
        "{env:HOME}",
        "a;b",
        "a&b",
        "a\\b",
        "{{7}}",
        "<b>",
        "#",
    )
]
#: Header names may hold all of these (RFC 9110, 5.6.2).
HEADERS = ["X-'a", "X-`id`", "X-$HOME", "X-a|b", "X-%s", "X-!a", "X-a&b", "X-#a", "X-*", "X-~", "X-^", "X-+."]
LANGUAGES: dict[str, Callable[[Any], str]] = {"python": repr, "javascript": json.dumps}


def made(name: str, report: Report) -> Exported | None:
    """The export, or None where nothing is written, with one line that says why."""
    try:
        return export(client(name), settings_of(report, id="lab", extras=EXTRAS))
    except CannotExport as problem:
        assert "\n" not in str(problem)
        return None


def replaced(value: Any, hostile: str) -> Any:
    """Plain data in which the plain value became the hostile one."""
    if isinstance(value, str):
        return value.replace(PLAIN, hostile)
    if isinstance(value, dict):
        return {replaced(key, hostile): replaced(item, hostile) for key, item in value.items()}
    return [replaced(item, hostile) for item in value] if isinstance(value, list) else value


def read(name: str, text: str) -> Any:
    """What a configuration holds, as its own reader sees it."""
    form = client(name).form
    if form in DOCUMENTS:
        return parsed(form, text)
    if form in ("sheet", "env"):
        return text.split("\n")
    if text.startswith(("curl", "export")):
        # JSON in the body is read too; a backslash before the end of a line goes on.
        return [json.loads(word) if word.startswith("{") else word for word in shlex.split(text)]
    if "import {" in text or "import OpenAI from" in text:
        return [json.loads(part) if part[:1] == '"' else part for part in re.split(r'("(?:[^"\\]|\\.)*")', text)]
    return [part.value if isinstance(part, ast.Constant) else type(part).__name__ for part in ast.walk(ast.parse(text))]


def plain(name: str, report: Report) -> Any:
    """What the export with the plain value holds."""
    found = made(name, report)
    assert found is not None
    return read(name, found.text)


def unchanged(name: str, hostile: str, report: Report, with_plain: Any) -> bool:
    """Whether the export of a report differs in the value alone; False where nothing was written."""
    found = made(name, report)
    if found is None:
        return False
    assert read(name, found.text) == replaced(with_plain, hostile)
    assert all("\n" not in note for note in found.notes)
    return True


def test_there_are_enough_of_them() -> None:
    assert len(set(IDS)) >= 103
    assert set(names()) < set(CLIENTS) and all(load(name).title for name in names())


@pytest.mark.parametrize("name", CLIENTS)
def test_a_hostile_id_changes_nothing_but_its_value(name: str) -> None:
    expected = plain(name, case(model=PLAIN))
    written = [item for item in IDS if unchanged(name, item, case(model=item), expected)]
    # Some are refused, because a client would replace them or cannot hold them; most are written.
    assert len(written) >= 60, sorted(set(IDS) - set(written))


@pytest.mark.parametrize("name", CLIENTS)
def test_a_hostile_url_is_written_as_it_is_or_not_at_all(name: str) -> None:
    expected = plain(name, case(base_url=BASE.replace("v1", f"{PLAIN}/v1")))
    for url in URLS:
        if unchanged(name, url.split("/")[3], case(base_url=url), expected):
            assert "${" not in url and "$(" not in url and "`" not in url and "{env:" not in url
            assert not (client(name).expands and re.search(client(name).expands, url))


@pytest.mark.parametrize("name", CLIENTS)
def test_a_hostile_name_of_a_header_changes_nothing_but_itself(name: str) -> None:
    further = plain(name, case(headers={PLAIN: "${LAB_VALUE}"}))
    keyed = plain(name, case(scheme="api-key-header", header=PLAIN))
    for header in HEADERS:
        unchanged(name, header, case(headers={header: "${LAB_VALUE}"}), further)
        unchanged(name, header, case(scheme="api-key-header", header=header), keyed)


@pytest.mark.parametrize("name", ["crush", "qwen-code"])
@pytest.mark.parametrize("text", ["$HOME", "${HOME}", "$(id)", "a$b"])
def test_a_name_that_the_client_would_replace_is_not_written(name: str, text: str) -> None:
    assert made(name, case(base_url=f"http://127.0.0.1/{text}/v1")) is None
    assert made(name, case(model=f"m-{text}")) is None
    assert made(name, case(model="a$-1")) is not None
