"""Six faults: every exporter sets its toggles as a person would who knew the truth."""

from __future__ import annotations

import pytest

from reports.clients.client import export
from reports.clients.compatibility import Answer, works_with
from reports.clients.registry import CLIENTS, client
from reports.clients.settings import settings_of
from tests.unit.configs_cases import EXTRAS, FAULTS, case, reading, wrong_toggles


@pytest.mark.parametrize("fault", FAULTS)
def test_toggles_follow_the_verdicts(fault: str) -> None:
    verdicts, truth = FAULTS[fault]
    assert wrong_toggles(case(verdicts), truth) == []


def test_a_healthy_endpoint_has_everything_on() -> None:
    assert wrong_toggles(case(), {}) == []


def test_what_cannot_be_switched_off_is_said() -> None:
    for fault, (verdicts, truth) in FAULTS.items():
        made = case(verdicts)
        for name in CLIENTS:
            needs, said = client(name).needs, reading(name, made)
            if needs is None or needs.dialect:
                continue
            (fit,) = works_with(made, [client(name)])
            if fit.answer is Answer.NO:
                continue
            for switch in set(truth) - set(said):
                known = {
                    "tools": needs.tools == "never" or needs.tools_setting in fit.settings,
                    "streaming": needs.stream_setting == "" or needs.stream_setting in fit.settings,
                    "vision": needs.vision_setting == "" or needs.vision_setting in fit.settings,
                    "usage": "stream_options" not in needs.sends,
                }
                codes = {code for _, code in verdicts.values()}
                assert known[switch] or any(code in fit.sentence for code in codes), (fault, name, fit.sentence)


def test_undetermined_toggles_are_left_out_or_at_the_safe_default() -> None:
    made = case(unknown=frozenset(case().capabilities) - {"chat"}, facts={"context_length": None})
    settings = settings_of(made, id="lab", extras={key: EXTRAS[key] for key in ("release_date", "open_weights")})
    texts = {name: export(client(name), settings).text for name in CLIENTS}
    assert '"capability_hints": {}' in texts["kenaz"]
    assert "supports_" not in texts["litellm"] and "drop_params" not in texts["litellm"]
    for word in ("supports_", "vision", "can_stream"):
        assert word not in texts["llm"]
    assert "supports_" not in texts["pydantic-ai"]
    assert "tool_call" not in texts["opencode"] and "modalities" not in texts["opencode"]
    assert '"tools": true' in texts["zed"] and '"images": false' in texts["zed"]
    assert '"toolCalling": true' in texts["vscode"] and "streaming" not in texts["vscode"]
    assert "capabilities" not in texts["continue"] and "stream:" not in texts["continue"]
    assert "dropParams" not in texts["librechat"]
    assert "streaming" not in texts["aider"] and "supports_vision" not in texts["aider-metadata"]
    assert "includeUsage" not in texts["ai-sdk"] and "stream_usage" not in texts["langchain"]
    assert "supports_streaming" not in texts["goose"] and "toolshim" not in texts["goose"]
    assert "function_calling" not in texts["open-webui"]
    assert "LITELLM_MASTER_KEY" in texts["codex"] and "LITELLM_MASTER_KEY" in texts["claude-code"]
