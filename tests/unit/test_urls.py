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
    ],
)
def test_clean_path(path: str, clean: str) -> None:
    assert urls.clean_path(path) == clean


@pytest.mark.parametrize(
    ("path", "single"),
    [("/v1/v1", "/v1"), ("/openai/v1/openai/v1", "/openai/v1"), ("/a/b/a", "/a/b/a"), ("/v1/v1/v1", "/v1")],
)
def test_undouble(path: str, single: str) -> None:
    assert urls.undouble(path) == single
    assert urls.has_duplicate(path) == (path != single)


def test_typed_path_is_the_first_candidate_and_v1_the_second() -> None:
    assert list(urls.candidates(urls.parse("http://h.example:8000")))[:2] == ["", "/v1"]
    assert list(urls.candidates(urls.parse("http://h.example/v1/")))[:2] == ["/v1/", "/v1"]
    assert list(urls.candidates(urls.parse("http://h.example/proxy")))[:2] == ["/proxy", "/proxy/v1"]


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


def test_secret_parameters_are_found_by_name() -> None:
    assert urls.secret_params("api-version=1&key=abc&access_token=t&x=") == {"key": "abc", "access_token": "t"}
