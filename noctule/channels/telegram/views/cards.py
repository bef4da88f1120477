"""Cards: what sleeps, why, until when and what it has cost; with what can be done about it.

There is one card for each limit in each chat, however much sleeps on it. It is sent when the first
turn falls asleep, changed while others join, wake or end, and says what came of it.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from noctule.channels.telegram.base.amounts import shown_cost
from noctule.channels.telegram.base.context import BotContext
from noctule.channels.telegram.base.headlines import headline
from noctule.channels.telegram.base.hours import hour, left
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.base.subscriptions import ViewSender
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.outgoing import Button, OutgoingMessage, plain
from noctule.channels.telegram.views import questions
from noctule.channels.telegram.views.parked_turns import (
    LIMIT,
    Asleep,
    Group,
    asleep_of,
    group_again,
    group_of,
)
from noctule.core.budgets.budget_scopes import RUN_BUDGET
from noctule.core.llm.events import Event, EventKind
from noctule.core.messaging.chats import WatchKind
from noctule.core.messaging.messages import OutboxMessage, OutgoingKind, OutgoingState
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import ParkingKind
from noctule.core.times.durations import show_duration

RESUME, WAIT, CANCEL, NOT_AT_NIGHT, RAISE = "go", "wait", "cancel", "day", "raise"

RAISE_TO = "raise_to"
"""Under which key a card says what its button raises the budget to: twice pressed, once raised."""

WAITS = "waits"
"""Under which key a card says that somebody has chosen to wait."""

EVERYTHING = "*"
"""What a button of a card carries that is about all that sleeps on its limit."""

MORE_USD = Decimal(1)
"""What the button adds to the budget the session had when it fell asleep."""

_QUIET_NAP_S = 120.0
"""A shorter sleep is not worth a sound."""

_ONE_LINE_S = 600.0
"""What wakes within so long of each other is told in one line."""


async def parked(bot: BotContext, telling: ViewSender, event: Event) -> list[OutgoingMessage]:
    """Return the card of a turn that fell asleep; nothing when it only waits for an answer.

    Where a card of its limit stands already, that one is changed.
    """
    place = telling.place
    asleep = await asleep_of(bot, event.turn_id)
    if asleep is None or asleep.only_asks:
        return []  # told late: it goes on already
    wants = await Preferences.read(bot, place)
    own = card_key(event, place)
    group = await group_of(bot, place, asleep)
    key = own if group is None else group.card
    async with bot.records.database.read() as work:
        stands = None if group is None else await work.outbox.by_key(CHANNEL, key)
    body = await card_now(bot, place, key, group, asleep)
    joined: list[OutgoingMessage] = []
    if stands is not None:
        card = _edit(place, key, event, body)
        if telling.watch.kind is WatchKind.TALK:
            joined.append(_joined(telling, event, own))
    else:
        quiet = wants.is_quiet(bot.records.clock.now())
        card = _letter(place, key, event, body, silent=quiet)
    if group is None:
        return [card]
    mark = OutgoingMessage(
        place,
        own,
        "card",
        {LIMIT: group.mark},
        kind=OutgoingKind.EDIT,
        session_id=event.session_id,
        turn_id=event.turn_id,
        edits=key,
        noted=True,
    )
    return [card, mark, *joined]


async def woken(bot: BotContext, telling: ViewSender, event: Event) -> list[OutgoingMessage]:
    """Return what is due when a turn goes on: its card says so, and a line below."""
    place = telling.place
    closed = await questions.over(bot, telling, event)
    card = await _card_before(bot, place, event)
    if card is None:
        return closed  # it waited for an answer: whoever gave it knows
    wants = await Preferences.read(bot, place)
    title = await _headline(bot, event)
    at = hour(event.at, wants.zone, bot.records.clock.now())
    key, group = await _told_by(bot, place, card)
    others = 0 if group is None else group.count
    slept_s = float(event.data.get("slept_s") or 0.0)
    more = f" {others} more follow{'s' * (others == 1)}." if others else ""
    line = OutgoingMessage(
        place,
        f"{key}:woke" if group is None else f"{key}:woke:{event.at.timestamp() // _ONE_LINE_S:.0f}",
        "notice",
        plain(f"⏰ {at} · {title} resumed after {show_duration(slept_s)}.{more}"),
        session_id=event.session_id,
        turn_id=event.turn_id,
        silent=wants.is_quiet(event.at) or slept_s < _QUIET_NAP_S,
    )
    body = plain(f"💤 {title}\nWas parked until {at}.")
    if group is not None and group.sleepers:
        body = await card_now(bot, place, key, group, group.sleepers[0])
    return [*closed, _edit(place, key, event, body), line]


async def ended(bot: BotContext, telling: ViewSender, event: Event) -> list[OutgoingMessage]:
    """Return the edits that are due when a turn ends: nothing waits for a press any more."""
    place = telling.place
    closed = await questions.over(bot, telling, event)
    card = await _card_before(bot, place, event)
    if card is None or await _is_awake(bot, event):
        return closed
    key, group = await _told_by(bot, place, card)
    how = "Cancelled" if event.data.get("status") == Status.CANCELLED.value else "Over"
    body = plain(f"💤 {await _headline(bot, event)}\n{how} while it was parked.")
    if group is not None and group.sleepers:
        body = await card_now(bot, place, key, group, group.sleepers[0])
    return [*closed, _edit(place, key, event, body)]


def card_key(parked_event: Event, place: ChatRef) -> str:
    """Return the key of the card of a park, or of the mark that leads to its limit's card."""
    return f"card:{parked_event.turn_id}:{parked_event.seq}:{place}"


