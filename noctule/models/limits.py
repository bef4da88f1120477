"""Limits: which model is refused until when, stored for all and remembered here.

The table is the truth and any process may change it. Asking it before each call would cost more
than the call's own bookkeeping, so it is read again when the memory is a second old, and always
before a call passes a model over because of a limit: whoever clears a limit is heard at once.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from noctule.core.clock import Clock
from noctule.core.evidence import margin_seconds
from noctule.core.limits import Limit, LimitKey
from noctule.core.ports import Database, UnitOfWork
from noctule.core.refusals import Evidence, Refusal
from noctule.core.settings import Settings
from noctule.models.fingerprint import Fingerprints
from noctule.models.ledger import Entry, Ledger

MEMORY_S = 1.0
"""How old the memory may be, in seconds, for a call that no limit stops."""

_GUESS_S = 60.0
_PROBE_LOOK_S = 1.0
"""How soon a call that finds a probe under way looks again."""


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

    def in_force(self, model: str) -> Limit | None:
        """Return the limit that keeps a model from being asked; None when nothing does.

        Of a limit of the model and one of its account it is the one that lasts longer.
        """
        if not self._known:
            return None
        now = self._clock.now()
        seen = (self._seen(limit, now) for limit in self._of(model))
        return max((limit for limit in seen if limit is not None), key=_end, default=None)

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
        probed = tuple(limit.key for limit in self._of(model))
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
        return max((_before(limit, now) for limit in self._of(model)), default=0)

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
            async with self._database.read() as work:
                stored = await work.limits.list()
            # What was learned meanwhile is newer than what was read.
            if changes == self._changes and not self._unsaved:
                self._known = {limit.key: limit for limit in stored}
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
        before = 0 if known is None else _before(known, now)
        limit = _limit(key, refusal, now, windows=before + 1)
        if known is not None and known.in_force(now) and not _replaces(limit, known):
            return known
        self._known[key] = limit
        self._save(lambda work: work.limits.put(limit))
        return limit

    def forget(self, model: str, *, asked_at: datetime) -> None:
        """Drop what is known against a model that answered, and against its account.

        Args:
            model: who answered.
            asked_at: when that request was sent. A limit learned later stays: the answer was
                already on its way.
        """
        if not self._known:
            return
        for limit in list(self._of(model)):
            if limit.set_at <= asked_at:
                self._drop(limit.key)

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

    def _drop(self, key: LimitKey) -> None:
        del self._known[key]
        self._save(lambda work: work.limits.clear(key))

    def _save(self, entry: Entry) -> "asyncio.Future[None]":
        self._changes += 1
        self._unsaved += 1
        saved = self._ledger.enter(entry)
        saved.add_done_callback(self._saved)
        return saved

    def _saved(self, _: "asyncio.Future[None]") -> None:
        self._changes += 1  # a read that began before this must not bring back the old state
        self._unsaved -= 1

    def _is_read(self, after: float) -> bool:
        return self._read_at is not None and self._read_at > after

    def _seen(self, limit: Limit, now: datetime) -> Limit | None:
        """Return a limit as it stands in the way of one more call; None when it does not."""
        if limit.in_force(now):
            return limit
        until = self._probes.get(limit.key)
        if until is None or self._clock.monotonic() >= until:
            return None
        soon = now + timedelta(seconds=_PROBE_LOOK_S)
        reason = f"another call tries whether it is over: {limit.reason}"
        return replace(limit, not_before=soon, reason=reason)

    def _of(self, model: str) -> Iterator[Limit]:
        for account_wide in (False, True):
            limit = self._known.get(self.key(model, account_wide=account_wide))
            if limit is not None:
                yield limit


def _limit(key: LimitKey, refusal: Refusal, now: datetime, *, windows: int) -> Limit:
    not_before, evidence = None, None
    if not refusal.needs_person:
        retry_at = refusal.retry_at or now + timedelta(seconds=_GUESS_S)
        margin = timedelta(seconds=margin_seconds((retry_at - now).total_seconds()))
        not_before, evidence = retry_at + margin, refusal.evidence or Evidence.GUESS
    return Limit(key, refusal.outcome, refusal.message, not_before, evidence, now, windows)


def _before(limit: Limit, now: datetime) -> int:
    return limit.windows - 1 if limit.in_force(now) else limit.windows


def _replaces(new: Limit, old: Limit) -> bool:
    """Whether a refusal outdoes the one still in force: knowledge before guess, then time."""
    new_guess, old_guess = new.evidence is Evidence.GUESS, old.evidence is Evidence.GUESS
    return old_guess if new_guess != old_guess else _end(new) > _end(old)


def _end(limit: Limit) -> float:
    return float("inf") if limit.not_before is None else limit.not_before.timestamp()
