from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage

from noctule.core.llm.attempts import Purpose
from noctule.core.llm.events import EventKind
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind
from tests.support.stage import Stage, refused
from tests.support.theatre import Theatre, open_theatre
from tests.support.toolkit import Board, Look, calls
from tools.base.tool import ToolResult

WORK = {"kind": SessionKind.RUN, "role": "engineer"}
TOOLS = {"engineer": {"tools": ["look", "put", "send", "ask"]}}


def texts(theatre: Theatre, at: int = -1) -> list[str]:
    return [message.text for message in theatre.stage.client.requests[at].messages]


async def notices(theatre: Theatre, turn) -> list[str]:
    events = await theatre.events(turn.session_id)
    return [event.data["text"] for event in events if event.kind is EventKind.NOTICE]


async def test_going_round_in_circles_ends_with_a_report(tmp_path):
    """A-B-A-B with nothing new is stopped: one last call without tools says what was achieved."""
    board = Board(shown={"a": "1", "b": "2"})
    async with open_theatre(tmp_path, Stage(roles=TOOLS), tools=board.tools()) as theatre:
        for _ in range(4):
            theatre.stage.will("first", calls(("look", {"where": "a"})))
            theatre.stage.will("first", calls(("look", {"where": "b"})))
        turn = await theatre.say("find it", **WORK)
        assert turn.status is Status.DONE
        assert board.read == ["a", "b"] * 3
        assert "I was repeating look" in str(turn.reply)
        last = theatre.stage.client.requests[-1]
        assert not last.tools
        assert "circles" in last.messages[-1].text
        assert not any(isinstance(message, ToolMessage) for message in last.messages)


class Ticker(Look):
    async def run(self, arguments, context):
        self._board.read.append(arguments.where)
        return ToolResult(str(len(self._board.read)))


async def test_what_changes_is_no_circle(tmp_path):
    """Looking at the same thing again and again is fine while it changes."""
    board = Board()
    async with open_theatre(tmp_path, Stage(roles=TOOLS), tools=[Ticker(board)]) as theatre:
        theatre.stage.will("first", *[calls(("look", {"where": "a"}))] * 5, "Done.")
        turn = await theatre.say("watch it", **WORK)
        assert (turn.reply, len(board.read)) == ("Done.", 5)


async def test_a_remark_is_read_before_the_next_call_once(tmp_path):
    """What a person says meanwhile is in the next prompt, also after a park, and never twice."""
    board = Board(shown={"a": "1"})
    stage = Stage(role={"fallback": []}, roles=TOOLS)
    async with open_theatre(tmp_path, stage, tools=board.tools()) as theatre:
        theatre.stage.will("first", calls(("look", {"where": "a"})), refused(429, retry_after=60))
        theatre.stage.will("first", calls(("put", {"what": "b"})), "Done.")
        turn = await theatre.say("work", **WORK)
        assert turn.status is Status.PARKED
        await theatre.service.steer(turn.id, "be brief")
        await theatre.clock.advance(120)
        turn = await theatre.rest(turn)
        assert turn.status is Status.DONE
        assert texts(theatre, -1).count("be brief") == 1
        assert texts(theatre, -2)[-1] == "be brief"
        async with theatre.runtime.records.database.read() as work:
            assert await work.steers.waiting(turn.id) == []


async def test_a_remark_during_the_last_answer_is_answered_too(tmp_path):
    """The turn does not end over something that was said before its end."""
    board = Board()
    async with open_theatre(tmp_path, Stage(roles=TOOLS), tools=board.tools()) as theatre:
        theatre.stage.will("first", "One.", "Two.")
        client: Any = theatre.stage.client
        real = client.stream
        steered = []

        async def steering(request):
            if not steered:
                (turn,) = await running(theatre)
                steered.append(await theatre.service.steer(turn.id, "and in blue"))
            async for piece in real(request):
                yield piece

        client.stream = steering
        turn = await theatre.say("paint it", **WORK)
        assert (turn.status, turn.reply) == (Status.DONE, "Two.")
        assert texts(theatre)[-2:] == ["One.", "and in blue"]


async def running(theatre: Theatre):
    async with theatre.runtime.records.database.read() as work:
        return await work.turns.running()


async def test_the_next_turn_knows_what_was_done(tmp_path):
    """The record of a turn's calls stands with its answer, in few words."""
    board = Board(shown={"a": "1"})
    async with open_theatre(tmp_path, Stage(roles=TOOLS), tools=board.tools()) as theatre:
        theatre.stage.will("first", calls(("look", {"where": "a"}), ("look", {"where": "b"})))
        theatre.stage.will("first", "Looked.", "Again.")
        turn = await theatre.say("look", **WORK)
        await theatre.say("what did you do?", session_id=turn.session_id, role="engineer")
        assert texts(theatre)[2] == (
            'Looked.\n\n(What was called for this:\n- look {"where": "a"}: 1\n'
            '- look {"where": "b"}: failed: There is nothing at b.)'
        )


