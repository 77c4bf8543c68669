"""Every command in a code block of README and docs/ is run as it stands, in the order of its document.

Only what a reader puts in place of a name is replaced (an endpoint, a run), and what carries a mark is left out and
counted: it loads packages, takes minutes or needs other machines.  The generated pages have no commands.
"""

from __future__ import annotations

import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.simulator import Simulator
from tests.contract.running import ROOT, Shell

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
DOCUMENTS += sorted(
    str(each.relative_to(ROOT)) for folder in ("", "design") for each in (ROOT / "docs" / folder).glob("*.md")
)
#: Marks, and how many commands have each: one more is a decision.
MARKED = {"network": 16, "minutes": 7, "cluster": 4}
KEY = "sk-documented-0123456789"
_BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)


def written(document: str) -> list[tuple[str, str]]:
    """The commands of a document, and the mark of each, empty for those that are run.

    What another test follows to the letter, in a copy of the checkout, is that test's.
    """
    found = []
    for block in _BLOCK.finditer((ROOT / document).read_text(encoding="utf-8")):
        if block["kind"] in ("sh", "bash", "console") and not (block["mark"] or "").startswith("followed by "):
            for line in block["text"].splitlines():
                command, _, comment = line.removeprefix("$ ").partition("  # ")
                mark = re.search(r"\[(\w+)\]", comment)
                found.append((command.strip(), mark[1] if mark else ""))
    return found


FOLLOWED = [name for name in DOCUMENTS if any(not mark for _, mark in written(name))]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A reader's shell: a healthy endpoint of their own, its key, a fleet, and the example check of the guide."""
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    (check,) = [found["text"] for found in _BLOCK.finditer(guide) if found["mark"] == "example: house_checks.py"]
    info = tmp_path / "house" / "house-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "house" / "house_checks.py").write_text(check)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: house\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[endpoint_probe.checks]\nhouse = house_checks\n")
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "llm.key").write_text(KEY)
    # llama.cpp's server answers with and without /v1, so every form in which the documents type it is right.
    with Simulator("llamacpp", key=KEY, models=["qwen3-32b"], rate_tokens_s=1000) as sim:
        fleet = f'[[target]]\nname = "ams-1"\nendpoint = "{sim.base_url}"\napi_key_env = "LLM_KEY"\n'
        (tmp_path / "FLEET.toml").write_text(fleet)
        env = {"ENDPOINT": sim.base_url, "LLM_KEY": KEY, "HOME": str(tmp_path)}
        yield Shell(tmp_path, env | {"ENDPOINT_PROBE_IDLE": "0"})


def filled(command: str, shell: Shell) -> str:
    """A command with the reader's own endpoint, port and run."""
    endpoint = shell.env["ENDPOINT"]
    names = {"https://llm.example.com/v1": endpoint, "llm.example.com": endpoint.removesuffix("/v1")}
    names["http://127.0.0.1:8000"] = f"{endpoint.removesuffix('/v1')} --api-key-env LLM_KEY"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        names["--port 8080"] = f"--port {free.getsockname()[1]}"
    if command.endswith("--report RUN"):
        names["RUN"] = json.loads(shell("endpoint-probe history ams-1 --format json").stdout)["runs"][0]["id"]
    for name, own in names.items():
        command = command.replace(name, own)
    if "simulate --style" in command:  # it serves until it is stopped
        command = f"timeout --preserve-status -s TERM 5 {command}"
    # What is for a shell that may not be here: what this program hands to it.
    return re.sub(r'^eval "\$\((\S+zsh_source \S+)\)"$|^(\S+fish_source \S+) \| source$', r"\1\2", command)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.flaky(reruns=2, reruns_delay=1)  # whole runs, whose checks of streams measure time
@pytest.mark.parametrize("document", FOLLOWED)
def test_each_command_runs_as_it_stands(document: str, shell: Shell) -> None:
    for command, mark in written(document):
        if mark:
            continue
        if "baseline/" in command:  # the report of an earlier run, kept by the reader
            (shell.folder / "endpoint-report").rename(shell.folder / "baseline")
            assert shell('endpoint-probe run "$ENDPOINT" --api-key-env LLM_KEY').returncode == 0
        house = f"PYTHONPATH={ROOT}:{shell.folder}/house; " if "house." in command else ""
        done = shell(house + filled(command, shell))
        faulty = " demo --fault" in command or command == "endpoint-probe diff before after"
        said = (command, done.stdout[-2000:], done.stderr[-2000:])
        assert done.returncode in ((1,) if faulty else (0, 1) if " diff " in command else (0,)), said
        assert "Traceback" not in done.stderr, said
        named = re.search(r" --(?:output|html) (\S+)", command)
        assert (
            (shell.folder / named[1]).stat().st_size > 100 if named else done.stdout or command.startswith("eval ")
        ), said
    pages = [page.stat().st_size for page in shell.folder.glob("*/report.html")]
    assert all(size < 400_000 for size in pages)
    assert pages or document == "docs/fleet.md"


def test_what_is_not_run_is_marked_and_counted() -> None:
    marks = Counter(mark for name in DOCUMENTS for _, mark in written(name))
    assert marks.pop("") > 30
    assert marks == MARKED


def test_no_command_hides_in_an_indented_block() -> None:
    """Such a block has no language, so that its lines are neither highlighted for readers nor run here."""
    for name in DOCUMENTS:
        text = _BLOCK.sub("", (ROOT / name).read_text(encoding="utf-8"))
        indented = re.findall(r"^ {4}(?:\$ )?((?:endpoint-probe|python|pip|make|\.venv/\S+) .*)", text, re.MULTILINE)
        assert indented == [], name
