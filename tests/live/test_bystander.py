"""A run does no harm to others: another client of the same LiteLLM loses nothing while a diagnosis goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest

from tests.live import servers
from tests.live.conftest import unavailable
from tests.live.parts import PartMissing
from tests.live.simulated import simulated
from tests.live.situation import KEY, MODEL, Asked, diagnose_at

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(240)]

LEAST = 40
#: The backend has no Responses API (404) and takes no pictures (500): both make LiteLLM take it out of service.
LACKS = ("no-responses", "vision-rejected=llamacpp")


class Bystander(threading.Thread):
    """Another client that asks a short question again and again until it is told to stop.

    `lost` holds what it got in place of an answer.
    """

    def __init__(self, base_url: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{base_url}/chat/completions"
        self._stop_asked = threading.Event()
        self.asked = 0
        self.lost: list[str] = []

    def run(self) -> None:
        with httpx.Client(trust_env=False, timeout=30, headers={"Authorization": f"Bearer {KEY}"}) as client:
            while not self._stop_asked.wait(0.1) or self.asked < LEAST:
                answer = client.post(self._url, json=question())
                self.asked += 1
                self.lost += [] if answer.status_code == 200 else [f"{answer.status_code} {answer.text[:200]}"]

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(timeout=60)


def question() -> dict[str, object]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}


def test_a_bystander_at_litellm_loses_nothing(tmp_path: Path) -> None:
    params = {"model": f"openai/{MODEL}", "api_key": "none"}
    router = {"allowed_fails": 0, "cooldown_time": 5, "num_retries": 0}
    try:
        with simulated(tmp_path, rate=200.0, faults=LACKS) as endpoint:
            config = {
                "model_list": [{"model_name": MODEL, "litellm_params": {**params, "api_base": endpoint.base_url}}],
                "general_settings": {"master_key": KEY},
                "router_settings": router,
            }
            with servers.litellm_with(config, tmp_path) as proxy:
                other = Bystander(proxy.base_url)
                other.start()
                asked = Asked(proxy.base_url)
                _, report = diagnose_at(asked, ("--depth", "standard", "--idle", "0"), tmp_path / "out")
                other.stop()
                # This proxy does take its backend out of service, for a client that takes no care.
                careless = {"model": MODEL, "input": "Say hello."}
                with httpx.Client(trust_env=False, timeout=30, headers={"Authorization": f"Bearer {KEY}"}) as client:
                    assert client.post(f"{proxy.base_url}/responses", json=careless).status_code == 404
                    assert client.post(f"{proxy.base_url}/chat/completions", json=question()).status_code == 429
    except PartMissing as missing:
        unavailable(str(missing))
    assert other.asked >= LEAST
    assert other.lost == []
    provoked = {item["check"] for item in report["exchanges"] if item["response"]["status"] in (404, 500)}
    assert {"responses.create", "vision.picture"} <= provoked
    assert 429 not in {item["response"]["status"] for item in report["exchanges"]}
    assert report["capabilities"]["responses_api"]["verdict"] == "rejected"
