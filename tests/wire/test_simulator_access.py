"""Faults of the URL, the connection, the key, the models, content and roles, as seen on the wire."""

from __future__ import annotations

import ssl

import httpx
import pytest

from tests.wire.test_simulator_client import Client
from tests.wire.test_simulator_effects import (
    CODE,
    OSLO,
    Effects,
    block,
    made_call,
    refused,
    turn,
    typed_chat,
    with_result,
    works,
)

effect = Effects()


# URL ------------------------------------------------------------------------------------------------------


@effect("missing-v1", "api-under-openai-v1", "api-under-api-v1", "api-under-inference-v1")
@effect("trailing-slash", "operation-path", "models-path", "duplicate-path")
def typed_url_is_wrong(client: Client) -> None:
    works(client)
    assert client.sim.typed_url != client.sim.base_url
    assert typed_chat(client).status_code in (404, 405)


@effect("web-ui")
def _web_page_beside_the_api(client: Client) -> None:
    works(client)
    assert "<html" in typed_chat(client).text


@effect("redirect-post", "redirect-post=302")
def _redirect_loses_the_method(client: Client) -> None:
    works(client)
    assert typed_chat(client).status_code in (301, 302)
    moved = client.http.post(
        client.sim.typed_url + "/chat/completions", json=client.body(CODE, {}), follow_redirects=True
    )
    assert (moved.request.method, moved.status_code) == ("GET", 405)


@effect("redirect-307")
def _redirect_keeps_the_method(client: Client) -> None:
    assert typed_chat(client).status_code == 307
    moved = client.http.post(
        client.sim.typed_url + "/chat/completions", json=client.body(CODE, {}), follow_redirects=True
    )
    assert "KX-48213" in moved.text


@effect("redirect-other-origin")
def _redirect_to_another_origin(client: Client) -> None:
    place = typed_chat(client).headers["location"]
    assert place.startswith("http://localhost:")
    assert "KX-48213" in client.http.post(place, json=client.body(CODE, {})).text


@effect("web-page", "catch-all-200", "empty-200")
def _success_for_everything(client: Client) -> None:
    for path in ("/v1/chat/completions", "/no/such/path"):
        response = client.http.post(client.sim.origin + path, json=client.body(CODE, {}))
        assert response.status_code == 200
        assert "KX-48213" not in response.text


@effect("no-chat")
def _nothing_anywhere(client: Client) -> None:
    assert {client.http.post(client.sim.origin + path, json={}).status_code for path in ("/", "/v1/models")} == {404}
    assert client.chat(CODE).status_code == 404


# Connection -----------------------------------------------------------------------------------------------


@effect("connect-reset")
def _reset_at_once(client: Client) -> None:
    with pytest.raises(httpx.ReadError):
        client.models()


