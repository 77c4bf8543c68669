"""Six faults: every exporter sets its toggles as a person would who knew the truth."""

from __future__ import annotations

import pytest

from reports.clients.client import export
from reports.clients.registry import CLIENTS, client
from reports.clients.settings import settings_of
from tests.unit.configs_cases import EXTRAS, FAULTS, case, reading, settings_for, wrong_toggles


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
            said = reading(name, made)
            notes = " ".join(export(client(name), settings_for(made)).notes)
            for switch in truth:
                if switch not in said and name not in _NEVER_SENDS.get(switch, ()):
                    word = {"usage": "stream_usage"}.get(switch, switch)
                    assert word in notes, (fault, name, notes)


#: Clients whose file says nothing of a switch because they do not send it, or describe no client at all.
_NEVER_SENDS = {
    "tools": ("aider", "aider-metadata", "codex"),
    "streaming": ("aider-metadata", "models.dev", "codex"),
    "vision": ("aider", "codex"),
    "usage": ("aider-metadata", "models.dev", "codex"),
}


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
    assert "LITELLM_MASTER_KEY" in texts["codex"]
