"""No key, whatever it is made of, stands in anything that a run writes, says or sends elsewhere.

The endpoints here throw the key back in every way that the corpus of hostile behaviours
knows: in bodies, headers, events, names and redirects, plain and coded, whole and in pieces.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from probe.cli import main
from probe.model import Report
from probe.redaction.redactor import PLACEHOLDERS
from probe.run.options import Auth
from probe.run.runner import run
from probe.simulator import Simulator
from reports.clients.client import export
from reports.clients.registry import clients
from reports.clients.settings import CannotExport, settings_of
from reports.registry import chosen
from tests.contract.running import command, environment
from tests.hostile.corpus.answers import FORMS
from tests.hostile.judging import FORMATS, judged, options_for
from tests.hostile.keys import METACHARACTERS, forms_of, where_is
from tests.hostile.scripts import corpus
from tests.hostile.serving import Stage, staged

#: What a command line takes as a key: ASCII without spaces.
PRINTABLE = st.characters(min_codepoint=33, max_codepoint=126)
#: Long and mixed enough that it stands in no text by chance.
KEYS = st.text(st.one_of(PRINTABLE, st.sampled_from(METACHARACTERS)), min_size=10, max_size=60).filter(
    lambda key: len(set(key)) >= 6 and not key.isalpha() and "${" not in key
)
#: Short ones are words of their own wherever they stand; below four letters only headers can be guarded.
SHORT = st.text(PRINTABLE, min_size=1, max_size=9).filter(
    lambda key: key.lower() not in PLACEHOLDERS and "$" not in key
)
ODD = st.text(st.characters(), min_size=8, max_size=30).filter(lambda key: not key.isascii() and len(key.strip()) >= 8)
REFLECTING = sorted(name for name in corpus() if "the-key" in name or "key-" in name or "another-origin" in name)
REFLECTING.append("throws-back-the-whole-request")
FEW = ("url.*", "auth.*", "models.*", "errors.*", "stream.*")
KEY = "sk-\"%41'<&>\\u0041.*(x)+/9q="
EXAMPLES = settings(
    max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def _exports(report: Report) -> Iterator[tuple[str, bytes]]:
    for client in clients():
        try:
            made = export(client, settings_of(report, id="lab"))
        except CannotExport as why:
            yield f"why there is no configuration for {client.name}", str(why).encode()
        else:
            yield f"the configuration of {client.name}", "\n".join((made.text, *made.notes)).encode()


def _elsewhere(stage: Stage) -> bytes:
    return "\n".join(f"{item.target} {item.headers} {item.body!r}" for item in stage.elsewhere.journal).encode()


def test_there_are_many_ways_to_throw_a_key_back() -> None:
    assert len(REFLECTING) >= 20


@pytest.mark.slow
@EXAMPLES
@given(KEYS, st.sampled_from(REFLECTING), st.booleans())
@example(".*(a+)+$[^x]{9}\\d|", "throws-back-the-key-plain", True)
@example("%2541%41%2F%00%zz%u0041", "throws-back-the-key-url-encoded", True)
@example('"}],"x":\\u0022\\\\"1', "throws-back-the-key-json-in-json", True)
@example("&#65;&quot;<b>'\"&amp;9", "throws-back-the-key-html-numbers", True)
@example("https://u:p@h/?q=1#f9", "redirect-to-key-thrown-back", False)
def test_no_key_is_written_or_sent_elsewhere(key: str, name: str, late: bool) -> None:
    with staged(corpus()[name], late=late, key=key) as stage:
        found = judged(options_for(stage.url, key=key, only=FEW))
        assert stage.answers > 0
        sent = any(key in value for item in stage.server.journal for _, value in item.headers)
        assert sent, "the key never went out, so nothing was proved"
        assert found.wrong == []
        assert found.report is not None
        assert where_is(key, [*_exports(found.report), ("what another origin was sent", _elsewhere(stage))]) == []


#: As an issuer makes it; keys of other letters are in the corpus in each plain and coded form.
ISSUED = "sk-proj-0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT"
DISGUISES = [f"throws-back-the-key-{form}" for form in list(FORMS)[12:]]


@pytest.mark.parametrize("name", DISGUISES)
def test_no_disguised_key_is_written(name: str) -> None:
    with staged(corpus()[name], key=ISSUED) as stage:
        found = judged(options_for(stage.url, key=ISSUED, only=("url.*", "auth.*", "errors.*")))
    assert stage.answers > 0
    assert found.wrong == []
    assert found.report is not None
    seen = [item.response for item in found.report.exchanges if item.response is not None]
    assert any("API_KEY" in item.reflected for item in seen)
    assert where_is(ISSUED, _exports(found.report)) == []


@pytest.mark.parametrize(
    "query", ["?key={0}&key={1}", "?code={0}&jwt={1}", "?{0}", "?a=1;api_key={0}", "?k=%ff%fe{0}", "/token/{0}"]
)
def test_no_secret_of_the_url_is_written(query: str) -> None:
    secrets = ("s3cret-0aB1cD2eF3gH4iJ5", "s3cret-9zY8xW7vU6tS5rQ4")
    entry = corpus()["throws-back-the-whole-request"]
    with staged(entry, late=True, key=ISSUED) as stage:
        typed = stage.url.removesuffix("/v1") + "/v1" + query.format(*secrets)
        found = judged(options_for(typed, key=ISSUED, only=("url.*", "auth.*", "errors.*")))
    assert found.wrong == []
    assert found.report is not None
    assert any(secrets[0] in item.target for item in stage.server.journal)
    written = [(form.name, form.render(found.report)) for form in chosen(FORMATS)]
    assert [where_is(secret, [*written, *_exports(found.report)]) for secret in secrets] == [[], []]


@pytest.mark.parametrize("key", ["json", "http", "error", "stop", "sunflower", "abc", "tiny", "127.0.0.1"])
def test_a_key_that_is_a_word_leaves_the_report_as_it_is(key: str) -> None:
    """The same run with a random key, but for the header that carries it."""

    def told(given: str, style: str = "openai") -> tuple[object, ...]:
        with Simulator(style, key=given, rate_tokens_s=5000) as sim:
            report = anyio.run(run, options_for(sim.typed_url, key=given, only=("url.*", "auth.*", "output.*")))
        reason = next(item.reason for item in report.checks if item.id == "auth.reflected")
        states = {name: str(item.verdict) for name, item in report.capabilities.items()}
        texts = [item.request.body for item in report.exchanges]
        return states, [item.code for item in report.findings], "${API_KEY}" in repr(texts), bool(reason)

    assert told(key) == (*told(ISSUED)[:3], True)


@pytest.mark.slow
@EXAMPLES
@given(SHORT)
@example("k")
@example("%")
@example("a.b")
def test_a_short_key_is_in_no_request_of_the_report(key: str) -> None:
    with staged(corpus()["throws-back-the-whole-request"], key=key) as stage:
        report = judged(options_for(stage.url, key=key, only=("url.*",))).report
    assert report is not None
    sent = [
        item.request.headers["Authorization"] for item in report.exchanges if "Authorization" in item.request.headers
    ]
    assert sent
    assert set(sent) == {"Bearer ${API_KEY}"}
    if len(key) >= 4:
        for item in report.exchanges:
            assert item.response is None or f"Bearer {key}\r".encode() not in item.response.content


@pytest.mark.slow
@EXAMPLES
@given(ODD, st.sampled_from(["bearer", "api-key-header"]))
@example("ключ-от-сервера-1", "bearer")
@example("clé-très-secrète-1", "api-key-header")
@example("sk-1234\r\nX-Evil: 12345678é", "bearer")
def test_a_key_that_no_header_can_carry_is_no_traceback_and_is_not_shown(key: str, scheme: str) -> None:
    header = "Authorization" if scheme == "bearer" else "X-API-Key"
    with staged(corpus()["throws-back-the-whole-request"]) as stage:
        auth = Auth(scheme=scheme, header=header, key=key, source="test")
        assert judged(options_for(stage.url, auth=auth, only=("url.*",))).wrong == []
        assert not any(name == "X-Evil" for item in stage.server.journal for name, _ in item.headers)


def test_what_is_asked_of_a_run_does_not_show_its_key() -> None:
    options = options_for("http://127.0.0.1:9/v1", key=KEY, headers={"X-T": KEY}, secrets=(("T", KEY),))
    assert where_is(KEY, [("options", repr(options).encode()), ("auth", repr(options.auth).encode())]) == []


# The command, from outside ------------------------------------------------------------------------------


def _process_facts(process: subprocess.Popen[bytes], stage: Stage) -> dict[str, bytes]:
    """What other users of the machine can read of the process once it has sent a request."""
    ends = time.monotonic() + 60
    while not stage.server.journal and process.poll() is None:
        assert time.monotonic() < ends
        time.sleep(0.005)
    folder = Path(f"/proc/{process.pid}")
    return {name: (folder / name).read_bytes() for name in ("cmdline", "environ", "comm", "limits")}


@pytest.mark.skipif(sys.platform != "linux", reason="needs proc(5)")
@pytest.mark.parametrize("source", ["env", "file", "stdin"])
def test_the_command_leaves_the_key_nowhere(source: str, tmp_path: Path) -> None:
    """Its report in every format, what it prints with --verbose, its folders, its command line."""
    for name in ("work", "home", "tmp"):
        (tmp_path / name).mkdir()
    secret = tmp_path / "secret"
    secret.write_text(KEY + "\n")
    named = {"env": ("--api-key-env", "K"), "file": ("--api-key-file", str(secret)), "stdin": ("--api-key-stdin",)}
    more = ["--only", "url.*", "--only", "auth.*", "-v", "--json"]
    more += [word for form in ("json", "html", "markdown", "junit", "sarif") for word in ("--format", form)]
    env = environment({"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")})
    with staged(corpus()["throws-back-the-whole-request"], late=True, key=KEY) as stage:
        process = subprocess.Popen(
            command("run", stage.url, *named[source], *more),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path / "work",
            env={**env, "K": KEY} if source == "env" else env,
        )  # fmt: skip
        assert process.stdin is not None
        if source == "stdin":
            process.stdin.write(KEY.encode() + b"\n")
            process.stdin.flush()
        process.stdin.close()
        process.stdin = None
        facts = _process_facts(process, stage)
        out, err = process.communicate(timeout=60)
        sent = [value for item in stage.server.journal for name, value in item.headers if name == "authorization"]
    assert process.returncode in (0, 1, 3), err
    assert f"Bearer {KEY}" in {*sent, *(value for item in stage.server.journal for _, value in item.headers)}
    files = [path for name in ("work", "home", "tmp") for path in (tmp_path / name).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".json", ".html", ".md", ".xml", ".sarif"}
    places = [(str(path), path.read_bytes()) for path in files]
    places += [("standard output", out), ("standard error", err), ("its command line", facts["cmdline"])]
    if source != "env":  # a variable is the user's own way
        places.append(("its environment", facts["environ"]))
    assert where_is(KEY, places) == []
    assert b"Traceback" not in err
    assert json.loads(out)["schema_version"]
    core = next(line for line in facts["limits"].decode().splitlines() if line.startswith("Max core file size"))
    assert int(core.removeprefix("Max core file size").split()[0]) <= 1, "a crash would write the key to a file"


#: getpass asks at the controlling terminal, so standard input is made that (tty_ioctl(4)).
_ON_ITS_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a controlling terminal")
def test_a_key_typed_at_the_prompt_is_not_echoed(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    with staged(corpus()["throws-back-the-whole-request"], late=True, key=KEY) as stage:
        asking = command("run", stage.url, "--api-key-stdin", "--only", "url.*", "-v")
        process = subprocess.Popen(
            [sys.executable, "-c", _ON_ITS_TERMINAL, *asking],
            stdin=follower, stdout=follower, stderr=follower, cwd=tmp_path, env=environment({"TERM": "xterm"}),
            start_new_session=True,
        )  # fmt: skip
        os.close(follower)
        shown = b""
        typed = False
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not piece:
                break
            shown += piece
            if not typed and b"API key:" in shown:
                typed = True
                os.write(leader, KEY.encode() + b"\n")
        os.close(leader)
        process.wait(60)
        assert typed
        assert any(KEY in value for item in stage.server.journal for _, value in item.headers)
    assert b"url.resolve" in shown
    assert where_is(KEY, [("the terminal", shown)]) == []


HERE = "http://127.0.0.1:9/v1"
TYPED = "sk-proj-AbCdEf0123456789abcdefXYZ"
HUB = "hf_AbCdEf0123456789abcdefXYZ"
MISTAKES: list[list[str]] = [
    [TYPED],
    ["run", TYPED],
    ["run", HERE, TYPED],
    ["run", HERE, "--api-key", TYPED],
    ["run", HERE, f"--api-key={TYPED}"],
    ["run", HERE, "--key", TYPED],
    ["run", HERE, "--api-key-env", TYPED],
    ["run", HERE, "--api-key-env", HUB],
    ["run", HERE, "--api-key-file", TYPED],
    ["run", HERE, f"--api-key-stdin={TYPED}"],
    ["run", HERE, "--auth", TYPED],
    ["run", HERE, "--header", f"X-Gateway: {TYPED}"],
    ["run", HERE, "--header", f"X-Gateway: Bearer {TYPED}"],
    ["run", f"http://user:{TYPED}@127.0.0.1:9/v1"],
    ["provider", "test", TYPED],
    ["provider", "add", "lab", HERE, "--api-key-env", HUB],
    ["explain", TYPED],
    ["export", TYPED, "--to", "llm"],
    ["render", TYPED, "--format", "html"],
]


@pytest.mark.parametrize("line", MISTAKES, ids=lambda line: " ".join(line).replace(TYPED, "KEY").replace(HUB, "KEY"))
def test_a_key_typed_in_the_wrong_place_is_refused_and_not_repeated(
    line: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(line) == 2
    told = capsys.readouterr()
    assert told.err.startswith("endpoint-probe: ")
    assert TYPED not in told.out + told.err
    assert HUB not in told.out + told.err
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_key_in_the_query_of_the_url_is_a_secret(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("api_key", "gateway"):
        main(["run", f"{HERE}?{name}={TYPED}", "--only", "connect.*", "--out", str(tmp_path / name), "--quiet"])
        told = capfd.readouterr()
        places = [(str(path), path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()]
        assert len(places) >= 2
        assert where_is(TYPED, [*places, ("streams", (told.out + told.err).encode())]) == []


# The search itself ---------------------------------------------------------------------------------------


@given(KEYS, st.text("xyz <>:,", max_size=12))
def test_the_search_finds_a_key_in_every_form(key: str, around: str) -> None:
    for name, form in forms_of(key).items():
        content = around.encode() + form + around.encode()
        assert where_is(key, [("a file", content)]), name
    assert where_is(key, [("a file", b"nothing of it ${API_KEY}")]) == []


def test_the_search_through_a_session_finds_what_the_program_left(tmp_path: Path) -> None:
    from tests.contract.keygrep import keys_in_tests, search

    keys = keys_in_tests()
    assert TYPED in keys
    (tmp_path / "key").write_text(TYPED)  # a test's own
    (tmp_path / "report.json").write_text("{}")
    assert search(tmp_path, keys) == (1, [])
    left = tmp_path / "report.json"
    for name, form in forms_of(TYPED).items():
        left.write_bytes(b'{"a": "' + form + b'"}')
        assert len(search(tmp_path, keys)[1]) == 1, name
    left.unlink()  # this session is searched as well
