"""Cards: what sleeps, why, until when and what it has cost; with what can be done about it.

A card is sent when a turn falls asleep, changed rarely while it sleeps (``countdown``), and says
what came of it when it wakes, gives up or ends.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from noctule.channels.telegram import questions
from noctule.channels.telegram.hours import hour, left
from noctule.channels.telegram.letters import Button, Letter, plain
from noctule.channels.telegram.office import Office
from noctule.channels.telegram.places import CHANNEL, Place
from noctule.channels.telegram.preferences import Preferences
from noctule.channels.telegram.watching import Telling
from noctule.core.coverage import RUN_BUDGET
from noctule.core.durations import show_duration
from noctule.core.events import Event, EventKind
from noctule.core.lifecycle import Status
from noctule.core.mail import OutgoingKind, OutgoingState
from noctule.core.money import show_usd
from noctule.core.overview import first_to_wake
from noctule.core.parkings import Parking, ParkingKind
from noctule.core.sessions import Session, Turn
from noctule.core.spending import total_usd
from noctule.core.understudy import understudy

RESUME, WAIT, CANCEL, NOT_AT_NIGHT, RAISE = "go", "wait", "cancel", "day", "raise"

RAISE_TO = "raise_to"
"""Under which key a card says what its button raises the budget to: twice pressed, once raised."""

MORE_USD = Decimal(1)
"""What the button adds to the budget the session had when it fell asleep."""

_QUIET_NAP_S = 120.0
"""A shorter sleep is not worth a sound."""


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


async def parked(office: Office, telling: Telling, event: Event) -> list[Letter]:
    """Return the card of a turn that fell asleep; nothing when it only waits for an answer."""
    asleep = await asleep_of(office, event.turn_id)
    if asleep is None or asleep.only_asks:
        return []  # told late: it goes on already
    wants = await Preferences.read(office, telling.place)
    now = office.records.clock.now()
    return [
        Letter(
            telling.place,
            card_key(event, telling.place),
            "card",
            card_body(office, telling.place, asleep, wants),
            session_id=event.session_id,
            turn_id=event.turn_id,
            silent=wants.is_quiet(now),
        )
    ]


async def woken(office: Office, telling: Telling, event: Event) -> list[Letter]:
    """Return what is due when a turn goes on: its card says so, and a line below."""
    place = telling.place
    closed = await questions.over(office, telling, event)
    card = await _last_card(office, place, event)
    if card is None:
        return closed  # it waited for an answer: whoever gave it knows
    wants = await Preferences.read(office, place)
    async with office.records.database.read() as work:
        session = await work.sessions.get(event.session_id)
    slept_s = float(event.data.get("slept_s") or 0.0)
    at = hour(event.at, wants.zone, office.records.clock.now())
    told = f"⏰ {at} · {_title(session)} goes on, after {show_duration(slept_s)}."
    line = Letter(
        place,
        f"{card}:woke",
        "notice",
        plain(told),
        session_id=event.session_id,
        turn_id=event.turn_id,
        silent=wants.is_quiet(event.at) or slept_s < _QUIET_NAP_S,
    )
    edit = _edit(place, card, event, plain(f"💤 {_title(session)}\nSlept until {at}."))
    return [*closed, edit, line]


async def ended(office: Office, telling: Telling, event: Event) -> list[Letter]:
    """Return the edits that are due when a turn ends: nothing waits for a press any more."""
    closed = await questions.over(office, telling, event)
    card = await _last_card(office, telling.place, event)
    if card is None or await _is_awake(office, card):
        return closed
    async with office.records.database.read() as work:
        session = await work.sessions.get(event.session_id)
    how = "Cancelled" if event.data.get("status") == Status.CANCELLED.value else "Over"
    body = plain(f"💤 {_title(session)}\n{how} while it slept.")
    return [*closed, _edit(telling.place, card, event, body)]


async def asleep_of(office: Office, turn_id: str) -> Asleep | None:
    """Return a turn at rest; None when it is not."""
    records = office.records
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
        understudy=understudy(
            records.settings,
            role=role or records.settings.default_role,
            refused=parkings,
            limits=limits,
            private=private,
            now=records.clock.now(),
        ),
    )


def card_key(parked_event: Event, place: Place) -> str:
    """Return the key of the card of a park."""
    return f"card:{parked_event.turn_id}:{parked_event.seq}:{place}"


def card_body(
    office: Office, place: Place, asleep: Asleep, wants: Preferences, *, folded: bool = False
) -> dict[str, object]:
    """Return what a card says.

    Args:
        office: what everybody works with.
        place: where it is.
        asleep: what of.
        wants: the chat's zone.
        folded: without its buttons.
    """
    now = office.records.clock.now()
    lines = [f"💤 {_title(asleep.session)}", *_sleep_lines(asleep, wants, now), _reason(asleep)]
    lines.append(f"So far {show_usd(asleep.cost_usd)}.")
    buttons = () if folded else card_buttons(office, place, asleep)
    body = plain("\n".join(line for line in lines if line), buttons=buttons)
    budget = asleep.session.budget_usd
    if _needs_money(asleep) and budget is not None:
        body[RAISE_TO] = str(budget + MORE_USD)
    return body


def card_buttons(office: Office, place: Place, asleep: Asleep) -> list[list[Button]]:
    """Return what can be done about a sleep."""

    def button(text: str, verb: str, more: str = "") -> Button:
        return office.signer.button(place, text, verb, f"{asleep.turn.session_id}{more}")

    model, wakes = asleep.understudy, asleep.turn.wake_at is not None
    if _needs_money(asleep):
        first = button(f"+ ${MORE_USD}", RAISE)
    elif model is not None and asleep.first is not None and asleep.first.model is not None:
        first = button(f"▶ now on {model}", RESUME, tag_of(model))
    else:
        first = button("▶ try now", RESUME)
    if not wakes:
        return [[first, button("✕ cancel", CANCEL)]]
    return [
        [first, button("⏳ wait", WAIT)],
        [button("✕ cancel", CANCEL), button("🌙 not at night", NOT_AT_NIGHT)],
    ]


def tag_of(model: str) -> str:
    """Return a few letters that stand for a model in a button: its name may be too long for one."""
    return hashlib.sha256(model.encode()).hexdigest()[:6]


def edit_key(card: str) -> str:
    """Return the key of the edits of a card."""
    return f"{card}:now"


def _sleep_lines(asleep: Asleep, wants: Preferences, now: datetime) -> list[str]:
    wake_at = asleep.turn.wake_at
    if wake_at is None:
        if asleep.first is not None and asleep.first.kind is ParkingKind.HAND:
            return ["Parked by hand: it sleeps until you let it go on."]
        if asleep.first is not None and asleep.first.kind is ParkingKind.CAP:
            return ["It has worked for long and asks whether to go on."]
        if _needs_money(asleep):
            return ["It has spent what it may and needs you."]
        return ["It gave up waiting and needs you."]
    seconds = (wake_at - now).total_seconds()
    return [f"Sleeps until {hour(wake_at, wants.zone, now)} ({left(seconds)})."]


def _reason(asleep: Asleep) -> str:
    first = asleep.first
    if first is None or first.kind is ParkingKind.HAND:
        return ""
    who = f"{first.model}: " if first.model else ""
    from_ = f" (known from: {first.evidence})" if first.evidence else ""
    return f"{who}{' '.join(first.reason.split())}{from_}"


def _needs_money(asleep: Asleep) -> bool:
    first = asleep.first
    key = None if first is None else first.key
    return key is not None and key.is_budget and RUN_BUDGET in key.endpoint


def _title(session: Session) -> str:
    return session.title or "(untitled)"


def _edit(place: Place, card: str, event: Event, body: dict[str, object]) -> Letter:
    return Letter(
        place,
        edit_key(card),
        "card",
        body,
        kind=OutgoingKind.EDIT,
        session_id=event.session_id,
        turn_id=event.turn_id,
        edits=card,
    )


async def _last_card(office: Office, place: Place, event: Event) -> str | None:
    """Return the key of the last card before an event of its turn; None when there was none."""
    async with office.records.database.read() as work:
        events = await work.events.of_turn(event.turn_id, [EventKind.PARKED])
        keys = [card_key(parked, place) for parked in events if parked.seq < event.seq]
        for key in reversed(keys):
            sent = await work.outbox.by_key(CHANNEL, key)
            if sent is not None and sent.state is not OutgoingState.FAILED:
                return key
    return None


async def _is_awake(office: Office, card: str) -> bool:
    async with office.records.database.read() as work:
        return await work.outbox.by_key(CHANNEL, f"{card}:woke") is not None


def models_of(tags: str, models: Sequence[str]) -> str | None:
    """Return the model a tag stands for; None when it is no longer configured."""
    return next((model for model in models if tag_of(model) == tags), None)
