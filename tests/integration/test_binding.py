from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.exceptions import ContextOverflowError, ModelError
from langchain_core.messages import HumanMessage

from noctule.core.base.roles import Role
from noctule.core.errors import LimitError, NoModelError
from noctule.core.llm.attempts import CostSource, Purpose
from noctule.core.llm.events import EventKind
from noctule.core.llm.routes import Complexity
from noctule.core.llm.selection import RoutingPreference
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence
from noctule.core.settings import OnLimit
from noctule.models.request.chat_request import ChatRequest
from tests.support.stage import Act, Stage, asking, refused

TOOL = {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}}


async def test_the_primary_answers_and_one_row_says_so() -> None:
    """A call that goes well is one request and one attempt with everything known about it."""
    stage = Stage()
    reply = await stage.ask(session_id="s", turn_id="t", purpose=Purpose.PLAN)
    assert reply.message.text == "Hello."
    [row] = await stage.attempts()
    assert row == reply.attempt
    assert (row.model, row.endpoint, row.role, row.purpose) == (
        "first",
        "here",
        "engineer",
        Purpose.PLAN,
    )
    assert (row.session_id, row.turn_id, row.outcome) == ("s", "t", Outcome.SUCCESS)
    assert (row.usage.input_tokens, row.usage.output_tokens) == (10, 5)
    assert (row.cost_usd, row.cost_source) == (Decimal("0.25"), CostSource.CONFIG)
    assert (row.fallback_from, row.skipped, row.message, row.wait_s) == (None, (), None, 0)


async def test_the_answer_names_its_model_so_that_chat_can_keep_it() -> None:
    """The message carries model, attempt and call."""
    stage = Stage()
    reply = await stage.ask()
    assert reply.message.response_metadata["noctule"] == {
        "model": "first",
        "attempt": reply.attempt.id,
        "call": reply.attempt.call_id,
    }
    stage = Stage()
    reply = await stage.ask(wish=RoutingPreference(pinned="second"))
    assert reply.attempt.model == "second"


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (refused(429, retry_after=20), Outcome.RATE_LIMITED),
        (refused(429, code="insufficient_quota"), Outcome.QUOTA_EXHAUSTED),
        (refused(503, code="server_is_overloaded"), Outcome.OVERLOADED),
        (refused(500), Outcome.UNAVAILABLE),
        (refused(401), Outcome.AUTH),
        (refused(400), Outcome.BAD_REQUEST),
        (refused(404, code="model_not_found"), Outcome.MODEL_MISSING),
        (refused(400, code="context_length_exceeded"), Outcome.CONTEXT_OVERFLOW),
        (OSError("connection refused"), Outcome.UNAVAILABLE),
        (RuntimeError("never seen before"), Outcome.UNAVAILABLE),
        (Act(text="No", finish="content_filter"), Outcome.CONTENT_FILTERED),
    ],
)
async def test_every_kind_of_failure_goes_to_the_next_candidate_at_once(
    act: Act | Exception, outcome: Outcome
) -> None:
    """Whatever the primary does, the fallback answers without any wait, and both are recorded."""
    stage = Stage()
    stage.will("first", act)
    reply = await stage.ask(stream=True)
    assert reply.attempt.model == "second"
    assert reply.attempt.fallback_from == "first"
    failed, answered = await stage.attempts()
    assert (failed.outcome, answered.outcome) == (outcome, Outcome.SUCCESS)
    assert failed.message
    assert failed.call_id == answered.call_id
    assert stage.client.asked == ["first", "second"]


async def test_a_torn_stream_is_an_outage_though_nothing_was_raised() -> None:
    """A stream without a finish reason does not count as an answer; a plain answer may lack one."""
    stage = Stage()
    stage.will("first", Act("Half an ans", finish=None))
    await stage.ask(stream=True)
    assert (await stage.attempts())[0].outcome is Outcome.UNAVAILABLE
    stage = Stage()
    stage.will("first", Act("All of it", finish=None))
    assert (await stage.ask(stream=False)).attempt.model == "first"


async def test_a_cut_tool_call_is_never_completed_by_guessing() -> None:
    """Arguments cut off in a stream are malformed even where their beginning could be parsed."""
    stage = Stage()
    stage.will("first", Act(text="", tool=("run", '{"command": "rm -r build'), finish="length"))
    await stage.ask(stream=True)
    failed = (await stage.attempts())[0]
    assert failed.outcome is Outcome.MALFORMED_TOOL_CALL
    assert failed.message == "the call of run was cut off at max_tokens"


