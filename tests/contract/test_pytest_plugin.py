"""`pytest --endpoint-probe URL`, in a pytest of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.report import load
from probe.simulator import Simulator
from tests.contract.running import ROOT, environment, interpreter

KEY = "sk-plugin-0123456789abcdef"
#: A check that passes or fails with the URL, one that needs https, and what they need.
FEW = ("--endpoint-probe-only", "url.*", "--endpoint-probe-only", "tls.*")
#: A plugin of a stranger, with a check that breaks and one that cannot tell.
STRANGE = """
from probe.api import Context, Inconclusive, Result, check

@check("strange.broken", title="Breaks", proves="Nothing.", max_requests=0)
async def broken(ctx: Context) -> Result:
    raise KeyError("secret")

@check("strange.untold", title="Cannot tell", proves="Nothing.", max_requests=0)
async def untold(ctx: Context) -> Result:
    raise Inconclusive("the model \\x1b[31mrambles")
"""


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with Simulator(key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def faulty() -> Iterator[Simulator]:
    with Simulator(faults=["missing-v1"], key=KEY) as running:
        yield running


class Ran:
    """What another pytest said; the outcomes are counted from its JUnit file."""

    def __init__(self, folder: Path, *arguments: str, python: str = sys.executable) -> None:
        command = [python, "-m", "pytest", "--rootdir", str(folder), "-p", "no:cacheprovider"]
        if not _installed():
            command += ["-p", "endpoint_probe_pytest"]
        done = subprocess.run(
            [*command, "-W", "error", *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            env=environment({"K": KEY, "COLUMNS": "200", "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}),
            timeout=120,
        )
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        self.lines = {
            words[0].partition("::")[2]: words[1]
            for line in done.stdout.splitlines()
            if line.startswith("endpoint-probe::") and len(words := line.split()) > 1
        }


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "endpoint_probe_pytest" for point in entry_points(group="pytest11"))


def test_each_check_is_a_test(sim: Simulator, tmp_path: Path) -> None:
    ran = Ran(tmp_path, "-v", "--endpoint-probe", sim.base_url, "--endpoint-probe-key-env", "K", *FEW)
    assert ran.status == 0, ran.out + ran.err
    assert ran.lines["url.resolve"] == "PASSED"
    assert ran.lines["tls.certificate"] == "SKIPPED"
    assert "the endpoint is not https" in ran.out
    assert "Usable: chat works" in ran.out
    assert KEY not in ran.out


def test_a_finding_fails_its_test_with_the_remedy_and_no_traceback(faulty: Simulator, tmp_path: Path) -> None:
    ran = Ran(tmp_path, "-v", "--endpoint-probe", faulty.typed_url, "--endpoint-probe-key-env", "K", *FEW)
    assert ran.status == 1, ran.out + ran.err
    assert ran.lines["url.resolve"] == "FAILED"
    assert "error: url.missing-v1" in ran.out
    assert f"Use {faulty.base_url} as the base URL" in ran.out
    assert "endpoint_probe_pytest.py" not in ran.out.partition("FAILURES")[2].partition("short test summary")[0]


def test_could_not_tell_is_a_skip_and_a_fault_of_this_program_an_error(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "strange.py").write_text(STRANGE)
    info = tmp_path / "strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[endpoint_probe.checks]\nstrange = strange\n")
    ran = Ran(
        tmp_path, "-v", "-rs", "--endpoint-probe", sim.base_url, "--endpoint-probe-key-env", "K",
        "--endpoint-probe-only", "strange.*", python=interpreter(tmp_path / "venv", tmp_path),
    )  # fmt: skip
    assert ran.lines == {"strange.broken": "ERROR", "strange.untold": "SKIPPED"}
    assert "inconclusive: the model \\x1b[31mrambles" in ran.out
    assert "internal error of endpoint-probe in strange.broken: KeyError" in ran.out
    assert "secret" not in ran.out.partition("ERRORS")[2]
    assert "\x1b[31mrambles" not in ran.out
    assert ran.status == 1


def test_no_chat_fails_and_the_rest_is_skipped_with_the_reason(tmp_path: Path) -> None:
    ran = Ran(tmp_path, "-v", "-rs", "--endpoint-probe", "http://127.0.0.1:9/v1", "--endpoint-probe-depth", "quick")
    assert ran.status == 1, ran.out + ran.err
    assert "FAILED" in ran.lines.values()
    assert "SKIPPED" in ran.lines.values()
    assert "needs " in ran.out
    assert "Not usable: no chat completion could be had (connect.refused: " in ran.out


def test_k_chooses_before_anything_is_sent(tmp_path: Path) -> None:
    with Simulator(key=KEY) as sim:
        ran = Ran(
            tmp_path, "-v", "-k", "url.control", "--endpoint-probe", sim.base_url, "--endpoint-probe-key-env", "K"
        )
        assert ran.lines == {"url.control": "PASSED"}, ran.out + ran.err
        assert 0 < len(sim.journal) < 10
        sent = len(sim.journal)
        listed = Ran(tmp_path, "--collect-only", "-q", "--endpoint-probe", sim.base_url)
        assert "endpoint-probe::url.resolve" in listed.out
        assert len(sim.journal) == sent


def test_the_tests_of_a_project_run_beside_it(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_own():\n    assert True\n")
    ran = Ran(tmp_path, "-v", "--endpoint-probe", sim.base_url, "--endpoint-probe-key-env", "K", *FEW)
    assert ran.status == 0, ran.out + ran.err
    assert "test_own.py::test_own PASSED" in ran.out
    assert ran.lines["url.resolve"] == "PASSED"


def test_the_report_is_written_where_it_is_wanted(sim: Simulator, tmp_path: Path) -> None:
    line = ("--endpoint-probe", sim.base_url, "--endpoint-probe-key-env", "K", *FEW)
    ran = Ran(tmp_path, *line, "--endpoint-probe-out", "out", "--junitxml", "junit.xml")
    assert ran.status == 0, ran.out + ran.err
    assert load(tmp_path / "out" / "report.json").target.base_url == sim.base_url
    assert (tmp_path / "out" / "report.html").exists()
    assert (tmp_path / "out" / "report.junit.xml").exists()
    assert "Report: out/report.html, out/report.json" in ran.out
    assert 'name="url.resolve"' in (tmp_path / "junit.xml").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--endpoint-probe", "ftp://x"], "scheme"),
        (["--endpoint-probe", "http://127.0.0.1:9", "--endpoint-probe-depth", "abyss"], "quick"),
        (["--endpoint-probe", "http://127.0.0.1:9", "--endpoint-probe-key-env", "NOT_SET"], "NOT_SET is not set"),
        (["--endpoint-probe", "http://127.0.0.1:9", "--endpoint-probe-only", "nothing.*"], "nothing.*"),
        (["--endpoint-probe", "http://127.0.0.1:9", "--endpoint-probe-out", "file/x"], "cannot write"),
    ],
)
def test_what_is_unusable_is_said_in_one_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = Ran(tmp_path, *arguments)
    assert ran.status == 4, ran.out + ran.err
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert "INTERNALERROR" not in ran.out


def test_without_the_option_it_does_nothing_and_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import sys\n\ndef test_own():\n"
        "    loaded = {name for name in sys.modules if name.partition('.')[0] in ('probe', 'checks', 'reports')}\n"
        "    assert loaded == set(), loaded\n"
        "    assert 'httpx' not in sys.modules\n"
    )
    ran = Ran(tmp_path, "-v", "-p", "no:anyio", "-p", "no:hypothesispytest")
    assert ran.status == 0, ran.out + ran.err
    assert ran.lines == {}
    assert "endpoint-probe" not in ran.out.partition("collected")[2]


def test_the_plugin_imports_nothing_of_the_program() -> None:
    import ast

    tree = ast.parse((ROOT / "endpoint_probe_pytest.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names
    assert {name.partition(".")[0] for name in names} - {"__future__", "pytest"} <= sys.stdlib_module_names


def test_it_is_declared_as_a_plugin_of_pytest() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["pytest11"] == {"endpoint-probe": "endpoint_probe_pytest"}
    assert "pytest" not in json.dumps(project["project"]["dependencies"])
