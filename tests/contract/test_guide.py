"""README and guide: every command in them works, the example check runs, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from probe.catalogue import registry
from probe.cli import cli
from probe.simulator import Simulator
from tests.contract.running import environment, run

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = {"README.md": ROOT / "README.md", "guide.md": ROOT / "docs" / "guide.md"}
_BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)


def blocks(name: str, *kinds: str) -> list[tuple[str, str]]:
    """The code blocks of these kinds: what marks each, and its text."""
    text = DOCUMENTS[name].read_text(encoding="utf-8")
    return [(found["mark"] or "", found["text"]) for found in _BLOCK.finditer(text) if found["kind"] in kinds]


def marked(name: str, mark: str) -> str:
    (text,) = [text for found, text in blocks(name, "python", "text") if found == mark]
    return text


def console() -> list[str]:
    """The command lines of the guide's sessions, in order."""
    return [
        line[2:]
        for _, text in blocks("guide.md", "console")
        for line in text.splitlines()
        if line.startswith("$ endpoint-probe")
    ]


def commands() -> list[str]:
    """Every complete command line with our program in it, wherever it is shown."""
    found = console()
    for name in DOCUMENTS:
        for _, text in blocks(name, "sh", "yaml"):
            joined = re.sub(r">-\n\s+|(?<=\S)\n\s+(?=--)", " ", text)
            found += re.findall(r"(?<![=\w/-])endpoint-probe [a-z][^\n#;]*", joined)
        shown = _BLOCK.sub("", DOCUMENTS[name].read_text(encoding="utf-8"))
        found += re.findall(r"`(endpoint-probe [a-z][^`\n]*)`", shown)
    return list(dict.fromkeys(line.strip() for line in found))


def test_there_is_something_to_look_at() -> None:
    assert len(console()) > 10
    assert len(commands()) > 25


@pytest.mark.parametrize("line", commands())
def test_each_command_is_one(line: str) -> None:
    """The command exists and takes these options; what they mean is tried where it can be."""
    words = [word for word in shlex.split(line)[1:] if word not in ("[--style", "S]", "[--fault", "F]", "[--server")]
    words = [word.rstrip(",") for word in words]
    group: click.Command = cli
    context = click.Context(cli)
    while isinstance(group, click.Group):
        name = words.pop(0)
        found = group.get_command(context, name)
        assert found is not None, f"no command {name}"
        group = found
        if not words:
            return
    if "--help" in words:
        return
    group.make_context("endpoint-probe", words)


@pytest.mark.slow
def test_the_sample_in_the_readme_is_what_the_program_says(tmp_path: Path) -> None:
    command = "demo --fault tools-as-hermes"
    sample = marked("README.md", f"sample: {command}")
    said = run(*command.split(), cwd=tmp_path).out

    def plain(text: str) -> set[str]:
        return {re.sub(r"\d+(?:\.\d+)?", "N", " ".join(line.split())) for line in text.splitlines()}

    told = sample.partition("  Fix ")[0]  # the words of the remedy belong to the catalogue
    assert plain(told) - plain(said) == set()


def test_the_example_check_passes_fails_and_is_explained(tmp_path: Path) -> None:
    (tmp_path / "house_checks.py").write_text(marked("guide.md", "example: house_checks.py"))
    info = tmp_path / "house-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: house\nVersion: 1.0\n")
    (point,) = [text for _, text in blocks("guide.md", "toml") if "endpoint_probe.checks" in text]
    target = re.search(r'house = "(\w+)"', point)
    assert target is not None
    (info / "entry_points.txt").write_text(f"[endpoint_probe.checks]\nhouse = {target[1]}\n")
    env = {"PYTHONPATH": str(tmp_path)}

    lines = [line for _, text in blocks("guide.md", "sh") for line in text.splitlines() if "house.*" in line]
    assert len(lines) == 2
    good, bad = (run(*shlex.split(line)[1:], "--json", "--fail-on", "warning", cwd=tmp_path, env=env) for line in lines)
    assert (good.status, bad.status) == (0, 1), (good.err, bad.err)
    assert '"house.no-request-id"' not in good.out
    assert '"code": "house.no-request-id"' in bad.out
    assert '"id": "house.request-id"' in good.out
    explained = run("explain", "house.no-request-id", "--server", "nginx", cwd=tmp_path, env=env)
    assert "add_header X-Request-Id" in explained.out
    planned = run("run", "http://127.0.0.1:9", "--only", "house.*", "--dry-run", cwd=tmp_path, env=env)
    assert "house.request-id" in planned.out


