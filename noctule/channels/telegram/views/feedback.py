"""Feedback: 👍, 👎 and *again on…* under an answer; ``noctule rate`` and costs read it."""

from collections.abc import Sequence
from dataclasses import replace

from noctule.channels.telegram.base.context import Office, Press
from noctule.channels.telegram.delivery.chat_ref import CHANNEL
from noctule.channels.telegram.delivery.outgoing import Button, Letter
from noctule.channels.telegram.views.replies import rating_buttons
from noctule.core.base.roles import Role
from noctule.core.messaging.chats import WatchKind
from noctule.core.messaging.messages import Outgoing, OutgoingKind
from noctule.core.sessions.sessions import LOCAL_OWNER, Turn, Verdict
from noctule.sessions.service.service import Request

GOOD, BAD, AGAIN, ON, BACK = "good", "bad", "again", "on", "back"
"""The verbs of its buttons."""

_MEANT = {
    **dict.fromkeys("👍❤🔥🎉👏💯🏆🤩🙏⚡", Verdict.GOOD),
    **dict.fromkeys("👎💩🤮😡🤬😢", Verdict.BAD),
}
_ANSWERS = frozenset({"reply", "stream"})
"""The purposes of messages that are an answer, or have become one."""

_PER_ROW = 2
_MOST_MODELS = 8


async def good(office: Office, press: Press) -> str | None:
    """Note that the answer was good."""
    return await _rated(office, press, Verdict.GOOD, "Noted: good.")


async def bad(office: Office, press: Press) -> str | None:
    """Note that the answer was bad."""
    return await _rated(office, press, Verdict.BAD, "Noted: bad.")


async def again(office: Office, press: Press) -> str | None:
    """Offer the models that may answer again."""
    turn = await _turn(office, press)
    if turn is None:
        return "I no longer have that message."
    models = await _models(office, turn)
    if not models:
        return "There is no other model to ask."
    signer = office.signer
    buttons = [
        signer.button(press.place, model[:30], ON, f"{turn.id}.{number}")
        for number, model in enumerate(models)
    ]
    rows = [buttons[at : at + _PER_ROW] for at in range(0, len(buttons), _PER_ROW)]
    rows.append([signer.button(press.place, "← back", BACK, turn.id)])
    await _show(office, press, rows)
    return None


async def back(office: Office, press: Press) -> str | None:
    """Show the first buttons again."""
    rows = rating_buttons(office, press.place, press.argument)
    await _show(office, press, [list(row) for row in rows])
    return None


async def on(office: Office, press: Press) -> str | None:
    """Ask again, on another model; it counts against the first."""
    turn_id, _, number = press.argument.partition(".")
    turn = await _turn(office, replace(press, argument=turn_id))
    if turn is None:
        return "I no longer have that message."
    async with office.records.database.read() as work:
        session = await work.sessions.get(turn.session_id)
    models = await _models(office, turn)
    if int(number) >= len(models):
        return "That model is no longer in the configuration."
    model = models[int(number)]
    async with office.records.database.work() as work:
        await work.turns.rate(turn.id, Verdict.AGAIN)
        await work.commit()
    new = await office.records.desk.submit(
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
    await office.watching.watch(press.place, new.session_id, WatchKind.TALK, after=0)
    await _show(office, press, [])
    return f"Asking {model}."


async def _rated(office: Office, press: Press, verdict: Verdict, said: str) -> str:
    turn = await _turn(office, press)
    if turn is None:
        return "I no longer have that message."
    async with office.records.database.work() as work:
        await work.turns.rate(turn.id, verdict)
        await work.commit()
    rows = rating_buttons(office, press.place, turn.id, verdict)
    await _show(office, press, [list(row) for row in rows])
    return said


async def reacted(office: Office, owner: str, under: Outgoing, emoji: Sequence[str]) -> None:
    """Take a reaction to an answer as what it says of it; the newest one counts.

    Args:
        office: what everybody works with.
        owner: whose sessions those of the person are.
        under: the message of ours they reacted to.
        emoji: how, all that stand there now.
    """
    verdict = next((_MEANT[one] for one in reversed(emoji) if one in _MEANT), None)
    if verdict is None or under.turn_id is None or under.purpose not in _ANSWERS:
        return
    async with office.records.database.work() as work:
        turn = await work.turns.get(under.turn_id)
        session = await work.sessions.get(turn.session_id)
        if owner in {session.owner, LOCAL_OWNER}:
            await work.turns.rate(turn.id, verdict)
            await work.commit()


async def _turn(office: Office, press: Press) -> Turn | None:
    async with office.records.database.read() as work:
        turn = await work.turns.get(press.argument)
        session = await work.sessions.get(turn.session_id)
    mine = press.owner == session.owner or office.gate.is_head(press.person)
    return turn if mine else None


async def _models(office: Office, turn: Turn) -> list[str]:
    """Return the models the answering role is bound to, but the one that answered."""
    settings = office.records.settings
    async with office.records.database.read() as work:
        route = await work.routes.of_turn(turn.id)
        attempts = await work.attempts.list(turn_id=turn.id)
        session = await work.sessions.get(turn.session_id)
    role = turn.role or (route.roles[0] if route is not None and route.roles else Role.CHAT)
    used = {attempt.model for attempt in attempts if attempt.role == str(role)}
    bound = [*settings.roles[Role(role)].models, *settings.models]
    private = turn.private or session.private
    fits = [model for model in dict.fromkeys(bound) if not private or settings.is_local(model)]
    return [model for model in fits if model not in used][:_MOST_MODELS]


async def _show(office: Office, press: Press, rows: list[list[Button]]) -> None:
    under = press.under
    if under is None:
        return
    body = {"buttons": [[[button.text, button.data] for button in row] for row in rows]}
    await office.outbox.post(
        Letter(
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
