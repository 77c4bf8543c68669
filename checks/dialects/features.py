"""What the answers say beyond text and calls: instructions, continued conversations, several results, pictures,
schemas and counts.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from checks.dialects.case import OF_RESULTS, OF_TURNS, Case
from checks.dialects.dialect import Group
from checks.dialects.questions import cities_of, colours_right, fits
from checks.idle.reading import heartbeat_of
from checks.shared.endings import longest_silence
from checks.shared.outcome import words_of
from probe.api import Exchange, Severity, State, Verdict, completion, count_at, wording

_NUMBER = re.compile(r"\d+")
#: Tokens by which the prompt grows at least with one part of the instructions.
_PART = 8


def judge(case: Case, exchanges: Sequence[Exchange]) -> None:
    """Everything but the results of calls, which decide the verdict on tools; ``exchanges`` are all of the run."""
    heartbeats(case, exchanges)
    _fields(case)
    _instructions(case)
    _continued(case)
    _without_thinking(case)
    _counted(case)
    _schema(case, exchanges)
    _picture(case, exchanges)


def _fields(case: Case) -> None:
    """Whether what the agent always sends is refused, and the same question without it answered."""
    refused, agent = case.answers.refused.get("agent"), case.answers.dialect.agent
    if refused is not None and "agent-plainly" in case.answers.read and not case.same_refusal(*OF_TURNS):
        text = f"a request with the fields of {agent} is refused, and answered without them: {words_of(refused)}"
        case.add("fields-rejected", text, refused.shows_status("200"), agent)


def _instructions(case: Case) -> None:
    """Whether each part of the agent's instructions is in the prompt, where no answer shows it."""
    answers = case.answers
    left, system = answers.left, answers.read.get("system")
    grew = answers.grew("system", "system-without", _PART * len(left))
    if not left or system is None or grew is not False or case.same_refusal("system_role", "block_content"):
        return
    if left == ["vault"] and case.same_cause("developer_role"):
        return
    places = wording.listing([answers.dialect.places[name][0] for name in left])
    agents = {agent for name in left for agent in answers.dialect.places[name][1:]}
    text = (
        f"what is said in {places} does not reach the model: the prompt has {answers.tokens('system')} tokens with it, "
        f"and {answers.tokens('system-without')} without"
    )
    evidence = system.exchange.shows("/response/body", expected="a longer prompt", actual=system.tokens[0])
    case.add("history", text, evidence, *agents)


def _continued(case: Case) -> None:
    """A response that is continued, by the result of a call or by a text."""
    answers = case.answers
    refused, called = answers.refused.get("previous"), answers.refused.get("previous-call")
    if refused is not None:
        text = f"`previous_response_id` of the response before is refused: {words_of(refused)}"
        case.add("history", text, refused.shows_status("200"), severity=Severity.INFO)
        return
    pointer = "/response/body/usage/input_tokens"
    for name, before, least in (("previous", "text", 1), ("previous-call", "tools", 4)):
        reading = answers.read.get(name)
        if reading is not None and answers.number not in reading.text and answers.grew(name, before, least) is False:
            text = "`previous_response_id` is accepted, and the prompt does not grow by the conversation before"
            more = f"more than {answers.tokens(before)}"
            evidence = reading.exchange.shows(pointer, expected=more, actual=reading.tokens[0])
            case.add("history", text, evidence, severity=Severity.WARNING)
    if called is not None and "previous" in answers.read and not case.same_refusal(*OF_RESULTS):
        text = f"the result of a call is refused with `previous_response_id`, and a text is not: {words_of(called)}"
        case.add("history", text, called.shows_status("200"), severity=Severity.WARNING)


def _without_thinking(case: Case) -> None:
    refused = case.answers.refused.get("result-without-thinking")
    if refused is not None and "result" in case.answers.read:
        text = f"a turn with calls is refused without its thinking, which clients must send back: {words_of(refused)}"
        case.add("history", text, refused.shows_status("200"), severity=Severity.INFO)


