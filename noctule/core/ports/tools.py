"""What tools ask of the database: their journal, questions, allowances, notes, proofs, remarks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from noctule.core.llm.proofs import Proof, ProofKey
from noctule.core.sessions.grants import Grant
from noctule.core.sessions.questions import Question
from noctule.core.sessions.steers import Steer
from noctule.core.tools.effects import Effect
from noctule.core.tools.notes import Note


class EffectStore(Protocol):
    """The journal of tool calls with a consequence."""

    async def start(self, effect: Effect) -> Effect | None:
        """Write that a call is about to happen, unless it was written before.

        Returns:
            None when it was written now; else what stands there, unchanged.
        """
        ...

    async def finish(
        self, session_id: str, tool_call_id: str, *, result: str, failed: bool, at: datetime
    ) -> None:
        """Write what came of a started call; one that is done keeps its result."""
        ...

    async def get(self, session_id: str, tool_call_id: str) -> Effect | None:
        """Return one effect; None when the call was never started."""
        ...

    async def of_session(self, session_id: str) -> list[Effect]:
        """Return the effects of a session, in order of their start."""
        ...


class QuestionStore(Protocol):
    """What turns wait to hear from their persons."""

    async def add(self, question: Question) -> None:
        """Store a new question; asking again for the same tool call changes nothing."""
        ...

    async def get(self, question_id: str) -> Question:
        """Return one question; a unique beginning or end of its id is enough.

        Raises:
            NotFoundError: no question begins like that, or several do.
        """
        ...

    async def of_call(self, session_id: str, tool_call_id: str) -> Question | None:
        """Return what a tool call asked; None when it asked nothing."""
        ...

    async def open(
        self, *, session_id: str | None = None, owner: str | None = None
    ) -> list[Question]:
        """Return unanswered questions of unfinished turns, oldest first; None: no restriction."""
        ...

    async def answer(self, question_id: str, answer: str, *, by: str, at: datetime) -> bool:
        """Store the answer; return False, and change nothing, when it had one."""
        ...


class GrantStore(Protocol):
    """What people allowed beyond the configuration."""

    async def add(self, grant: Grant) -> None:
        """Store a new grant."""
        ...

    async def of(self, owner: str, session_id: str) -> list[Grant]:
        """Return what holds for a session: its own grants and its owner's lasting ones."""
        ...

    async def list(self, owner: str | None = None) -> list[Grant]:
        """Return every grant, oldest first; None means of everybody."""
        ...

    async def revoke(self, grant_id: str) -> bool:
        """Take a grant back; return whether there was one."""
        ...


class NoteStore(Protocol):
    """What agents remember for a person."""

    async def put(self, note: Note) -> None:
        """Store a note; one of the same owner and title gets the new text and keeps its id."""
        ...

    async def search(
        self, owner: str, words: str, *, limit: int = 10, private: bool = True
    ) -> list[Note]:
        """Return the notes of an owner that hold all the words, the best first.

        Case and word endings as the database's full-text search has it; "" returns the newest.
        """
        ...

    async def get(self, owner: str, title: str) -> Note | None:
        """Return one note by its exact title; None when there is none."""
        ...

    async def drop(self, owner: str, title: str) -> bool:
        """Forget a note; return whether there was one."""
        ...


class ProofStore(Protocol):
    """What came of asking models to call tools."""

    async def put(self, proof: Proof) -> None:
        """Store or replace the proof of its key."""
        ...

    async def get(self, key: ProofKey) -> Proof | None:
        """Return one proof; None when that version was never probed."""
        ...

    async def list(self) -> list[Proof]:
        """Return every proof, in order of endpoint, model and time."""
        ...

    async def count(self, key: ProofKey, *, imitations: int = 0, calls: int = 0) -> Proof | None:
        """Add what was seen at work to a proof and return it; None when there is none."""
        ...


class SteerStore(Protocol):
    """What people say to turns while they work."""

    async def add(self, steer: Steer) -> None:
        """Store a remark."""
        ...

    async def waiting(self, turn_id: str) -> list[Steer]:
        """Return the remarks no loop has read yet, oldest first."""
        ...

    async def take(self, steer_ids: Sequence[str], *, at: datetime) -> None:
        """Note that a loop has read them."""
        ...
