"""The curl line: a shell sends exactly what was recorded, and nothing else happens."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from probe.report import document
from reports import curl
from tests.reports_fixtures import ALL, healthy, hostile

#: A stand-in for curl that prints its arguments, one JSON list.
FAKE = 'curl() { python3 -c "import json,sys; print(json.dumps(sys.argv[1:]))" "$@"; }\n'


def arguments(line: str, tmp_path: Path) -> list[str]:
    """What curl would be called with when the line is pasted into bash."""
    done = subprocess.run(
        ["bash", "-c", FAKE + line],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "API_KEY": "sk-real", "HOME": "/leak"},
        check=True,
    )
    assert done.stderr == ""
    found: list[str] = json.loads(done.stdout)
    return found


def test_it_sends_the_recorded_request_with_the_key_filled_in(tmp_path: Path) -> None:
    exchange = document(healthy()).exchanges[0]
    sent = arguments(curl.command(exchange), tmp_path)
    assert exchange.request.url in sent
    assert "Authorization: Bearer sk-real" in sent
    assert json.loads(sent[sent.index("--data-raw") + 1]) == exchange.request.body
    assert sent[sent.index("-X") + 1] == "POST"


def test_a_hostile_body_runs_nothing_and_reads_nothing(tmp_path: Path) -> None:
    exchange = document(hostile(100)).exchanges[0]
    line = curl.command(exchange)
    assert line.isprintable() or set(line) - {c for c in line if c.isprintable()} == {"\n"}
    sent = arguments(line, tmp_path)
    body = json.loads(sent[sent.index("--data-raw") + 1])
    assert body["messages"][0]["content"] == ALL + "${HOME} $(id) `id` !!"
    assert "?a='$(id)'" in next(word for word in sent if word.startswith("https://"))


@pytest.mark.parametrize("text", ["plain", "it's", 'say "x"', "$HOME", "a\nb\x1b\u202e'\\", "`id`", "!x", "${HOME}"])
def test_quoting_survives_the_shell(text: str, tmp_path: Path) -> None:
    assert arguments(f"curl {curl.quoted(text)}", tmp_path) == [text]


def test_a_long_body_is_named_as_a_file() -> None:
    from dataclasses import replace

    exchange = document(healthy()).exchanges[0]
    long = replace(exchange, request=replace(exchange.request, body={"pad": "x" * 5_000}))
    assert "--data-binary @body.json" in curl.command(long)
