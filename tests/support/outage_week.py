"""A week of outages in a second: hosts that refuse in their own manner, sessions, a manual clock.

In a test::

    week = await live_through(HOSTS["no time, 5 h"], folder, sessions=12)
    assert week.unanswered == []
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from noctule.core.clock import ManualClock
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind, Turn
from noctule.models.base.client import ModelRequest
from noctule.models.clients.scripted import ScriptedRefusal
from noctule.sessions.service.service import Request
from tests.support.stage import Act, Stage, StageClient
from tests.support.theatre import Theatre, open_theatre

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
_SEED = 7

Refuses = Callable[[datetime, Sequence[datetime]], Exception | None]
"""What a host answers at a moment, knowing when it answered before; None answers."""


@dataclass(frozen=True)
class Host:
    """One provider and its week.

    Args:
        refuses: what it says and when.
        outages: for hosts that are away at times: begin and end of each, from Monday on.
        asks_person: whether a person is rightly asked where nobody stands in.
        begins: from when in the week most sessions are said, for hosts without outages.
    """

    refuses: Refuses
    outages: tuple[tuple[timedelta, timedelta], ...] = ()
    asks_person: bool = False
    begins: timedelta = 20 * HOUR


def _wire(status: int, body: object = "", headers: dict[str, str] | None = None) -> ScriptedRefusal:
    text = body if isinstance(body, str) else json.dumps(body)
    return ScriptedRefusal(ProviderResponse(status, headers or {}, text))


def _words(status: int, message: str) -> Callable[[datetime], Exception]:
    return lambda _: _wire(status, {"error": {"message": message}})


def _away(
    *outages: tuple[float, float], says: Callable[[datetime], Exception], asks: bool = False
) -> Host:
    """Return a host that is away between hours of the week."""
    spans = tuple((begin * HOUR, end * HOUR) for begin, end in outages)

    def refuses(now: datetime, _: Sequence[datetime]) -> Exception | None:
        since = now - MONDAY
        return says(now) if any(begin <= since < end for begin, end in spans) else None

    return Host(refuses, spans, asks_person=asks)


def _quota(
    most: int, begins: Callable[[datetime], datetime], says: Callable[[datetime], Exception]
) -> Host:
    """Return a host that answers so often in each of its windows."""

    def refuses(now: datetime, answered: Sequence[datetime]) -> Exception | None:
        begin = begins(now)
        return says(now) if sum(at >= begin for at in answered) >= most else None

    return Host(refuses)


def _day_of(zone: str) -> Callable[[datetime], datetime]:
    def begins(now: datetime) -> datetime:
        local = now.astimezone(ZoneInfo(zone))
        return local.replace(hour=0, minute=0, second=0, microsecond=0)

    return begins


def _five_hours(now: datetime) -> datetime:
    return now - (now - MONDAY) % timedelta(hours=5)


def _plan(now: datetime) -> Exception:
    left = _five_hours(now) + timedelta(hours=5) - now
    return _wire(429, "usage limit reached", {"retry-after": f"{left.total_seconds():.0f}"})


def _flapping(now: datetime) -> Exception | None:
    """Be overloaded in two of three stretches of five minutes."""
    stretch = int((now - MONDAY).total_seconds() // 300)
    return _words(503, "The model is overloaded")(now) if stretch % 3 else None


def _flaps() -> Host:
    begin, end = 20 * HOUR, 32 * HOUR

    def refuses(now: datetime, _: Sequence[datetime]) -> Exception | None:
        return _flapping(now) if begin <= now - MONDAY < end else None

    return Host(refuses)


_GEMINI = {
    "error": {
        "code": 429,
        "status": "RESOURCE_EXHAUSTED",
        "message": "You exceeded your current quota.",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
            }
        ],
    }
}
_CREDIT = "This request requires more credits, or fewer max_tokens. You can only afford 300."
_MAINTENANCE = "<html><title>Maintenance</title><h1>We will be back soon</h1></html>"

HOSTS = {
    "429 without a time, 5 h": _away((20, 25), says=_words(429, "Too many requests")),
    "429 without a time, back at 02:17": _away((42, 50.283), says=_words(429, "slow down")),
    "503 overloaded, flapping 12 h": _flaps(),
    "529 overloaded, 3 h": _away((30, 33), says=_words(529, "Overloaded")),
    "503 Retry-After: 30, 2 h": _away(
        (30, 32), says=lambda _: _wire(503, "overloaded", {"retry-after": "30"})
    ),
    "daily quota without a time": _quota(
        5, _day_of("UTC"), says=_words(429, "Quota reached, try again later")
    ),
    "plan of 5 h, Retry-After": _quota(2, _five_hours, says=_plan),
    "Gemini, requests per day": _quota(
        5, _day_of("America/Los_Angeles"), says=lambda _: _wire(429, _GEMINI)
    ),
    "reset 1 h later than said": _away(
        (20, 22), says=lambda _: _wire(429, "limit", {"retry-after": "3600"})
    ),
    "dead for a day": _away((30, 54), says=lambda _: httpx.ConnectError("connection refused")),
    "Cloudflare 522, 3 h": _away((60, 63), says=lambda _: _wire(522, "<html>522</html>")),
    "maintenance page, 6 h": _away((60, 66), says=lambda _: _wire(503, _MAINTENANCE)),
    "402 cannot afford, 10 h": _away((30, 40), says=_words(402, _CREDIT), asks=True),
}


class HostClient(StageClient):
    """Plays one host for the model ``first`` and an endpoint that always answers for the others."""

    def __init__(self, clock: ManualClock, host: Host) -> None:
        super().__init__(clock)
        self._host = host
        self.refused_at: list[datetime] = []
        self.answered_at: list[datetime] = []

    async def _play(self, request: ModelRequest):
        if request.model == "first":
            now = self._clock.now()
            error = self._host.refuses(now, self.answered_at)
            (self.answered_at if error is None else self.refused_at).append(now)
            if error is not None:
                self.acts["first"].append(Act(text="", error=error))
        async for piece in super()._play(request):
            yield piece


@dataclass
class Week:
    """What came of one host's week.

    Args:
        sessions: how many there were.
        refused_at: when it refused a request, or could not be reached.
        answered: how many requests it answered.
        asked_person: sessions that wait for a person.
        unanswered: sessions that are neither answered nor wait for a person, with their status.
        gaps: from the end of an outage, or from being said when that was later, to the answer.
    """

    sessions: int
    refused_at: list[datetime]
    answered: int
    asked_person: int = 0
    unanswered: list[str] = field(default_factory=list)
    gaps: list[timedelta] = field(default_factory=list)

    @property
    def most_refused_in_an_hour(self) -> int:
        """The most requests in vain in any hour."""
        return max(
            (sum(at <= one < at + HOUR for one in self.refused_at) for at in self.refused_at),
            default=0,
        )

    @property
    def longest_gap(self) -> timedelta:
        """The longest of the gaps; zero without any."""
        return max(self.gaps, default=timedelta(0))


async def live_through(host: Host, folder: Path, *, sessions: int, stands_in: bool = False) -> Week:
    """Let sessions be said over a week, most of them around the host's first outage; see them end.

    Args:
        host: the provider of the model that every role is bound to.
        folder: an empty one, for checkpoints.
        sessions: how many; every fifth is a chat.
        stands_in: whether a fallback at another endpoint answers.
    """
    role = {"primary": "first", "fallback": ["second"] if stands_in else []}
    stage = Stage(clock=ManualClock(MONDAY), role=role, limits={"queue_timeout": "0s"})
    stage.client = client = HostClient(stage.clock, host)
    async with open_theatre(folder, stage) as theatre:
        said = await _live(theatre, host, sessions)
        week = Week(sessions, client.refused_at, len(client.answered_at))
        for turn in [await theatre.turn(one.id) for one in said]:
            _count(week, turn, host)
    return week


async def _live(theatre: Theatre, host: Host, sessions: int) -> list[Turn]:
    said: list[Turn] = []
    for number, moment in enumerate(_moments(host, sessions)):
        await _work_until(theatre, moment)
        kind = SessionKind.CHAT if number % 5 == 0 else SessionKind.RUN
        turn = await theatre.service.submit(Request(f"hello {number}", kind=kind))
        said.append(await theatre.rest(turn))
    await _work_until(theatre, MONDAY + WEEK)
    return said


async def _work_until(theatre: Theatre, end: datetime) -> None:
    """Carry every turn at its moment, as a worker does."""
    while True:
        async with theatre.runtime.records.database.read() as work:
            turns = [turn for turn in await work.turns.unfinished() if turn.wake_at]
        due = min(turns, key=lambda turn: (turn.wake_at, turn.id), default=None)
        if due is None or due.wake_at >= end:
            break
        await _go_to(theatre, due.wake_at + timedelta(milliseconds=1))
        await theatre.rest(due)
    await _go_to(theatre, end)


async def _go_to(theatre: Theatre, moment: datetime) -> None:
    await theatre.clock.advance(max(0.0, (moment - theatre.clock.now()).total_seconds()))


def _moments(host: Host, sessions: int) -> list[datetime]:
    """Return when sessions are said: most of them around the first outage."""
    drawn = random.Random(_SEED)
    first = host.outages[0][0] if host.outages else host.begins
    near = [first + drawn.uniform(-0.5, 2) * HOUR for _ in range(sessions * 3 // 5)]
    far = [drawn.uniform(1, 5 * 24) * HOUR for _ in range(sessions - len(near))]
    return sorted(MONDAY + at for at in near + far)


def _count(week: Week, turn: Turn, host: Host) -> None:
    if turn.status is Status.WAITING:
        week.asked_person += 1
    elif turn.status is not Status.DONE or turn.ended_at is None:
        week.unanswered.append(f"{turn.text}: {turn.status.value}, {turn.error}")
    else:
        ends = [MONDAY + end for _, end in host.outages]
        since = max([turn.created_at, *(end for end in ends if end <= turn.ended_at)])
        if host.outages:
            week.gaps.append(turn.ended_at - since)
