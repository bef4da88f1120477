"""Hearing a person: a branch sleeps on a question until it is answered, or sent on without.

The answer is read from the questions, never from the wake: a wake only says for which question it
is. So a step that asks twice (may it? and, after a crash, did it?) can be run again from its top
at any time: wakes for an earlier question are stored with the step and come again.
"""

from dataclasses import dataclass
from typing import Any

from langgraph.types import interrupt

from graphs.state.context import TurnContext
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.grants import Shown
from noctule.core.sessions.parkings import ParkingKind
from noctule.core.sessions.questions import Question, QuestionKind, as_asked
from noctule.core.workers.patience import carry_out, look_up

WITHOUT = ""
"""What is stored as the answer of a question whose turn was sent on without one."""


@dataclass(frozen=True, slots=True)
class HumanQuestion:
    """What a branch wants to hear.

    Args:
        key: which call asks, and which of its questions: unique within the session.
        kind: what is asked.
        text: the question, for people.
        choices: the answers offered; () takes any text.
        tool: the tool that wants to act; None for a question of the agent.
        subject: what it would act on; None likewise.
        shown: what a longer answer is bound to; None for what is no approval.
    """

    key: str
    kind: QuestionKind
    text: str
    choices: tuple[str, ...] = ()
    tool: str | None = None
    subject: str | None = None
    shown: Shown | None = None

    def as_stop(self) -> dict[str, Any]:
        """Return what the interrupt carries: plain JSON values."""
        shown = self.shown
        return {
            "kind": ParkingKind.QUESTION.value,
            "reason": as_asked(self.kind, self.text),
            "question": {
                "tool_call_id": self.key,
                "kind": self.kind.value,
                "text": self.text,
                "choices": [str(choice) for choice in self.choices],  # no enums in checkpoints
                "tool": self.tool,
                "subject": self.subject,
                "server": None if shown is None else shown.server,
                "workspace": None if shown is None else shown.workspace,
                "seal": None if shown is None else dict(shown.seal),
            },
        }


async def ask_human(asked: HumanQuestion, context: TurnContext) -> str | None:
    """Return a person's answer; sleeps until there is one.

    Returns:
        The answer; None when the turn was sent on by hand without one.
    """
    question = await _question(asked, context)
    while question is None or question.answer is None:
        # Stored wakes for earlier questions of this step come first; the last interrupt is new.
        woken_for = interrupt(asked.as_stop())
        question = await _question(asked, context)
        if question is not None and woken_for == asked.key:
            return await _answer_or_close(question, context)
    return question.answer or None


async def _question(asked: HumanQuestion, context: TurnContext) -> Question | None:
    session_id = context.session.id
    return await look_up(
        context.database, lambda work: work.questions.of_call(session_id, asked.key)
    )


async def _answer_or_close(question: Question, context: TurnContext) -> str | None:
    """Return the answer; without one close the question, so that nobody answers in vain."""
    if question.answer is not None:
        return question.answer or None
    owner, now = context.session.owner, context.clock.now()

    async def close(work: UnitOfWork) -> Question:
        await work.questions.answer(question.id, WITHOUT, by=owner, at=now)
        return await work.questions.get(question.id)  # somebody may have been faster

    return (await carry_out(context.database, close)).answer or None
