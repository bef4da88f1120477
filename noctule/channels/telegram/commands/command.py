"""What a command is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from noctule.channels.telegram.letters import Letter, formatted
from noctule.channels.telegram.office import Office, Said


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Args:
        name: without the slash: small letters, digits, ``_``.
        does: a few words for the menu, at most 256 characters.
        usage: what may follow it, like ``TEXT``; "" for nothing.
        help: more words for ``/help COMMAND``, in Markdown.
        deal: does it.
    """

    name: str
    does: str
    usage: str
    help: str
    deal: Callable[[Office, Said], Awaitable[None]]


async def answer(office: Office, said: Said, markdown: str, *, what: str = "answer") -> None:
    """Answer a command; said twice for the same message it is sent once.

    Args:
        office: what everybody works with.
        said: the command.
        markdown: the answer.
        what: tells several answers to one command apart.
    """
    bodies = formatted(markdown)
    await office.outbox.post(
        *(
            Letter(said.place, said.key(f"{what}:{number}"), "answer", body)
            for number, body in enumerate(bodies)
        )
    )
