"""What turns wait to hear from their persons."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from noctule.core.sessions.questions import Question
from storage.base.transaction import Transaction
from storage.base.typed_ids import ByTypedId
from storage.tables import questions, sessions, turns
from storage.tables.questions import unanswered
from storage.tables.turns import unfinished

_CALL = (questions.c.session_id, questions.c.tool_call_id)
_ADD = {
    "sqlite": sqlite.insert(questions).on_conflict_do_nothing(index_elements=_CALL),
    "postgresql": postgresql.insert(questions).on_conflict_do_nothing(index_elements=_CALL),
}
_OF_CALL = sa.select(questions).where(
    questions.c.session_id == sa.bindparam("of_session"),
    questions.c.tool_call_id == sa.bindparam("of_call"),
)
_OPEN = (
    sa.select(questions)
    .join(turns, turns.c.id == questions.c.turn_id)
    .where(unanswered, unfinished)
    .order_by(questions.c.id)
)
_ANSWER = (
    questions.update()
    .where(questions.c.id == sa.bindparam("question_id"), unanswered)
    .values(
        answer=sa.bindparam("said", type_=questions.c.answer.type),
        answered_at=sa.bindparam("at", type_=questions.c.answered_at.type),
        answered_by=sa.bindparam("by", type_=questions.c.answered_by.type),
    )
)
_BY_TYPED_ID = ByTypedId(questions, what="question", listing="noctule sessions")


class SqlQuestions:
    """What turns wait to hear from their persons."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, question: Question) -> None:
        """Store a new question; asking again for the same tool call changes nothing."""
        await self._transaction.run(_add, question)

    async def get(self, question_id: str) -> Question:
        """Return one question; a unique beginning or end of its id is enough."""
        return await self._transaction.run(_get, question_id)

    async def of_call(self, session_id: str, tool_call_id: str) -> Question | None:
        """Return what a tool call asked; None when it asked nothing."""
        return await self._transaction.run(_of_call, session_id, tool_call_id)

    async def open(
        self, *, session_id: str | None = None, owner: str | None = None
    ) -> list[Question]:
        """Return unanswered questions of unfinished turns, oldest first; None: no restriction."""
        statement = _OPEN
        if session_id is not None:
            statement = statement.where(questions.c.session_id == session_id)
        if owner is not None:
            statement = statement.join(sessions, sessions.c.id == questions.c.session_id)
            statement = statement.where(sessions.c.owner == owner)
        return await self._transaction.run(_list, statement)

    async def answer(self, question_id: str, answer: str, *, by: str, at: datetime) -> bool:
        """Store the answer; return False, and change nothing, when it had one."""
        values = {"question_id": question_id, "said": answer, "by": by, "at": at}
        return await self._transaction.run(_answer, values)


def _add(connection: Connection, question: Question) -> None:
    values = {c.name: getattr(question, c.name) for c in questions.columns}
    values["choices"] = list(question.choices)
    connection.execute(_ADD[connection.dialect.name], values)


def _get(connection: Connection, question_id: str) -> Question:
    return _question(_BY_TYPED_ID.find(connection, question_id))


def _of_call(connection: Connection, session_id: str, tool_call_id: str) -> Question | None:
    values = {"of_session": session_id, "of_call": tool_call_id}
    row = connection.execute(_OF_CALL, values).first()
    return None if row is None else _question(row)


def _list(connection: Connection, statement: sa.Select[Any]) -> list[Question]:
    return [_question(row) for row in connection.execute(statement)]


def _answer(connection: Connection, values: dict[str, Any]) -> bool:
    if connection.execute(_ANSWER, values).rowcount:
        return True
    if _BY_TYPED_ID.find(connection, values["question_id"]).id != values["question_id"]:
        raise _BY_TYPED_ID.missing(values["question_id"])
    return False


def _question(row: sa.Row[Any]) -> Question:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return Question(**{**values, "choices": tuple(values["choices"])})
