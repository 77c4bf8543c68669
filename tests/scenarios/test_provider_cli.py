"""`provider` on the command line: add, test, set, verify, show, list, remove."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.simulator import Simulator
from tests.contract.running import Done, run

#: A keyring for tests: another program's file, named by the environment.
BACKEND = """
import json, os, pathlib
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 1
    path = pathlib.Path(os.environ["TEST_KEYRING"])

    def _all(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def get_password(self, service, username):
        return self._all().get(f"{service}/{username}")

    def set_password(self, service, username, password):
        self.path.write_text(json.dumps({**self._all(), f"{service}/{username}": password}))

    def delete_password(self, service, username):
        known = self._all()
        del known[f"{service}/{username}"]
        self.path.write_text(json.dumps(known))
"""


class Home:
    """A user's folders, and the program run in them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "backend").mkdir()
        (path / "backend" / "test_keyring_backend.py").write_text(BACKEND)
        self.env = {
            "XDG_CONFIG_HOME": str(path / "config"),
            "XDG_STATE_HOME": str(path / "state"),
            "PYTHONPATH": str(path / "backend"),
            "TEST_KEYRING": str(path / "keyring.json"),
            "PYTHON_KEYRING_BACKEND": "test_keyring_backend.Keyring",
        }

    def __call__(self, *words: str, given: str = "", **env: str) -> Done:
        return run("provider", *words, cwd=self.path, env={**self.env, **env}, given=given)

    @property
    def file(self) -> Path:
        return self.path / "config" / "endpoint-probe" / "providers.json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with Simulator("openai", ["tools-as-hermes"]) as running:
        yield running


def refused(done: Done, said: str) -> None:
    assert done.status == 2, done
    assert len(done.lines) == 1 and said in done.err, done.err
    assert done.out == ""


def test_add_test_set_verify_export_remove(home: Home, sim: Simulator) -> None:
    key = sim.key or ""
    done = home("add", "lab", sim.base_url, "--model", sim.model, "--api-key-stdin", given=f"{key}\n")
    assert done.status == 0 and "the keyring" in done.out, done
    assert json.loads((home.path / "keyring.json").read_text()) == {"endpoint-probe/lab": key}
    assert home("set", "lab", "vision", "off").out.startswith("vision")

    words = ("--depth", "quick", "--idle", "0", "--out", "out", "--fail-on", "never")
    done = home(
        "test", "lab", *words, "--only", "url.*", "--only", "models.*", "--only", "stream.*", "--only", "tools.*"
    )
    assert done.status == 0, done
    assert "Toggles saved:" in done.out
    shown = json.loads(home("show", "lab", "--format", "json").out)
    assert shown["toggles"]["tools"] == {"on": False, "by": "probe", "verdict": "broken"}
    assert shown["toggles"]["streaming"]["on"] is True
    assert shown["toggles"]["vision"] == {"on": False, "by": "hand", "verdict": None}
    assert shown["found"]["base_url"] == sim.base_url

    done = home("verify", "lab")
    assert done.status == 0, done
    assert done.out.splitlines()[-1] == "lab: its toggles hold"
    assert "the toggle is off" in done.out
    # A toggle that promises too much does not hold.
    home("set", "lab", "tools", "on")
    done = home("verify", "lab", "--format", "json")
    assert done.status == (0 if json.loads(done.out)["holds"] else 1)
    done = home("test", "lab", *words, "--only", "url.*", "--only", "tools.*")
    assert "kept on as set by hand" in done.out
    assert home("set", "lab", "tools", "auto").out.split()[1] == "off"

    exported = run("export", "lab", "--to", "kenaz", cwd=home.path, env=home.env)
    provider = json.loads(exported.out)["providers"][0]
    assert provider["id"] == "lab"
    assert provider["capability_hints"]["tool_calling"] is False
    assert provider["capability_hints"]["vision"] is False
    assert provider["cred"] == {"kind": "env", "locator": "LAB_API_KEY"}

    assert stat.S_IMODE(home.file.stat().st_mode) == 0o600
    for folder in ("config", "state", "out"):
        for file in (home.path / folder).rglob("*"):
            assert not file.is_file() or key.encode() not in file.read_bytes(), file
    assert home("remove", "lab").status == 0
    assert json.loads((home.path / "keyring.json").read_text()) == {}
    assert home("list").out.startswith("no provider is saved")
    assert not list((home.path / "state").rglob("*.json"))


def test_keys_by_reference(home: Home, sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(f"{sim.key}\n")
    assert home("add", "one", sim.base_url, "--api-key-env", "LAB_KEY").status == 0
    assert home("add", "two", sim.base_url, "--api-key-file", "key.txt").status == 0
    assert home("add", "three", "http://127.0.0.1:9/v1").status == 0
    shown = json.loads(home("list", "--format", "json").out)
    assert [item["key"] for item in shown] == [
        {"kind": "env", "locator": "LAB_KEY"},
        {"kind": "file", "locator": str(tmp_path / "key.txt")},
        {"kind": "none", "locator": ""},
    ]
    refused(home("test", "one", "--only", "url.*"), "LAB_KEY is not set")
    only = ("--only", "url.*", "--idle", "0", "--json", "--fail-on", "never")
    done = home("test", "two", *only)
    assert done.status == 0 and json.loads(done.out)["target"]["base_url"] == sim.base_url
    assert "Toggles saved:" in done.err
    assert (sim.key or "?") not in home.file.read_text() + done.out + done.err
    assert home("verify", "two").status == 0
    assert home("test", "three", *only).status == 3
    refused(home("verify", "three"), "had no chat completion")


def test_an_interrupted_or_dry_test_saves_nothing(home: Home, sim: Simulator) -> None:
    home("add", "lab", sim.base_url, "--api-key-env", "K")
    done = home("test", "lab", "--dry-run", K=sim.key or "")
    assert done.status == 0
    assert json.loads(home("show", "lab", "--format", "json").out)["found"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "Lab", "http://x.example/v1"], "not a usable name"),
        (["add", "lab", "ftp://x.example/v1"], "not supported"),
        (["add", "lab", "http://me:pw@x.example/v1"], "user name"),
        (["add", "lab", "http://x.example/v1?api-key=abcdefgh"], "holds a key"),
        (["add", "lab", "http://x.example/sk-abcdefghijklmnopqrstuvwx/v1"], "holds a key"),
        (
            ["add", "lab", "http://x.example/v1", "--api-key-env", "sk-abcdefghijklmnopqrstuvwx"],
            "name of an environment",
        ),
        (["add", "lab", "http://x.example/v1", "--header", "X-Token: literal-secret"], "variable"),
        (["add", "lab", "http://x.example/v1", "--proxy", "http://u:p@proxy.example:1"], "password"),
        (["add", "lab", "http://x.example/v1", "--model", ""], "--model is empty"),
        (["add", "lab", "http://x.example/v1", "--ca-bundle", "none.pem"], "cannot read the CA bundle"),
        (["add", "lab"], "provider add --help"),
        (["test", "nobody"], "there is no provider 'nobody'"),
        (["verify", "nobody"], "there is no provider 'nobody'"),
        (["show", "nobody"], "there is none yet"),
        (["remove", "nobody"], "there is none yet"),
        (["set", "nobody", "tools", "on"], "there is none yet"),
        (["set", "lab", "tool", "on"], "did you mean 'tools'"),
        (["set", "lab", "tools", "maybe"], "on, off or auto"),
        (["ad", "lab"], "did you mean 'add'?"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(home: Home, words: list[str], said: str) -> None:
    refused(home(*words), said)
    assert not home.file.exists()


def test_a_name_is_not_taken_twice_and_an_untested_one_not_verified(home: Home) -> None:
    assert home("add", "lab", "http://127.0.0.1:9/v1").status == 0
    refused(home("add", "lab", "http://127.0.0.1:9/v1"), "--replace")
    assert home("add", "lab", "http://127.0.0.1:10/v1", "--replace").status == 0
    refused(home("verify", "lab"), "was not tested yet")
    refused(run("export", "lab", "--to", "kenaz", cwd=home.path, env=home.env), "was not tested yet")


def test_a_broken_file_is_left_alone(home: Home) -> None:
    home.file.parent.mkdir(parents=True)
    home.file.write_text("{ broken")
    for words in (["list"], ["add", "lab", "http://127.0.0.1:9/v1"], ["remove", "lab"], ["test", "lab"]):
        refused(home(*words), "left unchanged")
    assert home.file.read_text() == "{ broken"


def test_a_machine_without_a_keyring_is_told_what_to_do(home: Home) -> None:
    done = home(
        "add",
        "lab",
        "http://127.0.0.1:9/v1",
        "--api-key-stdin",
        given="sk-test-0123456789",
        PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring",
    )
    refused(done, "--api-key-env NAME")
    assert "sk-test" not in done.err
    assert not home.file.exists()
