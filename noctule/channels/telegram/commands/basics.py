"""``/start``, ``/help`` and ``/new``."""

from collections.abc import Callable, Iterable

from noctule.channels.telegram.base.context import BotContext, IncomingMessage, going_on
from noctule.channels.telegram.commands.command import Command, answer
from noctule.channels.telegram.commands.requests import after_session

Commands = Callable[[], Iterable[Command]]


def commands(every: Commands) -> tuple[Command, ...]:
    """Return the commands of this file.

    Args:
        every: returns all commands, for the help.
    """

    async def help_(bot: BotContext, said: IncomingMessage) -> None:
        wanted = said.text.removeprefix("/").strip().lower()
        known = {command.name: command for command in every()}
        if wanted in known:
            await answer(bot, said, _page(known[wanted]))
        else:
            lines = [
                f"{f'/{command.name} {command.usage}'.strip()}: {command.does}"
                for command in every()
            ]
            await answer(bot, said, "\n".join(lines))

    return (
        Command("start", "who I am", "", "Shows who I am and what I can do.", _start),
        Command("help", "what I can do", "[COMMAND]", "Lists the commands.", help_),
        Command(
            "new",
            "start a new conversation",
            "[TEXT]",
            "Your next message starts a new session; the old one stays in /sessions.",
            _new,
        ),
    )


async def _start(bot: BotContext, said: IncomingMessage) -> None:
    await answer(
        bot,
        said,
        "I'm Noctule. Talk to me, or give me work with /run; I'll tell you when it's parked, when "
        "it resumes and what it cost. /help lists what I can do.",
    )


async def _new(bot: BotContext, said: IncomingMessage) -> None:
    chat = await bot.chat(said.place, said.owner)
    async with bot.records.database.work() as work:
        await work.chats.put(going_on(after_session(chat), said.owner, None))
        await work.commit()
    if said.text:
        from noctule.channels.telegram.handlers.messages import on_message  # noqa: PLC0415 - it comes later

        await on_message(bot, said)
    else:
        await answer(bot, said, "A new conversation. What's it about?")


def _page(command: Command) -> str:
    return f"**/{command.name}** {command.usage}\n\n{command.help}"
