"""What agents remember for a person beyond one session."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from noctule.core.effects import EffectClass
from noctule.core.errors import NotFoundError
from noctule.core.ids import new_id
from noctule.core.notes import Note
from noctule.core.ports import UnitOfWork
from noctule.core.sessions import Session
from tools.tool import Tool, ToolContext, ToolError, ToolResult

_MOST_FOUND = 5
_BESIDE = " (from a session that read text of others)"


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
            stands = await _of_the_person(work, context, title)
            if stands and _is_steered(session):
                title += _BESIDE
            note = Note(
                id=new_id(context.clock),
                owner=context.owner,
                title=title,
                text=arguments.text,
                written_at=context.clock.now(),
                session_id=context.session_id,
            )
            await work.notes.put(note)
            await work.commit()
        told = f"Remembered as {title!r}."
        if title.endswith(_BESIDE):
            told += " The note that was there is the person's and stays as it was."
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
        """Find notes; those of private sessions stay out of sessions that are not."""
        async with context.database.read() as work:
            found = await work.notes.search(context.owner, arguments.words, limit=20)
            origins = {
                note.session_id: await _session(work, note.session_id)
                for note in found
                if note.session_id is not None
            }
        shown = [note for note in found if context.private or not _private(note, origins)]
        text = "\n\n".join(_paragraph(note) for note in shown[:_MOST_FOUND])
        if not shown:
            text = "Nothing is remembered that holds these words."
        if len(shown) < len(found):
            text += (
                f"\n\n{len(found) - len(shown)} more from private sessions can only be read there."
            )
        outside = any(_from_outside(note, origins) for note in shown[:_MOST_FOUND])
        return ToolResult(text, outside=outside, private=bool(shown))


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
            stands = await _of_the_person(work, context, arguments.title.strip())
            if stands and _is_steered(session):
                raise ToolError(
                    f"{arguments.title!r} was not forgotten: this session has read text of others, "
                    "which may be what wants it gone. Tell the person to ask for it in a new "
                    "session."
                )
            dropped = await work.notes.drop(context.owner, arguments.title.strip())
            await work.commit()
        if not dropped:
            raise ToolError(f"There is no note {arguments.title!r}. Use recall to see the titles.")
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


def _private(note: Note, origins: Mapping[str, Session | None]) -> bool:
    origin = origins.get(note.session_id or "")
    return origin is not None and origin.private


def _from_outside(note: Note, origins: Mapping[str, Session | None]) -> bool:
    """Whether a note may hold words of others: its session had read from outside by then."""
    origin = origins.get(note.session_id or "")
    if origin is None:
        return note.session_id is not None  # it was deleted: nobody knows any more
    return origin.outside_since is not None and origin.outside_since <= note.written_at


def _is_steered(session: Session | None) -> bool:
    return session is None or session.outside_since is not None


async def _of_the_person(work: UnitOfWork, context: ToolContext, title: str) -> bool:
    """Whether there is a note of a title that no text of others had a hand in."""
    note = await work.notes.get(context.owner, title)
    if note is None:
        return False
    origin = await _session(work, note.session_id)
    return not _from_outside(note, {note.session_id or "": origin})


def _paragraph(note: Note) -> str:
    return f"# {note.title} ({note.written_at.date().isoformat()})\n{note.text}"
