"""Limits: which model refuses, or fails, until when; stored for all and remembered here.

The table is the truth and any process may change it. Asking it before each call would cost more
than the call's own bookkeeping, so it is read again when the memory is a second old, and always
before a call passes a model over because of a limit: whoever clears a limit is heard at once.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from noctule.core.clock import Clock
from noctule.core.llm.limits import Limit, LimitKey
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.ports.wake_queue import wake_early
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.core.settings import Settings
from noctule.core.workers.patience import look_up
from noctule.models.base.fingerprint import Fingerprints
from noctule.models.base.ledger import Entry, Ledger
from noctule.models.capacity.circuit_breaker import CircuitBreaker
from noctule.models.capacity.learned import end_of, outage, refused, replaces, rounds_before

MEMORY_S = 1.0
"""How old the memory may be, in seconds, for a call that no limit stops."""

INSISTING = timedelta(seconds=30)
"""How long a guessed refusal holds for a person who waits: their call may ask earlier."""

_PROBE_LOOK_S = 1.0
"""How soon a call that finds a probe under way looks again."""

_DOUBTED_AFTER = 4
"""An outage is doubted when its endpoint answers for another model and a quarter of the guess is
over. Earlier it would cost a request for every answer."""


class Limits:
    """What is refused at this moment.

    Args:
        settings: which model is on which endpoint, with which key.
        database: where limits are kept.
        ledger: what writes them.
        clock: decides what is over.
        fingerprints: stand for API keys in the database.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        fingerprints: Fingerprints,
    ) -> None:
        self._endpoints = {name: model.endpoint for name, model in settings.models.items()}
        self._fingerprints = {
            name: fingerprints.of(endpoint.key) for name, endpoint in settings.endpoints.items()
        }
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._known: dict[LimitKey, Limit] = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()
        self._circuits = CircuitBreaker(settings.limits)
        self._probes: dict[LimitKey, float] = {}
        self._changes = 0
        self._unsaved = 0

    def key(self, model: str, *, account_wide: bool = False) -> LimitKey:
        """Return whom a refusal of a model concerns.

        Args:
            model: its name in the configuration.
            account_wide: True for every model of the same key.
        """
        endpoint = self._endpoints[model]
        return LimitKey(endpoint, self._fingerprints[endpoint], None if account_wide else model)

    def in_force(self, model: str, *, awaited_since: datetime | None = None) -> Limit | None:
        """Return the limit that keeps a model from being asked; None when nothing does.

        Of a limit of the model and one of its account it is the one that lasts longer.

        Args:
            model: its name in the configuration.
            awaited_since: since when a person waits for this answer. For them nobody's guess
                holds that was made before they asked, an outage's not at all. None means that
                nobody waits.
        """
        if not self._known:
            return None
        now = self._clock.now()
        seen = (self._seen(limit, now, awaited_since) for limit in self._of(model))
        return max((limit for limit in seen if limit is not None), key=end_of, default=None)

    def known(self, model: str) -> Limit | None:
        """Return what is known against a model itself, in force or not; None when nothing is."""
        return self._known.get(self.key(model))

    def enter(self, model: str, *, most_s: float) -> tuple[LimitKey, ...]:
        """Let a call through to a model that nothing keeps from being asked.

        The first call after a limit's time is its probe: until it has an answer, the limit stays
        in force for all others, so that a reset costs one request however many wait for it.

        Args:
            model: who is asked.
            most_s: how long the call may take; a probe that never ends must not block for ever.

        Returns:
            The limits it probes, for ``leave``; mostly none.
        """
        probed = tuple(limit.key for limit in self._of(model) if _is_probed(limit))
        for key in probed:
            self._probes[key] = self._clock.monotonic() + most_s
        return probed

    def leave(self, probed: tuple[LimitKey, ...]) -> None:
        """Note that a probe is over, whatever came of it."""
        for key in probed:
            self._probes.pop(key, None)

    def refusals(self, model: str) -> int:
        """Return how many refusals in a row came before one that would come now.

        Refusals within one window count once: many calls may be under way when it closes.
        """
        now = self._clock.now()
        return max((rounds_before(limit, now) for limit in self._of(model)), default=0)

    async def read(self, *, after: float) -> None:
        """Read the table again, unless it was read later than a moment.

        Args:
            after: the clock's monotonic seconds.
        """
        if self._is_read(after):
            return
        async with self._reading:
            if self._is_read(after):
                return
            begun, changes = self._clock.monotonic(), self._changes
            stored = await look_up(self._database, lambda work: work.limits.list())
            # What was learned meanwhile is newer than what was read.
            if changes == self._changes and not self._unsaved:
                self._take({limit.key: limit for limit in stored})
                self._read_at = begun

    def learn(self, model: str, refusal: Refusal) -> Limit | None:
        """Remember a refusal and have it stored.

        Args:
            model: who refused.
            refusal: what it said.

        Returns:
            The limit now in force; None when the refusal says nothing about later calls.
        """
        told = refusal.retry_at is not None and refusal.evidence is not Evidence.GUESS
        if not refusal.outcome.limits and not told:
            return None
        now = self._clock.now()
        key = self.key(model, account_wide=refusal.account_wide)
        known = self._known.get(key)
        limit = refused(key, refusal, known, now)
        if known is None or not known.in_force(now):
            return self._put(limit)
        if known.is_guess and limit.is_guess and not known.is_outage:
            return self._put(replace(known, set_at=now))  # somebody asked early: it still holds
        return self._put(limit) if replaces(limit, known) else known

    def failed(self, model: str, refusal: Refusal, *, asked_at: datetime) -> None:
        """Remember that a model could not be reached, did not answer in time, or was slow.

        Some failures in a row open its circuit: nobody asks it for a pause.

        Args:
            model: who failed.
            refusal: how.
            asked_at: when that request was sent. Of calls under way when the circuit opens none
                says anything new.
        """
        now = self._clock.now()
        known = self.known(model)
        if known is not None and known.in_force(now) and asked_at <= known.set_at:
            return
        if known is not None and known.in_force(now) and not known.is_outage:
            return
        pause_s = self._circuits.failed(model)
        self._put(outage(self.key(model), refusal, known, now, pause_s=pause_s))

    def answered(self, model: str, *, refuses: bool) -> None:
        """Note that something was there and answered in time, be it that it cannot.

        Args:
            model: who answered.
            refuses: True when it said "not now": then ``learn`` says what is known instead.
        """
        self._circuits.close(model)
        known = self._known.get(self.key(model)) if self._known else None
        if known is not None and known.is_outage and not refuses:
            self._drop(known)
        if self._known:
            self._doubt_outages(model)

    def forget(self, model: str, *, asked_at: datetime) -> None:
        """Drop what is known against a model that answered, and against its account.

        Who sleeps on a guess about them goes on, one after another.

        Args:
            model: who answered.
            asked_at: when that request was sent. A limit learned later stays: the answer was
                already on its way.
        """
        if not self._known:
            return
        for limit in list(self._of(model)):
            if limit.set_at <= asked_at:
                self._drop(limit)

    async def clear(self, key: LimitKey | None = None) -> int:
        """Forget one limit by hand, or with None all of them; return how many there were."""
        counts: list[int] = []

        async def clear(work: UnitOfWork) -> None:
            counts.append(await work.limits.clear(key))

        gone = list(self._known) if key is None else [key]
        for one in gone:
            self._known.pop(one, None)
        await asyncio.shield(self._save(clear))
        return counts[-1]

    def _take(self, stored: dict[LimitKey, Limit]) -> None:
        """Take what is stored for what is known; an outage that is gone was cleared, or is over."""
        for key in self._known.keys() - stored.keys():
            if key.model is not None:
                self._circuits.close(key.model)
        self._known = stored

    def _put(self, limit: Limit) -> Limit:
        self._known[limit.key] = limit
        self._save(lambda work: work.limits.put(limit))
        return limit

    def _drop(self, limit: Limit) -> None:
        key = limit.key
        del self._known[key]
        if not limit.is_guess:
            self._save(lambda work: work.limits.clear(key))
            return

        async def clear_and_wake(work: UnitOfWork) -> None:
            await work.parkings.line_up([key])
            await work.limits.clear(key)
            await wake_early(work, key, self._clock.now())

        self._save(clear_and_wake, alone=True)

    def _doubt_outages(self, model: str) -> None:
        """Let other models of an endpoint be tried that answers again, with their sleepers."""
        now, own = self._clock.now(), self.key(model)
        for limit in list(self._known.values()):
            key = limit.key
            same = (key.endpoint, key.key_fingerprint) == (own.endpoint, own.key_fingerprint)
            if same and key.model != model and _is_doubtful(limit, now):
                self._doubt(limit, now)

    def _doubt(self, limit: Limit, now: datetime) -> None:
        key = limit.key
        doubted = replace(limit, not_before=now, left_alone_until=now)
        self._known[key] = doubted

        async def put_and_wake(work: UnitOfWork) -> None:
            await work.parkings.line_up([key])
            await work.limits.put(doubted)
            await wake_early(work, key, now)

        self._save(put_and_wake, alone=True)

    def _save(self, entry: Entry, *, alone: bool = False) -> "asyncio.Future[None]":
        self._changes += 1
        self._unsaved += 1
        saved = self._ledger.enter(entry, alone=alone)
        saved.add_done_callback(self._saved)
        return saved

    def _saved(self, _: "asyncio.Future[None]") -> None:
        self._changes += 1  # a read that began before this must not bring back the old state
        self._unsaved -= 1

    def _is_read(self, after: float) -> bool:
        return self._read_at is not None and self._read_at > after

    def _seen(self, limit: Limit, now: datetime, awaited_since: datetime | None) -> Limit | None:
        """Return a limit as it stands in the way of one more call; None when it does not."""
        if limit.in_force(now) and not _may_insist(limit, now, awaited_since):
            return limit
        until = self._probes.get(limit.key)
        if until is None or self._clock.monotonic() >= until:
            return None
        soon = now + timedelta(seconds=_PROBE_LOOK_S)
        reason = f"another call tries whether it is over: {limit.reason}"
        return replace(limit.until(soon), reason=reason)

    def _of(self, model: str) -> Iterator[Limit]:
        for account_wide in (False, True):
            limit = self._known.get(self.key(model, account_wide=account_wide))
            if limit is not None:
                yield limit


def _is_probed(limit: Limit) -> bool:
    """Whether one call at a time finds out for all: not while few failures keep nobody away."""
    return not limit.is_outage or limit.left_alone_until is not None


def _may_insist(limit: Limit, now: datetime, awaited_since: datetime | None) -> bool:
    """Whether the call of a person who waits may ask although a guess says "later"."""
    if awaited_since is None or not limit.is_guess or limit.set_at >= awaited_since:
        return False
    return limit.is_outage or now >= limit.set_at + INSISTING


def _is_doubtful(limit: Limit, now: datetime) -> bool:
    if not limit.is_outage or limit.not_before is None or now >= limit.not_before:
        return False
    return now >= limit.set_at + (limit.not_before - limit.set_at) / _DOUBTED_AFTER
