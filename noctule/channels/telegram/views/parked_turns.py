"""Sleepers: turns at rest as cards show them, those of one limit and one chat together."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from noctule.channels.telegram.base.context import BotContext
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.core.llm.limits import LimitKey
from noctule.core.llm.spending import total_usd
from noctule.core.ports.database import UnitOfWork
from noctule.core.reports.overview import first_to_wake
from noctule.core.sessions.alternatives import alternative_model
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import Parking, ParkingKind
from noctule.core.sessions.sessions import Session, Turn

LIMIT = "limit"
"""Under which key a card of a limit says which."""

MOST_SHOWN = 12
_DIGEST_CHARS = 12


@dataclass(frozen=True, slots=True)
class Asleep:
    """A turn at rest, with everything a card says.

    Args:
        session: its session.
        turn: the turn.
        parkings: its open ones.
        cost_usd: of the turn so far; None when unknown.
        role: who was refused; None when nobody was asked yet.
        understudy: a model that would answer now; None when there is none.
    """

    session: Session
    turn: Turn
    parkings: tuple[Parking, ...]
    cost_usd: Decimal | None
    role: str | None
    understudy: str | None

    @property
    def first(self) -> Parking | None:
        """What decides when it goes on; an open question only when there is nothing else."""
        others = [p for p in self.parkings if not p.is_open_question]
        return first_to_wake(others) or first_to_wake(self.parkings)

    @property
    def only_asks(self) -> bool:
        """Whether it waits for answers and for nothing else: its questions say so themselves."""
        return bool(self.parkings) and all(p.is_open_question for p in self.parkings)


@dataclass(frozen=True, slots=True)
class Group:
    """What sleeps on one limit and is told of in one chat.

    Args:
        key: the limit.
        card: the key of its card in the outbox: another one each time the limit begins anew.
        sleepers: the oldest of those that sleep, at most ``MOST_SHOWN``.
        count: how many there are in all.
    """

    key: LimitKey
    card: str
    sleepers: tuple[Asleep, ...]
    count: int

    @property
    def mark(self) -> dict[str, Any]:
        """What a card carries so that its group is found again, after a restart too."""
        return asdict(self.key)


async def asleep_of(bot: BotContext, turn_id: str) -> Asleep | None:
    """Return a turn at rest; None when it is not."""
    records = bot.records
    async with records.database.read() as work:
        turn = await work.turns.get(turn_id)
        if turn.status not in {Status.PARKED, Status.WAITING}:
            return None
        session = await work.sessions.get(turn.session_id)
        parkings = await work.parkings.open_of_turn(turn_id)
        attempts = await work.attempts.list(turn_id=turn_id)
        limits = await work.limits.list()
    role = attempts[0].role if attempts else None
    private = session.private or turn.private
    return Asleep(
        session=session,
        turn=turn,
        parkings=tuple(parkings),
        cost_usd=total_usd(attempts),
        role=role,
        understudy=alternative_model(
            records.settings,
            role=role or records.settings.default_role,
            refused=parkings,
            limits=limits,
            private=private,
            now=records.clock.now(),
        ),
    )


async def group_of(bot: BotContext, place: ChatRef, asleep: Asleep) -> Group | None:
    """Return the group a sleeper belongs to; None when it sleeps on nothing others sleep on."""
    first = asleep.first
    if first is None or first.kind is not ParkingKind.LIMIT or first.key is None:
        return None
    async with bot.records.database.read() as work:
        limits = await work.limits.list()
    limit = next((one for one in limits if one.key == first.key), None)
    if limit is None or asleep.turn.wake_at is None:
        return None
    told = f"{first.key}|{(limit.since or limit.set_at).isoformat()}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:_DIGEST_CHARS]
    return await _gathered(bot, place, first.key, f"card:{LIMIT}:{digest}:{place}")


async def group_again(
    bot: BotContext, place: ChatRef, body: Mapping[str, Any], card: str
) -> Group | None:
    """Return the group a card was made for, as it is now; None when it was made for one turn.

    Args:
        bot: what everybody works with.
        place: where the card is.
        body: of the card, or of the mark that leads to it.
        card: its key.
    """
    mark = body.get(LIMIT)
    return None if mark is None else await _gathered(bot, place, LimitKey(**mark), card)


async def _gathered(bot: BotContext, place: ChatRef, key: LimitKey, card: str) -> Group:
    async with bot.records.database.read() as work:
        turns = await _told_here(work, place, key)
    found = [await asleep_of(bot, turn_id) for turn_id in turns[:MOST_SHOWN]]
    sleepers = [one for one in found if one is not None]
    gone = len(found) - len(sleepers)
    return Group(key, card, tuple(sleepers), len(turns) - gone)


async def _told_here(work: UnitOfWork, place: ChatRef, key: LimitKey) -> list[str]:
    watched = {watch.session_id for watch in await work.chats.watches(CHANNEL, place=str(place))}
    parkings = await work.parkings.open_on(key)
    return list(dict.fromkeys(p.turn_id for p in parkings if p.session_id in watched))