def _counted(case: Case) -> None:
    """The tokens that count_tokens gives, and those of the same request when it was answered."""
    counted = case.answers.read.get("count")
    if counted is None:
        return
    found, used = count_at(completion.body_of(counted.exchange), "input_tokens"), counted.tokens[0]
    pointer = "/response/body/input_tokens"
    if found is None:
        text = "`input_tokens` is missing in the answer of /messages/count_tokens"
        evidence = counted.exchange.shows(pointer, expected="a number", actual=None)
        case.add("shape", text, evidence, severity=Severity.WARNING)
    elif case.same_cause("tools") or case.answers.grew("tools", "text") is False:
        return  # the tools that are counted reach no model
    elif used and max(found, used) > 2 * min(found, used) + 20:
        text = f"/messages/count_tokens counts {found} tokens, and the same request uses {used}"
        evidence = counted.exchange.shows(pointer, expected=f"about {used}", actual=found)
        case.add("count-differs", text, evidence, severity=Severity.WARNING)


def heartbeats(case: Case, exchanges: Sequence[Exchange]) -> None:
    """Silences in streams that chat completions bridge with heartbeats.  Both agents give up after 300 s of one."""
    beat = heartbeat_of([one for one in exchanges if "/chat/completions" in one.request.url])
    streams = [one.exchange for one in case.answers.read.values() if one.streamed]
    longest = max(streams, key=longest_silence, default=None)
    if beat is None or longest is None or longest_silence(longest) <= 2.5 * beat[0]:
        return
    silent = longest_silence(longest)
    text = f"a stream was silent for {silent:.1f} s, without a ping or comment, and chat completions send {beat[1]}"
    evidence = longest.shows("/timeline/reads", expected=f"a heartbeat every {beat[0]:.1f} s", actual=round(silent, 1))
    case.add("silence", text, evidence, severity=Severity.WARNING)


# Several calls -----------------------------------------------------------------------------------------


def lost_in_streams(case: Case) -> Verdict | None:
    """Calls and arguments that come whole, and not streamed; or one call where chat completions give two."""
    answers = case.answers
    whole, streamed, first = (answers.read.get(name) for name in ("whole-calls", "streamed-calls", "agent"))
    if whole is None or first is None or whole.cut or not whole.calls:
        return None
    cities = cities_of(whole)
    case.deviations(whole, Group.TOOLS)
    if len(cities) <= len(cities_of(first)):
        if len(whole.calls) == 1 and cities:
            text = "one call comes, whole and streamed, where chat completions give two at once"
            evidence = whole.exchange.shows("/response/body", expected="2 calls", actual="1 call")
            case.add("tools", text, evidence, severity=Severity.INFO)
        return None
    if streamed is None or streamed.cut or not streamed.calls or len(cities_of(streamed)) >= len(cities):
        return None
    if streamed.breaks(Group.STREAM, Group.TOOLS) or any(one.group is Group.STREAM for one in streamed.deviations):
        return None  # which says why
    if same := case.same_cause("streaming_tools"):
        return same
    if len(streamed.calls) < len(whole.calls):
        text = f"of {len(whole.calls)} calls that come whole {len(streamed.calls)} alone comes in streams, twice"
        evidence = streamed.exchange.shows("/response/events", expected=len(whole.calls), actual=len(streamed.calls))
        case.add("tools", text, evidence, severity=Severity.WARNING)
        return None
    named = wording.listing(sorted(cities_of(streamed))) or "none"
    wanted = wording.listing(sorted(cities))
    text = f"streamed calls lose arguments: whole ones are for {wanted}, streamed ones for {named}, twice"
    evidence = streamed.exchange.shows("/response/events", expected=sorted(cities), actual=named)
    case.add("tools", text, evidence, answers.dialect.agent)
    return Verdict(State.BROKEN, 0.9, note=f"calls are sound whole, and not streamed ({answers.dialect.name}.tools)")


