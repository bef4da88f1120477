"""What turns wait to hear from their persons."""

from dataclasses import replace
from datetime import datetime

from noctule.core.errors import NotFoundError
from noctule.core.questions import Question
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction, Tables, missing_parent, twice
from storage.memory.typed_ids import find

_LISTING = "noctule sessions"


class MemoryQuestions:
    """What turns wait to hear from their persons."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, question: Question) -> None:
        """Store a new question; asking again for the same tool call changes nothing."""
        tables = await self._transaction.writing("questions")
        if _of_call(tables, question.session_id, question.tool_call_id) is not None:
            return
        if question.id in tables.questions:
            raise twice("question", question.id)
        if question.turn_id not in tables.turns:
            raise missing_parent("turn", question.turn_id)
        if question.session_id not in tables.sessions:
            raise missing_parent("session", question.session_id)
        tables.questions[question.id] = stored(question)

    async def get(self, question_id: str) -> Question:
        """Return one question; a unique beginning or end of its id is enough."""
        tables = await self._transaction.reading()
        return find(tables.questions, question_id, what="question", listing=_LISTING)

    async def of_call(self, session_id: str, tool_call_id: str) -> Question | None:
        """Return what a tool call asked; None when it asked nothing."""
        return _of_call(await self._transaction.reading(), session_id, tool_call_id)

    async def open(
        self, *, session_id: str | None = None, owner: str | None = None
    ) -> list[Question]:
        """Return unanswered questions of unfinished turns, oldest first; None: no restriction."""
        tables = await self._transaction.reading()
        found = [
            question
            for question in tables.questions.values()
            if question.answered_at is None
            and not tables.turns[question.turn_id].status.finished
            and (session_id is None or question.session_id == session_id)
            and (owner is None or tables.sessions[question.session_id].owner == owner)
        ]
        return sorted(found, key=lambda question: question.id)

    async def answer(self, question_id: str, answer: str, *, by: str, at: datetime) -> bool:
        """Store the answer; return False, and change nothing, when it had one."""
        tables = await self._transaction.writing("questions")
        question = tables.questions.get(question_id)
        if question is None:
            raise NotFoundError("question", question_id, _LISTING)
        if question.answered_at is not None:
            return False
        answered = replace(question, answer=answer, answered_by=by, answered_at=at)
        tables.questions[question_id] = stored(answered)
        return True


def _of_call(tables: Tables, session_id: str, tool_call_id: str) -> Question | None:
    call = (session_id, tool_call_id)
    questions = tables.questions.values()
    return next((q for q in questions if (q.session_id, q.tool_call_id) == call), None)
