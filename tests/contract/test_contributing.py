"""CONTRIBUTING.md, followed to the letter in a copy of the project: a new check is two new files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.running import environment

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: What a checkout holds in addition to its files.
LEFT_OUT = (".*", "__pycache__", "*.egg-info", "artifacts", "build", "dist", "endpoint-report")


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".venv" not in path.parts and "__pycache__" not in path.parts
    }


def steps() -> list[str]:
    (block,) = re.findall(r"<!-- followed by tests/contract/test_contributing.py -->\n```sh\n(.*?)```", TEXT, re.DOTALL)
    return [line for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project whose `.venv/bin/python` is this interpreter."""
    copy = tmp_path_factory.mktemp("contributor") / "endpoint-probe"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    python = copy / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{copy}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return copy


def test_the_example_becomes_a_check_of_its_own(project: Path) -> None:
    before = files(project)
    for step in steps():
        done = subprocess.run(
            ["/bin/sh", "-c", step],
            check=False,
            capture_output=True,
            text=True,
            cwd=project,
            env=environment({"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": "-p no:cacheprovider"}),
        )
        assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
        if "pytest" in step:
            assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE), done.stdout
    after = files(project)
    assert before.keys() <= after.keys()
    assert sorted(after.keys() - before.keys()) == [
        "checks/clock.py",
        "docs/checks/clock.md",
        "probe/simulator/faults/clock.py",
    ]
    assert sorted(name for name in before if before[name] != after[name]) == ["docs/checks/README.md"]
    assert "`clock.microseconds`" in after["docs/checks/clock.md"].decode()


def test_the_page_is_one_page_and_names_what_exists() -> None:
    assert len(TEXT.splitlines()) <= 90
    for name in re.findall(r"`((?:probe|checks|reports|tests|docs)/[\w./]*)`", TEXT):
        assert (ROOT / name).exists(), name
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake (\w+)", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
