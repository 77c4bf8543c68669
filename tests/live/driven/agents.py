"""Programs on the command line, each with its exported configuration and one question; by name only: they are slow."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.live import consumers
from tests.live.driven.steps import REPEAT, WORD
from tests.live.parts import ALL, PartMissing


def _program(part: str) -> Path:
    found = ALL[part].find()
    if found is None:
        raise PartMissing(f"install it with: python -m tests.live.parts install {part}")
    return found


def _opencode(folder: Path, text: str, env: Mapping[str, str]) -> consumers.Ran:
    (folder / "opencode.json").write_text(text, encoding="utf-8")
    quiet = {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"}
    return consumers.start([_program("opencode"), "run", REPEAT], folder, {**quiet, **env})


def _qwen(folder: Path, text: str, env: Mapping[str, str]) -> consumers.Ran:
    (folder / ".qwen").mkdir()
    (folder / ".qwen" / "settings.json").write_text(text, encoding="utf-8")
    return consumers.start([_program("qwen-code"), "-p", REPEAT], folder, env)


def _copilot(folder: Path, text: str, env: Mapping[str, str]) -> consumers.Ran:
    (folder / "start.sh").write_text(f"{text}\nexec {_program('copilot-cli')} -p '{REPEAT}' --allow-all-tools\n")
    return consumers.start(["sh", "start.sh"], folder, env)


def _aider(folder: Path, text: str, env: Mapping[str, str]) -> consumers.Ran:
    headers = json.loads(env["BY_HAND"])
    by_hand = f"  extra_params:\n    extra_headers: {json.dumps(headers)}\n" if headers else ""
    (folder / ".aider.model.settings.yml").write_text(text + by_hand, encoding="utf-8")
    model = text.partition("name: ")[2].split("\n")[0].strip("\"'")
    words = ["--yes-always", "--no-analytics", "--no-check-update", "--no-show-model-warnings", "--no-stream"]
    words = words[: 4 if "streaming: false" not in text else 5]
    given = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_KEY": env["LAB_API_KEY"], **env}
    return consumers.start([_program("aider"), "--model", model, "--message", REPEAT, *words], folder, given)


def _kilo(folder: Path, text: str, env: Mapping[str, str]) -> consumers.Ran:
    (folder / "config" / "kilo").mkdir(parents=True)
    (folder / "config" / "kilo" / "kilo.json").write_text(text, encoding="utf-8")
    model = json.loads(text)["model"]
    quiet = {"KILO_DISABLE_MODELS_FETCH": "1", "KILO_DISABLE_AUTOUPDATE": "1", "KILO_TELEMETRY_LEVEL": "off"}
    words = ["run", "--auto", "-m", model, REPEAT]
    # On two busy cores it takes two minutes to start.
    return consumers.start([_program("kilo-code"), *words], folder, {**quiet, **OFF, **env}, seconds=400)


def _continue(folder: Path, text: str, env: Mapping[str, str]) -> consumers.Ran:
    (folder / ".continue").mkdir()
    (folder / ".continue" / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    words = ["--config", folder / "config.yaml", "-p", REPEAT]
    return consumers.start([_program("continue-cli"), *words], folder, {**OFF, **env})


def _codex(folder: Path, text: str, env: Mapping[str, str]) -> consumers.Ran:
    (folder / ".codex").mkdir()
    (folder / ".codex" / "config.toml").write_text(text, encoding="utf-8")
    words = ["exec", "--skip-git-repo-check", "--sandbox", "read-only"]
    retries = [word for name in ("request", "stream") for word in ("-c", f"model_providers.lab.{name}_max_retries=0")]
    return consumers.start([_program("codex"), *words, *retries, REPEAT], folder, {**OFF, **env})


def _curl(folder: Path, text: str, env: Mapping[str, str]) -> consumers.Ran:
    (folder / "ask.sh").write_text(text.replace("Say hello.", REPEAT), encoding="utf-8")
    return consumers.start(["sh", "ask.sh"], folder, env)


#: Nothing but this machine is reached.
OFF = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
#: The part of a program, where it is not named like the client.
PARTS = {"continue": "continue-cli"}
AGENTS: dict[str, Callable[[Path, str, Mapping[str, str]], consumers.Ran]] = {
    "curl": _curl,
    "opencode": _opencode,
    "qwen-code": _qwen,
    "copilot-cli": _copilot,
    "aider": _aider,
    "kilo-code": _kilo,
    "continue": _continue,
    "codex": _codex,
}


def turn(name: str, folder: Path, text: str, env: Mapping[str, str]) -> str:
    """`ok`, or what went wrong with one question to a program. Raises PartMissing."""
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", folder], check=True)
    try:
        ran = AGENTS[name](folder, text, env)
    except subprocess.TimeoutExpired:
        return "no end"
    answered = ran.status == 0 and WORD in ran.out.replace(REPEAT, "")
    if name == "qwen-code":  # its instructions make the simulated model repeat a word of theirs
        answered = ran.status == 0 and bool(ran.out.strip()) and "API Error" not in ran.all
    return "ok" if answered else (ran.all.strip().split("\n")[-1] or f"status {ran.status}")[:160]
