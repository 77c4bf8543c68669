"""Recognising software from what was seen: documented answers, gateways, look-alikes, what to ask next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from checks.fingerprint.checks import MOST_PAGES, next_page, summary
from checks.fingerprint.reading import collect, root_of
from checks.fingerprint.scoring import NAMED, recognise, scores
from checks.fingerprint.systems import parse, signatures
from probe.model import Exchange, Hop, Request, Response, ServerInfo, Timeline

CHAT = "/v1/chat/completions"
UUID = "0b9b3f6e-52f8-4c0a-9a1e-3f2f6f0c7d11"


def seen(
    status: int = 200,
    body: Any = None,
    path: str = CHAT,
    *,
    host: str = "127.0.0.1",
    check: str = "test",
    number: int = 1,
    **headers: str,
) -> Exchange:
    """An answer with this status and body (a JSON value, or text as it is); ``_`` in header names is ``-``."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = "text/plain" if isinstance(body, str) else "application/json"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = Response(status, "", "HTTP/1.1", tuple({"content-type": kind, **named}.items()), content)
    method = "POST" if path.endswith("completions") else "GET"
    return Exchange(f"x{number:03d}", check, Request(method, f"https://{host}{path}", {}, None), response, Timeline())


def chat(**more: Any) -> dict[str, Any]:
    """A completion; ``choice`` and ``message`` add members there."""
    message = {"role": "assistant", "content": "Hello", **more.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **more.pop("choice", {})}
    return {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], **more}