async def test_thinking_until_max_tokens_is_an_empty_reply() -> None:
    """An answer of nothing but thinking says so, with its tokens paid for."""
    stage = Stage()
    stage.will("first", Act(text="", finish="length"))
    await stage.ask()
    failed = (await stage.attempts())[0]
    assert (failed.outcome, failed.cost_usd) == (Outcome.EMPTY_REPLY, Decimal("0.25"))
    assert "max_tokens" in str(failed.message)


async def test_an_answer_cut_at_max_tokens_is_an_answer() -> None:
    """The finish reason ``length`` alone is no failure, with a JSON schema neither."""
    stage = Stage()
    stage.will("first", Act('{"a": ', finish="length"))
    call = ChatRequest(messages=[HumanMessage("x")], json_schema={"title": "A", "type": "object"})
    assert (await stage.ask(call=call)).attempt.model == "first"


async def test_text_that_was_shown_is_taken_back_when_the_attempt_is_given_up() -> None:
    """Deltas carry their attempt; one that failed is discarded and the next begins clean."""
    stage = Stage()
    stage.will("first", Act("Half an", error=refused(500)))
    stage.will("second", "Whole answer.")
    reply = await stage.ask(stream=True, role=Role.CHAT)
    failed, _ = await stage.attempts()
    assert failed.discarded
    assert stage.sink.kinds == [
        EventKind.ATTEMPT_STARTED,
        EventKind.DELTA,
        EventKind.DELTA,
        EventKind.ATTEMPT_DISCARDED,
        EventKind.ATTEMPT_ENDED,
        EventKind.ATTEMPT_STARTED,
        EventKind.DELTA,
        EventKind.DELTA,
        EventKind.ATTEMPT_ENDED,
    ]
    deltas = stage.sink.of(EventKind.DELTA)
    assert {d["attempt"] for d in deltas[:2]} == {failed.id}
    assert deltas[2:] == [
        {"attempt": reply.attempt.id, "role": "chat", "text": "Whole"},
        {"attempt": reply.attempt.id, "role": "chat", "text": "answer."},
    ]
    assert stage.sink.of(EventKind.ATTEMPT_STARTED)[1]["fallback_from"] == "first"
    ended = stage.sink.of(EventKind.ATTEMPT_ENDED)[1]
    assert (ended["outcome"], ended["model"], ended["cost_usd"]) == ("success", "second", None)


async def test_nothing_is_streamed_unless_asked_for() -> None:
    """Without ``stream`` there are no deltas and no first token, and nothing to take back."""
    stage = Stage()
    stage.will("first", Act("Half", error=refused(500)))
    reply = await stage.ask(stream=False)
    assert EventKind.DELTA not in stage.sink.kinds
    assert EventKind.ATTEMPT_DISCARDED not in stage.sink.kinds
    assert reply.attempt.first_token_s is None


async def test_a_known_limit_is_skipped_without_a_request_and_says_until_when() -> None:
    """After one refusal nobody asks again until its time; the skip is on the next row."""
    stage = Stage()
    stage.will("first", refused(429, retry_after=100))
    await stage.ask()
    reply = await stage.ask()
    assert stage.client.asked == ["first", "second", "second"]
    [skip] = reply.attempt.skipped
    assert skip.model == "first"
    assert skip.reason.startswith("refused until 2026-01-01 00:01:45 UTC (header)")
    assert reply.attempt.fallback_from == "first"
    await stage.clock.advance(105)
    assert (await stage.ask()).attempt.model == "first"


async def test_a_refusal_is_remembered_across_restarts_and_cleared_by_success() -> None:
    """Another process with the same database knows the limit; the first success forgets it."""
    first = Stage()
    first.will("first", refused(429, retry_after=100))
    await first.ask()
    later = Stage(database=first.database)
    assert (await later.ask()).attempt.model == "second"
    await later.clock.advance(200)
    assert (await later.ask()).attempt.model == "first"
    await later.models.close()
    async with later.database.read() as work:
        assert await work.limits.list() == []


async def test_a_limit_cleared_elsewhere_is_heard_before_anybody_is_passed_over() -> None:
    """A limit cleared in the database counts for the very next call."""
    stage = Stage()
    stage.will("first", refused(429, retry_after=100))
    await stage.ask()
    async with stage.database.work() as work:
        assert await work.limits.clear() == 1
        await work.commit()
    assert (await stage.ask()).attempt.model == "first"


