"""The recipes for scheduled audits: valid for who reads them, and naming only options that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from probe.cli.audit import audit_command
from probe.cli.history import history_command
from probe.fleet.file import parse
from probe.report import load
from probe.simulator import Simulator
from tests.contract.running import Shell

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
MANIFEST = DEPLOY / "kubernetes" / "cronjob.yaml"
RULES = "{extends: default, rules: {line-length: {max: 140}}}"


def tool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a linter of this environment."""
    return subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True, timeout=120)


def installed(name: str) -> str:
    """The path of a linter, or a skip."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def documents(file: Path) -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all(file))


@pytest.mark.parametrize("file", sorted(DEPLOY.rglob("*.y*ml")), ids=lambda file: file.name)
def test_yaml_is_well_kept(file: Path) -> None:
    done = tool(installed("yamllint"), "-s", "-d", RULES, file)
    assert done.returncode == 0, done.stdout


def test_the_manifest_is_valid_for_kubernetes() -> None:
    done = tool(installed("kubernetes-validate"), "--strict", MANIFEST)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-workflows", "github/audit.yml"),
        ("vendor.github-actions", "github/action.yml"),
        ("vendor.gitlab-ci", "gitlab/endpoint-probe.yml"),
    ],
)
def test_what_pipelines_read_is_valid_for_them(schema: str, file: str) -> None:
    done = tool(installed("check-jsonschema"), "--builtin-schema", schema, DEPLOY / file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["endpoint-probe-audit.service", "endpoint-probe-audit.timer"])
def test_the_units_are_valid_for_systemd(name: str) -> None:
    done = tool(installed("systemd-analyze"), "verify", DEPLOY / "systemd" / name)
    told = [
        line
        for line in done.stderr.splitlines()
        if name in line and "is not executable" not in line  # the program is not installed where the test runs
    ]
    assert told == []


def known(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


def lines_with(words: str) -> list[str]:
    """Every line of the recipes and the guide that runs the command."""
    files = [*DEPLOY.rglob("*.y*ml"), *DEPLOY.rglob("*.service"), ROOT / "docs" / "fleet.md"]
    return [line for file in files for line in file.read_text().splitlines() if words in line]


@pytest.mark.parametrize(("words", "command"), [("audit", audit_command), ("history", history_command)])
def test_only_options_that_exist_are_named(words: str, command: click.Command) -> None:
    lines = lines_with(f"endpoint-probe {words} ")
    assert lines
    for line in lines:
        rest = line.split(f"endpoint-probe {words} ", 1)[1]
        used = set(re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", rest))
        assert used <= known(command), line


def test_the_cron_job_runs_what_the_program_takes() -> None:
    config, _claim, job = documents(MANIFEST)
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    name, *arguments = container["args"]
    assert name == "audit"
    used = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
    assert used <= known(audit_command)
    fleet = parse(config["data"]["fleet.toml"])
    given = {item["name"] for item in container["env"]}
    needed = {target.key[1] for target in fleet.targets if target.key}
    needed |= set(re.findall(r"\$\{(\w+)\}", " ".join(arguments)))
    assert needed <= given


def test_the_fleet_file_of_the_guide_can_be_read() -> None:
    text = (ROOT / "docs" / "fleet.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    fleet = parse(example)
    assert [target.name for target in fleet.targets] == ["ams-1", "fra-1"]
    assert fleet.settings.requests_per_second == 5


def test_the_container_file_installs_what_the_audit_needs() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    assert "[fleet,postgres]" in text
    assert re.search(r"^USER \d+$", text, re.MULTILINE)
    assert text.index("USER ") < text.index("ENTRYPOINT ")


# Pipelines in a shell ------------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_the_steps_of_the_action(shell: Shell, tmp_path: Path) -> None:
    """Diagnosing fails the job for a new fault and not for an accepted one; comparing runs although it failed."""
    (action,) = documents(DEPLOY / "github" / "action.yml")
    steps = {step["name"]: step for step in action["runs"]["steps"]}
    summary = tmp_path / "summary.md"
    with Simulator(faults=["tool-auto-not-default"], key="sk-action-0123456789", rate_tokens_s=2000) as sim:
        env = {"ENDPOINT": sim.typed_url, "ENDPOINT_KEY": "sk-action-0123456789", "ENDPOINT_PROBE_MODEL": ""}
        env |= {"ENDPOINT_PROBE_DEPTH": "quick", "ENDPOINT_PROBE_OUT": "out", "ENDPOINT_PROBE_FAIL_ON": "warning"}
        env |= {"GITHUB_STEP_SUMMARY": str(summary), "OUT": "out", "FAIL_ON": "warning", "BASELINE": "old/report.json"}
        assert set(steps["Diagnose"]["env"]) <= set(env)
        failed = shell(steps["Diagnose"]["run"], env)
        code = load(tmp_path / "out" / "report.json").findings[0].code
        (tmp_path / "out").rename(tmp_path / "old")
        (tmp_path / "endpoint-probe.toml").write_text(f'accept = ["{code}"]\n')
        accepted = shell(steps["Diagnose"]["run"], env)
    assert failed.returncode == 1, failed.stderr
    assert re.search(rf"^::error title={re.escape(code)}%3A", failed.stdout, re.MULTILINE)
    assert "## endpoint-probe" in summary.read_text()
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert re.search(rf"^::notice title={re.escape(code)} \(accepted\)", accepted.stdout, re.MULTILINE)
    assert "always()" in steps["Compare"]["if"]
    assert shell(steps["Compare"]["run"], env).returncode == 0
    assert "sk-action" not in failed.stdout + failed.stderr + accepted.stdout + summary.read_text()


def test_the_job_for_gitlab(shell: Shell, tmp_path: Path) -> None:
    (job,) = [document["endpoint-probe"] for document in documents(DEPLOY / "gitlab" / "endpoint-probe.yml")]
    with Simulator(rate_tokens_s=2000) as sim:
        env = {"ENDPOINT": sim.typed_url, "ENDPOINT_PROBE_DEPTH": "quick", "BASELINE": "baseline/report.json"}
        env |= {"ENDPOINT_KEY": sim.key} if sim.key else {}
        done = shell("\n".join(job["script"]), env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / job["artifacts"]["reports"]["junit"]).is_file()
    assert shell("\n".join(job["after_script"]), env).returncode == 0
