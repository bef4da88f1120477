import asyncio
from contextlib import suppress

import pytest
from langchain_core.messages import ToolMessage

from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import Approval, CheckAnswer, QuestionKind
from noctule.core.sessions.sessions import SessionKind
from noctule.core.tools.effects import EffectState
from tests.support.stage import Stage
from tests.support.theatre import open_theatre
from tests.support.toolkit import Board, calls

WORK = {"kind": SessionKind.RUN, "role": "engineer"}
TOOLS = {"engineer": {"tools": ["look", "put", "send", "ask"]}}


class Play:
    """A theatre that is closed as by a kill and opened again on the same records."""

    def __init__(self, folder, board, *acts):
        self.folder, self.board = folder, board
        self.stage = Stage(roles=TOOLS)
        self.stage.will("first", *acts)
        self.turn = None

    def open(self):
        return open_theatre(self.folder, self.stage, tools=self.board.tools())

    async def cut_off(self, text="go on"):
        """Begin or go on, and be cut off while ``put`` holds: what it does is up to the caller."""
        self.board.hold = asyncio.Event()
        self.board.held.clear()
        async with self.open() as theatre:
            carry = theatre.say(text, **WORK) if self.turn is None else theatre.rest(self.turn)
            working = asyncio.ensure_future(carry)
            holding = asyncio.ensure_future(self.board.held.wait())
            await asyncio.wait({working, holding}, return_when=asyncio.FIRST_COMPLETED)
            assert not working.done(), working.result()
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            async with theatre.runtime.records.database.read() as work:
                (self.turn,) = await work.turns.running()
        self.board.hold = None

    async def go_on(self):
        async with self.open() as theatre:
            self.turn = await theatre.rest(self.turn)
        return self.turn

    async def answer(self, said):
        async with self.open() as theatre:
            (question,) = await theatre.service.questions()
            await theatre.service.answer(question.id, said)
        return question

    async def effects(self):
        async with self.stage.database.read() as work:
            return await work.effects.of_session(self.turn.session_id)

    def told(self):
        messages = self.stage.client.requests[-1].messages
        return [message.text for message in messages if isinstance(message, ToolMessage)]


@pytest.mark.parametrize("happened", [True, False])
async def test_a_tool_that_can_tell_is_asked_and_nothing_happens_twice(tmp_path, happened):
    """Cut off before or after its effect: the next start does what is left of it, once."""
    play = Play(tmp_path, Board(), calls(("put", {"what": "a"})), "Done.")
    await play.cut_off()
    if happened:
        play.board.written.append("a")
    turn = await play.go_on()
    assert (turn.status, play.board.written) == (Status.DONE, ["a"])
    assert play.told() == ["a is on the board." if happened else "wrote a"]
    (effect,) = await play.effects()
    assert effect.state is EffectState.DONE


@pytest.mark.parametrize(
    ("said", "written", "told"),
    [
        (CheckAnswer.DONE, [], "The person says that it happened"),
        (CheckAnswer.AGAIN, ["a"], "wrote a"),
        (CheckAnswer.SKIP, [], "whether it happened is not known"),
    ],
)
async def test_where_nobody_can_tell_the_person_is_asked(tmp_path, said, written, told):
    """It is done again only when the person says that it did not happen."""
    play = Play(tmp_path, Board(tells=False), calls(("put", {"what": "a"})), "Done.")
    await play.cut_off()
    turn = await play.go_on()
    assert (turn.status, play.board.written) == (Status.WAITING, [])
    question = await play.answer(said)
    assert question.kind is QuestionKind.CHECK
    turn = await play.go_on()
    assert (turn.status, play.board.written) == (Status.DONE, written)
    assert told in play.told()[0]


async def test_done_again_and_cut_off_again_asks_again(tmp_path):
    """One answer is for one cut: the second time the person is asked anew."""
    play = Play(tmp_path, Board(tells=False), calls(("put", {"what": "a"})), "Done.")
    await play.cut_off()
    await play.go_on()
    await play.answer(CheckAnswer.AGAIN)
    await play.cut_off()
    turn = await play.go_on()
    assert (turn.status, play.board.written) == (Status.WAITING, [])
    await play.answer(CheckAnswer.SKIP)
    turn = await play.go_on()
    assert (turn.status, play.board.written) == (Status.DONE, [])
    assert [effect.tool_call_id.count("/") for effect in await play.effects()] == [0, 1]


async def test_an_approved_call_that_was_cut_off_asks_what_came_of_it(tmp_path):
    """The wake for the approval is not taken for an answer to the check."""
    board = Board(tells=False, needs_person="there is no sandbox")
    play = Play(tmp_path, board, calls(("put", {"what": "a"})), "Done.")
    async with play.open() as theatre:
        play.turn = await theatre.say("put it", **WORK)
    assert (await play.answer(Approval.ONCE)).kind is QuestionKind.APPROVAL
    await play.cut_off()
    for _ in range(2):  # sent on without an answer it would be left
        turn = await play.go_on()
        assert (turn.status, board.written) == (Status.WAITING, [])
    assert (await play.answer(CheckAnswer.AGAIN)).kind is QuestionKind.CHECK
    await play.cut_off()
    turn = await play.go_on()
    assert (turn.status, board.written) == (Status.WAITING, [])
    assert (await play.answer(CheckAnswer.AGAIN)).kind is QuestionKind.CHECK
    turn = await play.go_on()
    assert (turn.status, board.written) == (Status.DONE, ["a"])
    assert len(await play.effects()) == 3


async def test_siblings_of_a_cut_off_call_are_not_repeated(tmp_path):
    """What happened is not done again, what waits goes on waiting; only reads may repeat."""
    board = Board(shown={"here": "x"})
    first = calls(("send", {"what": "s"}), ("look", {"where": "here"}), ("put", {"what": "a"}))
    play = Play(tmp_path, board, first, "Done.")
    await play.cut_off()
    assert (board.sent, board.read) == ([], ["here"])
    turn = await play.go_on()
    assert (turn.status, board.written, board.sent) == (Status.WAITING, ["a"], [])
    await play.answer(Approval.ONCE)
    turn = await play.go_on()
    assert (turn.status, board.written, board.sent) == (Status.DONE, ["a"], ["s"])
