"""What a command is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from noctule.channels.telegram.base.context import BotContext, IncomingMessage
from noctule.channels.telegram.base.error_text import error_text
from noctule.channels.telegram.delivery.markdown import bare
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, formatted
from noctule.core.errors import NotFoundError, UsageError


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
    deal: Callable[[BotContext, IncomingMessage], Awaitable[None]]


async def answer(
    bot: BotContext, said: IncomingMessage, markdown: str, *, what: str = "answer"
) -> None:
    """Answer a command; said twice for the same message it is sent once.

    Args:
        bot: what everybody works with.
        said: the command.
        markdown: the answer.
        what: tells several answers to one command apart.
    """
    bodies = formatted(markdown)
    await bot.outbox.post(
        *(
            OutgoingMessage(said.place, said.key(f"{what}:{number}"), "answer", body)
            for number, body in enumerate(bodies)
        )
    )


def polite(command: Command) -> Command:
    """Return the command so that what it cannot do is said in the chat, at once."""

    async def deal(bot: BotContext, said: IncomingMessage) -> None:
        try:
            await command.deal(bot, said)
        except (UsageError, NotFoundError) as error:
            await answer(bot, said, bare(error_text(error)), what="refused")

    return replace(command, deal=deal)
