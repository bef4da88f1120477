"""May a refused turn sleep, until when, or is it time to ask its person?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo

from noctule.core.budgets.budget_scopes import RUN_BUDGET
from noctule.core.budgets.budgets import BudgetKey
from noctule.core.provider_errors.refusals import Evidence
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import Parking, ParkingKind
from noctule.core.settings.limits import ParkingSettings
from noctule.core.times.durations import show_duration


@dataclass(frozen=True, slots=True)
class Sleep:
    """How a turn sleeps.

    Args:
        status: ``parked``, or ``waiting`` when only a person lets it go on.
        wake_at: the earliest wake of its branches; None when it waits.
        sentence: what people are told.
        parkings: its branches, with wake times moved within the bounds.
    """

    status: Status
    wake_at: datetime | None
    sentence: str
    parkings: tuple[Parking, ...]


def decide_sleep(
    parkings: Sequence[Parking],
    *,
    now: datetime,
    said_at: datetime,
    bounds: ParkingSettings,
    zone: tzinfo,
) -> Sleep:
    """Decide how a turn with refused branches sleeps.

    Args:
        parkings: its open parkings, one per branch; at least one.
        now: the present moment.
        said_at: when the turn was said; its deadline counts from there.
        bounds: the longest wait, the deadline, how many windows in vain, quiet hours.
        zone: where quiet hours are meant, and times are told.
    """
    deadline = None if bounds.deadline is None else said_at + bounds.deadline
    bounded = tuple(_bound(parking, now, deadline, bounds, zone) for parking in parkings)
    timed = [parking for parking in bounded if parking.wake_at is not None]
    open_ = [parking for parking in bounded if parking.is_open_question]
    if not timed:
        first = open_[0] if open_ else bounded[0]
        sentence = _ask(first, bounds) + _others(open_[1:])
        return Sleep(Status.WAITING, None, sentence, bounded)
    first = min(timed, key=lambda parking: parking.wake_at or now)
    until = first.wake_at or now
    sentence = (
        f"{_whole(first.reason)} Sleeps {show_duration(max(0.0, (until - now).total_seconds()))}, "
        f"until {until.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}."
    )
    if open_:
        sentence += f" Meanwhile: {_ask(open_[0], bounds)}{_others(open_[1:])}"
    return Sleep(Status.PARKED, until, sentence, bounded)


def in_quiet_hours(moment: datetime, quiet: tuple[str, str], zone: tzinfo) -> bool:
    """Return whether a moment lies between the two times of day.

    Args:
        moment: aware.
        quiet: begin and end, like ``("22:00", "07:00")``; equal times mean never.
        zone: where the times are meant.
    """
    begin, end = (time.fromisoformat(text) for text in quiet)
    local = moment.astimezone(zone).time()
    if begin <= end:
        return begin <= local < end
    return local >= begin or local < end


def after_quiet_hours(moment: datetime, quiet: tuple[str, str], zone: tzinfo) -> datetime:
    """Return the moment itself, or the end of the quiet hours it lies in."""
    if not in_quiet_hours(moment, quiet, zone):
        return moment
    local = moment.astimezone(zone)
    end = time.fromisoformat(quiet[1])
    morning = local.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
    if morning <= local:
        morning += timedelta(days=1)
    return morning.astimezone(moment.tzinfo)


def _bound(
    parking: Parking,
    now: datetime,
    deadline: datetime | None,
    bounds: ParkingSettings,
    zone: tzinfo,
) -> Parking:
    """Return it with the moment it wakes at; None when it is time to ask its person."""
    wake_at = parking.wake_at
    if wake_at is None or parking.kind is ParkingKind.QUESTION:
        return parking  # an answered question goes on whatever the hour
    if _is_refused_often(parking, bounds):
        return replace(parking, wake_at=None)
    if parking.evidence is Evidence.GUESS:
        wake_at = _within(wake_at, parking, now, bounds)
    latest = now + bounds.longest_wait
    latest = latest if deadline is None else min(latest, deadline)
    if wake_at is None or wake_at > latest:
        return replace(parking, wake_at=None)
    if bounds.quiet_hours is not None and not bounds.wake_in_quiet_hours:
        wake_at = after_quiet_hours(wake_at, bounds.quiet_hours, zone)
    return replace(parking, wake_at=wake_at)


def _is_refused_often(parking: Parking, bounds: ParkingSettings) -> bool:
    """Whether it has itself asked behind so many windows whose end was known, always in vain."""
    return parking.kind is ParkingKind.LIMIT and parking.vain >= bounds.max_windows


def _within(
    wake_at: datetime, parking: Parking, now: datetime, bounds: ParkingSettings
) -> datetime | None:
    """Return a guessed wake no later than the longest wait in all; None when that is over."""
    end = parking.slept_since + bounds.longest_wait
    if wake_at <= end:
        return wake_at
    is_first = parking.slept_since >= parking.parked_at
    return None if is_first or now >= end else end


def _whole(reason: str) -> str:
    """Return a provider's words as a sentence of its own."""
    words = reason.rstrip()
    return words if words[-1:] in ".!?…" else f"{words}."


def _others(questions: Sequence[Parking]) -> str:
    if not questions:
        return ""
    return f" {len(questions)} more question{'s' if len(questions) > 1 else ''} wait."


def _raising(parking: Parking) -> str:
    if parking.key == BudgetKey(RUN_BUDGET, parking.session_id).limit_key:
        return f"`noctule budgets raise {parking.session_id} USD`"
    return "change it in the configuration (`noctule budgets` shows it) and restart `noctule serve`"


def _ask(parking: Parking, bounds: ParkingSettings) -> str:
    resume = f"`noctule sessions resume {parking.session_id}`"
    match parking.kind:
        case ParkingKind.CAP:
            return f"Stopped: {parking.reason}. {resume} lets it go on from there."
        case ParkingKind.QUESTION:
            answer = f"`noctule sessions answer {parking.session_id}`"
            return f"Waits for an answer: {parking.reason} {answer} gives it."
        case ParkingKind.HAND:
            return f"Parked by hand. {resume} goes on."
        case ParkingKind.BUDGET:
            return (
                f"{_whole(parking.reason)} Raise the budget, and it continues: {_raising(parking)}."
            )
        case _:
            pass
    within = show_duration(bounds.longest_wait.total_seconds())
    if _is_refused_often(parking, bounds):
        why = f"Refused {parking.vain} windows in a row and nobody got an answer"
    elif parking.evidence is Evidence.GUESS and parking.slept_since < parking.parked_at:
        why = f"Asked again and again for {within} and got no answer"
    else:
        why = f"No reset within {within}{' and the deadline' if bounds.deadline else ''} is known"
    return (
        f"{why}: {_whole(parking.reason)} Mend the account or choose another model, then {resume} "
        "(--model MODEL)."
    )
