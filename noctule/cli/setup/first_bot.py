"""The Telegram bot's part of ``noctule init``: its token, and a link that pairs without typing."""

import os
import shutil
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from noctule.config import Loaded
    from noctule.core.settings import TelegramSettings

VARIABLE = "TELEGRAM_BOT_TOKEN"
_QUESTION = (
    "Token of your Telegram bot, from @BotFather (hidden as you type; press Enter to skip the bot)"
)


async def ask_token(base_url: str) -> str | None:
    """Ask for the token of a bot and check it with Telegram.

    Args:
        base_url: the Bot API prefix up to the token; "" means Telegram's own.

    Returns:
        The token, also when Telegram could not be asked; None when there will be no bot.
    """
    from noctule.core.settings import TelegramSettings  # noqa: PLC0415 - not for --help
    from noctule.doctor.telegram import introduction  # noqa: PLC0415 - likewise

    typed = click.prompt(_QUESTION, default="", show_default=False, hide_input=True, err=True)
    token = str(typed).strip()
    if not token:
        return None
    given = {"token": token, **({"base_url": base_url} if base_url else {})}
    said = await introduction(TelegramSettings.model_validate(given))
    if said.username is not None:
        click.echo(f"The bot is @{said.username}.", err=True)
        return token
    click.echo(said.trouble, err=True)
    if said.is_refused:
        click.echo("Continuing without a bot; run `noctule init` again to add one.", err=True)
        return None
    return token


def keep(values: Mapping[str, str]) -> Path | None:
    """Keep secrets in the environment file, and say where; None when it cannot be written.

    Args:
        values: by the variable's name.
    """
    from noctule.config.environment import environment_file, keep_in_file  # noqa: PLC0415 - likewise

    path = environment_file(os.environ)
    names = ", ".join(values)
    try:
        keep_in_file(path, values)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        click.echo(
            f"{path} cannot be written ({reason.lower()}). Export {names} before Noctule starts.",
            err=True,
        )
        return None
    click.echo(
        f"{names}: kept in {path}, which only you can read. The configuration only names the "
        "variable.",
        err=True,
    )
    return path


async def invite(loaded: "Loaded") -> bool:
    """Show a link and its QR code that make whoever opens it first the owner.

    Returns:
        Whether a link was shown. If not, somebody paired before, or a sentence says what happened.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - heavy
    from noctule.channels.telegram.base.access import AccessControl, Invitation  # noqa: PLC0415 - likewise
    from noctule.core.errors import NoctuleError  # noqa: PLC0415 - likewise
    from noctule.doctor.telegram import introduction  # noqa: PLC0415 - likewise

    settings: TelegramSettings = loaded.settings.telegram
    said = await introduction(settings)
    if said.username is None:
        click.echo(
            "`noctule serve` will show a link for your phone once Telegram answers.", err=True
        )
        return False
    try:
        async with open_records(loaded) as records:
            gate = AccessControl(settings, records.database, records.clock, say=click.echo)
            await gate.open()
            code = await gate.invite(Invitation.OF_INIT)
    except NoctuleError as error:
        click.echo(f"There is no link for your phone yet: {error}", err=True)
        return False
    if code is None:
        return False
    link = f"https://t.me/{said.username}?start={code}"
    click.echo(_drawn(link), err=True, nl=False)
    click.echo(
        f"Scan it with your phone, or open {link}\n"
        "and tap Start: the first person to do so becomes the owner. It works once, within 24 "
        "hours.",
        err=True,
    )
    return True


def _drawn(link: str) -> str:
    """Return a link as a QR code of half blocks; "" where the terminal cannot show one."""
    import segno  # noqa: PLC0415 - only here

    drawn = StringIO()
    segno.make(link, error="l", micro=False).terminal(drawn, compact=True, border=2)
    text = drawn.getvalue()
    width = max(map(len, text.splitlines()))
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except UnicodeEncodeError:
        return ""
    return text if width <= shutil.get_terminal_size().columns else ""
