"""Doubts: what stands in front of a piece of work is nearly an option; the person says what it is.

The question carries everything that was said, so that it can be answered after a restart as well.
"""

import hashlib
from collections.abc import Awaitable, Callable

from noctule.channels.telegram.base.context import (
    BotContext,
    ButtonPress,
    IncomingMessage,
    MessagePart,
)
from noctule.channels.telegram.base.hours import hour
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.commands.run_words import RunSuggestion, Unsure
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, plain
from noctule.channels.telegram.inbound.update_reader import SAID
from noctule.core.errors import UsageError
from noctule.core.messaging.messages import OutgoingKind

MEANT = "meant"
"""The verb of its buttons."""

_WORK = "work"
_NOTHING = "x"
_LABEL_CHARS = 40

Begin = Callable[[BotContext, IncomingMessage], Awaitable[None]]
"""Begins a piece of work from what was said."""


async def ask(bot: BotContext, said: IncomingMessage, doubt: Unsure) -> None:
    """Ask what was meant; nothing has begun."""
    wants = await Preferences.read(bot, said.place)
    now = bot.records.clock.now()
    signer = bot.signer
    rows = [
        [
            signer.button(said.place, _label(offer, hour(offer.moment, wants.zone, now)), MEANT, at)
            if offer.moment is not None
            else signer.button(said.place, _label(offer, ""), MEANT, at)
        ]
        for at, offer in ((str(number), offer) for number, offer in enumerate(doubt.offers))
    ]
    rows.append([signer.button(said.place, "✕ don't start", MEANT, _NOTHING)])
    body = plain(f"{doubt.problem} I haven't started. What did you mean?", buttons=rows)
    body[_WORK] = {
        "number": said.number,
        "person": said.person,
        "owner": said.owner,
        "texts": [offer.text for offer in doubt.offers],
        "parts": [dict(part.raw) for part in said.parts],
    }
    digest = hashlib.sha256(said.text.encode()).hexdigest()[:8]
    key = said.key(f"doubt:{digest}")
    await bot.outbox.post(OutgoingMessage(said.place, key, "answer", body))


def press(begin: Begin) -> Callable[[BotContext, ButtonPress], Awaitable[str | None]]:
    """Return what takes a press on one of the answers.

    Args:
        begin: begins the work once it is clear.
    """

    async def pressed(bot: BotContext, press: ButtonPress) -> str | None:
        work = None if press.under is None else press.under.body.get(_WORK)
        if press.under is None or work is None:
            return "I no longer have that message. Please send it again."
        if work["person"] != press.person:
            return "Only its author can say what it means."
        if press.argument == _NOTHING:
            await _close(bot, press, "Not started.")
            return None
        text = work["texts"][int(press.argument)]
        found = [MessagePart.read({"update_id": 0, SAID: raw}, bot.bot) for raw in work["parts"]]
        parts = tuple(part for part in found if part is not None)
        if not parts:
            raise UsageError("I can no longer read that message. Please send it again.")
        said = IncomingMessage(work["number"], press.place, press.person, press.owner, text, parts)
        await begin(bot, said)
        await _close(bot, press, f"→ /run {text}")
        return None

    return pressed


def _label(offer: RunSuggestion, at: str) -> str:
    if at:
        return f"start {at}"
    return (offer.option or "now: all of it is the task")[:_LABEL_CHARS]


async def _close(bot: BotContext, press: ButtonPress, told: str) -> None:
    under = press.under
    if under is None:
        return
    edit = OutgoingMessage(
        press.place,
        f"{under.key}:closed",
        "answer",
        plain(told),
        kind=OutgoingKind.EDIT,
        edits=under.key,
    )
    await bot.outbox.post(edit)
