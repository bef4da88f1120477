"""Doubts: what stands in front of a piece of work is nearly an option; the person says what it is.

The question carries everything that was said, so that it can be answered after a restart as well.
"""

import hashlib
from collections.abc import Awaitable, Callable

from noctule.channels.telegram.base.context import Office, Part, Press, Said
from noctule.channels.telegram.base.hours import hour
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.commands.run_words import Offer, Unsure
from noctule.channels.telegram.delivery.outgoing import Letter, plain
from noctule.channels.telegram.inbound.update_reader import SAID
from noctule.core.errors import UsageError
from noctule.core.messaging.messages import OutgoingKind

MEANT = "meant"
"""The verb of its buttons."""

_WORK = "work"
_NOTHING = "x"
_LABEL_CHARS = 40

Begin = Callable[[Office, Said], Awaitable[None]]
"""Begins a piece of work from what was said."""


async def ask(office: Office, said: Said, doubt: Unsure) -> None:
    """Ask what was meant; nothing has begun."""
    wants = await Preferences.read(office, said.place)
    now = office.records.clock.now()
    signer = office.signer
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
    await office.outbox.post(Letter(said.place, key, "answer", body))


def press(begin: Begin) -> Callable[[Office, Press], Awaitable[str | None]]:
    """Return what takes a press on one of the answers.

    Args:
        begin: begins the work once it is clear.
    """

    async def pressed(office: Office, press: Press) -> str | None:
        work = None if press.under is None else press.under.body.get(_WORK)
        if press.under is None or work is None:
            return "I no longer have that message. Please send it again."
        if work["person"] != press.person:
            return "Only its author can say what it means."
        if press.argument == _NOTHING:
            await _close(office, press, "Not started.")
            return None
        text = work["texts"][int(press.argument)]
        found = [Part.read({"update_id": 0, SAID: raw}, office.bot) for raw in work["parts"]]
        parts = tuple(part for part in found if part is not None)
        if not parts:
            raise UsageError("I can no longer read that message. Please send it again.")
        said = Said(work["number"], press.place, press.person, press.owner, text, parts)
        await begin(office, said)
        await _close(office, press, f"→ /run {text}")
        return None

    return pressed


def _label(offer: Offer, at: str) -> str:
    if at:
        return f"start {at}"
    return (offer.option or "now: all of it is the task")[:_LABEL_CHARS]


async def _close(office: Office, press: Press, told: str) -> None:
    under = press.under
    if under is None:
        return
    edit = Letter(
        press.place,
        f"{under.key}:closed",
        "answer",
        plain(told),
        kind=OutgoingKind.EDIT,
        edits=under.key,
    )
    await office.outbox.post(edit)
