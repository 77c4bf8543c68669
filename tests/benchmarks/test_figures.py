"""The figures are counted rightly: words about peers, recall, limits, and the guard that keeps peers on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from probe.model import Depth
from probe.simulator import all_faults, all_styles
from tests.benchmarks import bench, crossed, peers
from tests.benchmarks.peerrules import ALARM, ENDPOINTS, EXACT, NOTICED, QUIET, SILENT, Complaint, Endpoint, judge
from tests.benchmarks.recall import Outcome, score
from tests.benchmarks.startup import cpu_s
from tests.live.parts import Part, PartMissing
from tests.scenarios.cases import Case, cases, depth_for

BY_FAULT = {item.fault: item for item in ENDPOINTS}
HERE = Path(__file__).parent


def said(*lines: str) -> list[Complaint]:
    return [Complaint(*line.split(": ", 1)) for line in lines]


def test_the_endpoints_of_the_comparison_exist_and_are_what_they_are_called() -> None:
    known = {item.name: item.yields for item in all_faults()}
    for endpoint in ENDPOINTS:
        name = (endpoint.fault or "").partition("=")[0]
        assert endpoint.style in {item.name for item in all_styles()}
        if endpoint.rule is None:
            assert not known.get(name, ())
        else:
            assert len(known[name]) == 1
    assert len({item.name for item in ENDPOINTS}) == len(ENDPOINTS)


@pytest.mark.parametrize(
    ("fault", "lines", "word"),
    [
        ("auth-rejected", ["auth: The endpoint rejected authentication with HTTP 401."], EXACT),
        ("auth-rejected", ["chat: Basic chat completion failed"], NOTICED),
        ("missing-v1", ["models: Models request returned HTTP 404. NOT_FOUND"], NOTICED),
        ("missing-v1", ["models: Fix /v1/models discovery first"], NOTICED),
        ("missing-v1", ["url: the base URL is missing /v1"], EXACT),
        ("tool-stream-leak", ["call [stream]: marker '<tool_call>' leaked into content"], EXACT),
        ("tool-stream-leak", ["c [stream]: '<x>' leaked into content", "c [non-stream]: '<x>' leaked"], NOTICED),
        ("tools-ignored", ["tool_calling: The request was accepted, but no tool call was observed."], NOTICED),
        ("stream-held", ["stream: Disable reverse-proxy buffering"], EXACT),
        ("stream-no-done", [], SILENT),
        ("stream-no-done", ["usual: always said 12 times"], SILENT),
    ],
)
def test_a_word_is_what_the_complaints_say(fault: str, lines: list[str], word: str) -> None:
    usual = said("usual: always said 7 times")
    assert judge(BY_FAULT[fault], said(*lines), usual, ()).word == word


def test_on_a_healthy_endpoint_only_what_is_above_a_warning_is_an_alarm() -> None:
    healthy = Endpoint("healthy")
    assert judge(healthy, [], [], ()).word == QUIET
    assert judge(healthy, [Complaint("a", "b", alarm=False)], [], ()).word == QUIET
    assert judge(healthy, said("tls: not HTTPS"), [], ("^tls:",)).word == QUIET
    verdict = judge(healthy, said("tls: not HTTPS", "shape: wrong"), [], ("^tls:",))
    assert (verdict.word, verdict.why) == (ALARM, "shape: wrong")


def test_every_peers_own_output_is_read() -> None:
    outcomes = [
        {"scenario_id": "s", "check": "scenario", "stream": True, "status": "fail", "detail": "d", "warnings": []},
        {"scenario_id": "s", "check": "scenario", "stream": False, "status": "pass", "detail": "", "warnings": ["w"]},
    ]
    assert peers._canitoolcall("", json.dumps({"outcomes": outcomes})) == [
        Complaint("s [stream]", "d"),
        Complaint("s [non-stream]", "w", alarm=False),
    ]
    checks = [
        {"id": "stream.done", "status": "warn", "failure_class": "c", "remediation": "r", "measured": {}},
        {"id": "chat.pong", "status": "skip", "failure_class": "c", "remediation": "r", "measured": {}},
    ]
    assert peers._trustedrouter("", json.dumps({"checks": checks})) == [
        Complaint("stream.done", "c; r {}", alarm=False)
    ]
    probes = [{"name": "auth", "status": "FAIL", "summary": "s", "error_code": "AUTH_INVALID"}]
    assert peers._apiwells(json.dumps({"probes": probes}), "") == [Complaint("auth", "s AUTH_INVALID")]
    findings = [
        {"id": "streaming.x", "status": "fail", "title": "t"},
        {"id": "y", "status": "inconclusive", "title": "t"},
    ]
    assert peers._zing(json.dumps({"findings": findings}), "") == [Complaint("streaming.x", "t")]


def test_a_peer_that_is_not_there_or_does_no_work_says_why_and_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def not_to_be_had(part: Part) -> Path:
        raise PartMissing("no such package")

    monkeypatch.setattr(peers, "install", not_to_be_had)
    monkeypatch.setattr(peers, "ask_ours", lambda endpoint: peers.Row(peers.OURS, endpoint, (), "", 1, 1.0))
    rows = peers.compare(peers.PEERS[:1], ENDPOINTS[:2])
    assert [row.verdict.word for row in rows if row.who != peers.OURS] == ["not installed"] * 2
    assert len(rows) == 4
    program = tmp_path / "peer"
    program.write_text(f"#!{sys.executable}\nraise SystemExit('no can do')\n")
    program.chmod(0o755)
    row = peers.ask(peers.PEERS[2], program, ENDPOINTS[0])
    assert (row.complaints, row.requests) == (None, 0)
    told = peers.judged(peers.PEERS[2], row, row).verdict
    assert (told.word, told.why) == ("could not run", "status 1, no report: no can do")
    assert len(list(peers.tables(rows))) == 3


def test_the_guard_refuses_whatever_is_not_this_machine(tmp_path: Path) -> None:
    shutil.copy(HERE / "peerguard.py", tmp_path / "sitecustomize.py")
    code = """
