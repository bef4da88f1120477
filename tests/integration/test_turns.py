import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from noctule.core.errors import UsageError
from noctule.core.llm.events import EventKind
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind
from tests.support.stage import Act, Stage, refused
from tests.support.theatre import open_theatre


def prompts(theatre) -> list[list[str]]:
    """What each request carried besides its system message."""
    return [
        [str(message.content) for message in request.messages if not _is_system(message)]
        for request in theatre.stage.client.requests
    ]


def _is_system(message) -> bool:
    return isinstance(message, SystemMessage)


def system_of(request) -> str:
    return "\n".join(str(m.content) for m in request.messages if _is_system(m))


async def route_of(theatre, turn):
    async with theatre.runtime.records.database.read() as work:
        return await work.routes.of_turn(turn.id)


async def test_a_greeting_costs_one_call(tmp_path):
    """A rule sends a greeting to chat; nobody but chat's model is asked."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.always("first", "Good evening.")
        turn = await theatre.say("hello there")
        assert (turn.status, turn.reply) == (Status.DONE, "Goodevening.")
        assert [attempt.role for attempt in await theatre.attempts()] == ["chat"]
        route = await route_of(theatre, turn)
        assert (route.by, route.role) == ("rule", "chat")


async def test_an_unclear_request_costs_two_calls(tmp_path):
    """The orchestrator's model decides what no rule is sure of; its answer fits a schema."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will(
            "first", '{"role":"research","then":"none","complexity":"simple"}', "Facts."
        )
        turn = await theatre.say("Is the moon hollow")
        assert turn.reply == "Facts."
        assert [a.role for a in await theatre.attempts()] == ["orchestrator", "research"]
        routing = theatre.stage.client.requests[0]
        assert routing.json_schema is not None
        assert [m.content for m in routing.messages if isinstance(m, HumanMessage)] == [
            "Is the moon hollow"
        ]


async def test_a_decision_that_does_not_parse_is_recorded_as_the_default(tmp_path):
    """What the router's model says in words becomes the default route, and says so."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will("first", "I think research!", "Still research!", "Answer.")
        turn = await theatre.say("Is the moon hollow")
        assert turn.reply == "Answer."
        route = await route_of(theatre, turn)
        assert (route.by, route.role) == ("default", "chat")
        assert "no usable decision" in route.reason


async def test_routing_by_rules_asks_no_model_and_lets_nobody_hand_over(tmp_path):
    """With ``route_by: rules`` what no rule fits goes to the default role; a rule still decides."""
    stage = Stage(route_by="rules", default_role="writer")
    async with open_theatre(tmp_path, stage) as theatre:
        theatre.stage.always("first", "HANDOVER: a calculation")
        for text, by, role in (
            ("What is a bat?", "default", "writer"),
            ("Good evening!", "rule", "chat"),
        ):
            turn = await theatre.say(text)
            route = await route_of(theatre, turn)
            assert (route.by, route.role) == (by, role)
        assert [attempt.role for attempt in await theatre.attempts()] == ["writer", "chat"]


async def test_a_refused_router_does_not_put_the_turn_to_sleep(tmp_path):
    """A limit on the orchestrator's models leads to the default route, not to a park."""
    async with open_theatre(
        tmp_path, Stage(roles={"orchestrator": {"primary": "third", "fallback": []}})
    ) as theatre:
        theatre.stage.will("third", refused(429, retry_after=900))
        theatre.stage.always("first", "Answer.")
        turn = await theatre.say("Is the moon hollow")
        assert (turn.status, turn.reply) == (Status.DONE, "Answer.")
        assert "could not be asked" in (await route_of(theatre, turn)).reason


async def test_the_conversation_is_remembered_after_a_restart(tmp_path):
    """The second message carries the first and its answer, also in a new process."""
    stage = Stage()
    stage.always("first", "Noted.")
    async with open_theatre(tmp_path, stage) as theatre:
        first = await theatre.say("hello there")
    async with open_theatre(tmp_path, stage) as theatre:
        await theatre.say("thanks", session_id=first.session_id)
        assert prompts(theatre)[-1] == ["hello there", "Noted.", "thanks"]


