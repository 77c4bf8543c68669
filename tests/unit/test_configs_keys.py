"""No configuration and no saved provider ever holds a key, whatever the report and the key are."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.model import CAPABILITIES, Exchange, Report, Request, Response, State, Timeline, Verdict
from probe.provider.saved_provider import KeyReference, Provider, with_verdicts
from probe.provider.store import Store
from probe.redaction.redactor import Redactor
from reports.clients.client import export
from reports.clients.registry import clients
from reports.clients.settings import CannotExport, Key, settings_of
from tests.unit.configs_cases import EXTRAS, case

_WORD = st.text(string.ascii_letters + string.digits + "-_", min_size=24, max_size=48)
keys = st.one_of(
    _WORD.map(lambda text: "Key9" + text),
    _WORD.map(lambda text: "sk-" + text),
    _WORD.map(lambda text: "sk-ant-" + text),
    _WORD.map(lambda text: "gsk_" + text),
    st.text(string.ascii_letters + string.digits + "+/=.~!", min_size=24, max_size=64).map(lambda text: "Q" + text),
)
states = st.sampled_from(list(State))


@st.composite
def reports(draw: st.DrawFn, key: str) -> Report:
    """A report of a run with this key, whose endpoint sends it back wherever it can, redacted as runs are."""
    redactor = Redactor([("API_KEY", key)])
    made = case(
        scheme=draw(st.sampled_from(["bearer", "api-key-header"])),
        header=draw(st.sampled_from(["Authorization", "X-API-Key", "api-key"])),
        source=draw(st.sampled_from(["env:LAB_API_KEY", "file", "stdin", "none", "test"])),
        software=draw(st.sampled_from(["vllm", "litellm", "unknown"])),
        model=redactor.text(draw(st.sampled_from(["m", f"m-{key}", "org/m"]))),
        facts=redactor.value(
            {"models": ["m", key, f"x {key}"], "rejected_params": [key, "seed"], "reasoning_field": key, "roles": [key]}
        ),
    )
    verdicts = {name: Verdict(draw(states), note=redactor.text(f"said {key}")) for name in CAPABILITIES} | {
        "chat": Verdict(State.WORKS)
    }
    body = redactor.value({"error": {"message": f"bad key {key}"}})
    exchange = Exchange(
        "x001",
        "url.resolve",
        Request("POST", "http://127.0.0.1:9999/v1/chat/completions", {"Authorization": "Bearer ${API_KEY}"}, None),
        Response(401, "", "HTTP/1.1", (), json.dumps(body).encode()),
        Timeline(),
    )
    return Report(
        **{
            **{name: getattr(made, name) for name in made.__dataclass_fields__},
            "capabilities": verdicts,
            "exchanges": (exchange,),
        }
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), key=keys)
def test_no_export_holds_a_key(data: st.DataObject, key: str) -> None:
    made = data.draw(reports(key))
    reference = data.draw(
        st.sampled_from([None, Key("LAB_API_KEY", "keyring"), Key("LAB_API_KEY", "file", "/run/lab"), Key("K", "none")])
    )
    with mock.patch.dict(os.environ, {"LAB_API_KEY": key, "K": key}):
        if "${" in str(made.target.model):
            # What the redaction left of a model named after the key is no model.
            with pytest.raises(CannotExport):
                settings_of(made, id="lab")
            return
        chosen = settings_of(made, id="lab", extras=EXTRAS, key=reference)
        for client in clients():
            result = export(client, chosen)
            assert key not in result.text
            assert not any(key in note for note in result.notes)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), key=keys)
def test_no_saved_provider_holds_a_key(data: st.DataObject, key: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("store") / "providers.json"
    kept = Store(path)
    kept.add(Provider("lab", "http://127.0.0.1:9999/v1", key=KeyReference("keyring")))
    made = data.draw(reports(key))
    kept.update("lab", lambda provider: with_verdicts(provider, made)[0])
    for file in path.parent.rglob("*"):
        assert key.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    "parts",
    [
        {"model": "sk-abcdefghijklmnopqrstuvwxyz"},
        {"base_url": "http://127.0.0.1/sk-abcdefghijklmnopqrstuvwxyz/v1"},
        {"base_url": "http://me:secret@127.0.0.1/v1"},
    ],
)
def test_what_looks_like_a_key_in_the_wrong_place_is_not_written(parts: dict[str, Any]) -> None:
    with pytest.raises(CannotExport):
        settings_of(case(**parts))


def test_a_key_given_as_the_name_of_a_variable_is_refused() -> None:
    for word in ("sk-abcdefghijklmnopqrstuvwxyz", "hf_abcdefghijklmnopqrstuvwxyzabcd", "MY KEY", ""):
        with pytest.raises(CannotExport, match="--key-env"):
            settings_of(case(), variable=word)
    made = case(source="env:hf_abcdefghijklmnopqrstuvwxyzabcd")
    assert settings_of(made, id="lab").key.variable == "LAB_API_KEY"


def test_a_model_that_is_the_key_of_the_environment_stops_the_export(tmp_path: Path) -> None:
    made = case(model="plain-secret-word-1234")
    with mock.patch.dict(os.environ, {"LAB_API_KEY": "plain-secret-word-1234"}):
        for client in clients():
            if client.name in ("goose", "crush", "kenaz", "litellm", "zed"):
                with pytest.raises(CannotExport, match="looks like a key"):
                    export(client, settings_of(made, id="lab", extras=EXTRAS))