import socket
for call in (lambda: socket.create_connection(("192.0.2.1", 80), 1), lambda: socket.getaddrinfo("host.invalid", 80)):
    try:
        call()
    except OSError as error:
        print(error)
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
    print("local")
"""
    env = {"PATH": os.defpath, "PYTHONPATH": str(tmp_path), "PEER_GUARD": str(tmp_path / "strays")}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env)
    assert done.stdout.splitlines() == [
        "kept on loopback: 192.0.2.1",
        "kept on loopback: host.invalid",
        "local",
    ]
    assert len((tmp_path / "strays").read_text().splitlines()) == 2


def test_what_is_said_of_a_fault_behind_each_style_is_of_three_kinds() -> None:
    faulty = Case("cut", "vllm", frozenset({"tools.call-cut"}), "tool-call-cut")
    said = [("tools.call-cut",), (), ("tools.call-cut", "tools.ignored")]
    found = [Outcome(faulty, frozenset(codes), (), False, 1, 1.0) for codes in said]
    assert [crossed.kind(item) for item in found] == list(crossed.KINDS)
    assert crossed.kind(Outcome(faulty, faulty.expected, ("tools.x: error",), False, 1, 1.0)) == "wrong"
    assert crossed.table(found).row_count == 2
    usual = {"openai": frozenset[str](), "groq": frozenset({"models.no-list"})}
    cases = {case.name: case for case in crossed.crossed("tools", usual)}
    assert cases["tool-call-cut on groq"].expected == {"tools.call-cut", "models.no-list"}
    assert not any(case.healthy for case in cases.values())


def test_recall_counts_what_is_missed_what_is_not_there_and_what_broke() -> None:
    def made(case: Case, *found: str, broken: tuple[str, ...] = ()) -> Outcome:
        return Outcome(case, frozenset(found), broken, False, 1, 1.0)

    faulty = Case("held", "openai", frozenset({"stream.held"}), "held")
    harmless = Case("slow", "openai", frozenset(), "slow")
    style = Case("together", "together", frozenset({"models.no-list"}))
    good = score([made(faulty, "stream.held"), made(harmless), made(style, "models.no-list")])
    assert (good.exact, good.faulty, good.alarms, good.healthy, good.wrong) == (1, 1, 0, 2, ())
    bad = score(
        [made(faulty), made(faulty, "stream.held", "stream.replayed"), made(harmless, "idle.l7-timeout"), made(style)]
    )
    assert (bad.exact, bad.faulty, bad.alarms, bad.healthy, len(bad.wrong)) == (0, 2, 1, 2, 4)
    assert score([made(harmless, broken=("tls.x: error",))]).broken == ("slow",)


def test_the_scenario_table_is_all_faults_styles_and_personalities() -> None:
    names = [case.name for case in cases()]
    assert len(names) == len(set(names))
    assert {item.name for item in all_faults()} | {item.name for item in all_styles()} <= set(names)
    assert depth_for(frozenset()) is Depth.STANDARD
    assert depth_for(frozenset({"limits.context-silent"})) is Depth.DEEP


def test_a_limit_is_held_passed_or_not_there() -> None:
    assert bench.at_most("x", 1.0, 2.0, "s").holds is True
    assert bench.at_most("x", 2.5, 2.0, "s").holds is False
    assert bench._read("x", "worst ratio 1.10, at most 1.25", r"ratio ([\d.]+), at most ([\d.]+)", 0, "x").holds is True
    assert bench._read("x", "Traceback", r"ratio ([\d.]+), at most ([\d.]+)", 1, "x").holds is False
    table = bench.summary([bench.at_most("x", 2.5, 2.0, "s")], "a machine", "a commit")
    assert list(table.columns[-1].cells) == ["NO"]


def test_a_section_that_breaks_is_a_line_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> list[bench.Figure]:
        raise RuntimeError

    monkeypatch.setitem(bench.SECTIONS, "startup", breaks)
    (figure,) = bench.measured("startup")
    assert (figure.section, figure.value, figure.holds) == ("startup", "broke: RuntimeError", False)
    with pytest.raises(SystemExit) as ended:
        bench.main(["no-such-section"])
    assert ended.value.code == 2


SAID = {
    "tests.benchmarks.walltime": "worst ratio 1.10, at most 1.25",
    "tests.benchmarks.arrival": "with 0 other requests wanted: p99 under 10 ms in 5 of 5 runs\n"
    "with 64 other requests wanted: p99 under 10 ms in 3 of 5 runs",
    "tests.benchmarks.fleet": "audit 9.0 s, bare httpx 5.0 s, ratio 1.80 (at most 1.5)\n"
    "largest process 100 MB (at most 400), all of the audit 300 MB",
    "tests.hostile.soak": "responses     300 (200 generated)\nruns          50 in 60 s, seed 1\n"
    "worst time    3.0 s with a deadline of 8 s (x)\npeak memory   100 MiB of 250 allowed\nfailures      1",
}


def test_figures_of_programs_of_their_own_are_read_from_what_they_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ran", lambda module, *words: (1, SAID[module]))
    monkeypatch.setattr(bench, "find_spec", lambda name: True)
    holds = {name: [figure.holds for figure in bench.SECTIONS[name]()] for name in ("walltime", "arrival", "fleet")}
    assert holds == {"walltime": [True], "arrival": [True, False], "fleet": [False, True]}
    hostile = {figure.what.rpartition(", ")[2]: (figure.value, figure.holds) for figure in bench.hostile()}
    assert hostile["failures"] == ("1", False)
    assert hostile["peak memory"][1] is True
    assert hostile["responses"] == ("300 (200 generated)", None)
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    assert bench.hostile() == [bench.Figure("hostile corpus", "not there")]


@pytest.mark.parametrize("name", ["walltime", "arrival", "fleet", "hostile"])
def test_a_program_that_prints_no_figure_holds_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ran", lambda module, *words: (1, "Traceback"))
    monkeypatch.setattr(bench, "find_spec", lambda name: True)
    assert not any(figure.holds for figure in bench.SECTIONS[name]())


def test_cpu_time_is_that_of_the_process_and_a_failing_one_is_no_measurement() -> None:
    idle = cpu_s([sys.executable, "-c", "import time; time.sleep(0.5)"])
    busy = cpu_s([sys.executable, "-c", "import time\nwhile time.process_time() < 0.6: pass"])
    assert idle < 0.4 < 0.55 < busy
    with pytest.raises(subprocess.CalledProcessError):
        cpu_s([sys.executable, "-c", "raise SystemExit(3)"])
