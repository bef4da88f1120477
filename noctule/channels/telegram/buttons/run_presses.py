"""What the buttons of a status message do."""

from noctule.channels.telegram.base.context import BotContext, ButtonPress
from noctule.channels.telegram.base.hours import hour
from noctule.channels.telegram.base.ownership import own_session
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, plain
from noctule.channels.telegram.views.log_lines import log_line

_LINES = 25
_ALL = 1_000_000


async def stop(bot: BotContext, press: ButtonPress) -> str | None:
    """End the work; what it wrote and made stays."""
    await own_session(bot, press.argument, press.owner)
    turns = await bot.records.service.cancel(press.argument)
    return "Stopping." if turns else "It has already finished."


async def park(bot: BotContext, press: ButtonPress) -> str | None:
    """Let the work sleep until you resume it."""
    await own_session(bot, press.argument, press.owner)
    await bot.records.service.park(press.argument)
    return "It will park after the current step."


async def log(bot: BotContext, press: ButtonPress) -> str | None:
    """Show the last steps of the work."""
    session = await own_session(bot, press.argument, press.owner)
    wants = await Preferences.read(bot, press.place)
    now = bot.records.clock.now()
    async with bot.records.database.read() as work:
        events = await work.events.after(session.id, 0, limit=_ALL)
    said = [(event, line) for event in events if (line := log_line(event)) is not None]
    lines = [f"{hour(event.at, wants.zone, now)} {line}" for event, line in said[-_LINES:]]
    left_out = f"… {len(said) - _LINES} earlier steps\n" if len(said) > _LINES else ""
    text = f"{session.title or 'Work'}\n{left_out}" + "\n".join(lines)
    letter = OutgoingMessage(
        press.place,
        f"press:{press.place.chat}:{press.number}:log",
        "answer",
        plain(text, reply_to=press.message_id),
        session_id=session.id,
        silent=True,
    )
    await bot.outbox.post(letter)
    return None
