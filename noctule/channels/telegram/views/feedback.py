"""Feedback: 👍, 👎 and *again on…* under an answer; ``noctule rate`` and costs read it."""

from collections.abc import Sequence
from dataclasses import replace

from noctule.channels.telegram.base.context import BotContext, ButtonPress
from noctule.channels.telegram.delivery.chat_ref import CHANNEL
from noctule.channels.telegram.delivery.outgoing import Button, OutgoingMessage
from noctule.channels.telegram.views.replies import rating_buttons
from noctule.core.base.roles import Role
from noctule.core.messaging.chats import WatchKind
from noctule.core.messaging.messages import OutboxMessage, OutgoingKind
from noctule.core.sessions.sessions import LOCAL_OWNER, Rating, Turn
from noctule.sessions.service.service import Request

GOOD, BAD, AGAIN, ON, BACK = "good", "bad", "again", "on", "back"
"""The verbs of its buttons."""

_MEANT = {
    **dict.fromkeys("👍❤🔥🎉👏💯🏆🤩🙏⚡", Rating.GOOD),
    **dict.fromkeys("👎💩🤮😡🤬😢", Rating.BAD),
}
_ANSWERS = frozenset({"reply", "stream"})
"""The purposes of messages that are an answer, or have become one."""

_PER_ROW = 2
_MOST_MODELS = 8


async def good(bot: BotContext, press: ButtonPress) -> str | None:
    """Note that the answer was good."""
    return await _rated(bot, press, Rating.GOOD, "Noted: good.")


async def bad(bot: BotContext, press: ButtonPress) -> str | None:
    """Note that the answer was bad."""
    return await _rated(bot, press, Rating.BAD, "Noted: bad.")


async def again(bot: BotContext, press: ButtonPress) -> str | None:
    """Offer the models that may answer again."""
    turn = await _turn(bot, press)
    if turn is None:
        return "I no longer have that message."
    models = await _models(bot, turn)
    if not models:
        return "There is no other model to ask."
    signer = bot.signer
    buttons = [
        signer.button(press.place, model[:30], ON, f"{turn.id}.{number}")
        for number, model in enumerate(models)
    ]
    rows = [buttons[at : at + _PER_ROW] for at in range(0, len(buttons), _PER_ROW)]
    rows.append([signer.button(press.place, "← back", BACK, turn.id)])
    await _show(bot, press, rows)
    return None


async def back(bot: BotContext, press: ButtonPress) -> str | None:
    """Show the first buttons again."""
    rows = rating_buttons(bot, press.place, press.argument)
    await _show(bot, press, [list(row) for row in rows])
    return None


async def on(bot: BotContext, press: ButtonPress) -> str | None:
    """Ask again, on another model; it counts against the first."""
    turn_id, _, number = press.argument.partition(".")
    turn = await _turn(bot, replace(press, argument=turn_id))
    if turn is None:
        return "I no longer have that message."
    async with bot.records.database.read() as work:
        session = await work.sessions.get(turn.session_id)
    models = await _models(bot, turn)
    if int(number) >= len(models):
        return "That model is no longer in the configuration."
    model = models[int(number)]
    async with bot.records.database.work() as work:
        await work.turns.rate(turn.id, Rating.AGAIN)
        await work.commit()
    new = await bot.records.service.submit(
        Request(
            text=turn.text,
            session_id=session.id,
            role=turn.role,
            model=model,
            private=turn.private,
            owner=session.owner,
            origin=f"{CHANNEL}:again:{turn.id}:{model}",
            attachments=turn.attachments,
        )
    )
    await bot.watching.watch(press.place, new.session_id, WatchKind.TALK, after=0)
    await _show(bot, press, [])
    return f"Asking {model}."


async def _rated(bot: BotContext, press: ButtonPress, verdict: Rating, said: str) -> str:
    turn = await _turn(bot, press)
    if turn is None:
        return "I no longer have that message."
    async with bot.records.database.work() as work:
        await work.turns.rate(turn.id, verdict)
        await work.commit()
    rows = rating_buttons(bot, press.place, turn.id, verdict)
    await _show(bot, press, [list(row) for row in rows])
    return said


async def reacted(bot: BotContext, owner: str, under: OutboxMessage, emoji: Sequence[str]) -> None:
    """Take a reaction to an answer as what it says of it; the newest one counts.

    Args:
        bot: what everybody works with.
        owner: whose sessions those of the person are.
        under: the message of ours they reacted to.
        emoji: how, all that stand there now.
    """
    verdict = next((_MEANT[one] for one in reversed(emoji) if one in _MEANT), None)
    if verdict is None or under.turn_id is None or under.purpose not in _ANSWERS:
        return
    async with bot.records.database.work() as work:
        turn = await work.turns.get(under.turn_id)
        session = await work.sessions.get(turn.session_id)
        if owner in {session.owner, LOCAL_OWNER}:
            await work.turns.rate(turn.id, verdict)
            await work.commit()


async def _turn(bot: BotContext, press: ButtonPress) -> Turn | None:
    async with bot.records.database.read() as work:
        turn = await work.turns.get(press.argument)
        session = await work.sessions.get(turn.session_id)
    mine = press.owner == session.owner or bot.gate.is_head(press.person)
    return turn if mine else None


async def _models(bot: BotContext, turn: Turn) -> list[str]:
    """Return the models the answering role is bound to, but the one that answered."""
    settings = bot.records.settings
    async with bot.records.database.read() as work:
        route = await work.routes.of_turn(turn.id)
        attempts = await work.attempts.list(turn_id=turn.id)
        session = await work.sessions.get(turn.session_id)
    role = turn.role or (route.roles[0] if route is not None and route.roles else Role.CHAT)
    used = {attempt.model for attempt in attempts if attempt.role == str(role)}
    bound = [*settings.roles[Role(role)].models, *settings.models]
    private = turn.private or session.private
    fits = [model for model in dict.fromkeys(bound) if not private or settings.is_local(model)]
    return [model for model in fits if model not in used][:_MOST_MODELS]


async def _show(bot: BotContext, press: ButtonPress, rows: list[list[Button]]) -> None:
    under = press.under
    if under is None:
        return
    body = {"buttons": [[[button.text, button.data] for button in row] for row in rows]}
    await bot.outbox.post(
        OutgoingMessage(
            press.place,
            f"{under.key}:buttons:{press.number}",
            "buttons",
            body,
            kind=OutgoingKind.EDIT,
            session_id=under.session_id,
            turn_id=under.turn_id,
            edits=under.key,
        )
    )