async def test_named_roles_are_a_plan_in_their_order(tmp_path):
    """@research @writer runs both, the second with what the first found, without a planner."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will("first", "Notes", "Essay")
        turn = await theatre.say("@research @writer bats")
        assert turn.reply == "Essay"
        assert [a.role for a in await theatre.attempts()] == ["research", "writer"]
        assert "Notes" in prompts(theatre)[1][-1]
        assert "Your part" in system_of(theatre.stage.client.requests[1])


async def test_a_written_plan_runs_in_waves_and_is_reviewed(tmp_path):
    """Independent assignments run together, what needs them runs after, then one review."""
    plan = (
        '{"assignments":['
        '{"id":"a","role":"research","task":"left"},'
        '{"id":"b","role":"research","task":"right"},'
        '{"id":"c","role":"writer","task":"both","needs":["a","b"]}]}'
    )
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will(
            "first",
            '{"role":"research","then":"writer","complexity":"complex"}',
            plan,
            "L",
            "R",
            "Whole",
            '{"verdict":"accept"}',
        )
        turn = await theatre.say("Is the moon hollow")
        assert turn.reply == "Whole"
        attempts = await theatre.attempts()
        assert [a.purpose for a in attempts if a.role == "orchestrator"] == [
            "route",
            "plan",
            "review",
        ]
        assert {"L", "R"} <= set(" ".join(prompts(theatre)[4]).split())


async def test_a_review_may_ask_for_one_more_piece_within_bounds(tmp_path):
    """A review that always wants more is asked twice at most, then the work is handed over."""
    more = '{"verdict":"add","role":"writer","task":"longer"}'
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will(
            "first",
            '{"role":"research","then":"writer","complexity":"complex"}',
            '{"assignments":[{"id":"a","role":"writer","task":"x"}]}',
            "one",
            more,
            "two",
            more,
            "three",
        )
        turn = await theatre.say("Is the moon hollow")
        assert (turn.status, turn.reply) == (Status.DONE, "three")


async def test_one_branch_that_cannot_be_done_does_not_take_the_others_with_it(tmp_path):
    """A plan goes on without a branch whose model a person must mend, and says so."""
    stage = Stage(roles={"research": {"primary": "third", "fallback": []}})
    async with open_theatre(tmp_path, stage) as theatre:
        theatre.stage.always("third", refused(401))
        theatre.stage.always("first", "Essay")
        turn = await theatre.say("@research @writer bats")
        assert turn.status is Status.DONE
        assert turn.reply == "Essay"
        assert "not done" in prompts(theatre)[-1][-1]


async def test_a_wrong_route_is_handed_over_once(tmp_path):
    """An agent that says HANDOVER gives the turn back, and what it said is taken back."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will(
            "first",
            "HANDOVER: needs code",
            '{"role":"engineer","then":"none","complexity":"simple"}',
            "Code",
        )
        turn = await theatre.say("hello there")
        assert turn.reply == "Code"
        kinds = [event.kind for event in await theatre.events(turn.session_id)]
        assert EventKind.ATTEMPT_DISCARDED in kinds
        asked = theatre.stage.client.requests
        assert "HANDOVER" in system_of(asked[0])
        assert "HANDOVER" not in system_of(asked[2])


async def test_a_forced_role_and_model_are_kept(tmp_path):
    """What the person chose is what answers, whatever the text says."""
    async with open_theatre(tmp_path) as theatre:
        turn = await theatre.say("hello there", role="writer", model="third")
        attempts = await theatre.attempts()
        assert [(a.role, a.model) for a in attempts] == [("writer", "third")]
        assert (await route_of(theatre, turn)).by == "forced"


async def test_chat_keeps_its_model_until_it_fails(tmp_path):
    """After a fallback answered, chat stays with it although the primary is back."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will("first", refused(500))
        first = await theatre.say("hello there")
        await theatre.say("thanks", session_id=first.session_id)
        assert [a.model for a in await theatre.attempts()] == ["first", "second", "second"]


async def test_utility_goes_over_an_answer_when_the_route_asks_for_it(tmp_path):
    """@writer @utility is one answer and one pass over it, not a plan."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will("first", "Text", "Table")
        turn = await theatre.say("@writer @utility bats")
        assert turn.reply == "Table"
        assert "Text" in prompts(theatre)[1][-1]
        kinds = {event.kind for event in await theatre.events(turn.session_id)}
        assert EventKind.PLAN not in kinds


async def test_a_turn_nobody_can_answer_fails_with_a_sentence_and_can_be_tried_again(tmp_path):
    """A refused key is a failed turn that says what to do; resume runs it again."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will("first", refused(401))
        theatre.stage.will("second", refused(401))
        turn = await theatre.say("hello there")
        assert turn.status is Status.FAILED
        assert "key" in (turn.error or "")
        again = await theatre.service.resume(turn.session_id)
        done = await theatre.rest(again)
        assert (done.status, done.error) == (Status.DONE, None)


async def test_only_the_last_turn_can_be_tried_again(tmp_path):
    """A failed message that others followed is not put out of order; the refusal says why."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will("first", refused(401))
        theatre.stage.will("second", refused(401))
        failed = await theatre.say("hello there")
        theatre.stage.always("first", "Yes.")
        await theatre.say("thanks", session_id=failed.session_id)
        with pytest.raises(UsageError, match="nothing to resume"):
            await theatre.service.resume(failed.session_id)


async def test_what_is_too_long_for_the_window_is_left_out_from_the_front(tmp_path):
    """A long conversation is cut to what the role's models hold; the last message stays."""
    stage = Stage(models={name: {"context": 4096} for name in ("first", "second", "third")})
    stage.always("first", Act(text="word " * 200))
    async with open_theatre(tmp_path, stage) as theatre:
        turn = await theatre.say("hello there")
        for number in range(12):
            last = f"@chat {number} " + "tell me more " * 60
            turn = await theatre.say(last, session_id=turn.session_id)
        assert turn.status is Status.DONE
        assert prompts(theatre)[-1][-1] == last
        assert len(prompts(theatre)[-1]) < 25


async def test_a_run_is_its_own_kind_of_session(tmp_path):
    """A background session is stored as one."""
    async with open_theatre(tmp_path) as theatre:
        turn = await theatre.say("hello there", kind=SessionKind.RUN)
        async with theatre.runtime.records.database.read() as work:
            session = await work.sessions.get(turn.session_id)
        assert (session.kind, session.title) == (SessionKind.RUN, "hello there")
