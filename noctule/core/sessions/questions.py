"""Questions: what a turn waits to hear from its person."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from noctule.core.sessions.grants import Seal

_QUOTED_LINE = "\n  \u2502 "


class QuestionKind(StrEnum):
    """What is asked."""

    QUESTION = "question"
    """Something the agent wants to know."""
    APPROVAL = "approval"
    """Whether a tool may do something."""
    CHECK = "check"
    """Whether an effect that was cut off by a crash happened."""


class Approval(StrEnum):
    """The answers to an approval."""

    ONCE = "once"
    """This call, and no other."""
    SESSION = "session"
    """This and everything like it until the session ends."""
    ALWAYS = "always"
    """This and everything like it in every session of the person."""
    NO = "no"
    """Not this call."""
    ALL = "all"
    """This and every other command or code until the session ends; offered for those alone. It
    stands last, so that numbers people are used to keep their meaning."""


class CheckAnswer(StrEnum):
    """The answers to a check."""

    DONE = "done"
    """It happened; go on after it."""
    AGAIN = "again"
    """It did not; do it."""
    SKIP = "skip"
    """Leave it and tell the agent so."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing a branch of a turn waits to hear.

    Args:
        id: sortable.
        session_id: whose.
        turn_id: which turn.
        tool_call_id: the call that asked; unique within the session.
        kind: what is asked.
        text: the question, for people; what came from a model or from outside is quoted in it.
        asked_at: aware.
        choices: the answers offered, in order; () takes any text. An approval or a check takes
            nothing else.
        tool: the tool that wants to act; None for a question.
        subject: what it would act on (command, path, URL); None for a question.
        answer: None until it is answered.
        answered_at: likewise.
        answered_by: the owner who answered; likewise.
        server: the MCP server of the tool; None for others.
        workspace: the folder the tool would act in, absolute; None means the session's own.
        seal: the parts of what is shown that a longer answer is bound to; None for what is no
            approval, and for approvals asked before there were seals.
    """

    id: str
    session_id: str
    turn_id: str
    tool_call_id: str
    kind: QuestionKind
    text: str
    asked_at: datetime
    choices: tuple[str, ...] = ()
    tool: str | None = None
    subject: str | None = None
    answer: str | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    server: str | None = None
    workspace: str | None = None
    seal: Seal | None = None

    @property
    def shown(self) -> str:
        """What people read: an agent's own words are never taken for a question of Noctule's."""
        return as_asked(self.kind, self.text)


def as_asked(kind: QuestionKind, text: str) -> str:
    """Return a question as people read it: every line of an agent's own is marked as quoted.

    Args:
        kind: what is asked.
        text: an agent's words, or a question of Noctule's.
    """
    if kind is not QuestionKind.QUESTION:
        return text
    return f"The agent asks: {_QUOTED_LINE.join(text.splitlines())}"


def as_offered(kind: QuestionKind, value: str) -> str:
    """Return an answer that is offered: an agent's own stand in quotation marks, unlike ours."""
    return f"\u201c{value}\u201d" if kind is QuestionKind.QUESTION else value
