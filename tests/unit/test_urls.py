"""What people type, and what is made of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.parsing import urls


@pytest.mark.parametrize(
    ("typed", "origin", "path"),
    [
        ("localhost:8080", "http://localhost:8080", ""),
        ("  https://api.example.com/v1/ ", "https://api.example.com", "/v1/"),
        ("api.example.com/v1", "https://api.example.com", "/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000", "/v1"),
        ("127.0.0.1:1234/v1?api-version=x#frag", "http://127.0.0.1:1234", "/v1"),
        ("HTTPS://Example.COM:443/v1", "https://example.com:443", "/v1"),
    ],
)
def test_parse_takes_an_endpoint_apart(typed: str, origin: str, path: str) -> None:
    endpoint = urls.parse(typed)
    assert (endpoint.origin, endpoint.path) == (origin, path)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "ftp://host/v1",
        "mailto:x@y",
        "http://",
        "https:///v1",
        "http://a b/v1",
        "http://user:secret@host/v1",
        "http://host:99999/v1",
        "http://host:port/v1",
        "http://ho\x00st/v1",
        "file:///etc/passwd",
    ],
)
def test_parse_refuses_in_one_line(typed: str) -> None:
    with pytest.raises(urls.BadEndpoint) as caught:
        urls.parse(typed)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@given(st.text(max_size=80))
def test_parse_never_raises_anything_else(text: str) -> None:
    try:
        endpoint = urls.parse(text)
    except urls.BadEndpoint:
        return
    assert endpoint.host
    assert len(list(urls.candidates(endpoint))) == len(set(urls.candidates(endpoint)))


def test_query_is_kept_on_operations() -> None:
    endpoint = urls.parse("https://r.example/openai/deployments/d?api-version=2024-06-01")
    assert endpoint.at("/x", "/chat/completions") == "https://r.example/x/chat/completions?api-version=2024-06-01"


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/v1/", "/v1"),
        ("/v1/chat/completions", "/v1"),
        ("/v1/chat/completions/", "/v1"),
        ("//v1//", "/v1"),
        ("/v1/models", "/v1"),
        ("/", ""),
        ("/openai/v1/responses", "/openai/v1"),
        ("/v1/messages", "/v1"),
        ("/v1/messages/count_tokens", "/v1"),
        ("/v1/models/sim-small", "/v1"),
        ("/v1/models/Owner/Name", "/v1"),
        ("/models/Owner/Name/v1", "/models/Owner/Name/v1"),
        ("/v1/models/name/v1", "/v1/models/name/v1"),
    ],
)
def test_clean_path(path: str, clean: str) -> None:
    assert urls.clean_path(path) == clean


@pytest.mark.parametrize(
    ("path", "single"),
    [
        ("/v1/v1", "/v1"),
        ("/openai/v1/openai/v1", "/openai/v1"),
        ("/a/b/a", "/a/b/a"),
        ("/v1/v1/v1", "/v1"),
        ("/a/v4/v1", "/a/v4"),
    ],
)
def test_undouble(path: str, single: str) -> None:
    assert urls.undouble(path) == single
    assert urls.has_duplicate(path) == (path != single)


def test_typed_path_is_the_first_candidate_and_v1_the_second() -> None:
    assert list(urls.candidates(urls.parse("http://h.example:8000")))[:2] == ["", "/v1"]
    assert list(urls.candidates(urls.parse("http://h.example/v1/")))[:2] == ["/v1/", "/v1"]
    assert list(urls.candidates(urls.parse("http://h.example/proxy")))[:2] == ["/proxy", "/proxy/v1"]


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("/api/paas", "/api/paas/v4"),
        ("/api/v1", "/api"),
        ("/api", "/v1"),
        ("/api/generate", "/v1"),
        ("/v2/endpoint", "/v2/endpoint/openai/v1"),
        ("/v2/endpoint/runsync", "/v2/endpoint/openai/v1"),
        ("/compatible-mode", "/compatible-mode/v1"),
        ("/api/paas/v4/v1", "/api/paas/v4"),
    ],
)
def test_a_base_that_a_typed_path_may_mean_is_among_the_first_candidates(typed: str, base: str) -> None:
    assert base in list(urls.candidates(urls.parse(f"http://h.example{typed}")))[:5]


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("http://h/v1", "http://h:80/x", True),
        ("https://h/v1", "https://h:443/", True),
        ("http://h/", "https://h/", False),
        ("http://h/", "http://h.evil/", False),
        ("http://h/", "http://h:8080/", False),
        ("http://H/", "http://h/", True),
    ],
)
def test_same_origin(left: str, right: str, same: bool) -> None:
    assert urls.same_origin(left, right) is same


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.3.2.1", True), ("::1", True), ("10.0.0.1", False), ("localhost.evil.example", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert urls.is_loopback(host) is loopback


def test_credentials_are_found_by_name() -> None:
    found = urls.credentials_in("api-version=1&key=abc&access_token=t&x=&key=def;pwd=g&sk-0123456789abcdef0123")
    assert found == [
        ("key", "abc"),
        ("access_token", "t"),
        ("key", "def"),
        ("pwd", "g"),
        ("", "sk-0123456789abcdef0123"),
    ]


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("?key=one&key=two", {"one", "two"}),
        ("?code=c0de&pwd=p&pass=q&credential=r&jwt=s&session=t", {"c0de", "p", "q", "r", "s", "t"}),
        ("?justavalue", {"justavalue"}),
        ("?a=1;api_key=s3cret", {"1", "s3cret"}),
        ("?api-version=2024-06-01;api_key=s3cret", {"s3cret"}),
        ("?tenant=a%2Bb+c", {"a%2Bb+c", "a+b c", "a+b+c"}),
        ("?k=%ff%fe%41secret", {"%ff%fe%41secret", "\ufffd\ufffdAsecret", "\xff\xfeAsecret"}),
        ("/gw/sk-0123456789abcdef0123/v1", {"sk-0123456789abcdef0123"}),
        ("/token/abcdef-123/v1", {"abcdef-123"}),
        ("/aZ3kQ9xR7mW2pL5vT8nB/v1", {"aZ3kQ9xR7mW2pL5vT8nB"}),
        ("?api-version=2024-06-01&model=m&deployment=d&version=3", set()),
        ("/v1/accounts/0123456789abcdef0123456789abcdef/openai", set()),
        ("/openai/deployments/MyDeploymentGpt4oMini2024/x", set()),
        ("/serving/meta-llama-3-70B-Instruct-Turbo/tokens/v1", set()),
    ],
)
def test_every_value_of_a_query_is_secret_unless_it_is_known_to_be_harmless(url: str, secrets: set[str]) -> None:
    pairs = urls.secrets_in(urls.parse("https://h.example/v1" + url if url[0] == "?" else "https://h.example" + url))
    assert {value for _, value in pairs} == secrets
    assert all(name.startswith("URL_SECRET") for name, _ in pairs)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("\ufeffhttps://h.example/v1", "invisible character (U+FEFF)"),
        ("https://h.example\u200b/v1", "invisible character (U+200B)"),
        ("https://h.exa\u00admple/v1", "invisible character (U+00AD)"),
        ("https://h.example/v1\u2060", "invisible character (U+2060)"),
        ("https://\u202eh.example/v1", "invisible character (U+202E)"),
        ("https://h.example/v1\udcff", "invisible character (U+DCFF)"),
        ("\u201chttps://h.example/v1\u201d", "quotation mark"),
        ("\u2018h.example\u2019", "quotation mark"),
        ("'https://h.example/v1'", "quotation mark"),
        ("https://https://h.example/v1", "its scheme twice"),
        ("http://https//h.example/v1", "its scheme twice"),
        ("https:https://h.example", "its scheme twice"),
        ("http//h.example/v1", "no colon after its scheme"),
        ("https;//h.example/v1", "no colon after its scheme"),
        ("http://[v1.fe]/", "not an IPv6 address"),
        ("http://h.example:8O00/v1", "cannot read"),
        ("http://256.1.1.1/v1", "not an IPv4 address"),
        ("http://10.0.0:8000/v1", "not an IPv4 address"),
        ("http://127.1:8000", "not an IPv4 address"),
        ("http://0x7f000001", "not an IPv4 address"),
        ("http://2130706433/", "not an IPv4 address"),
        ("http://127.0.0.1.:1", ""),
        ("http://[fe80::1%eth0]:8000/v1", ""),
        ("http://[fe80::1%25eth0]:8000/v1", ""),
        ("http://[fe80::zz]/v1", "cannot read"),
        ("http://[fe80::1%]/v1", "cannot read"),
        ("http://127.0\u30020.1:1/v1", "would be looked up as '127.0.0.1'"),
        ("http://\uff4cocalhost:1/v1", "h"),
        ("http://h..example/", "not a host name"),
        ("http://ex%61mple.com/", "not a host name"),
        ("https://stra\u00dfe.example/v1", ""),
    ],
)
def test_what_was_pasted_wrong_is_named_before_anything_is_dialled(typed: str, said: str) -> None:
    if said:
        with pytest.raises(urls.BadEndpoint) as why:
            urls.parse(typed)
        assert said in str(why.value)
        assert str(why.value).isprintable()
    else:
        assert urls.parse(typed).host in ("127.0.0.1", "fe80::1%eth0", "xn--strae-oqa.example")


@pytest.mark.parametrize(
    "host", ["stra\u00dfe.example", "fa\u00df.de", "\u03c3\u03c2.example", "B\u00fccher.example", "\u65e5\u672c.jp"]
)
def test_the_host_dialled_is_the_one_that_httpx_dials(host: str) -> None:
    import httpx

    endpoint = urls.parse(f"https://{host}/v1")
    assert endpoint.host == httpx.URL(f"https://{host}/v1").raw_host.decode()
    assert endpoint.host == httpx.URL(endpoint.base).raw_host.decode()


def test_a_login_of_a_proxy_is_known_as_written_and_decoded() -> None:
    assert urls.login("http://us%40er:p%3Ass@proxy.example:3128") == [
        ("PROXY_PASSWORD", "p%3Ass"),
        ("PROXY_PASSWORD", "p:ss"),
        ("PROXY_USER", "us%40er"),
        ("PROXY_USER", "us@er"),
    ]
    assert urls.login("tok3n-1234@proxy.example") == [("PROXY_USER", "tok3n-1234")]
    assert urls.login("proxy.example:3128") == []