def models(**card: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": "m", "object": "model", **card}]}


def stream(*lines: str) -> Exchange:
    made = seen(200, "".join(f"{line}\n\n" for line in lines))
    assert made.response
    response = Response(200, "", "HTTP/1.1", (("content-type", "text/event-stream"),), made.response.content)
    return Exchange("x009", "test", made.request, response, Timeline())


#: A few answers as each system's documentation and public recordings have them, without its host name.
DOCUMENTED: dict[str, list[Exchange]] = {
    "azure": [seen(200, chat(prompt_filter_results=[]), apim_request_id=UUID)],
    "openrouter": [stream(": OPENROUTER PROCESSING", 'data: {"id":"gen-1","choices":[]}')],
    "gemini": [
        seen(400, [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}]),
    ],
    "mistral": [seen(200, chat(), mistral_correlation_id=UUID, via="1.1 kong/3.9.0", server="cloudflare")],
    "deepseek": [seen(200, chat(usage={"prompt_cache_hit_tokens": 0}), x_ds_trace_id="a1", server="openresty")],
    "xai": [seen(401, {"code": "unauthenticated:no-credentials", "error": "No credentials presented."})],
    "deepinfra": [seen(401, {"detail": "User is not authorized to access this resource"})],
    "nvidia": [
        seen(400, {"error": {"message": "x", "type": "BadRequestError", "param": None, "code": 400}}),
        seen(200, chat(system_fingerprint="vllm-0.11.0-ab"), nvcf_reqid=UUID),
    ],
    "databricks": [seen(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found"})],
    "tgi": [seen(200, chat(system_fingerprint="3.3.7-native"), x_compute_type="gpu+optimized")],
    "localai": [seen(400, {"error": {"code": 400, "message": "code=400, message=bad", "type": ""}})],
    "koboldcpp": [seen(200, models(owned_by="koboldcpp"), "/v1/models", server="KoboldCppServer 1")],
    "tabbyapi": [seen(200, models(owned_by="tabbyAPI"), "/v1/models")],
    "lmdeploy": [seen(200, models(owned_by="lmdeploy"), "/v1/models")],
    "portkey": [seen(400, {"status": "failure", "message": "Either x-portkey-config or x-portkey-provider …"})],
    "kong": [seen(404, {"message": "no Route matched with those values"}, x_kong_request_id="ab", server="kong/3.4")],
    "envoy-ai-gateway": [seen(404, "No matching route found. It is likely because the model specified …")],
    "one-api": [seen(401, {"error": {"message": "无效的令牌 (request id: 1)", "type": "one_api_error"}})],
    "cloudflare-ai": [seen(200, chat(usage={"neurons": 1.5}), cf_ray="8a-FRA", server="cloudflare")],
    "openai": [
        seen(401, {"error": {"message": "x platform.openai.com/account/api-keys"}}, openai_version="2020-10-01")
    ],
}
HOPS: dict[str, Exchange] = {
    "apache": seen(502, "<address>Apache/2.4.62 (Debian) Server at x Port 80</address>"),
    "traefik": seen(503, "no available server"),
    "cloudflare": seen(524, "error code: 524", cf_ray="8a-FRA"),
    "cloudfront": seen(200, chat(), via="1.1 abc.cloudfront.net (CloudFront)"),
    "aws-alb": seen(504, "<html></html>", server="awselb/2.0"),
    "aws-api-gateway": seen(200, chat(), x_amz_apigw_id="WkYq8HCuvHcFU3Q="),
    "azure-app-gateway": seen(502, "<center>Microsoft-Azure-Application-Gateway/v2</center>"),
    "azure-front-door": seen(200, chat(), x_azure_ref="20260101T000000Z"),
    "google-frontend": seen(200, chat(), via="1.1 google"),
    "haproxy": seen(
        504, "<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n"
    ),
}


@pytest.mark.parametrize("system", DOCUMENTED)
def test_documented_answers_give_the_name(system: str) -> None:
    found = recognise(collect(DOCUMENTED[system]))
    assert found.software == system
    assert found.confidence >= NAMED
    assert found.evidence


@pytest.mark.parametrize("hop", HOPS)
def test_a_hop_is_named_by_its_headers_or_its_error_page(hop: str) -> None:
    found = recognise(collect([HOPS[hop]]))
    assert [item.software for item in found.hops] == [hop]
    assert found.software == "unknown"


def test_hops_that_belong_to_a_provider_are_left_out() -> None:
    """Mistral's host answers through Kong and Cloudflare, which nobody else can set."""
    assert recognise(collect(DOCUMENTED["mistral"])).hops == ()
    assert recognise(collect(DOCUMENTED["deepseek"])).hops == ()


@pytest.mark.parametrize(
    ("host", "system"),
    [
        ("api.openai.com", "openai"),
        ("api.groq.com", "groq"),
        ("my.openai.azure.com", "azure"),
        ("api-openai.com.example.org", "unknown"),
        ("notapi.groq.com.example", "unknown"),
        ("adb-1.2.azuredatabricks.net", "databricks"),
        ("svc-abc.cld-x.s.anyscaleuserdata.com", "anyscale"),
    ],
)
def test_a_host_name_is_compared_whole(host: str, system: str) -> None:
    assert recognise(collect([seen(404, "no", host=host)])).software == system


def test_a_gateway_and_the_server_behind_it_are_both_named() -> None:
    answer = seen(200, chat(), x_litellm_version="1.106.2", llm_provider_server="llama.cpp")
    found = recognise(collect([answer]))
    assert (found.software, [hop.software for hop in found.hops]) == ("llamacpp", ["litellm"])
    assert any("behind it" in text for text in found.evidence)


def test_a_gateway_gives_its_provider_away_by_headers_and_by_address() -> None:
    by_header = seen(200, chat(), x_litellm_version="1.1.0", llm_provider_x_groq_region="dls")
    by_address = seen(200, chat(), x_litellm_version="1.1.0", x_litellm_model_api_base="https://api.deepseek.com/v1")
    assert recognise(collect([by_header])).software == "groq"
    assert recognise(collect([by_address])).software == "deepseek"


def test_a_gateway_alone_is_the_software() -> None:
    found = recognise(collect([seen(200, chat(), x_litellm_version="1.106.2", server="nginx")]))
    assert (found.software, found.version) == ("litellm", "1.106.2")
    assert [hop.software for hop in found.hops] == ["nginx"]


def test_headers_of_what_is_behind_do_not_name_a_hop_in_front() -> None:
    found = recognise(collect([seen(200, chat(), x_litellm_version="1.1.0", llm_provider_server="nginx")]))
    assert found.hops == ()


def test_two_that_fit_alike_give_no_name() -> None:
    both = [seen(200, models(owned_by="vllm"), "/v1/models"), seen(200, chat(), server="llama.cpp", number=2)]
    assert recognise(collect(both)).software == "unknown"


def test_what_many_servers_share_names_none_of_them() -> None:
    common = [
        seen(404, {"detail": "Not Found"}, "/v1/nope", server="uvicorn"),
        seen(401, {"error": "Unauthorized"}, server="uvicorn", number=2),
        seen(200, models(owned_by="me-and-my-friends", created=1), "/v1/models", number=3),
        seen(200, chat(id=f"chatcmpl-{UUID}"), number=4),
    ]
    found = recognise(collect(common))
    assert found == ServerInfo()
    assert scores(collect(common)), "they do show a little"


def test_nothing_seen_is_nothing_known() -> None:
    lost = Exchange("x001", "test", Request("GET", "http://h/v1/models", {}), None, Timeline())
    assert recognise(collect([lost])) == ServerInfo()
    assert recognise(collect([])) == ServerInfo()


# Look-alikes ------------------------------------------------------------------------------


def test_a_page_that_any_path_has_is_no_evidence() -> None:
    page = {"version": "0.9.1"}
    alone = [seen(200, page, "/version"), seen(200, page, "/api/version", number=2)]
    assert collect(alone).pages == []
    assert collect(alone).asked == {"/version", "/api/version"}
    control = seen(200, page, "/zebra-1/no-such-path", number=3)
    assert collect([alone[0], control]).pages == []
    assert len(collect([alone[0]]).pages) == 1


def test_an_imitation_of_everything_is_not_believed() -> None:
    """A server that answers every path with everyone's marks at once."""
    marks = '"SGLang is running" Ollama is running "build_info":"b1-x" "is_generation": "lora_names":'
    paths = ["/", "/props", "/version", "/api/version", "/model_info", "/v1/internal/model/info"]
    answers = [seen(200, marks, path, number=n) for n, path in enumerate(paths)]
    assert recognise(collect(answers)).software == "unknown"


def test_koboldcpp_imitating_ollama_is_koboldcpp() -> None:
    answers = [
        seen(200, "Ollama is running", "/", server="KoboldCppServer 1"),
        seen(200, {"version": "0.7.0"}, "/api/version", server="KoboldCppServer 1", number=2),
        seen(200, models(owned_by="koboldcpp"), "/v1/models", server="KoboldCppServer 1", number=3),
    ]
    assert recognise(collect(answers)).software == "koboldcpp"


@pytest.mark.parametrize(
    "body",
    [
        {"choices": "no", "system_fingerprint": 7, "id": None},
        [[[[]]]],
        {"data": [None, 3, {"id": {"deep": []}, "owned_by": ["vllm"]}]},
        "\x00\ud7ff" * 50,
        {"error": {"message": "x" * 100_000}},
        '{"error":' * 900 + "1" + "}" * 900,
    ],
)
def test_strange_bodies_are_read_without_harm(body: Any) -> None:
    for path in (CHAT, "/v1/models", "/props"):
        for status in (200, 400):
            recognise(collect([seen(status, body, path, x_litellm_model_api_base="http://[::1", server="\x00")]))


def test_a_version_must_look_like_one() -> None:
    odd = seen(200, chat(), x_litellm_version="1.2.3; rm -rf\x1b[31m")
    assert recognise(collect([odd])).version is None


# What to ask next -------------------------------------------------------------------------


def test_no_page_is_requested_if_enough_is_known() -> None:
    for known in (
        [seen(200, chat(), server="llama.cpp")],
        [seen(200, chat(), x_groq_region="dls")],
        [seen(200, chat(), x_litellm_version="1.1.0")],
    ):
        assert next_page(collect(known)) is None


def test_the_page_that_decides_for_the_likeliest_comes_first() -> None:
    vllm = [seen(200, chat(kv_transfer_params=None))]
    assert next_page(collect(vllm)) == "/version"
    ollama = [seen(200, chat(id="chatcmpl-12"))]
    assert next_page(collect(ollama)) in ("/", "/api/version")


def test_asking_comes_to_an_end() -> None:
    answers = [seen(200, chat())]
    asked: list[str] = []
    while (path := next_page(collect(answers))) is not None and len(asked) < 40:
        assert path not in asked
        asked.append(path)
        answers.append(seen(404, "no", path, number=len(asked)))
    pages = {signal.path for system in signatures().values() for signal in system.signals if signal.sees == "page"}
    assert set(asked) == pages
    assert MOST_PAGES == 4


@pytest.mark.parametrize(
    ("base", "root"),
    [
        ("/v1", ""),
        ("/openai/v1", ""),
        ("", ""),
        ("/llm/v1", "/llm"),
        ("/api/v1", ""),
        ("/a/b/v1", "/a/b"),
        ("/x", "/x"),
    ],
)
def test_pages_are_below_the_mount_path(base: str, root: str) -> None:
    assert root_of(base) == root


def test_a_page_below_a_prefix_counts() -> None:
    page = seen(200, {"build_info": "b6527-7f76", "modalities": {}}, "/llm/props")
    assert recognise(collect([page], "/llm")).software == "llamacpp"
    assert recognise(collect([page])).software == "unknown"


def test_the_summary_names_what_was_recognised() -> None:
    assert summary(ServerInfo()) == "not recognised"
    assert (
        summary(ServerInfo("vllm", "0.33.0", 0.9, (), (Hop("nginx"), Hop("litellm"))))
        == "vllm 0.33.0, behind nginx, litellm"
    )


# The weighing -----------------------------------------------------------------------------


def _system(name: str, *signals: tuple[str, float], over: str = "") -> str:
    lines = [f'title = "{name}"', 'kind = "server"', 'about = "A."', 'sources = ["s"]', f"over = [{over}]"]
    for header, weight in signals:
        lines += ["[[signals]]", 'sees = "header"', f'name = "{header}"', f"weight = {weight}", 'source = "s"']
    return "\n".join(lines)


def test_hints_add_up_and_imitated_systems_step_back() -> None:
    systems = {
        "a": parse("a", _system("a", ("x-a", 0.6), ("x-b", 0.5))),
        "b": parse("b", _system("b", ("x-b", 0.7), over='"a"')),
    }
    both = collect([seen(200, chat(), x_a="1", x_b="1")])
    ranked = {item.system.id: item.confidence for item in scores(both, systems)}
    assert ranked == {"a": pytest.approx(0.8), "b": pytest.approx(0.7)}
    assert recognise(both, systems).software == "unknown", "too near each other"
    systems["b"] = parse("b", _system("b", ("x-b", 0.8), over='"a"'))
    assert recognise(both, systems).software == "b", "named, so what it looks like is not"