async def card_now(
    bot: BotContext, place: ChatRef, key: str, group: Group | None, asleep: Asleep, **changes: Any
) -> dict[str, Any]:
    """Return what a card says now; what was chosen on it stays chosen.

    Args:
        bot: what everybody works with.
        place: where it is.
        key: the card's.
        group: all that sleeps on its limit; None: it is about one turn.
        asleep: that turn, or the oldest of the group.
        changes: what is chosen now, over what was.
    """
    async with bot.records.database.read() as work:
        edit = await work.outbox.by_key(CHANNEL, edit_key(key))
    waits = bool(changes.get(WAITS, edit is not None and edit.body.get(WAITS)))
    wants = await Preferences.read(bot, place)
    several = group is not None and group.count > 1
    text = _several(bot, group, wants) if group and several else _one(bot, asleep, wants)
    body = plain(text, buttons=card_buttons(bot, place, asleep, waits=waits, several=several))
    budget = asleep.session.budget_usd
    if _needs_money(asleep) and budget is not None:
        body[RAISE_TO] = str(budget + MORE_USD)
    if group is not None:
        body[LIMIT] = group.mark
    return body | ({WAITS: True} if waits else {})


def card_buttons(
    bot: BotContext, place: ChatRef, asleep: Asleep, *, waits: bool, several: bool
) -> list[list[Button]]:
    """Return what can be done about a sleep.

    Args:
        bot: makes buttons.
        place: where they are.
        asleep: what sleeps; the oldest of several.
        waits: somebody has chosen to wait: that button is gone, the others stay.
        several: whether they are about all that sleeps on the limit.
    """
    what = EVERYTHING if several else asleep.turn.session_id
    everything = " all" if several else ""

    def button(text: str, verb: str, more: str = "") -> Button:
        return bot.signer.button(place, text, verb, f"{what}{more}")

    model, wakes = asleep.understudy, asleep.turn.wake_at is not None
    if _needs_money(asleep):
        first = button(f"+ ${MORE_USD}", RAISE)
    elif model is not None and asleep.first is not None and asleep.first.model is not None:
        first = button(f"▶{everything} now on {model}", RESUME, tag_of(model))
    else:
        first = button(f"▶ try{everything} now", RESUME)
    cancel = button(f"✕ cancel{everything}", CANCEL)
    if not wakes:
        return [[first, cancel]]
    return [
        [first] if waits else [first, button("⏳ wait", WAIT)],
        [cancel, button("🌙 not at night", NOT_AT_NIGHT)],
    ]


def tag_of(model: str) -> str:
    """Return a few letters that stand for a model in a button: its name may be too long for one."""
    return hashlib.sha256(model.encode()).hexdigest()[:6]


def models_of(tags: str, models: Sequence[str]) -> str | None:
    """Return the model a tag stands for; None when it is no longer configured."""
    return next((model for model in models if tag_of(model) == tags), None)


def edit_key(card: str) -> str:
    """Return the key of the edits of a card."""
    return f"{card}:now"


def _one(bot: BotContext, asleep: Asleep, wants: Preferences) -> str:
    now = bot.records.clock.now()
    lines = [f"💤 {headline(asleep.turn)}", _sleep_line(asleep, wants, now), _reason(asleep)]
    lines.append(f"So far {shown_cost(asleep.cost_usd)}.")
    return "\n".join(line for line in lines if line)


