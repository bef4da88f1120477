"""What the buttons of a card do."""

from decimal import Decimal

from noctule.channels.telegram.cards import RAISE_TO, asleep_of, card_body, edit_key, models_of
from noctule.channels.telegram.hours import hour
from noctule.channels.telegram.letters import Letter
from noctule.channels.telegram.office import Office, Press
from noctule.channels.telegram.ownership import own_session
from noctule.channels.telegram.preferences import Preferences
from noctule.core.lifecycle import Status
from noctule.core.mail import OutgoingKind
from noctule.core.sleep import after_quiet_hours
from noctule.sessions.postponing import postpone_turn

ID_CHARS = 36
"""How long an id is; what follows it in a button is its own."""

_NIGHT = ("22:00", "07:00")
_AWAKE = "It does not sleep any more."


async def resume(office: Office, press: Press) -> str | None:
    """Go on now, on the named model if the button named one."""
    session_id, tag = press.argument[:ID_CHARS], press.argument[ID_CHARS:]
    await own_session(office, session_id, press.owner)
    model = models_of(tag, list(office.records.settings.models)) if tag else None
    if tag and model is None:
        return "That model is no longer configured."
    await office.records.desk.resume(session_id, model)
    return "It goes on." if model is None else f"It goes on with {model}."


async def wait(office: Office, press: Press) -> str | None:
    """Fold the buttons away: it wakes by itself."""
    await own_session(office, press.argument, press.owner)
    asleep = await _change(office, press, folded=True)
    return "It wakes by itself, and I tell you." if asleep else _AWAKE


async def cancel(office: Office, press: Press) -> str | None:
    """End the turn that sleeps."""
    await own_session(office, press.argument, press.owner)
    turn_id = None if press.under is None else press.under.turn_id
    if turn_id is None:
        turn_id = await _sleeper(office, press.argument)
    if turn_id is None:
        return _AWAKE
    await office.records.desk.stop(turn_id)
    return "Cancelled."


async def not_at_night(office: Office, press: Press) -> str | None:
    """Move the wake behind the quiet hours it lies in."""
    await own_session(office, press.argument, press.owner)
    wants = await Preferences.read(office, press.place)
    records = office.records
    async with records.database.work() as work:
        turn = await work.turns.oldest_unfinished(press.argument)
        if turn is None or turn.wake_at is None:
            return _AWAKE
        until = after_quiet_hours(turn.wake_at, wants.quiet_hours or _NIGHT, wants.zone)
        if until > turn.wake_at:
            await postpone_turn(work, turn, until)
            await work.commit()
    shown = hour(until, wants.zone, records.clock.now())
    if until == turn.wake_at:
        return f"It wakes {shown}: that is not at night."
    await _change(office, press)
    return f"It sleeps until {shown}."


async def raise_budget(office: Office, press: Press) -> str | None:
    """Let the session spend a dollar more than when it fell asleep, and go on."""
    session = await own_session(office, press.argument, press.owner)
    if session.budget_usd is None:
        return "It has no budget of its own."
    card = press.under
    asleep = await asleep_of(office, card.turn_id) if card is not None and card.turn_id else None
    if card is None or asleep is None or RAISE_TO not in card.body:
        return _AWAKE
    usd = Decimal(card.body[RAISE_TO])
    if session.budget_usd >= usd:
        return f"It may spend ${session.budget_usd:f} in all already."
    await office.records.desk.set_budget(session.id, usd)
    return f"It may spend ${usd:f} in all now, and goes on."


async def _sleeper(office: Office, session_id: str) -> str | None:
    """Return the turn a card is about that nobody knows any more; None when none sleeps."""
    async with office.records.database.read() as work:
        turn = await work.turns.oldest_unfinished(session_id)
    asleep = turn is not None and turn.status in {Status.PARKED, Status.WAITING}
    return turn.id if turn is not None and asleep else None


async def _change(office: Office, press: Press, *, folded: bool = False) -> bool:
    """Show the card as it is now; return whether it still sleeps."""
    card = press.under
    if card is None or card.turn_id is None:
        return True
    asleep = await asleep_of(office, card.turn_id)
    if asleep is None:
        return False
    wants = await Preferences.read(office, press.place)
    await office.outbox.post(
        Letter(
            press.place,
            edit_key(card.key),
            "card",
            card_body(office, press.place, asleep, wants, folded=folded),
            kind=OutgoingKind.EDIT,
            session_id=card.session_id,
            turn_id=card.turn_id,
            edits=card.key,
        )
    )
    return True
