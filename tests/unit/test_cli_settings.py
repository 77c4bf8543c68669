"""From the command line to the options of a run."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from probe.cli.options import shared_options
from probe.model import Depth
from probe.redaction.redactor import Redactor
from probe.run.options import Options
from probe.run.runner import redactor_for
from probe.run.typed_options import Given, Known, Unusable, endpoint_and_known, options_for

HERE = "http://127.0.0.1:9/v1"


def given(*arguments: str) -> Given:
    """The shared options as the command line hands them over."""
    taken: dict[str, Any] = {}

    @click.command()
    @shared_options
    def take(**values: Any) -> None:
        taken.update(values)

    done = CliRunner().invoke(take, list(arguments))
    assert done.exit_code == 0, done.output
    return Given(**taken)


def options(*arguments: str, known: Known | None = None) -> Options:
    return options_for(HERE, given(*arguments), known or Known())


def test_the_defaults_are_those_of_the_contract() -> None:
    made = options()
    assert made.auth.scheme == "bearer"
    assert made.auth.header == "Authorization"
    assert made.depth is Depth.STANDARD
    assert (made.idle_s, made.keepalive_s, made.trials, made.concurrency) == (10.0, 30, None, 4)
    assert (made.timeout_s, made.max_requests, made.max_tokens) == (60.0, None, None)
    assert made.transport.wire.http is None
    assert not made.transport.insecure
    plain = given()
    assert (plain.out, plain.formats, plain.fail_on) == ("endpoint-report", (), "error")


@pytest.mark.parametrize(
    ("arguments", "idle_s", "deadline_s"),
    [
        (["--depth", "quick"], 0.0, 60.0),
        (["--depth", "standard"], 10.0, 300.0),
        (["--depth", "deep"], 75.0, 1200.0),
        (["--idle", "0"], 0.0, 300.0),
        (["--idle", "110"], 110.0, 700.0),  # a longer silence leaves the rest of the run its time
        (["--idle", "110", "--deadline", "30"], 110.0, 30.0),
    ],
)
def test_idle_and_deadline_follow_the_depth(arguments: list[str], idle_s: float, deadline_s: float) -> None:
    made = options(*arguments)
    assert (made.idle_s, made.deadline_s) == (idle_s, deadline_s)


def test_transport_options_reach_the_client() -> None:
    made = options("--http", "2", "--keepalive", "0", "--insecure", "--proxy", "proxy.example:3128")
    assert made.transport.wire.http == "2"
    assert made.transport.wire.keepalive_s == made.keepalive_s == 0
    assert made.transport.insecure
    assert made.transport.proxy == "http://proxy.example:3128"


def test_a_proxys_password_is_a_secret() -> None:
    made = options("--proxy", "http://user:pr0xy-pass@proxy.example:3128")
    assert ("PROXY_PASSWORD", "pr0xy-pass") in made.secrets


def test_the_key_in_another_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-12345678")
    made = options("--api-key-env", "MY_KEY", "--auth", "api-key-header")
    assert made.auth.headers() == {"X-API-Key": "sk-12345678"}
    made = options("--api-key-env", "MY_KEY", "--auth", "api-key-header", "--auth-header", "api-key")
    assert made.auth.headers() == {"api-key": "sk-12345678"}
    made = options("--api-key-env", "MY_KEY")
    assert made.auth.headers() == {"Authorization": "Bearer sk-12345678"}
    assert "sk-12345678" not in repr(made)


@pytest.mark.parametrize("text", ["sk-12345678\n", "sk-12345678\r\n", "\ufeffsk-12345678", "  sk-12345678  "])
def test_what_editors_add_to_a_key_file_is_taken_off(text: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(text.encode())
    assert options("--api-key-file", str(file)).auth.key == "sk-12345678"


def test_headers_are_filled_in_and_their_secrets_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_TOKEN", "t0ken-value")
    made = options("--header", "X-Team: a ${TEAM_TOKEN} b", "--header", "user-agent: mine", "--header", "X-Empty:")
    assert made.headers == {"X-Team": "a t0ken-value b", "User-Agent": "mine", "X-Empty": ""}
    assert made.secrets == (("TEAM_TOKEN", "t0ken-value"),)


def test_a_literal_value_under_a_secret_name_is_redacted_too() -> None:
    made = options("--header", "X-Session-Token-Hint: abc12345")
    assert made.secrets == (("HEADER_X_SESSION_TOKEN_HINT", "abc12345"),)


def test_a_secret_header_alone_may_carry_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-12345678")
    made = options("--header", "Authorization: Bearer ${MY_KEY}")
    assert made.headers == {"Authorization": "Bearer sk-12345678"}
    assert made.secrets == (("MY_KEY", "sk-12345678"),)


def test_the_environment_counts_only_where_it_names_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:7/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_MODEL", "their-model")
    assert endpoint_and_known(HERE) == (HERE, Known())
    endpoint, known = endpoint_and_known(None)
    assert endpoint == "http://127.0.0.1:7/v1"
    assert (known.key, known.source, known.model) == ("sk-of-the-environment", "env:OPENAI_API_KEY", "their-model")


def test_what_is_typed_goes_before_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-typed-one")
    known = Known("sk-known-one", "simulator", "known-model")
    assert options(known=known).auth.key == "sk-known-one"
    assert options(known=known).model == "known-model"
    made = options("--api-key-env", "MY_KEY", "--model", "typed-model", known=known)
    assert (made.auth.key, made.auth.source, made.model) == ("sk-typed-one", "env:MY_KEY", "typed-model")
    assert options("--auth", "none", known=known).auth.key is None


def test_a_ca_bundle_is_read_before_anything_is_sent(tmp_path: Path) -> None:
    import trustme

    authority = trustme.CA()
    good = tmp_path / "good.pem"
    authority.cert_pem.write_to_path(str(good))
    assert options("--ca-bundle", str(good)).transport.ca_bundle == str(good)
    with pytest.raises(Unusable, match="holds no certificate"):
        empty = tmp_path / "empty.pem"
        empty.write_text("")
        options("--ca-bundle", str(empty))


def _clean_of(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *arguments: str, url: str = HERE) -> Redactor:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return redactor_for(options_for(url, given(*arguments), Known()))


def test_secrets_filed_under_one_name_are_all_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable of a header is called as the key, the address's secret and a header's as each other."""
    secrets = {
        "API_KEY": "gateway-0aB1cD2e",
        "KEY": "sk-9zY8xW7vU6",
        "URL_SECRET": "tenant-5tG6hJ",
        "PROXY_PASSWORD": "pw-3eD4rF5",
    }
    words = (
        "--header",
        "X-GW: Token ${API_KEY}",
        "--header",
        "X-T: ${URL_SECRET}",
        "--header",
        "X-P: ${PROXY_PASSWORD}",
    )
    more = (
        "--header",
        "X-Auth.A: lit-1qA2wS3e",
        "--header",
        "X-Auth_A: lit-6yH7uJ8i",
        "--proxy",
        "http://u5er-n4me:pr0xy-pass@h:1",
    )
    url = f"{HERE}?sig=one-2wE3rT4y&sig=two-5tR6yU7i&code=three-8iO9pA"
    redactor = _clean_of(monkeypatch, secrets, "--api-key-env", "KEY", *words, *more, url=url)
    every = [*secrets.values(), "lit-1qA2wS3e", "lit-6yH7uJ8i", "u5er-n4me", "pr0xy-pass"]
    every += ["one-2wE3rT4y", "two-5tR6yU7i", "three-8iO9pA"]
    clean = redactor.text(" ".join(every))
    assert [secret for secret in every if secret in clean] == []
    assert clean.count("${") == len(every)


def test_a_composite_header_is_recorded_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = _clean_of(monkeypatch, {"GW": "ab", "N": "7"}, "--header", "X-GW: Token:${GW}/${N}")
    assert redactor.header("Token:ab/7") == "Token:${GW}/${N}"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_logins_of_the_environments_proxies_are_secrets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = _clean_of(monkeypatch, {name: "http://t0ken%2Buser-1:p%40ss-w0rd-2@proxy.example:3128"})
    said = (
        "t0ken%2Buser-1 t0ken+user-1 p%40ss-w0rd-2 p@ss-w0rd-2 "
        + base64.b64encode(b"t0ken+user-1:p@ss-w0rd-2").decode()
    )
    clean = redactor.text(said)
    assert not any(secret in clean for secret in said.split())
    assert "ss-w0rd" not in clean and "ken" not in clean
