"""What agents remember for a person beyond one session."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from noctule.core.base.ids import new_id
from noctule.core.errors import NotFoundError
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.sessions import Session
from noctule.core.tools.effects import EffectClass
from noctule.core.tools.notes import Note
from tools.base.tool import Tool, ToolContext, ToolError, ToolResult

_MOST_FOUND = 5
_BESIDE = " (from a session that read text of others)"
_OPEN_BESIDE = " (from a session that is not private)"


class RememberArguments(BaseModel):
    """What to remember."""

    title: str = Field(
        min_length=1, max_length=100, description="A few words by which it is found again."
    )
    text: str = Field(min_length=1, max_length=8000, description="What to remember.")


class RecallArguments(BaseModel):
    """What to look for."""

    words: str = Field(
        default="", max_length=200, description="Words the note holds; leave out for the newest."
    )


class ForgetArguments(BaseModel):
    """What to forget."""

    title: str = Field(min_length=1, max_length=100, description="The note's exact title.")


class RememberTool(Tool[RememberArguments]):
    """Writes a note."""

    name: ClassVar[str] = "remember"
    family: ClassVar[str] = "notes"
    description: ClassVar[str] = (
        "Remember something about the person or their work for later sessions: preferences, names, "
        "decisions. The same title again replaces the text. Not for what belongs in a file. "
        'Example: {"title": "code style", "text": "Prefers tabs; tests with pytest."}'
    )
    arguments = RememberArguments
    effect = EffectClass.WRITE

    def subject(self, arguments: RememberArguments) -> str | None:
        """Return the title."""
        return arguments.title

    async def happened(
        self, arguments: RememberArguments, context: ToolContext, before: Mapping[str, Any]
    ) -> ToolResult | bool | None:
        """Return False: writing the same note again changes nothing."""
        return False

    async def run(self, arguments: RememberArguments, context: ToolContext) -> ToolResult:
        """Write a note; beside a note of the person's, where others may be steering the agent.

        Raises:
            ToolError: the message is private but its session is not.
        """
        title = arguments.title.strip()
        async with context.database.work() as work:
            session = await _session(work, context.session_id)
            if context.private and not (session is not None and session.private):
                # The note would say nothing of that, and other sessions may use hosted models.
                raise ToolError(
                    "This message is private and its session is not: a note of it could be read "
                    "elsewhere. Tell the person to have it remembered in a private session."
                )
            private = session is not None and session.private
            stands = await work.notes.get(context.owner, title)
            if stands is not None and stands.private and not private:
                title += _OPEN_BESIDE
            elif _is_steered(session) and await _of_the_person(work, stands):
                title += _BESIDE
            note = Note(
                id=new_id(context.clock),
                owner=context.owner,
                title=title,
                text=arguments.text,
                written_at=context.clock.now(),
                session_id=context.session_id,
                private=private,
            )
            await work.notes.put(note)
            await work.commit()
        told = f"Remembered as {title!r}."
        if title.endswith(_BESIDE):
            told += " The note that was there is the person's and stays as it was."
        elif title.endswith(_OPEN_BESIDE):
            told += " A note of a private session stays as it was."
        return ToolResult(told)


class RecallTool(Tool[RecallArguments]):
    """Finds notes."""

    name: ClassVar[str] = "recall"
    family: ClassVar[str] = "notes"
    description: ClassVar[str] = (
        "Look up what was remembered for the person in earlier sessions. Returns the notes that "
        'hold all the words, the best first, five at most. Example: {"words": "code style"}'
    )
    arguments = RecallArguments
    effect = EffectClass.READ

    def subject(self, arguments: RecallArguments) -> str | None:
        """Return the words."""
        return arguments.words or None

    async def run(self, arguments: RecallArguments, context: ToolContext) -> ToolResult:
        """Find notes; those of private sessions stay out of sessions that are not.

        Not even how many there are is told: by beginnings of words they could be guessed.
        """
        async with context.database.read() as work:
            found = await work.notes.search(
                context.owner, arguments.words, limit=_MOST_FOUND, private=context.private
            )
            outside = [_from_outside(note, await _session(work, note.session_id)) for note in found]
        text = "\n\n".join(map(_paragraph, found))
        if not found:
            text = "Nothing is remembered that holds these words."
            if not context.private:
                text += " Notes of private sessions, if there are any, can only be read there."
        return ToolResult(text, outside=any(outside), private=bool(found))


class ForgetTool(Tool[ForgetArguments]):
    """Drops a note."""

    name: ClassVar[str] = "forget"
    family: ClassVar[str] = "notes"
    description: ClassVar[str] = "Forget one note by its exact title, when the person asks for it."
    arguments = ForgetArguments
    effect = EffectClass.WRITE

    def subject(self, arguments: ForgetArguments) -> str | None:
        """Return the title."""
        return arguments.title

    async def happened(
        self, arguments: ForgetArguments, context: ToolContext, before: Mapping[str, Any]
    ) -> ToolResult | bool | None:
        """Return the result when the note is gone, else False."""
        async with context.database.read() as work:
            left = await work.notes.get(context.owner, arguments.title.strip())
        return False if left is not None else _forgotten(arguments)

    async def run(self, arguments: ForgetArguments, context: ToolContext) -> ToolResult:
        """Drop a note.

        Raises:
            ToolError: there is none of that title, or it is not this session's to drop.
        """
        async with context.database.work() as work:
            session = await _session(work, context.session_id)
            stands = await work.notes.get(context.owner, arguments.title.strip())
            if stands is None or (stands.private and not (session and session.private)):
                raise ToolError(
                    f"There is no note {arguments.title!r}. Use recall to see the titles."
                )
            if _is_steered(session) and await _of_the_person(work, stands):
                raise ToolError(
                    f"{arguments.title!r} was not forgotten: this session has read text of others, "
                    "which may be what wants it gone. Tell the person to ask for it in a new "
                    "session."
                )
            await work.notes.drop(context.owner, arguments.title.strip())
            await work.commit()
        return _forgotten(arguments)


def note_tools() -> Sequence[Tool[Any]]:
    """Return the tools of this family."""
    return RememberTool(), RecallTool(), ForgetTool()


def _forgotten(arguments: ForgetArguments) -> ToolResult:
    return ToolResult(f"Forgotten: {arguments.title.strip()!r}.")


async def _session(work: UnitOfWork, session_id: str | None) -> Session | None:
    if session_id is None:
        return None
    try:
        return await work.sessions.get(session_id)
    except NotFoundError:
        return None


def _from_outside(note: Note, origin: Session | None) -> bool:
    """Whether a note may hold words of others: its session had read from outside by then."""
    if origin is None:
        return note.session_id is not None  # it was deleted: nobody knows any more
    return origin.outside_since is not None and origin.outside_since <= note.written_at


def _is_steered(session: Session | None) -> bool:
    return session is None or session.outside_since is not None


async def _of_the_person(work: UnitOfWork, note: Note | None) -> bool:
    """Whether there is a note, and no text of others had a hand in it."""
    if note is None:
        return False
    return not _from_outside(note, await _session(work, note.session_id))


def _paragraph(note: Note) -> str:
    return f"# {note.title} ({note.written_at.date().isoformat()})\n{note.text}"
