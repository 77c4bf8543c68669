"""Reading a fleet file: what it gives, and the line of whatever is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.fleet.file import BadFleet, Lines, line_of, load, parse
from probe.fleet.job import Target
from probe.fleet.job_runner import options_of
from probe.run.typed_options import Unusable

GOOD = """\
[fleet]
name = "prod"
concurrency = 8

[defaults]
depth = "quick"
labels = { tier = "prod" }
expect = { chat = "works" }

[[target]]
name = "a"
endpoint = "https://gw.example/v1"
models = [
  "x",
  { id = "y", expect = { vision = ["works", "rejected"] } },
]
api_key_env = "GATEWAY_KEY"
headers = { X-Team = "search", X-Gate = "${GATE}" }
expect = { tools = "works" }

# a comment
[[target]]
endpoint = "https://gw2.example/v1"
discover = true
include = ["gpt-*"]
vantage = ["dmz", "office"]
"""


def test_a_good_file_is_read_whole() -> None:
    fleet = parse(GOOD)
    first, second = fleet.targets
    assert (fleet.name, fleet.settings.concurrency, fleet.settings.per_host) == ("prod", 8, 1)
    assert first.models == ("x", "y")
    assert first.key == ("env", "GATEWAY_KEY")
    assert first.labels == {"tier": "prod"}
    assert first.expect == {"chat": ("works",), "tools": ("works",)}
    assert first.expect_of == {"y": {"vision": ("works", "rejected")}}
    assert first.options == {"depth": "quick"}
    assert second.name == "https://gw2.example/v1"
    assert second.discover
    assert second.vantage == ("dmz", "office")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("tools =", "tols =", 19, "did you mean 'tools'?"),
        ('tools = "works"', 'tools = "fine"', 19, "expected to be one of works"),
        ("vision =", "vison =", 13, "did you mean 'vision'?"),
        ('  "x",', "  3,", 13, "a model id is a text"),
        ('  "x",', '  "y",', 13, "named twice"),
        ("include", "inclde", 25, "did you mean 'include'?"),
        ("concurrency = 8", 'concurrency = "8"', 3, "whole number"),
        ("concurrency = 8", "concurrency = 0", 3, "from 1 to 256"),
        ('api_key_env = "GATEWAY_KEY"', 'api_key = "sk-123456"', 17, "would put a key into this file"),
        ('api_key_env = "GATEWAY_KEY"', 'api_key_env = "sk-123"', 17, "name of an environment variable"),
        ('X-Team = "search"', 'Authorization = "Bearer abc"', 18, "a key is not kept in this file"),
        ("gw2.example/v1", "gw2.example/v1?api-key=abcdefgh", 23, "looks like a key"),
        ("https://gw2.example/v1", "ftp://gw2.example/v1", 23, "ftp"),
        ('endpoint = "https://gw2', 'name = "a"\nendpoint = "https://gw2', 23, "is taken by an earlier target"),
        ('endpoint = "https://gw2.example/v1"', "", 22, "has no endpoint"),
        ("discover = true", "discover = 1", 24, "true or false"),
        ("[defaults]", "[default]", 5, "did you mean 'defaults'?"),
        ("[defaults]", "[defaults", 5, "this is not TOML"),
        ('depth = "quick"', 'depth = "quik"', 6, "did you mean 'quick'?"),
        ('name = "prod"', 'name = "prod', 2, "this is not TOML"),
        ('labels = { tier = "prod" }', "labels = { tier = 3 }", 7, "short text"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, line: int, said: str) -> None:
    with pytest.raises(BadFleet) as caught:
        parse(GOOD.replace(old, new, 1), "fleet.toml")
    message = str(caught.value)
    assert message.startswith(f"fleet.toml:{line}: "), message
    assert said in message
    assert "\n" not in message
    assert "sk-123456" not in message


@pytest.mark.parametrize("text", ["", "[fleet]\n", "target = 3\n", "target = []\n"])
def test_a_file_without_targets_is_refused(text: str) -> None:
    with pytest.raises(BadFleet, match=r"fleet\.toml:\d+: .*target"):
        parse(text, "fleet.toml")


def test_lines_of_values_that_take_several() -> None:
    lines = Lines('a = 1\n\nb = """\nx = 1\n"""\n\n[[t]]\nc = [\n 1,\n]\n[[t]]\nd = 2\n')
    assert lines.of(("a",)) == 1
    assert lines.of(("b",)) == 3
    assert lines.of(("t", 0)) == 7
    assert lines.of(("t", 0, "c")) == 8
    assert lines.of(("t", 1)) == 11
    assert lines.of(("t", 1, "d")) == 12


def test_the_line_of_a_target(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text(GOOD)
    assert load(file).name == "prod"
    assert line_of(file, "https://gw2.example/v1") == 22
    assert line_of(tmp_path / "gone.toml", "a") == 1


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = 1\nb = \x80"])
def test_no_text_is_said_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_bytes(content)
    with pytest.raises(BadFleet, match="UTF-8"):
        load(tmp_path / "f.toml")


def test_references_are_filled_in_where_the_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "key-123456789")
    monkeypatch.setenv("GATE", "gate-123456789")
    target = parse(GOOD).targets[0]
    options = options_of(target, "x")
    assert options.auth.key == "key-123456789"
    assert options.auth.source == "env:GATEWAY_KEY"
    assert options.headers["X-Gate"] == "gate-123456789"
    assert ("GATE", "gate-123456789") in options.secrets
    assert str(options.depth) == "quick"
    assert "key-123456789" not in repr(target)
    monkeypatch.delenv("GATE")
    with pytest.raises(Unusable, match="GATE"):
        options_of(target, "x")


@pytest.mark.parametrize("endpoint", ["ftp:${T}", "https://h.example:${T}/v1", "${T}", "https://${T}\u00df\u200b/v1"])
def test_a_problem_that_is_kept_quotes_no_variable(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T", "t0k:n-0aB1cD2eF3gH4iJ5kL6m")
    with pytest.raises(Unusable) as why:
        options_of(Target("a", endpoint), None)
    assert not any("t0k:n-0aB1cD2eF3gH4iJ5kL6m"[at : at + 6] in str(why.value) for at in range(20))