def _several(bot: BotContext, group: Group, wants: Preferences) -> str:
    now = bot.records.clock.now()
    first = min(group.sleepers, key=lambda one: one.turn.wake_at or now)
    lines = [f"💤 {group.count} pieces of work", _sleep_line(first, wants, now), _reason(first)]
    for one in group.sleepers:
        later = one.turn.wake_at is not None and one.turn.wake_at != first.turn.wake_at
        at = (
            f", until {hour(one.turn.wake_at, wants.zone, now)}"
            if later and one.turn.wake_at
            else ""
        )
        lines.append(f"• {headline(one.turn)}{at}, {shown_cost(one.cost_usd)} so far")
    if group.count > len(group.sleepers):
        lines.append(f"… and {group.count - len(group.sleepers)} more: /status")
    return "\n".join(line for line in lines if line)


def _sleep_line(asleep: Asleep, wants: Preferences, now: datetime) -> str:
    wake_at = asleep.turn.wake_at
    if wake_at is not None:
        seconds = (wake_at - now).total_seconds()
        return f"Parked until {hour(wake_at, wants.zone, now)} ({left(seconds)})."
    if asleep.first is not None and asleep.first.kind is ParkingKind.HAND:
        return "Parked by hand until you resume it."
    if asleep.first is not None and asleep.first.kind is ParkingKind.CAP:
        return "It has worked for a long time and asks whether to continue."
    if _needs_money(asleep):
        return "It has reached its spending limit and needs you."
    return "It gave up waiting and needs you."


def _reason(asleep: Asleep) -> str:
    first = asleep.first
    if first is None or first.kind is ParkingKind.HAND:
        return ""
    who = f"{first.model}: " if first.model else ""
    from_ = f" (source: {first.evidence})" if first.evidence else ""
    return f"{who}{' '.join(first.reason.split())}{from_}"


def _needs_money(asleep: Asleep) -> bool:
    first = asleep.first
    key = None if first is None else first.key
    return key is not None and key.is_budget and RUN_BUDGET in key.endpoint


def _joined(telling: ViewSender, event: Event, own: str) -> OutgoingMessage:
    """Return what tells somebody who waits for an answer that a card above is about it, too."""
    return OutgoingMessage(
        telling.place,
        f"{own}:joined",
        "notice",
        plain(
            "Got it. It's waiting together with the tasks on the card above; I'll answer when it "
            "wakes."
        ),
        session_id=event.session_id,
        turn_id=event.turn_id,
        silent=True,
    )


async def _headline(bot: BotContext, event: Event) -> str:
    async with bot.records.database.read() as work:
        return headline(await work.turns.get(event.turn_id))


def _letter(
    place: ChatRef, key: str, event: Event, body: dict[str, Any], *, silent: bool
) -> OutgoingMessage:
    return OutgoingMessage(
        place,
        key,
        "card",
        body,
        session_id=event.session_id,
        turn_id=event.turn_id,
        silent=silent,
    )


def _edit(place: ChatRef, card: str, event: Event, body: dict[str, Any]) -> OutgoingMessage:
    return OutgoingMessage(
        place,
        edit_key(card),
        "card",
        body,
        kind=OutgoingKind.EDIT,
        session_id=event.session_id,
        turn_id=event.turn_id,
        edits=card,
    )


async def _card_before(bot: BotContext, place: ChatRef, event: Event) -> OutboxMessage | None:
    """Return the last card, or mark, before an event of its turn; None when there was none."""
    async with bot.records.database.read() as work:
        events = await work.events.of_turn(event.turn_id, [EventKind.PARKED])
        keys = [card_key(parked, place) for parked in events if parked.seq < event.seq]
        for key in reversed(keys):
            sent = await work.outbox.by_key(CHANNEL, key)
            if sent is not None and sent.state is not OutgoingState.FAILED:
                return sent
    return None


async def _told_by(
    bot: BotContext, place: ChatRef, card: OutboxMessage
) -> tuple[str, Group | None]:
    """Return the key of the message that is the card, and its group."""
    key = card.edits or card.key
    return key, await group_again(bot, place, card.body, key)


async def _is_awake(bot: BotContext, event: Event) -> bool:
    """Whether a turn had gone on after it last fell asleep."""
    async with bot.records.database.read() as work:
        events = await work.events.of_turn(event.turn_id, [EventKind.PARKED, EventKind.WOKEN])
    before = [one for one in events if one.seq < event.seq]
    return bool(before) and before[-1].kind is EventKind.WOKEN
