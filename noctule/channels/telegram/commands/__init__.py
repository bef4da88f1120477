"""Commands: everything that begins with a slash, one file per subject."""

from telegram import BotCommand

from noctule.channels.telegram.commands import (
    basics,
    choosing,
    running,
    sessions,
    settings,
    spending,
)
from noctule.channels.telegram.commands.command import Command, polite


def _every() -> list[Command]:
    return list(COMMANDS.values())


COMMANDS: dict[str, Command] = {
    command.name: polite(command)
    for command in (
        *basics.commands(_every),
        *running.commands(),
        *sessions.commands(),
        *spending.commands(),
        *choosing.commands(),
        *settings.commands(),
    )
}
"""Every command by its name, in the order of the menu."""


def menu() -> list[BotCommand]:
    """Return the commands as Telegram shows them in its menu."""
    return [BotCommand(command.name, command.does) for command in COMMANDS.values()]
