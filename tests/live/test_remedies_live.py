"""Remedies proven: the cure that a report names is applied to the real part, and the finding is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from probe.catalogue import registry
from probe.model import Finding, Report
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.simulator.llamacpp_demo import RealServer
from tests.live import rows
from tests.live.processes import Running
from tests.live.servers import Certificate
from tests.live.simulated import simulated

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(420)]

KEY = "sk-local-right-0001"
MASTER = "sk-local-master-0001"


def diagnose(url: str, only: tuple[str, ...], *, auth: Auth | None = None, **options: Any) -> Report:
    """A run with some checks, and with recognition."""
    settings = Options(parse(url), auth or Auth(), only=(*only, "fingerprint.*"), timeout_s=120, **options)
    report = anyio.run(lambda: run(settings))
    assert [item.reason for item in report.checks if item.outcome == "error"] == []
    return report


def finding(report: Report, code: str) -> Finding:
    """The finding of this code, which must be there."""
    found = {item.code: item for item in report.findings}
    assert code in found, f"{sorted(found)} in place of {code}"
    return found[code]


def gone(report: Report, code: str, check: str) -> None:
    """The finding is not there, and the check that made it came to its end."""
    assert code not in {item.code for item in report.findings}
    outcomes = {item.id: item.outcome.value for item in report.checks}
    assert outcomes[check] in ("pass", "fail"), outcomes[check]


def tools_taken(report: Report, code: str) -> None:
    """The finding is not there although tools were sent; whether this small model then calls them is another matter."""
    assert code not in {item.code for item in report.findings}
    sent = [item for item in report.exchanges if isinstance(item.request.body, dict) and item.request.body.get("tools")]
    assert sent
    assert {item.status for item in sent} == {200}


def test_llamacpp_restarted_with_jinja(llamacpp: Callable[..., RealServer], hermes_template: str) -> None:
    ill = diagnose(llamacpp(jinja=False, template=hermes_template).base_url, ("tools.call",))
    advice = finding(ill, "tools.not-enabled").remedy
    assert "--jinja" in advice
    healed = diagnose(llamacpp(jinja=True, template=hermes_template).base_url, ("tools.call",))
    tools_taken(healed, "tools.not-enabled")


def test_llamacpp_restarted_with_a_template_that_knows_tools(
    llamacpp: Callable[..., RealServer], hermes_template: str
) -> None:
    ill = diagnose(llamacpp().base_url, ("tools.call",))
    advice = finding(ill, "tools.ignored").remedy
    assert advice.startswith("llama.cpp: ")
    assert "--chat-template-file" in advice
    healed = diagnose(llamacpp(template=hermes_template).base_url, ("tools.call",))
    tools_taken(healed, "tools.ignored")


def test_llamacpp_restarted_with_a_key(llamacpp: Callable[..., RealServer]) -> None:
    auth = Auth(key=KEY, source="test")
    ill = diagnose(llamacpp().base_url, ("auth.enforced",), auth=auth)
    advice = finding(ill, "auth.not-checked").remedy
    assert advice.startswith("llama.cpp: ")
    assert "--api-key" in advice
    healed = diagnose(llamacpp(key=KEY).base_url, ("auth.enforced",), auth=auth)
    gone(healed, "auth.not-checked", "auth.enforced")


def test_litellm_given_the_right_key_of_its_backend(
    litellm_proxy: Callable[..., Running], llamacpp: Callable[..., RealServer]
) -> None:
    auth = Auth(key=MASTER, source="test")
    upstream = llamacpp(key=KEY).base_url
    front = litellm_proxy(upstream=upstream, upstream_key="sk-outdated-0001", master_key=MASTER)
    ill = diagnose(front.base_url, ("url.*",), auth=auth, model="small-model")
    found = finding(ill, "auth.rejected")
    assert found.owner == "gateway", "the proxy took the key; what it sent on was refused"
    assert "LiteLLM proxy: " in found.remedy
    assert "correct `api_key` in the model's `litellm_params`" in found.remedy
    mended = litellm_proxy(upstream=upstream, upstream_key=KEY, master_key=MASTER)
    healed = diagnose(mended.base_url, ("url.*",), auth=auth, model="small-model")
    gone(healed, "auth.rejected", "url.resolve")
    assert (healed.server.software, [hop.software for hop in healed.server.hops]) == ("llamacpp", ["litellm"])


def test_a_wrong_base_url_corrected(nginx: Callable[..., Running], llamacpp: Callable[..., RealServer]) -> None:
    front = nginx("v1-only", llamacpp().origin)
    ill = diagnose(front.origin, ("url.*",))
    advice = finding(ill, "url.missing-v1").remedy
    assert advice.startswith(f"Use {front.base_url} as the base URL.")
    assert ill.target.base_url == front.base_url
    healed = diagnose(ill.target.base_url, ("url.*",))
    gone(healed, "url.missing-v1", "url.resolve")


def test_nginx_given_the_route_that_was_missing(
    nginx: Callable[..., Running], llamacpp: Callable[..., RealServer]
) -> None:
    """The other cure of the same finding, from the catalogue: let the proxy pass on what clients ask for."""
    ill = diagnose(nginx("v1-only", llamacpp().origin).origin, ("url.*",))
    assert finding(ill, "url.missing-v1")
    advice = registry.advice("url.missing-v1", "nginx")
    assert advice is not None
    assert "Add a `location" in advice.do
    healed = diagnose(nginx("unbuffered", llamacpp().origin).origin, ("url.*",))
    gone(healed, "url.missing-v1", "url.resolve")


def test_a_wrong_header_corrected(llamacpp: Callable[..., RealServer]) -> None:
    server = llamacpp(key=KEY)
    wrong = Auth("api-key-header", "api-key", KEY, "test")
    ill = diagnose(server.base_url, ("url.*",), auth=wrong)
    found = finding(ill, "auth.wrong-scheme")
    assert "`Authorization: Bearer KEY`" in found.remedy
    assert ill.target.auth.header is not None
    right = Auth(ill.target.auth.scheme, ill.target.auth.header, KEY, "test")
    healed = diagnose(server.base_url, ("url.*",), auth=right)
    gone(healed, "auth.wrong-scheme", "url.resolve")


def delivered(hop: rows.Hop, folder: Path, certificate: Certificate, http: str | None = None) -> Report:
    """How a stream of 60 tokens a second arrives through this hop."""
    with simulated(folder, rate=60.0) as endpoint, hop(endpoint.origin, folder, certificate) as front:
        return rows.diagnose(front.base_url, certificate, http=http, only=("stream.delivery", "fingerprint.*"))


def test_nginx_with_buffering_switched_off(tmp_path: Path, certificate: Certificate) -> None:
    ill = delivered(rows.nginx("tls", tls=True), tmp_path, certificate, "1")
    advice = finding(ill, "stream.size-buffered").remedy
    assert "nginx: " in advice
    assert "proxy_buffering off" in advice
    healed = delivered(rows.nginx("tls", tls=True, buffering="off"), tmp_path, certificate, "1")
    gone(healed, "stream.size-buffered", "stream.delivery")
    assert healed.facts["delivery"] == "streaming"


def test_nginx_that_compresses_with_buffering_switched_off(tmp_path: Path, certificate: Certificate) -> None:
    ill = delivered(rows.nginx("gzip"), tmp_path, certificate)
    advice = finding(ill, "stream.compressed").remedy
    assert "nginx: " in advice
    assert "`proxy_buffering off` also solves it" in advice
    healed = delivered(rows.nginx("gzip", buffering="off"), tmp_path, certificate)
    gone(healed, "stream.compressed", "stream.delivery")


def test_haproxy_with_no_delay(tmp_path: Path, certificate: Certificate) -> None:
    """Nothing in a good answer names HAProxy, so the cure is the catalogue's for whoever knows that it is there."""
    ill = delivered(rows.haproxy("http"), tmp_path, certificate)
    assert finding(ill, "stream.coalesced")
    advice = registry.advice("stream.coalesced", "haproxy")
    assert advice is not None
    assert "option http-no-delay" in advice.do
    healed = delivered(rows.haproxy("no-delay"), tmp_path, certificate)
    gone(healed, "stream.coalesced", "stream.delivery")


def test_nginx_with_a_longer_read_timeout(tmp_path: Path, certificate: Certificate) -> None:
    def silence(read_timeout: str) -> Report:
        hop = rows.nginx("unbuffered", read_timeout=read_timeout)
        with simulated(tmp_path, rate=60.0) as endpoint, hop(endpoint.origin, tmp_path, certificate) as front:
            only = ("stream.delivery", "idle.silence", "fingerprint.*")
            return rows.diagnose(front.base_url, certificate, idle_s=rows.IDLE_S, only=only)

    ill = silence(rows.LIMIT)
    advice = finding(ill, "idle.l7-timeout").remedy
    assert advice.startswith("nginx: ") and "`proxy_read_timeout 3600s;`" in advice
    healed = silence("60s")
    gone(healed, "idle.l7-timeout", "idle.silence")