async def test_an_account_wide_refusal_blocks_every_model_of_the_key() -> None:
    """A used-up account keeps its other models from being asked too."""
    stage = Stage(role={"primary": "first", "fallback": ["third", "second"]})
    stage.will("first", refused(429, code="insufficient_quota"))
    reply = await stage.ask()
    assert stage.client.asked == ["first", "second"]
    assert reply.attempt.model == "second"
    assert [skip.model for skip in reply.attempt.skipped] == ["third"]


async def test_with_nobody_free_the_call_parks_with_the_evidence() -> None:
    """The error carries reason, evidence, time with margin, what was tried and whose limit."""
    stage = Stage()
    stage.will("first", refused(429, retry_after=3600, message="Too many of them."))
    stage.will("second", refused(429, retry_after=600, message="Slow down!"))
    with pytest.raises(LimitError) as caught:
        await stage.ask()
    error = caught.value
    assert isinstance(error, ModelError)
    assert not error.is_retryable
    assert (error.role, error.model, error.evidence) == ("engineer", "second", Evidence.HEADER)
    assert "Slow down!" in error.reason
    assert error.retry_at == stage.clock.now() + timedelta(seconds=630)
    assert error.key == stage.models.limits.key("second")
    assert [line.split(":")[0] for line in error.tried] == ["first", "second"]
    assert stage.client.asked == ["first", "second"]


async def test_without_a_known_reset_a_person_must_act() -> None:
    """A used-up account with no reset gives a limit without a time, and is not asked again."""
    stage = Stage(role={"fallback": []})
    stage.always("first", refused(429, code="insufficient_quota"))
    for _ in range(3):
        with pytest.raises(LimitError) as caught:
            await stage.ask()
        assert caught.value.retry_at is None
        assert caught.value.evidence is None
        assert "a person acts" in str(caught.value)
    assert stage.client.asked == ["first"]


async def test_a_short_wait_is_held_on_the_spot() -> None:
    """A reset within the queue timeout is waited for, then the same model answers."""
    stage = Stage(role={"fallback": []})
    stage.will("first", refused(429, retry_after=7))
    async with asking(stage) as task:
        await stage.clock.advance(8.5)
        reply = await task
    assert reply.attempt.model == "first"
    assert reply.attempt.wait_s == pytest.approx(8, abs=0.1)
    assert reply.attempt.fallback_from is None
    assert stage.client.asked == ["first", "first"]


async def test_a_provider_that_says_soon_for_ever_is_not_asked_for_ever() -> None:
    """Holding on the spot uses up patience: a handful of requests, then the call parks."""
    stage = Stage(role={"fallback": []})
    stage.always("first", refused(429, retry_after=0))
    async with asking(stage) as task:
        for _ in range(40):
            await stage.clock.advance(1)
        with pytest.raises(LimitError):
            await task
    assert 2 <= len(stage.client.asked) <= 6


async def test_a_wait_longer_than_the_patience_parks_at_once() -> None:
    """Chat holds for 5 seconds at most, other roles for the queue timeout."""
    stage = Stage(role={"fallback": []})
    stage.always("first", refused(429, retry_after=7))
    with pytest.raises(LimitError):
        await stage.ask(role=Role.CHAT)


async def test_models_that_are_down_park_on_a_guess_and_say_what_to_do() -> None:
    """An outage of everybody is a limit by guess: a minute first, with advice in the reason."""
    ollama = {"here": {"kind": "ollama"}}
    stage = Stage(role={"fallback": []}, endpoints=ollama)
    stage.always("first", OSError("connection refused"))
    with pytest.raises(LimitError) as caught:
        await stage.ask()
    error = caught.value
    assert (error.evidence, error.key) == (Evidence.GUESS, stage.models.limits.key("first"))
    assert error.retry_at == stage.clock.now() + timedelta(seconds=63)
    assert "ollama serve" in error.reason
    with pytest.raises(LimitError) as caught:
        await stage.ask()
    assert caught.value.retry_at == error.retry_at
    await stage.clock.advance(64)
    with pytest.raises(LimitError) as caught:
        await stage.ask()
    later = caught.value.retry_at - stage.clock.now()
    assert timedelta(seconds=120) <= later <= timedelta(seconds=126)


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (refused(401, message="bad key"), "endpoints.here.key"),
        (refused(404, code="model_not_found"), "ollama pull first-model"),
        (refused(400, message="no such field"), "extra_body"),
        (Act(text="", finish="content_filter"), "Say it differently"),
        (Act(text=""), "more capable model"),
    ],
)
async def test_what_waiting_does_not_cure_names_who_must_do_what(
    failure: Act | Exception, advice: str
) -> None:
    """With nobody left and nothing to wait for, the error says what a person can do."""
    stage = Stage(role={"fallback": []}, endpoints={"here": {"kind": "ollama"}})
    stage.always("first", failure)
    with pytest.raises(NoModelError) as caught:
        await stage.ask()
    assert isinstance(caught.value, ModelError)
    assert advice in str(caught.value)
    assert str(caught.value).startswith("engineer: no model could answer. first: ")


