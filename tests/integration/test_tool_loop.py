from typing import Any

from langchain_core.messages import ToolMessage

from noctule.core.llm.events import EventKind
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind
from noctule.core.tools.effects import EffectState
from tests.support.stage import Stage
from tests.support.theatre import open_theatre
from tests.support.toolkit import Board, calls

WORK = {"kind": SessionKind.RUN, "role": "engineer"}
TOOLED: dict[str, Any] = {"roles": {"engineer": {"tools": ["look", "put", "send", "ask"]}}}


async def test_a_tool_that_reads_and_one_that_writes_each_run_once(tmp_path):
    """The results go back to the model, the write stands in the journal, and people see both."""
    board = Board(shown={"here": "a hammer"})
    async with open_theatre(tmp_path, Stage(**TOOLED), tools=board.tools()) as theatre:
        theatre.stage.will("first", calls(("look", {"where": "here"})))
        theatre.stage.will("first", calls(("put", {"what": "hammer"})), "Hammer.")
        turn = await theatre.say("What is there?", **WORK)
        assert (turn.status, turn.reply) == (Status.DONE, "Hammer.")
        assert (board.read, board.written) == (["here"], ["hammer"])

        told = [m for m in theatre.stage.client.requests[-1].messages if isinstance(m, ToolMessage)]
        assert [message.text for message in told] == ["a hammer", "wrote hammer"]
        async with theatre.runtime.records.database.read() as work:
            (effect,) = await work.effects.of_session(turn.session_id)
        assert (effect.tool, effect.state, effect.result) == (
            "put",
            EffectState.DONE,
            "wrote hammer",
        )
        events = await theatre.events(turn.session_id)
        seen = [(e.kind, e.data["tool"]) for e in events if e.kind.value.startswith("tool_")]
        assert seen == [
            (EventKind.TOOL_STARTED, "look"),
            (EventKind.TOOL_ENDED, "look"),
            (EventKind.TOOL_STARTED, "put"),
            (EventKind.TOOL_ENDED, "put"),
        ]


async def test_what_does_not_fit_a_tool_is_said_and_nothing_is_done(tmp_path):
    """Unknown tools, missing and wrong arguments come back as errors that help the model."""
    board = Board(shown={"here": "a hammer"})
    async with open_theatre(tmp_path, Stage(**TOOLED), tools=board.tools()) as theatre:
        theatre.stage.will(
            "first",
            calls(("fly", {}), ("put", {}), ("look", {"where": "here"})),
            calls(("put", {"what": "x", "times": "many"}), ("put", {"what": "x" * 1_000_000})),
            calls(("look", {"where": "here"}), ("look", {"where": "broken"})),
            "No.",
        )
        turn = await theatre.say("Do it.", **WORK)
        assert (turn.status, board.written) == (Status.DONE, [])
        messages = theatre.stage.client.requests[-1].messages
        told = [m for m in messages if isinstance(m, ToolMessage) and m.status == "error"]
        unknown, missing, wrong, long, broken = (message.text for message in told)
        assert "no tool 'fly'" in unknown
        assert "look, put" in unknown
        assert "what: Field required" in missing
        assert "times: Input should be a valid integer" in wrong
        assert "many" in wrong
        assert "300,000" in long
        assert "RuntimeError: it fell over" in broken
        kept = await theatre.runtime.advancer._runner._graph.aget_state(
            {"configurable": {"thread_id": turn.session_id}}
        )
        assert "x" * 1000 not in str(kept.values)


async def test_calls_of_one_reply_that_change_something_keep_their_order(tmp_path):
    """A file is written before what reads it runs, and two changes never overlap."""
    board = Board(shown={"a": "1", "b": "2", "c": "3"})
    async with open_theatre(tmp_path, Stage(**TOOLED), tools=board.tools()) as theatre:
        looks = [("look", {"where": where}) for where in "abc"]
        puts = [("put", {"what": what}) for what in "xy"]
        theatre.stage.will("first", calls(looks[0], looks[1], *puts, looks[2]), "Done.")
        turn = await theatre.say("do it", **WORK)
        assert turn.status is Status.DONE
        assert board.order == ["look a", "look b", "put x", "done x", "put y", "done y", "look c"]