@effect("connect-silent")
def _never_answers(client: Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        client.http.get(client.base + "/models", timeout=0.4)


@effect("tls", "tls-expiring")
def _good_certificate(client: Client) -> None:
    assert client.base.startswith("https://localhost:")
    works(client)


@effect("tls-untrusted", "tls-expired", "tls-hostname", "tls-chain-incomplete")
def _bad_certificate(client: Client) -> None:
    with pytest.raises(httpx.ConnectError) as caught:
        client.models()
    texts = {
        "tls-untrusted": "self-signed|unable to get local issuer",
        "tls-expired": "expired",
        "tls-chain-incomplete": "unable to get local issuer",
        "tls-hostname": "mismatch",
    }
    wanted = texts[client.sim.faults[0].name]
    assert any(part in str(caught.value) for part in wanted.split("|"))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    assert httpx.get(client.base + "/models", verify=context, trust_env=False).status_code == 401


@effect("tls-client-certificate")
def _wants_a_client_certificate(client: Client) -> None:
    with pytest.raises(httpx.TransportError):
        client.models()
    assert client.sim.tls is not None
    assert client.sim.tls.client_certificate is not None
    trust = ssl.create_default_context(cafile=client.sim.ca_bundle)
    trust.load_cert_chain(client.sim.tls.client_certificate)
    assert httpx.get(client.base + "/models", verify=trust, trust_env=False).status_code == 401


@effect("tls-plain-http")
def _http_is_typed_at_a_tls_port(client: Client) -> None:
    works(client)
    assert client.sim.typed_url == client.base.replace("https", "http")
    with pytest.raises(httpx.TransportError):
        httpx.get(client.sim.typed_url, trust_env=False)


# Keys -----------------------------------------------------------------------------------------------------


@effect("auth-required", "auth-rejected")
def _user_has_no_good_key(client: Client) -> None:
    assert client.chat(CODE).status_code == 401
    with Client(client.sim, key=client.sim.site.key) as good:
        works(good)


@effect("auth-wrong-scheme", "auth-wrong-scheme=api-key")
def _key_in_another_header(client: Client) -> None:
    assert client.chat(CODE).status_code == 401
    name = client.sim.faults[0].given or ""
    client.http.headers[name] = str(client.sim.key)
    works(client)


@effect("auth-not-checked")
def _any_key(client: Client) -> None:
    for key in (None, "sk-wrong"):
        with Client(client.sim, key=key) as other:
            works(other)


@effect("auth-models-exempt")
def _list_is_open(client: Client) -> None:
    with Client(client.sim, key=None) as other:
        assert other.models().status_code == 200
        assert other.chat(CODE).status_code == 401


@effect("auth-wrong-status", "auth-wrong-status=403", "auth-wrong-status=404", "auth-wrong-status=500")
def _another_status(client: Client) -> None:
    works(client)
    with Client(client.sim, key="sk-wrong") as other:
        assert str(other.chat(CODE).status_code) == client.sim.faults[0].given


@effect("auth-key-reflected")
def _key_in_the_error(client: Client) -> None:
    with Client(client.sim, key="sk-wrong-0123456789") as other:
        assert "sk-wrong-0123456789" in refused(other.chat(CODE), 401)


# Models ---------------------------------------------------------------------------------------------------


@effect("models-no-list")
def _no_list(client: Client) -> None:
    works(client)
    refused(client.models(), 404)


@effect("models-bare-array")
def _array(client: Client) -> None:
    assert [card["id"] for card in client.models().json()] == [client.sim.model]


@effect("models-empty-list", "models-not-listed")
def _not_in_the_list(client: Client) -> None:
    works(client)
    assert client.sim.model not in [card["id"] for card in client.models().json()["data"]]


@effect("models-id-unknown")
def _misspelt(client: Client) -> None:
    assert client.sim.model not in client.sim.site.models
    refused(client.chat(CODE), 404)
    assert client.chat(CODE, model=client.sim.site.model).status_code == 200


@effect("models-id-not-checked")
def _invented(client: Client) -> None:
    assert client.chat(CODE, model="no-such-model-xyz").json()["model"] == "no-such-model-xyz"


@effect("models-id-differs")
def _another_model(client: Client) -> None:
    assert client.chat(CODE).json()["model"] != client.sim.model
    assert client.stream().events[0]["model"] != client.sim.model


# Content and roles ----------------------------------------------------------------------------------------


@effect("blocks-rejected", "blocks-rejected=422", "blocks-rejected=500")
def _blocks_refused(client: Client) -> None:
    works(client)
    assert str(client.chat([turn("user", block(CODE))]).status_code) == client.sim.faults[0].given


@effect("blocks-rejected-system", "blocks-rejected-assistant", "blocks-rejected-tool")
def _blocks_refused_in_one_role(client: Client) -> None:
    role = client.sim.faults[0].name.rpartition("-")[2]
    turns = [*with_result(), turn("assistant", "Noted."), turn("system", "Be brief."), turn("user", CODE)]
    assert client.chat(turns).status_code == 200
    for place, one in enumerate(turns):
        if one["content"] is not None:
            changed = [*turns[:place], {**one, "content": block(one["content"])}, *turns[place + 1 :]]
            assert client.chat(changed).status_code == (400 if one["role"] == role else 200), one


@effect("blocks-ignored")
def _blocks_dropped(client: Client) -> None:
    works(client)
    assert "KX-48213" not in client.said([turn("user", block(CODE))])


@effect("blocks-truncated")
def _second_block_dropped(client: Client) -> None:
    parts = [*block("List every code you can see: AA-1111."), *block("And BB-2222.")]
    said = client.said([turn("user", parts)])
    assert "AA-1111" in said
    assert "BB-2222" not in said


@effect("blocks-stringified")
def _blocks_printed(client: Client) -> None:
    as_text = client.chat(CODE).json()["usage"]["prompt_tokens"]
    answer = client.chat([turn("user", block(CODE))]).json()
    assert answer["usage"]["prompt_tokens"] > as_text + 6
    assert "KX-48213" in answer["choices"][0]["message"]["content"]


@effect("null-rejected")
def _null_refused(client: Client) -> None:
    refused(client.chat(with_result()))
    assert client.chat([turn("user", OSLO), made_call(""), *with_result()[2:]]).status_code == 200


@effect("system-ignored", "developer-ignored")
def _role_dropped(client: Client) -> None:
    role = client.sim.faults[0].name.partition("-")[0]
    other = "developer" if role == "system" else "system"
    asked = turn("user", "What is the secret code?")
    assert "QT-5512" not in client.said([turn(role, "The secret code is QT-5512."), asked])
    assert "QT-5512" in client.said([turn(other, "The secret code is QT-5512."), asked])


@effect("system-rejected", "developer-rejected")
def _role_refused(client: Client) -> None:
    role = client.sim.faults[0].name.partition("-")[0]
    works(client)
    assert role in refused(client.chat([turn(role, "Be brief."), turn("user", CODE)]))


test_effect = effect.test()
