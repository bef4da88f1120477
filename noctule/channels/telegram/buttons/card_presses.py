"""What the buttons of a card do."""

from decimal import Decimal

from noctule.channels.telegram.base.context import BotContext, ButtonPress
from noctule.channels.telegram.base.hours import hour
from noctule.channels.telegram.base.ownership import own_session
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage
from noctule.channels.telegram.views.cards import (
    EVERYTHING,
    RAISE_TO,
    WAITS,
    card_now,
    edit_key,
    models_of,
)
from noctule.channels.telegram.views.parked_turns import asleep_of, group_again
from noctule.core.messaging.messages import OutgoingKind
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parking_policy import after_quiet_hours
from noctule.core.sessions.sessions import LOCAL_OWNER
from noctule.sessions.service.postpone import postpone_turn

ID_CHARS = 36
"""How long an id is; what follows it in a button is its own."""

_NIGHT = ("22:00", "07:00")
_AWAKE = "It is no longer parked."


async def resume(bot: BotContext, press: ButtonPress) -> str | None:
    """Go on now, on the named model if the button named one."""
    what, tag = _what(press)
    model = models_of(tag, list(bot.records.settings.models)) if tag else None
    if tag and model is None:
        return "That model is no longer configured."
    sleepers = await _meant(bot, press, what)
    if not sleepers:
        return _AWAKE
    for session_id in sleepers:
        await bot.records.service.resume(session_id, model)
    on = "" if model is None else f" with {model}"
    return f"Resuming{on}." if len(sleepers) == 1 else f"Resuming all {len(sleepers)}{on}."


async def wait(bot: BotContext, press: ButtonPress) -> str | None:
    """Take that button away: it wakes by itself; the others stay."""
    await _meant(bot, press, press.argument)
    asleep = await _change(bot, press, **{WAITS: True})
    return "It will wake by itself; I'll let you know." if asleep else _AWAKE


async def cancel(bot: BotContext, press: ButtonPress) -> str | None:
    """End what sleeps."""
    sleepers = await _meant(bot, press, press.argument)
    turns = [await _sleeper(bot, session_id) for session_id in sleepers]
    ended = [turn_id for turn_id in turns if turn_id is not None]
    for turn_id in ended:
        await bot.records.service.stop(turn_id)
    if not ended:
        return _AWAKE
    return "Cancelled." if len(ended) == 1 else f"Cancelled: {len(ended)}."


async def not_at_night(bot: BotContext, press: ButtonPress) -> str | None:
    """Move the wake behind the quiet hours it lies in."""
    wants = await Preferences.read(bot, press.place)
    records, latest, moved = bot.records, None, False
    for session_id in await _meant(bot, press, press.argument):
        async with records.database.work() as work:
            turn = await work.turns.oldest_unfinished(session_id)
            if turn is None or turn.wake_at is None:
                continue
            until = after_quiet_hours(turn.wake_at, wants.quiet_hours or _NIGHT, wants.zone)
            latest = until if latest is None else max(latest, until)
            if until > turn.wake_at:
                await postpone_turn(work, turn, until)
                await work.commit()
                moved = True
    if latest is None:
        return _AWAKE
    shown = hour(latest, wants.zone, records.clock.now())
    if not moved:
        return f"It wakes {shown}, outside your quiet hours."
    await _change(bot, press)
    return f"Parked until {shown}."


async def raise_budget(bot: BotContext, press: ButtonPress) -> str | None:
    """Let the session spend a dollar more than when it fell asleep, and go on."""
    session = await own_session(bot, press.argument, press.owner)
    if session.budget_usd is None:
        return "It has no budget of its own."
    card = press.under
    asleep = await asleep_of(bot, card.turn_id) if card is not None and card.turn_id else None
    if card is None or asleep is None or RAISE_TO not in card.body:
        return _AWAKE
    usd = Decimal(card.body[RAISE_TO])
    if session.budget_usd >= usd:
        return f"Its limit is already ${session.budget_usd:f}."
    await bot.records.service.set_budget(session.id, usd)
    return f"Its limit is now ${usd:f}; resuming."


def _what(press: ButtonPress) -> tuple[str, str]:
    """Return what a button is about, and what else it carries."""
    length = 1 if press.argument.startswith(EVERYTHING) else ID_CHARS
    return press.argument[:length], press.argument[length:]


async def _meant(bot: BotContext, press: ButtonPress, what: str) -> list[str]:
    """Return the sessions a button is about; of a limit, those a person may order about.

    Raises:
        UsageError: it is about one that is somebody else's.
    """
    if what != EVERYTHING:
        await own_session(bot, what, press.owner)
        return [what]
    card = press.under
    group = None if card is None else await group_again(bot, press.place, card.body, card.key)
    sleepers = () if group is None else group.sleepers
    mine = [one.session for one in sleepers if press.owner in {one.session.owner, LOCAL_OWNER}]
    return list(dict.fromkeys(session.id for session in mine))


async def _sleeper(bot: BotContext, session_id: str) -> str | None:
    """Return the turn of a session that sleeps; None when none does."""
    async with bot.records.database.read() as work:
        turn = await work.turns.oldest_unfinished(session_id)
    asleep = turn is not None and turn.status in {Status.PARKED, Status.WAITING}
    return turn.id if turn is not None and asleep else None


async def _change(bot: BotContext, press: ButtonPress, **changes: bool) -> bool:
    """Show the card as it is now; return whether something still sleeps."""
    card = press.under
    if card is None or card.turn_id is None:
        return True
    group = await group_again(bot, press.place, card.body, card.key)
    asleep = group.sleepers[0] if group is not None and group.sleepers else None
    asleep = asleep or await asleep_of(bot, card.turn_id)
    if asleep is None:
        return False
    await bot.outbox.post(
        OutgoingMessage(
            press.place,
            edit_key(card.key),
            "card",
            await card_now(bot, press.place, card.key, group, asleep, **changes),
            kind=OutgoingKind.EDIT,
            session_id=card.session_id,
            turn_id=card.turn_id,
            edits=card.key,
        )
    )
    return True
