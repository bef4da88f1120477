"""Beforehand: what a piece of work would stop and ask for, in one message with one button.

Only the owner of the data folder is told: nobody else may allow anything. The work begins
meanwhile; what is not allowed is asked about when it comes to that.
"""

from noctule.channels.telegram.base.context import BotContext, ButtonPress, IncomingMessage
from noctule.channels.telegram.base.ownership import own_session
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, plain
from noctule.core.messaging.messages import OutgoingKind
from noctule.core.sessions.sessions import Turn
from noctule.core.tools.approval_text import reveal_hidden
from noctule.sessions.service.foresight import foreseen
from noctule.sessions.service.service import Request

ALLOW = "w-allow"
"""The verb of its button, which only the owner of the data folder may press."""

_RULES = "allow"
_RULE_CHARS = 200


async def offer(bot: BotContext, said: IncomingMessage, request: Request, turn: Turn) -> None:
    """Say what the work would ask for, if there is any of it and the person may allow it.

    Args:
        bot: what everybody works with.
        said: what began the work.
        request: the work, as it was submitted.
        turn: what became of it.
    """
    if request.allow or not bot.gate.is_head(said.person):
        return
    records = bot.records
    found = await foreseen(request, records.settings, records.database, records.clock, records.home)
    if request.not_before is None:
        found = [item for item in found if not item.by_rule]
    if not found:
        return
    lines = [f"• {reveal_hidden(item.rule, most=_RULE_CHARS)}: {item.means}." for item in found]
    button = bot.signer.button(said.place, "✓ allow all of it", ALLOW, turn.session_id)
    body = plain(
        "It would stop and ask you for this:\n"
        + "\n".join(lines)
        + "\n\nAllowed here, it holds for "
        "this task until it ends. Otherwise I'll ask about each when it comes up.",
        buttons=[[button]],
    )
    body[_RULES] = [item.rule for item in found]
    key = said.key("beforehand")
    letter = OutgoingMessage(
        said.place, key, "answer", body, session_id=turn.session_id, turn_id=turn.id, silent=True
    )
    await bot.outbox.post(letter)


async def press(bot: BotContext, press: ButtonPress) -> str | None:
    """Allow what the message says, for that piece of work."""
    session = await own_session(bot, press.argument, press.owner)
    rules = None if press.under is None else press.under.body.get(_RULES)
    if press.under is None or not rules:
        return "I no longer have that message. You can answer when it asks."
    if not await bot.records.service.allow_run(session.id, tuple(map(str, rules))):
        return "It has already finished."
    told = f"→ Allowed for this task: {', '.join(rules)}."
    edit = OutgoingMessage(
        press.place,
        f"{press.under.key}:closed",
        "answer",
        plain(reveal_hidden(told, most=_RULE_CHARS * len(rules))),
        kind=OutgoingKind.EDIT,
        edits=press.under.key,
    )
    await bot.outbox.post(edit)
    return "Allowed."