async def test_a_private_call_stays_on_local_models() -> None:
    """A private call passes over what is not local, and is refused with a sentence without one."""
    stage = Stage(role={"primary": "second", "fallback": ["first"]})
    reply = await stage.ask(private=True)
    assert reply.attempt.model == "first"
    assert reply.attempt.local
    assert reply.attempt.skipped[0].reason == "is not local and the call is private"
    assert reply.attempt.fallback_from is None
    stage = Stage(role={"primary": "second", "fallback": [], "private": True})
    with pytest.raises(NoModelError, match="Bind a local model to roles"):
        await stage.ask()
    assert stage.client.asked == []


async def test_a_model_that_cannot_call_tools_is_passed_over() -> None:
    """A model said not to call tools is not asked to."""
    stage = Stage(models={"first": {"tools": False}})
    call = ChatRequest(messages=[HumanMessage("x")], tools=[TOOL])
    assert (await stage.ask(call=call)).attempt.model == "second"
    assert (await stage.ask()).attempt.model == "first"


async def test_a_picture_goes_to_a_model_that_sees() -> None:
    """A message with a picture needs a model that sees pictures."""
    stage = Stage(models={"second": {"vision": True}})
    picture: list[Any] = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    call = ChatRequest(messages=[HumanMessage(picture)])
    assert (await stage.ask(call=call)).attempt.model == "second"


async def test_too_long_a_prompt_goes_to_a_larger_window_without_a_cooldown() -> None:
    """An overflow rules out what is no larger, blocks nobody, and is said plainly at the end."""
    windows = {"first": {"context": 4096}, "second": {"context": 4096}, "third": {"context": 9999}}
    order = {"primary": "first", "fallback": ["second", "third"]}
    stage = Stage(models=windows, role=order)
    overflow = refused(400, code="context_length_exceeded")
    stage.will("first", overflow)
    assert (await stage.ask()).attempt.model == "third"
    assert stage.client.asked == ["first", "third"]
    assert (await stage.ask()).attempt.model == "first"
    stage.will("first", overflow)
    stage.will("third", overflow)
    with pytest.raises(NoModelError) as caught:
        await stage.ask()
    assert isinstance(caught.value, ContextOverflowError)


async def test_too_dear_for_the_credits_left_goes_to_a_cheaper_model_on_the_same_key() -> None:
    """The key is not dead: a fallback answers, its window smaller or not, and so does the first."""
    windows = {"first": {"context": 200_000}, "third": {"context": 9_999}}
    stage = Stage(models=windows, role={"primary": "first", "fallback": ["third"]})
    afford = "This request requires more credits, or fewer max_tokens. You requested up to 32000 "
    dear = refused(402, message=f"{afford}tokens, but can only afford 2133.")
    stage.will("first", dear, dear)  # asked again once, for a shorter answer
    assert (await stage.ask()).attempt.model == "third"
    assert (await stage.ask()).attempt.model == "first"


async def test_a_prompt_that_fits_nowhere_is_not_sent() -> None:
    """An estimate far beyond every window ends in a sentence, not in a request."""
    stage = Stage(models={"first": {"context": 4096}}, role={"fallback": []})
    with pytest.raises(NoModelError, match="Begin a new session") as caught:
        await stage.ask("word " * 10_000)
    assert isinstance(caught.value, ContextOverflowError)
    assert stage.client.asked == []


async def test_two_models_that_call_the_request_wrong_are_enough() -> None:
    """A bad request goes to one other candidate, not to all of them."""
    stage = Stage(role={"primary": "first", "fallback": ["second", "third"]})
    stage.always("first", refused(400))
    stage.always("second", refused(400))
    with pytest.raises(NoModelError):
        await stage.ask()
    assert stage.client.asked == ["first", "second"]