async def test_a_long_loop_keeps_its_task_and_sums_up_its_work(tmp_path):
    """Old output goes first, then old work is summed up by the utility role; the task stays."""
    board = Board(shown={str(number): f"{number} " * 400 for number in range(40)})
    stage = Stage(
        roles={**TOOLS, "utility": {"primary": "third", "fallback": []}},
        limits={"compact_tokens": 2000, "max_run_steps": 200},
    )
    async with open_theatre(tmp_path, stage, tools=board.tools()) as theatre:
        theatre.stage.always("third", "Summary.")
        for number in range(40):
            theatre.stage.will("first", calls(("look", {"where": str(number)}), text="Hm " * 40))
        theatre.stage.will("first", "Done.")
        task = "look at all of them, word for word"
        turn = await theatre.say(task, **WORK)
        assert (turn.status, len(board.read)) == (Status.DONE, 40)
        asked = [r for r in theatre.stage.client.requests if r.model == "first"]
        for request in asked:
            assert task in [message.text for message in request.messages]
            called, answered = set(), set()
            for message in request.messages:
                called |= {call["id"] for call in getattr(message, "tool_calls", ())}
                answered |= {getattr(message, "tool_call_id", None)} - {None}
            assert called == answered
        longest = max(sum(len(m.text) for m in request.messages) for request in asked)
        assert longest < 2000 * 4 + 12_000
        summaries = [a for a in await theatre.attempts() if a.purpose is Purpose.SUMMARY]
        assert summaries
        assert {a.role for a in summaries} == {"utility"}
        assert any("Summary." in message.text for message in asked[-1].messages)


async def test_no_summary_is_no_reason_to_sleep(tmp_path):
    """When the utility role is refused the calls themselves are listed, and work goes on."""
    board = Board(shown={str(number): f"{number} " * 400 for number in range(20)})
    stage = Stage(
        roles={**TOOLS, "utility": {"primary": "third", "fallback": []}},
        limits={"compact_tokens": 1000, "max_run_steps": 200},
    )
    async with open_theatre(tmp_path, stage, tools=board.tools()) as theatre:
        theatre.stage.always("third", refused(429, retry_after=3600))
        for number in range(20):
            theatre.stage.will("first", calls(("look", {"where": str(number)}), text="Hm " * 40))
        theatre.stage.will("first", "Done.")
        turn = await theatre.say("look", **WORK)
        assert turn.status is Status.DONE
        summary = next(
            m.text
            for m in theatre.stage.client.requests[-1].messages
            if isinstance(m, HumanMessage) and m.text.startswith("What was done")
        )
        assert '- look {"where": "' in summary


async def test_usual_tools_that_no_model_calls_are_left_out(tmp_path):
    """With nobody to call tools a role writes as before; one that names its tools is refused."""
    board = Board()
    none = {name: {"tools": False} for name in ("first", "second", "third")}
    async with open_theatre(tmp_path, Stage(models=none), tools=board.tools()) as theatre:
        theatre.stage.will("first", "Text.")
        turn = await theatre.say("write code", **WORK)
        assert (turn.status, turn.reply) == (Status.DONE, "Text.")
        assert not theatre.stage.client.requests[-1].tools
        assert await notices(theatre, turn) == []  # the configuration says it itself
    named = Stage(models=none, roles=TOOLS)
    (tmp_path / "named").mkdir()
    async with open_theatre(tmp_path / "named", named, tools=board.tools()) as theatre:
        turn = await theatre.say("write code", **WORK)
        assert turn.status is Status.FAILED
        assert "engineer: no model could answer. first: cannot call tools" in str(turn.error)


async def test_a_primary_without_tools_serves_the_one_that_drives(tmp_path):
    """The later model that calls tools drives the loop and has code written by the primary."""
    board = Board()
    stage = Stage(models={"first": {"tools": False}}, roles={"engineer": {"tools": ["put"]}})
    async with open_theatre(tmp_path, stage, tools=board.tools()) as theatre:
        theatre.stage.will("second", calls(("write_code", {"task": "sort", "material": "a list"})))
        theatre.stage.will("second", calls(("put", {"what": "code"})), "Done.")
        theatre.stage.will("first", "sorted(a)")
        turn = await theatre.say("sort it", **WORK)
        assert (turn.status, board.written) == (Status.DONE, ["code"])
        assert [r.model for r in theatre.stage.client.requests] == [
            "second",
            "first",
            "second",
            "second",
        ]
        assert "a list" in theatre.stage.client.requests[1].messages[-1].text
        assert texts(theatre, 2)[-1] == "sorted(a)"


async def test_chat_talks_without_tools_rather_than_not_at_all(tmp_path):
    """While the model that calls tools is refused another one answers, and is offered none."""
    board = Board()
    stage = Stage(models={"second": {"tools": False}})
    async with open_theatre(tmp_path, stage, tools=[*board.tools()]) as theatre:
        theatre.stage.will("first", refused(429, retry_after=600))
        theatre.stage.will("second", "Hello.")
        turn = await theatre.say("hello there")
        assert (turn.status, turn.reply) == (Status.DONE, "Hello.")
        first, second = theatre.stage.client.requests
        assert first.tools
        assert not second.tools


@pytest.mark.parametrize(("context", "whole"), [(32_000, 10), (8000, 4)])
async def test_results_nobody_has_seen_yet_are_shown_as_far_as_they_fit(tmp_path, context, whole):
    """Ten results at once are more than the bound and stay; what no window holds does not."""
    # Words: numbers alone take a token a digit, and then fewer of them fit than their letters say.
    board = Board(shown={str(number): "paragraphs of writing " * 180 for number in range(10)})
    models = {name: {"context": context} for name in ("first", "second", "third")}
    stage = Stage(roles=TOOLS, models=models, role={"max_tokens": 100})
    async with open_theatre(tmp_path, stage, tools=board.tools()) as theatre:
        looks = [("look", {"where": str(number)}) for number in range(10)]
        theatre.stage.will("first", calls(*looks), "Done.")
        turn = await theatre.say("look at all", **WORK)
        assert turn.status is Status.DONE
        said = [m for m in theatre.stage.client.requests[-1].messages if isinstance(m, ToolMessage)]
        assert len(said) == 10
        assert sum(len(message.text) > 3000 for message in said) >= whole
        assert len(said[-1].text) > 3000
