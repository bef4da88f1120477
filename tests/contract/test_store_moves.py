import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from noctule.core.clock import SystemClock
from noctule.core.errors import IllegalMoveError
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.sessions.lifecycle import MOVES, Status
from noctule.core.sessions.sessions import Turn
from storage.open import open_database
from tests.support.fuzzing import examples
from tests.support.stored_records import NOON, a_session, a_turn

T = TypeVar("T")

_TURNS = ("t1", "t2", "t3")


class Moves(RuleBasedStateMachine):
    """Moves turns at random and keeps a model of what they should have become."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database: Database = self.runner.run(_open(url))
        self.expected: dict[str, Turn] = {}
        self.moment = NOON
        self.session_id = self.runner.run(self._begin())

    async def _begin(self) -> str:
        async with self.database.work() as work:
            number = len(await work.sessions.list())
            session = a_session(f"s{number:04d}")
            await work.sessions.add(session)
            for name in _TURNS:
                turn = a_turn(f"{session.id}{name}", session.id)
                self.expected[name] = turn
                await work.turns.add(turn)
            await work.commit()
        return session.id

    def _do(self, action: Callable[[UnitOfWork], Awaitable[T]], *, commit: bool) -> T:
        async def done() -> T:
            async with self.database.work(durable=False) as work:
                result = await action(work)
                if commit:
                    await work.commit()
                return result

        return self.runner.run(done())

    @rule(
        name=st.sampled_from(_TURNS),
        status=st.sampled_from(Status),
        reply=st.none() | st.text(max_size=5),
        error=st.none() | st.just("broke"),
        nap=st.none() | st.integers(0, 10**6),
        commit=st.booleans(),
    )
    def move(
        self,
        name: str,
        status: Status,
        reply: str | None,
        error: str | None,
        nap: int | None,
        commit: bool,  # noqa: FBT001 - Hypothesis passes by name
    ) -> None:
        turn = self.expected[name]
        self.moment += timedelta(seconds=1)
        at = self.moment
        wake_at = None if nap is None else at + timedelta(seconds=nap)

        async def action(work: UnitOfWork) -> Turn | None:
            try:
                return await work.turns.move(
                    turn.id, status, at=at, reply=reply, error=error, wake_at=wake_at
                )
            except IllegalMoveError:
                return None

        moved = self._do(action, commit=commit)
        assert (moved is not None) == (status in MOVES[turn.status])
        if moved is None:
            return
        begins = status is Status.RUNNING and turn.started_at is None
        wanted = replace(
            turn,
            status=status,
            started_at=at if begins else turn.started_at,
            ended_at=at if status.finished else None,
            reply=turn.reply if reply is None else reply.replace("\0", "\ufffd"),
            error=error,
            wake_at=wake_at,
        )
        assert moved == wanted
        if commit:
            self.expected[name] = wanted

    @invariant()
    def rows_are_as_expected(self) -> None:
        async def look(work: UnitOfWork) -> tuple[list[Turn], Turn | None, list[Turn]]:
            return (
                await work.turns.of_session(self.session_id),
                await work.turns.oldest_unfinished(self.session_id),
                await work.turns.unfinished(),
            )

        rows, oldest, unfinished = self._do(look, commit=False)
        expected = list(self.expected.values())
        assert rows == expected
        left = [turn for turn in expected if not turn.status.finished]
        assert oldest == (left[0] if left else None)
        assert [turn for turn in unfinished if turn.session_id == self.session_id] == left

    def teardown(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


async def _open(url: str) -> Database:
    return await open_database(url, data_folder=Path("unused"), clock=SystemClock())


@pytest.mark.fuzz
def test_turns_move_as_the_table_says(real_url: str) -> None:
    """Any sequence of moves, rolled back ones among them, leaves what the table of moves allows."""

    class OnThisDatabase(Moves):
        def __init__(self) -> None:
            super().__init__(real_url)

    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(max_examples=examples(15), stateful_step_count=25),
    )
