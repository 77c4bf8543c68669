"""Shell completion, as the scripts of bash, zsh and fish ask for it: by environment variables."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from probe.catalogue import registry
from probe.simulator import all_faults, all_styles
from tests.contract.running import environment

PROGRAM = Path(sys.executable).parent / "endpoint-probe"


def asked(variable: str, cwd: Path, **more: str) -> str:
    """What the program answers to a shell."""
    done = subprocess.run(
        [str(PROGRAM)],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment({"_ENDPOINT_PROBE_COMPLETE": variable, **more}),
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def offered(line: str, cwd: Path) -> list[str]:
    """What bash offers where the cursor stands at the end of the line."""
    words = line.split(" ")
    answer = asked("bash_complete", cwd, COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    return [item.partition(",")[2] for item in answer.splitlines() if item.startswith("plain,")]


def test_commands(tmp_path: Path) -> None:
    assert {"run", "demo", "explain", "diff"} <= set(offered("endpoint-probe ", tmp_path))
    assert offered("endpoint-probe dem", tmp_path) == ["demo"]


def test_options_and_their_choices(tmp_path: Path) -> None:
    assert set(offered("endpoint-probe run --de", tmp_path)) == {"--depth", "--deadline"}
    assert offered("endpoint-probe run --depth ", tmp_path) == ["quick", "standard", "deep"]
    assert offered("endpoint-probe diff a b --fail-on n", tmp_path) == ["never"]


def test_finding_codes_and_servers(tmp_path: Path) -> None:
    codes = [code for code in registry.catalogue() if code.startswith("url.")]
    assert offered("endpoint-probe explain url.", tmp_path) == codes
    assert "vllm" in offered("endpoint-probe explain tools.parser-missing --server v", tmp_path)


def test_faults_and_styles(tmp_path: Path) -> None:
    assert offered("endpoint-probe demo --style ", tmp_path) == [style.name for style in all_styles()]
    wanted = [fault.name for fault in all_faults() if fault.name.startswith("stream-")]
    assert offered("endpoint-probe simulate --fault stream-", tmp_path) == wanted


def test_checks_and_formats(tmp_path: Path) -> None:
    ids = [check.id for check in registry.checks() if check.family == "url"]
    assert offered("endpoint-probe run --only url", tmp_path) == ["url.*", *ids]
    assert offered("endpoint-probe render report.json --format s", tmp_path) == ["sarif"]


def test_a_saved_report_is_a_file(tmp_path: Path) -> None:
    answer = asked("bash_complete", tmp_path, COMP_WORDS="endpoint-probe diff ", COMP_CWORD="2")
    assert answer.startswith("file,")


def test_a_completion_that_fails_offers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from probe.cli import shell_completion

    def broken() -> list[str]:
        raise RuntimeError("no")

    monkeypatch.setattr(registry, "catalogue", broken)
    assert shell_completion.codes(None, None, "") == []  # type: ignore[arg-type]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, tmp_path: Path) -> None:
    script = asked(f"{shell}_source", tmp_path)
    assert f"_ENDPOINT_PROBE_COMPLETE={shell}_complete" in script
    program = shutil.which(shell)
    if program is None:
        return  # its text is all that can be looked at here
    (tmp_path / "script").write_text(script)
    checked = subprocess.run([program, "-n", "script"], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_bash_completes_a_line_with_the_script(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(asked("bash_source", tmp_path))
    told = subprocess.run(
        ["bash", "--norc", "-c",
         f"PATH={PROGRAM.parent}:$PATH; source ./script; COMP_WORDS=(endpoint-probe exp); COMP_CWORD=1; "
         "_endpoint_probe_completion endpoint-probe; echo ${COMPREPLY[@]}; complete -p endpoint-probe"],
        check=True, capture_output=True, text=True, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert set(told.stdout.splitlines()[0].split()) == {"explain", "export"}
    assert "_endpoint_probe_completion endpoint-probe" in told.stdout.splitlines()[1]
