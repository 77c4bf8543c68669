"""What is wrong inside this program, or in a plugin, is contained and called so; the endpoint is not blamed for it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from probe.model import Outcome, Result, State, works
from probe.simulator import Simulator
from tests.contract.running import ROOT, interpreter, run, start
from tests.contract.signals import established, of_session
from tests.contract.test_pytest_plugin import KEY, Ran
from tests.scenarios.test_engine import FAULT, make, outcomes, report_of

_HEAD = """
import asyncio, time
import anyio
from probe.api import Context, Diagnosis, Owner, Result, Severity, check

DECLARED = Diagnosis("strange.declared", Severity.ERROR, Owner.SERVER, "t", "w", "y", "r")
OTHER = Diagnosis("strange.other", Severity.ERROR, Owner.SERVER, "t", "w", "y", "r")
"""
_CHECK = """
@check("strange.{name}", title="{name}", proves="Nothing.", max_requests=0, emits=(DECLARED,))
async def {name}(ctx: Context) -> Result:
    {body}
    return Result()
"""
#: A pattern that would take longer than the age of the universe.
PATTERN = "__import__('re').match('(a+)+$', 'a' * 64 + '!')"
SOUND = _CHECK.format(name="sound", body="pass")


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with Simulator(key=KEY, rate_tokens_s=0) as running:
        yield running


def plugin(folder: Path, code: str) -> dict[str, str]:
    """The environment in which a plugin with this code is installed."""
    (folder / "strange.py").write_text(code)
    info = folder / "strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[endpoint_probe.checks]\nstrange = strange\n")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "KEY": KEY}


def saved(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "endpoint-report" / "report.json").read_text())
    return loaded


def ends(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {item["id"]: (item["outcome"], item["reason"]) for item in report["checks"]}


def test_a_check_that_raises_or_makes_what_it_did_not_declare_is_our_fault(sim: Simulator, tmp_path: Path) -> None:
    bodies = {
        "raises": "raise KeyError('a value that may be secret')",
        "emits": "return Result(findings=(OTHER.found('x'),))",
        "cancels": "raise asyncio.CancelledError",
        "misshapen": "return Result(facts=None)",
    }
    env = plugin(
        tmp_path, _HEAD + SOUND + "".join(_CHECK.format(name=name, body=body) for name, body in bodies.items())
    )
    done = run("run", sim.base_url, "--api-key-env", "KEY", "--only", "strange.*", cwd=tmp_path, env=env)
    assert done.status == 0, done  # none of it is a finding
    report = saved(tmp_path)
    found = ends(report)
    assert {found[f"strange.{name}"][0] for name in bodies} == {"error"}
    assert found["strange.sound"][0] == "pass"
    assert "KeyError at strange.py:" in found["strange.raises"][1]
    assert "undeclared finding: strange.other" in found["strange.emits"][1]
    assert "CancelledError" in found["strange.cancels"][1]
    assert "facts are not a mapping" in found["strange.misshapen"][1]
    assert report["findings"] == []
    assert report["run"]["complete"]
    assert "may be secret" not in done.out + done.err + json.dumps(report)
    assert "Traceback" not in done.out + done.err
    assert "strange.raises" in done.out  # the summary names what broke
    assert "raises" in (tmp_path / "endpoint-report" / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("body", ["await anyio.sleep(3600)", "time.sleep(3600)", "while True: pass", PATTERN])
def test_a_check_that_hangs_ends_with_the_deadline_and_the_others_are_done(
    body: str, sim: Simulator, tmp_path: Path
) -> None:
    env = plugin(tmp_path, _HEAD + SOUND + _CHECK.format(name="hangs", body=body))
    begin = time.monotonic()
    done = run(
        "run", sim.base_url, "--api-key-env", "KEY", "--only", "strange.*", "--deadline", "6", cwd=tmp_path, env=env
    )
    assert time.monotonic() - begin < 20
    assert done.status == 0, done
    report = saved(tmp_path)
    found = ends(report)
    assert found["strange.hangs"][0] == "error", found
    assert found["strange.sound"][0] == "pass"
    assert not report["run"]["complete"]
    assert "Traceback" not in done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "rest"),
    [
        (signal.SIGINT, "await anyio.sleep(3600)"),
        (signal.SIGTERM, "while True: await anyio.sleep(0) or sum(range(300_000))"),
    ],
)
def test_the_second_signal_of_an_impatient_user_ends_even_a_check_that_cannot_be_cancelled(
    number: signal.Signals, rest: str, sim: Simulator, tmp_path: Path
) -> None:
    body = "\n    ".join(("print('hanging', flush=True)", "with anyio.CancelScope(shield=True):", f"    {rest}"))
    env = plugin(tmp_path, _HEAD + _CHECK.format(name="hangs", body=body))
    line = ("run", sim.base_url, "--api-key-env", "KEY", "--only", "strange.*", "--quiet")
    process = start(*line, cwd=tmp_path, env=env)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "hanging\n"
        process.send_signal(signal.SIGINT)
        time.sleep(5.5)  # as long as it takes to be impatient: probe.run.interruption.IMPATIENT_S
        assert process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err.strip() == ""
    assert of_session(process.pid) == []
    assert established(sim.site.port) == 0
    assert not list((tmp_path / "endpoint-report").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_that_computes_and_leaves_its_report(
    number: signal.Signals, sim: Simulator, tmp_path: Path
) -> None:
    body = f"print('computing', flush=True); {PATTERN}"
    env = plugin(tmp_path, _HEAD + SOUND + _CHECK.format(name="tarries", body=body))
    line = ("run", sim.base_url, "--api-key-env", "KEY", "--only", "strange.*", "--quiet")
    process = start(*line, cwd=tmp_path, env=env)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "computing\n"
        begin = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert time.monotonic() - begin < 6  # 3 s where nothing else is busy
    assert process.returncode == 130
    assert err.strip() == ""
    assert not saved(tmp_path)["run"]["complete"]


@pytest.mark.slow
def test_a_signal_ends_an_audit_that_computes(sim: Simulator, tmp_path: Path) -> None:
    body = f"await anyio.sleep(2); print('computing', flush=True); {PATTERN}"
    env = plugin(tmp_path, _HEAD + _CHECK.format(name="tarries", body=body))
    (tmp_path / "fleet.toml").write_text(
        f'[fleet]\nconcurrency = 1\n[[target]]\nname = "t"\nendpoint = "{sim.base_url}"\napi_key_env = "KEY"\n'
        'only = ["strange.*"]\n'
    )
    process = start("audit", "fleet.toml", "-q", cwd=tmp_path, env=env)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "computing\n"
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=40)
    finally:
        process.kill()
    assert time.monotonic() - begin < 15  # and not probe.run.watchdog.PATIENCE_S
    assert process.returncode == 130
    assert err.splitlines() == ["endpoint-probe: interrupted; --resume continues it"]


@pytest.mark.slow
def test_one_computation_does_not_stop_an_audit_for_its_other_targets(sim: Simulator, tmp_path: Path) -> None:
    busy = f"if ctx.options.deadline_s < 9: {PATTERN}"
    env = plugin(tmp_path, _HEAD + SOUND + _CHECK.format(name="tarries", body=busy))
    target = f'\n[[target]]\nendpoint = "{sim.base_url}"\napi_key_env = "KEY"\nonly = ["strange.*", "url.*"]\n'
    fleet = f'{target}name = "busy"\ndeadline = 3\n' + "".join(f'{target}name = "fine-{n}"\n' for n in range(3))
    (tmp_path / "fleet.toml").write_text("[fleet]\nname = 'f'\nper_host = 4\n" + fleet)
    begin = time.monotonic()
    done = run("audit", "fleet.toml", "--json", cwd=tmp_path, env=env)
    assert done.out, done
    assert time.monotonic() - begin < 30
    assert "Traceback" not in done.err, done.err
    states = {row["target"]: row["state"] for row in json.loads(done.out)["rows"]}
    assert states == {"busy": "done", **{f"fine-{n}": "done" for n in range(3)}}, done


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import a_package_that_is_not_there", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("raise RuntimeError('\\x1b[31mred\\nlines')", "RuntimeError"),
        (_HEAD + SOUND + "OTHER = 1 / 0", "ZeroDivisionError"),
        (_HEAD + SOUND.replace("strange.sound", "url.resolve"), "declared in two modules"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_left_out_whole_and_shown(
    code: str, told: str, sim: Simulator, tmp_path: Path
) -> None:
    env = plugin(tmp_path, code)
    done = run("run", sim.base_url, "--api-key-env", "KEY", "--only", "url.*", cwd=tmp_path, env=env)
    assert done.status == 0, done
    (line,) = [item for item in done.lines if "plugin 'strange' was left out" in item]
    assert told in line
    assert "\x1b" not in done.err
    outcome, reason = ends(saved(tmp_path))["plugin.strange"]
    assert outcome == "error"
    assert told in reason
    assert not any(name.startswith("strange.") for name in ends(saved(tmp_path)))
    listed = run("checks", cwd=tmp_path, env=env)
    assert listed.status == 0
    assert "plugin 'strange' was left out" in listed.err
    assert told in listed.err
    assert "strange" not in listed.out
    as_json = run("checks", "--format", "json", cwd=tmp_path, env=env)
    assert {item["id"] for item in json.loads(as_json.out)} >= {"url.resolve"}
    assert "left out" in as_json.err


def test_pytest_tells_of_a_plugin_that_cannot_be_imported_too(sim: Simulator, tmp_path: Path) -> None:
    plugin(tmp_path, "import a_package_that_is_not_there")
    words = ("-q", "--endpoint-probe", sim.base_url, "--endpoint-probe-key-env", "K", "--endpoint-probe-only", "url.*")
    ran = Ran(tmp_path, *words, python=interpreter(tmp_path / "venv", tmp_path))
    assert "plugin 'strange' was left out: ModuleNotFoundError" in ran.out


async def _cancelled(_ctx: Any) -> Result:
    raise asyncio.CancelledError


async def _leaves(_ctx: Any) -> Result:
    raise GeneratorExit


async def _group(_ctx: Any) -> Result:
    raise BaseExceptionGroup("several", [asyncio.CancelledError(), ValueError()])


async def _out_of_time(_ctx: Any) -> Result:
    raise TimeoutError


@pytest.mark.parametrize("body", [_cancelled, _leaves, _group, _out_of_time])
def test_what_only_the_event_loop_may_raise_is_contained_too(body: Callable[[Any], Any]) -> None:
    report = report_of(make("a.odd", body), make("b.fine"))
    outcome, reason = outcomes(report)["a.odd"]
    assert outcome is Outcome.ERROR
    assert "did not end within" not in reason
    assert outcomes(report)["b.fine"][0] is Outcome.PASS
    assert report.run.complete


@pytest.mark.parametrize(
    "made",
    [
        Result(facts=None),  # type: ignore[arg-type]
        Result(facts={1: 2}),  # type: ignore[dict-item]
        Result(provides=None),  # type: ignore[arg-type]
        Result(settles=[]),  # type: ignore[arg-type]
        Result(settles={"no_such_field": 1}),
        Result(settles={"server": "vllm"}),
        Result(verdicts={"tools": "works"}),  # type: ignore[dict-item]
        Result(findings=("a finding",)),  # type: ignore[arg-type]
        Result(note=None, findings=(FAULT.found("x"),)),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_a_result_of_the_wrong_shape_is_an_error_and_leaves_no_trace(made: Result) -> None:
    async def hands_back(_ctx: Any) -> Result:
        return made

    async def judges(_ctx: Any) -> Result:
        return Result(verdicts={"vision": works()})

    report = report_of(
        make("a.odd", hands_back, provides={"tools"}, emits=(FAULT,)), make("b.fine", judges, provides={"vision"})
    )
    outcome, reason = outcomes(report)["a.odd"]
    assert outcome is Outcome.ERROR
    assert "returned a Result whose" in reason
    assert report.findings == ()
    assert report.capabilities["tools"].verdict is State.UNKNOWN
    assert report.capabilities["vision"].verdict is State.WORKS


def test_facts_that_hold_themselves_are_an_error() -> None:
    async def circles(_ctx: Any) -> Result:
        facts: dict[str, Any] = {}
        facts["models"] = facts
        return Result(facts=facts)

    report = report_of(make("a.odd", circles))
    assert outcomes(report)["a.odd"] == (
        Outcome.ERROR,
        "the check returned a Result whose facts cannot be written as JSON",
    )
