"""docs/checks/ says what the checks say, docs/systems/ what the data files of the systems say."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from checks.fingerprint.systems import signatures
from probe.catalogue import docs, registry


def test_the_generated_files_are_up_to_date() -> None:
    stale = [str(path.relative_to(docs.ROOT)) for path in docs.outdated()]
    assert stale == [], "run `python -m probe.catalogue.docs`"


def test_every_code_has_its_place() -> None:
    pages = {path.stem: text for path, text in docs.generated().items() if path.parent.name == "checks"}
    for code in registry.catalogue():
        assert f"### `{code}`" in pages[code.partition(".")[0]]
        assert f"`{code}`" in pages["README"]


def test_every_check_has_its_place() -> None:
    pages = {path.stem: text for path, text in docs.generated().items() if path.parent.name == "checks"}
    for check in registry.checks():
        assert f"### `{check.id}`" in pages[check.family]


def test_every_system_has_its_page() -> None:
    pages = {path.stem: text for path, text in docs.generated().items() if path.parent.name == "systems"}
    for name, system in signatures().items():
        assert f"({name}.md)" in pages["README"]
        for heading in ("point a client", "the tool will find", "to change", "it is recognised"):
            assert heading in pages[name], (name, heading)
        assert all(source in pages[name].replace("\\", "") for source in system.sources)


def test_prose_is_not_read_as_markup() -> None:
    parser = MarkdownIt("commonmark")
    for path, text in docs.generated().items():
        if path.suffix != ".md":
            continue
        shown = parser.render(text)
        assert "<em>" not in shown, path
        assert shown.count("<!--") == 1


@pytest.mark.parametrize("text", ["a `b` c", "a * b_c", "odd ` one", "<tag> [x]"])
def test_escaped_prose_reads_as_it_was(text: str) -> None:
    shown = MarkdownIt("commonmark").render(docs._escaped(text))
    plain = shown.replace("<code>", "`").replace("</code>", "`").replace("<p>", "").replace("</p>", "").strip()
    assert plain.replace("&lt;", "<").replace("&gt;", ">") == text


def test_the_command_names_what_is_stale(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    (tmp_path / "docs" / "checks").mkdir(parents=True)
    (tmp_path / "docs" / "checks" / "gone.md").write_text("x")
    assert docs.main(["--check"]) == 1
    assert "gone.md is out of date" in capsys.readouterr().out
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    assert not (tmp_path / "docs" / "checks" / "gone.md").exists()
