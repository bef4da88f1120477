"""Asking: what a session waits to hear is put to the person at the terminal, right there."""

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from noctule.channels.terminal.question_page import how_to_answer, question_lines
from noctule.channels.terminal.screens.screen import Screen
from noctule.core.errors import UsageError
from noctule.core.sessions.questions import Question
from noctule.core.sessions.sessions import Turn

if TYPE_CHECKING:
    from noctule.sessions.service.service import SessionService

Ask = Callable[[str], Awaitable[str | None]]
"""Asks for a line behind a label; None means the person leaves."""


class QuestionDialog:
    """Puts open questions to a person.

    Args:
        service: knows them, and takes the answers.
        screen: where they are shown.
        ask: where answers come from.
        forget: drops what was typed before a question is shown; None: nothing can be.
    """

    def __init__(
        self,
        service: "SessionService",
        screen: Screen,
        ask: Ask,
        *,
        forget: Callable[[], None] | None = None,
    ) -> None:
        self._service = service
        self._screen = screen
        self._ask = ask
        self._forget = forget

    async def settle(self, turn: Turn, left: set[str]) -> bool:
        """Ask everything the session of a turn waits to hear.

        Args:
            turn: a turn at rest, perhaps behind the one that asks.
            left: the questions the person has left unanswered: not asked again, and added to.

        Returns:
            Whether anything was answered, here or meanwhile elsewhere, so that work goes on.
        """
        if turn.status.finished:
            return False
        answered = False
        for question in await self._service.questions(session_id=turn.session_id):
            if question.id in left:
                continue
            if await self._put(question):
                answered = True
            else:
                left.add(question.id)
        return answered

    async def _put(self, question: Question) -> bool:
        """Ask until there is an answer (True) or the person leaves (False)."""
        if self._forget is not None:
            self._forget()
        for line in question_lines(question):
            self._screen.problem(line)
        label = "answer> " if not question.choices else f"answer (1-{len(question.choices)})> "
        while (said := await self._ask(label)) is not None:
            try:
                await self._service.answer(question.id, said)
            except UsageError as error:
                self._screen.problem(str(error))
                if not await self._is_open(question):
                    return True
                continue
            return True
        self._screen.note(f"Waiting for your answer: {how_to_answer(question)}")
        return False

    async def _is_open(self, question: Question) -> bool:
        still = await self._service.questions(session_id=question.session_id)
        return any(one.id == question.id for one in still)


def open_asking(service: "SessionService", screen: Screen | None) -> QuestionDialog | None:
    """Return who asks the person at the terminal; None where nobody sits at one.

    Args:
        service: knows the questions.
        screen: where they are shown; None shows nothing, and so asks nothing.
    """
    if screen is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None

    from noctule.channels.terminal.input.prompt import forget_typed_ahead  # noqa: PLC0415 - only to type

    async def ask(label: str) -> str | None:
        from noctule.channels.terminal.input.prompt import InputPrompt  # noqa: PLC0415 - only to type

        return await InputPrompt(None).ask(label)

    return QuestionDialog(service, screen, ask, forget=forget_typed_ahead)
