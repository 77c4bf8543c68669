"""The wheel as a user gets it: what is in it, and that it runs on its own."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from probe.simulator import Simulator
from tests.contract.running import environment

ROOT = Path(__file__).parent.parent.parent
_TEXTS = (".py", ".md", ".toml", ".yml", ".yaml", ".service")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout with the build tools of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (made,) = folder.glob("endpoint_probe-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel; its dependencies are those of this environment."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = next((venv / "lib").glob("python3*/site-packages"))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(venv), "install", "-q", "--no-deps", "--no-index", str(wheel)],
        check=True,
        capture_output=True,
        env=environment({"PIP_DISABLE_PIP_VERSION_CHECK": "1"}),
    )
    # A plain path line: packages are found there, but its own .pth files (this checkout) are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv


def test_it_holds_the_three_packages_and_their_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        size = sum(item.file_size for item in archive.infolist())
    folders = {name.partition("/")[0] for name in names}
    assert folders == {
        "probe",
        "checks",
        "reports",
        "endpoint_probe_pytest.py",
        f"{wheel.name.rsplit('-', 3)[0]}.dist-info",
    }
    for needed in (
        "reports/html/templates/page.html.j2",
        "reports/html/assets/page.css",
        "reports/html/assets/page.js",
        "reports/schema/report.schema.json",
        "probe/cli/run.py",
        "checks/url/checks.py",
        "probe/simulator/endpoint.py",
    ):
        assert needed in names, needed
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
    assert size < 5_000_000


def test_it_is_typed_and_licensed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")]
    assert {"probe/py.typed", "checks/py.typed", "reports/py.typed"} <= set(names)
    assert [name for name in names if name.endswith("/licenses/LICENSE")]
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nProject-URL:" not in metadata
    assert (ROOT / "README.md").read_text(encoding="utf-8") in metadata


def test_nothing_says_that_it_is_published() -> None:
    """It is installed from a checkout or a wheel; no text may send a reader to a package index for it."""
    wrong = re.compile(r"install[^\n]*[ '\"]endpoint-probe(?:\[[\w,]+\])?(?:['\"`]|$)", re.M)
    folders = ("probe", "checks", "reports", "docs", "deploy")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in _TEXTS]
    files += [*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "deploy" / "Containerfile"]
    assert len(files) > 100
    assert [str(path) for path in files if wrong.search(path.read_text(encoding="utf-8"))] == []
    assert wrong.search("pip install 'endpoint-probe[fleet]'")
    assert wrong.search("pipx install endpoint-probe")


def test_every_tracked_package_file_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    files = {
        str(path.relative_to(ROOT))
        for folder in ("probe", "checks", "reports")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and path.suffix in (".py", ".j2", ".css", ".js", ".json", ".toml")
        and "__pycache__" not in path.parts
    }
    assert files - names == set()


def test_it_runs_on_its_own(installed: Path, tmp_path: Path) -> None:
    program = installed / "bin" / "endpoint-probe"

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment(),
            timeout=120,
        )

    assert "Diagnose one endpoint" in call("--help").stdout
    explained = call("explain", "url.missing-v1")
    assert "What it means" in explained.stdout, explained
    done = call("demo", "--only", "url.*")
    assert done.returncode == 0, done
    assert (tmp_path / "endpoint-report" / "report.html").stat().st_size > 10_000
    where = subprocess.run(
        [str(installed / "bin" / "python"), "-c", "import probe; print(probe.__file__)"],
        check=True, capture_output=True, text=True, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert str(installed) in where.stdout


#: A project of somebody else that uses the same three generic names.
_PROJECT = {
    "probe.py": "NAME = 'their probe'\n",
    "checks/__init__.py": "from probe import NAME\n",
    "reports/__init__.py": "NAME = 'their reports'\n",
    "test_own.py": (
        "import checks, probe, reports\n\n"
        "def test_own():\n"
        "    assert probe.NAME == checks.NAME == 'their probe'\n"
        "    assert reports.NAME == 'their reports'\n"
    ),
}


@pytest.mark.parametrize("used", [False, True], ids=["option-not-used", "option-used"])
def test_the_pytest_plugin_does_not_disturb_a_project_with_the_same_names(
    used: bool, installed: Path, tmp_path: Path
) -> None:
    for name, text in _PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with Simulator() as sim:
        option = ["--endpoint-probe", sim.base_url, "--endpoint-probe-key-env", "K", "--endpoint-probe-only", "url.*"]
        done = subprocess.run(
            [
                str(installed / "bin" / "python"),
                "-m",
                "pytest",
                "-v",
                "-p",
                "no:cacheprovider",
                *(option if used else []),
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment({"K": sim.key or ""}),
            timeout=120,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_own.py::test_own PASSED" in done.stdout
    assert ("endpoint-probe::url.resolve PASSED" in done.stdout) is used
