"""Answers and remarks of a person to a session that waits or works."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from noctule.channels.terminal.question_page import how_to_answer, question_lines
from noctule.channels.terminal.screens.printable import shown
from noctule.cli.frame.documents import question_document
from noctule.cli.frame.invocation import Invocation
from noctule.cli.sessions.orders import go_on
from noctule.core.errors import NotFoundError, UsageError
from noctule.core.sessions.questions import Question
from noctule.core.sessions.sessions import LOCAL_OWNER, Session
from noctule.core.tools.approval_text import reveal_hidden

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.core.ports.database import UnitOfWork


_TITLE_CHARS = 200


async def respond(
    invocation: Invocation, records: "Records", name: str, answer: str | None, *, full: bool = False
) -> int:
    """Answer the question an id names, or the one open question of a session; then it goes on.

    Args:
        invocation: how it is told.
        records: where it is kept.
        name: a question or a session, or a unique beginning of an id.
        answer: a choice, its number, or free text; None only shows what is asked.
        full: whether all of what a long approval is about is shown.

    Raises:
        NotFoundError: there is neither.
        UsageError: the session has no open question, or several; or the answer is refused.
    """
    if answer is None:
        return await _show(invocation, records, name, full=full)
    return await _answer(invocation, records, name, answer)


async def _show(invocation: Invocation, records: "Records", name: str, *, full: bool) -> int:
    async with records.database.read() as work:
        questions = await _named(work, name)
        sessions = [await work.sessions.get(question.session_id) for question in questions]
    if invocation.as_json:
        invocation.print_document([question_document(one, records.zone) for one in questions])
        return 0
    for question, session in zip(questions, sessions, strict=True):
        click.echo(shown(_whose(session)))
        for line in question_lines(question):
            click.echo(shown(line))
        if full and question.subject is not None:
            click.echo(f"All of it, {len(question.subject):,} characters:")
            click.echo(reveal_hidden(question.subject, most=10 * len(question.subject)))
        if question.answered_at is None:
            click.echo(how_to_answer(question))
        else:
            click.echo(shown(f"Answered: {question.answer or '(sent on without an answer)'}"))
    if not questions:
        click.echo("It no longer waits for an answer.")
    return 0


def _whose(session: Session) -> str:
    """Return for whom a session asks, and on whose account a yes counts."""
    title = reveal_hidden(session.title or "(untitled)", most=_TITLE_CHARS)
    if session.owner == LOCAL_OWNER:
        return f"Session {session.id} (\u201c{title}\u201d), yours:"
    return (
        f"Session {session.id} (\u201c{title}\u201d) of {session.owner}, not yours; a yes lets it "
        "act on this machine under your account, at your cost:"
    )


async def _answer(invocation: Invocation, records: "Records", name: str, answer: str) -> int:
    async with records.database.read() as work:
        question = _only(await _named(work, name), name)
        after = await work.events.last_seq(question.session_id)
    question = await records.service.answer(question.id, answer)
    async with records.database.read() as work:
        turn = await work.turns.get(question.turn_id)
    return await go_on(invocation, records, turn, after, what="sessions answer")


async def steer(invocation: Invocation, records: "Records", name: str, text: str) -> None:
    """Say something to a session while it works.

    Raises:
        NotFoundError: there is no such session.
        UsageError: nothing of it is unfinished.
    """
    remark = await records.service.steer(name, text)
    if invocation.as_json:
        invocation.print_document({"turn": remark.turn_id, "steer": remark.id})
    else:
        click.echo("Sent. The agent will read it before its next step.")


async def _named(work: "UnitOfWork", name: str) -> Sequence[Question]:
    """Return a question by its id, or the open ones of a session: a beginning of both means it."""
    question: Question | None
    try:
        question = await work.questions.get(name)
    except NotFoundError:
        question = None
    if question is not None and question.id == name:
        return [question]
    session = await _session(work, name)
    if session is not None:
        return await work.questions.open(session_id=session.id)
    if question is None:
        raise NotFoundError("question or session", name, "noctule sessions")
    return [question]


async def _session(work: "UnitOfWork", name: str) -> Session | None:
    try:
        return await work.sessions.get(name)
    except NotFoundError:
        return None


def _only(questions: Sequence[Question], name: str) -> Question:
    if len(questions) == 1:
        return questions[0]
    if not questions:
        raise UsageError(
            f"Session {name} is not waiting for an answer. See how far it is with "
            f"`noctule sessions show {name}`, or write to a running one with "
            "`noctule sessions steer`."
        )
    listed = ", ".join(question.id for question in questions)
    raise UsageError(
        f"Session {name} waits for {len(questions)} answers. Name the question: {listed}."
    )
