from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import pytest

from noctule.channels.terminal.asking import QuestionDialog, open_asking
from noctule.channels.terminal.screens.plain import PlainScreen
from noctule.config.loading import load_text
from noctule.core.clock import ManualClock
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import QuestionKind
from noctule.sessions.service.service import SessionService
from tests.support.scratch import scratch_database
from tests.support.small_config import CONFIG
from tests.support.stored_records import NOON, a_question, a_session, a_turn

TURN = a_turn(status=Status.WAITING)


class Person:
    """Somebody who types these lines and then leaves.

    Args:
        service: where their answers go.
        lines: what they type.
    """

    def __init__(self, service: SessionService, *lines: str) -> None:
        self.shown = StringIO()
        self.labels: list[str] = []
        self._lines = list(lines)
        self.asking = QuestionDialog(service, PlainScreen(self.shown, self.shown), self._type)

    async def _type(self, label: str) -> str | None:
        self.labels.append(label)
        return self._lines.pop(0) if self._lines else None


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    """A session whose turn waits for an approval and for an answer."""
    opened = scratch_database()
    async with opened.work() as work:
        await work.sessions.add(a_session())
        await work.turns.add(TURN)
        await work.questions.add(a_question("q1"))
        colour = a_question(
            "q2", kind=QuestionKind.QUESTION, text="Which colour?", choices=(), tool=None
        )
        await work.questions.add(colour)
        await work.commit()
    yield opened
    await opened.close()


@pytest.fixture
def service(database: Database) -> SessionService:
    """Takes the answers."""
    settings = load_text(CONFIG, environ={}, folder=Path(), file="config.yaml")
    return SessionService(settings, database, ManualClock(NOON))


async def answers(database: Database) -> list[str | None]:
    async with database.read() as work:
        return [(await work.questions.get(name)).answer for name in ("q1", "q2")]


async def test_each_question_is_shown_with_its_choices_and_answered(
    service: SessionService, database: Database
) -> None:
    """By number or in words; then the work goes on."""
    person = Person(service, "2", "a dark green")
    assert await person.asking.settle(TURN, set())
    assert await answers(database) == ["session", "a dark green"]
    assert person.labels == ["answer (1-4)> ", "answer> "]
    for words in ("May the engineer run `git push`?", "  1  once ", "exactly this command"):
        assert words in person.shown.getvalue()


async def test_a_wrong_answer_is_asked_again(service: SessionService, database: Database) -> None:
    """With the sentence that says what there is to answer."""
    person = Person(service, "perhaps", "", "no", "red")
    assert await person.asking.settle(TURN, set())
    assert await answers(database) == ["no", "red"]
    assert "'perhaps' is no answer" in person.shown.getvalue()
    assert "The answer is empty" in person.shown.getvalue()


async def test_who_leaves_is_not_asked_again(service: SessionService, database: Database) -> None:
    """The questions wait, and how to answer them later is said."""
    left: set[str] = set()
    person = Person(service)
    assert not await person.asking.settle(TURN, left)
    assert left == {"q1", "q2"}
    assert "`noctule sessions answer q1 ANSWER`" in person.shown.getvalue()
    assert not await Person(service, "once", "red").asking.settle(TURN, left)
    assert await answers(database) == [None, None]


async def test_what_was_answered_elsewhere_meanwhile_goes_on(
    service: SessionService, database: Database
) -> None:
    """The late answer is refused, and does not hold up the work."""

    class Late(Person):
        async def _type(self, label: str) -> str | None:
            if not self.labels:
                await service.answer("q1", "no")
            return await super()._type(label)

    person = Late(service, "always", "red")
    assert await person.asking.settle(TURN, set())
    assert await answers(database) == ["no", "red"]
    assert "answered before" in person.shown.getvalue()
    assert await service.grants() == []


async def test_nothing_is_asked_of_what_has_ended(service: SessionService) -> None:
    """Whoever has a reply needs no question."""
    person = Person(service, "once")
    assert not await person.asking.settle(a_turn(status=Status.DONE), set())
    assert person.labels == []


def test_nobody_is_asked_where_nobody_sits(service: SessionService) -> None:
    """Without a terminal, and without a screen, questions stay open."""
    assert open_asking(service, PlainScreen(StringIO(), StringIO())) is None
    assert open_asking(service, None) is None
