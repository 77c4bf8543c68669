"""Who may import whom, and what the quick commands may load."""

from __future__ import annotations

import ast
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.running import environment

ROOT = Path(__file__).parent.parent.parent
CHECKS = sorted((ROOT / "checks").rglob("*.py"))
HEAVY = ("httpx", "rich", "jinja2", "msgspec", "anyio")


def imported(file: Path) -> set[str]:
    """The modules a file imports, absolute ones by their full name; type-only imports too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
            if node.module == "probe":
                found |= {f"probe.{alias.name}" for alias in node.names}
    return found - {"probe"}


def ours(names: set[str]) -> set[str]:
    packages = {"probe.catalogue", "reports.clients", "reports.html", "reports.matrix", "reports.diff"}
    return {name for name in names - packages if name.partition(".")[0] in ("probe", "checks", "reports", "tests")}


@pytest.mark.parametrize("file", CHECKS, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_check_imports_only_the_public_interface(file: Path) -> None:
    names = ours(imported(file))
    assert {name for name in names if not name.startswith("checks")} <= {"probe.api"}


def test_there_are_checks_to_look_at() -> None:
    assert len(CHECKS) > 5


@pytest.mark.parametrize("file", sorted((ROOT / "reports").rglob("*.py")), ids=lambda file: file.name)
def test_a_reporter_only_reads_reports(file: Path) -> None:
    allowed = {
        "probe.model",
        "probe.gate",
        "probe.report",
        "probe.api",
        "probe.wording",
        "probe.redaction.key_patterns",
    }
    if file.name == "sarif.py":
        allowed |= {"probe.catalogue.registry"}  # its rules are the catalogue's entries
    assert {name for name in ours(imported(file)) if not name.startswith("reports")} <= allowed
    assert not {"httpx", "socket", "urllib.request", "anyio"} & imported(file)


def loaded(*arguments: str, cwd: Path) -> set[str]:
    """Which heavy modules a command has loaded when it ends."""
    script = (
        "import sys\nfrom probe.cli import main\nstatus = main(sys.argv[1:])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], status, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(),
    )
    names, _, status = done.stderr.strip().splitlines()[-1].rpartition("] ")
    assert status == "0", done
    return set(ast.literal_eval(f"{names}]"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["demo", "--help"],
        ["explain", "url.missing-v1"],
        ["explain", "url.missing-v1", "--format", "json"],
        ["explain"],
        ["checks"],
        ["checks", "--format", "json"],
        ["run", "http://127.0.0.1:9/v1", "--dry-run"],
    ],
    ids=" ".join,
)
def test_quick_commands_leave_the_heavy_libraries_out(arguments: list[str], tmp_path: Path) -> None:
    assert loaded(*arguments, cwd=tmp_path) == set()


def _cpu_s(*arguments: str) -> float:
    """The least processor time of some tries, in seconds: the rest is the machine's noise."""
    spent = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def test_help_costs_at_most_twice_what_click_costs() -> None:
    assert _cpu_s("-m", "probe", "--help") <= 2 * _cpu_s("-c", "import click")


def test_an_intruder_is_named_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "__init__.py").write_text("raise SystemExit('somebody else ran')\n")
    done = subprocess.run(
        [sys.executable, "-m", "probe", "checks"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT.parent,
        env=environment({"PYTHONPATH": str(tmp_path)}),
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"'checks' is imported from {tmp_path / 'checks'}" in done.stderr


def test_no_file_is_longer_than_six_hundred_lines() -> None:
    long = {
        str(file.relative_to(ROOT)): count
        for folder in ("probe", "checks", "reports")
        for file in (ROOT / folder).rglob("*.py")
        if (count := len(file.read_text(encoding="utf-8").splitlines())) > 600
    }
    assert long == {}


@pytest.mark.parametrize(
    "words", [["export", "--help"], ["provider"], ["provider", "add", "--help"], ["provider", "test", "--help"]]
)
def test_help_of_a_command_loads_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    heavy = (
        "httpx",
        "openai",
        "keyring",
        "ruamel.yaml",
        "tomlkit",
        "msgspec",
        "rich",
        "jinja2",
        "anyio",
        "platformdirs",
    )
    script = (
        f"import sys\nfrom probe.cli import main\nstatus = main({words!r})\n"
        f"print([name for name in {heavy!r} if name in sys.modules], status, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=tmp_path, env=environment()
    )
    assert done.stderr.strip().splitlines()[-1] == "[] 0", done.stderr


def test_the_markup_formats_import_neither_httpx_nor_jsonschema() -> None:
    code = "import sys, checks.tools.markup; print([m for m in ('httpx', 'jsonschema', 'anyio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