async def test_a_forced_model_has_no_fallback() -> None:
    """The model the person named is the only one asked."""
    stage = Stage()
    stage.will("third", refused(429, retry_after=500))
    with pytest.raises(LimitError):
        await stage.ask(wish=RoutingPreference(forced="third"))
    assert stage.client.asked == ["third"]
    with pytest.raises(NoModelError, match="nosuch: is not in the configuration"):
        await stage.ask(wish=RoutingPreference(forced="nosuch"))


async def test_escalation_puts_the_stronger_model_first() -> None:
    """A turn judged to need it begins at the escalation model."""
    stage = Stage(role={"escalate": "third"})
    assert (await stage.ask(complexity=Complexity.ESCALATE)).attempt.model == "third"
    assert (await stage.ask(complexity=Complexity.COMPLEX)).attempt.model == "first"


async def test_on_limit_park_keeps_the_model() -> None:
    """With ``on_limit: park`` a limited or dead model is waited for; the fallback stays idle."""
    for failure in (refused(429, retry_after=500), OSError("gone")):
        stage = Stage()
        stage.will("first", failure)
        with pytest.raises(LimitError) as caught:
            await stage.ask(wish=RoutingPreference(on_limit=OnLimit.PARK))
        assert caught.value.model == "first"
        assert stage.client.asked == ["first"]


async def test_on_limit_park_still_replaces_a_model_that_cannot() -> None:
    """What no wait cures goes to the next candidate even then."""
    stage = Stage(role={"on_limit": "park"})
    stage.always("first", Act(text=""))
    assert (await stage.ask()).attempt.model == "second"
    call = ChatRequest(messages=[HumanMessage("x")], tools=[TOOL])
    stage = Stage(role={"on_limit": "park"}, models={"first": {"tools": False}})
    assert (await stage.ask(call=call)).attempt.model == "second"


async def test_a_refused_request_is_known_to_cost_nothing() -> None:
    """A refusal costs 0; what broke off in the middle costs an unknown amount, never 0."""
    stage = Stage(role={"primary": "second", "fallback": ["first"]})
    stage.will("second", refused(429, retry_after=1000))
    await stage.ask()
    assert (await stage.attempts())[0].cost_usd == 0
    stage = Stage(role={"primary": "second", "fallback": ["first"]})
    stage.will("second", Act("Half", finish=None))
    await stage.ask(stream=True)
    assert (await stage.attempts())[0].cost_usd is None


async def test_a_truncated_prompt_is_reported() -> None:
    """An endpoint that dropped part of the prompt gives its answer and a notice."""
    stage = Stage()
    stage.will("first", Act(truncated=True))
    await stage.ask()
    [notice] = stage.sink.of(EventKind.NOTICE)
    assert "dropped part of the prompt" in notice["text"]


async def test_role_and_call_decide_what_is_sent() -> None:
    """The call's own bounds go before the role's; a model said not to think is told nothing."""
    stage = Stage(
        role={"max_tokens": 100, "temperature": 0.5, "thinking": True},
        models={"second": {"thinking": False}},
    )
    stage.will("first", refused(500))
    call = ChatRequest(messages=[HumanMessage("x")], max_tokens=7, stop=["end"], extra={"seed": 1})
    await stage.ask(call=call)
    first, second = stage.client.requests
    assert (first.max_tokens, first.temperature, first.thinking) == (7, 0.5, True)
    assert (first.stop, first.extra, first.connect_s, first.total_s) == (
        ["end"],
        {"seed": 1},
        5,
        300,
    )
    assert second == replace(first, model="second", thinking=None)


async def test_an_endpoint_that_cannot_be_used_is_one_more_failure() -> None:
    """A client that cannot even be built goes to the fallback with its sentence on the row."""
    stage = Stage()

    def build(endpoint: str) -> Any:
        if endpoint == "here":
            raise NoModelError(role="x", reasons=[], advice="Install the weights.")
        return stage.client

    stage.models = type(stage.models)(
        stage.settings,
        stage.database,
        stage.clock,
        price=lambda *_: (None, None),
        build=build,
    )
    assert (await stage.ask()).attempt.model == "second"
    failed = (await stage.attempts())[0]
    assert failed.outcome is Outcome.UNAVAILABLE
    assert "Install the weights." in str(failed.message)