def test_the_simulator_is_used_as_the_guide_says(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [text for _, text in blocks("guide.md", "python") if "Simulator" in text]
    names: dict[str, object] = {}
    exec(compile(code, "guide", "exec"), names)
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")
    assert names["Simulator"] is Simulator


def test_the_recipes_are_yaml_with_what_they_need() -> None:
    recipes = [YAML(typ="safe").load(text) for _, text in blocks("guide.md", "yaml")]
    actions, gitlab = recipes
    steps = actions["jobs"]["probe"]["steps"]
    assert actions["permissions"]["security-events"] == "write"
    assert any("run" in step and "endpoint-probe run" in step["run"] for step in steps)
    written = next(step["run"] for step in steps if "endpoint-probe run" in step.get("run", ""))
    for form, file in (("markdown", "report.md"), ("sarif", "report.sarif")):
        assert f"--format {form}" in written
        assert any(file in f"{step}" for step in steps)
    assert gitlab["endpoint"]["artifacts"]["reports"]["junit"] == "endpoint-report/report.junit.xml"
    assert any("--format junit" in line for line in gitlab["endpoint"]["script"])


def test_the_options_of_the_pytest_plugin_are_real(tmp_path: Path) -> None:
    import subprocess
    import sys

    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
    ).stdout
    text = DOCUMENTS["guide.md"].read_text(encoding="utf-8")
    used = set(re.findall(r"--endpoint-probe(?:-[a-z]+)*\b(?!`)", text)) - {"--endpoint-probe"}
    assert used >= {"--endpoint-probe-key-env", "--endpoint-probe-out"}
    for option in used:
        assert f"{option}=" in shown, option


def test_the_readme_needs_no_other_file() -> None:
    """It is also the description of the package, where a relative link leads nowhere; its picture has words there."""
    text = DOCUMENTS["README.md"].read_text(encoding="utf-8")
    assert [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith(("https://", "#"))] == []
    (picture, words) = re.findall(r'<img src="([^"]+)" width="\d+" alt="([^"]+)">', text)[0]
    assert (ROOT / picture).stat().st_size < 200_000
    assert len(words) > 80
    named = re.findall(r"`((?:docs/)?[\w/]+(?:\.md|/))`", text)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists() and name != "CONTRIBUTING.md"] == []


@pytest.mark.parametrize("name", ["guide.md"])
def test_links_lead_somewhere(name: str) -> None:
    file = DOCUMENTS[name]
    text = _BLOCK.sub("", file.read_text(encoding="utf-8"))
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.strip("# ").lower()).replace(" ", "-")
        for line in re.findall(r"^#+ .*$", text, re.M)
    }
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    for link in links:
        place, _, anchor = link.partition("#")
        assert not place or (file.parent / place).exists(), link
        assert not anchor or place or anchor in headings, link


def test_the_make_targets_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+)", "\n".join(text for _, text in blocks("README.md", "sh")), re.M)
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_readme_is_short() -> None:
    assert len(DOCUMENTS["README.md"].read_text(encoding="utf-8").splitlines()) < 200


def test_the_codes_of_the_readme_exist() -> None:
    """Everything in backquotes that looks like a finding code is one, so that a reader can look it up."""
    text = DOCUMENTS["README.md"].read_text(encoding="utf-8")
    families = {code.partition(".")[0] for code in registry.catalogue()}
    named = {code for code in re.findall(r"`([a-z]+\.[a-z0-9-]+)`", text) if code.partition(".")[0] in families}
    assert len(named) > 15
    assert named - set(registry.catalogue()) == set()