def agent_results(case: Case) -> Verdict | None:
    """What is wrong with the agent's second request: the streamed turn, and the results of all its calls."""
    answers = case.answers
    name, agent = answers.dialect.name, answers.dialect.agent
    broken = Verdict(
        State.BROKEN, 0.9, note=f"the results of calls are not taken as {agent} sends them ({name}.history)"
    )
    refused, reading = answers.refused.get("agent-result"), answers.read.get("agent-result")
    if refused is not None:
        if "result" in answers.refused:
            return None
        if same := case.same_refusal(*OF_RESULTS):
            return same
        text = f"the turn as it was streamed is refused when {agent} sends it back with results: {words_of(refused)}"
        case.add("history", text, refused.shows_status("200"), agent)
        return broken
    if reading is None or case.same_cause("tool_results"):
        return None
    count = len(answers.read["agent"].calls)
    longer, pointer = answers.read.get("agent-longer"), "/response/events"
    unused = [number for number in (answers.number, answers.second)[:count] if number not in reading.text]
    if (
        unused
        and longer is not None
        and unused[0] not in longer.text
        and answers.grew("agent-longer", "agent-result", 4) is False
    ):
        text = (
            f"one of the results of several calls does not reach the model: with a longer one the prompt has "
            f"{answers.tokens('agent-longer')} tokens, before {answers.tokens('agent-result')}"
        )
        evidence = longer.exchange.shows(pointer, expected="a longer prompt", actual=longer.tokens[0])
        case.add("history", text, evidence, agent)
        return broken
    whole = answers.read.get("result")
    used = whole is not None and answers.number in whole.text
    if count == 1 and unused and used and answers.grew("agent-result", "agent", 4) is False:
        text = "the streamed turn and the result of its call do not reach the model when it is sent back"
        evidence = reading.exchange.shows(pointer, expected="a longer prompt", actual=reading.tokens[0])
        case.add("history", text, evidence, agent)
        return broken
    return None


# Schemas and pictures ----------------------------------------------------------------------------------


def _refused_by_chat(refused: Exchange, exchanges: Sequence[Exchange]) -> bool:
    """Whether chat completions gave the same words: they accept it in another form, which is reported there."""
    said = _NUMBER.sub("0", completion.error_text(refused))
    return bool(said) and any(
        one.request.url.endswith("/chat/completions")
        and (one.status or 0) >= 400
        and _NUMBER.sub("0", completion.error_text(one)) == said
        for one in exchanges
    )


def _schema(case: Case, exchanges: Sequence[Exchange]) -> None:
    """A schema that chat completions constrain the answer to."""
    answers = case.answers
    refused, reading = answers.refused.get("schema"), answers.read.get("schema")
    field = next(iter(answers.dialect.form({})))
    if refused is not None and _refused_by_chat(refused, exchanges):
        return
    if refused is not None:
        text = f"a JSON schema in `{field}.format` is refused, which chat completions take: {words_of(refused)}"
        case.add("schema", text, refused.shows_status("200"), severity=Severity.INFO)
    elif reading is not None and reading.text.strip() and not reading.cut and not fits(answers, reading):
        shown = wording.quote(reading.text, 100)
        text = f"a JSON schema in `{field}.format` is accepted and has no effect: the answer is {shown}"
        evidence = reading.exchange.shows("/response/body", expected="a record", actual=reading.text[:160])
        case.add("schema", text, evidence, severity=Severity.WARNING)


def _picture(case: Case, exchanges: Sequence[Exchange]) -> None:
    """A picture that chat completions show to the model."""
    answers = case.answers
    refused, again = answers.refused.get("picture"), answers.read.get("picture-again")
    if refused is not None and _refused_by_chat(refused, exchanges):
        return
    if refused is not None:
        text = f"a picture is refused, which chat completions take: {words_of(refused)}"
        case.add("picture", text, refused.shows_status("200"), severity=Severity.INFO)
    elif again is not None and max(colours_right(answers, name) for name in ("picture", "picture-again")) <= 1:
        colours = wording.listing(answers.colours["picture-again"])
        said = wording.quote(again.text, 100)
        text = f"pictures do not reach the model: of two it names the wrong colours, of {colours} it says {said}"
        evidence = again.exchange.shows("/response/body", expected=colours, actual=again.text[:160])
        case.add("picture", text, evidence, severity=Severity.WARNING)
