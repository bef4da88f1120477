"""Accounts: what providers themselves say is left, beside what the budgets say."""

from dataclasses import replace
from decimal import Decimal
from functools import partial

from noctule.core.budgets.accounts import Account
from noctule.core.clock import Clock
from noctule.core.ports.database import Database
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.core.settings import EndpointSettings, Settings
from noctule.core.workers.patience import look_up
from noctule.models.base.fingerprint import Fingerprints
from noctule.models.base.ledger import Ledger
from noctule.models.spend.balance_poller import AccountWatch, Short, spoken
from noctule.models.spend.balance_request import AccountQuestion, account_key

_JUST_NOW_S = 2.0
"""Many calls may be refused at once; the answer to the first of them does for all."""

_MONEY = frozenset({Outcome.RATE_LIMITED, Outcome.QUOTA_EXHAUSTED})
_TOLD = frozenset({Evidence.HEADER, Evidence.BODY})


class Accounts:
    """The accounts of all endpoints that have one.

    Args:
        settings: the configuration.
        database: where views are kept.
        ledger: what writes them.
        clock: the time.
        fingerprints: stand for keys in the database.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        fingerprints: Fingerprints,
    ) -> None:
        self._settings = settings
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._watches = {
            name: self._watch(name, endpoint, fingerprints)
            for name, endpoint in settings.endpoints.items()
            if endpoint.account is not None
        }
        self._reserved: dict[str, AccountWatch] = {}

    def has(self, model: str) -> bool:
        """Whether the provider of a model is asked what is left."""
        return self._of(model) is not None

    async def reserve(self, model: str, id_: str, usd: Decimal, *, most_s: float) -> Short | None:
        """Count a call that is about to be made; or say why the provider will not pay for it.

        Args:
            model: its configured name.
            id_: that of its attempt; ``settle`` takes it back.
            usd: the most it can cost; 0 when nobody knows.
            most_s: how many seconds it may take.
        """
        watch = self._of(model)
        if watch is None:
            return None
        short = await watch.reserve(id_, usd, most_s=most_s)
        if short is None:
            self._reserved[id_] = watch
        return short

    def settle(self, id_: str, usd: Decimal) -> None:
        """Note what a call has cost; 0 when it was not made. A second time does nothing."""
        watch = self._reserved.pop(id_, None)
        if watch is not None:
            watch.settle(id_, usd)

    async def consult(self, model: str, refusal: Refusal, usd: Decimal) -> Refusal:
        """Ask the provider of a model that refused, and return what is now known of the refusal.

        A refusal that names its own end is not waited for; any other is, a few seconds at most.

        Args:
            model: who refused.
            refusal: what it said.
            usd: the most the call could have cost.
        """
        watch = self._of(model)
        if watch is None or refusal.outcome not in _MONEY:
            return refusal
        if refusal.retry_at is not None and refusal.evidence in _TOLD:
            watch.ask_soon()
            return refusal
        await watch.ask(unless_within_s=_JUST_NOW_S)
        said, left = watch.statement(), watch.left_usd()
        if said is None or left is None:
            return refusal
        empty = left <= 0
        if not empty and (refusal.outcome is Outcome.RATE_LIMITED or left >= usd):
            return refusal  # it is about something else
        until, evidence = watch.reset(said)
        if until is None and not said.never_resets:
            until, evidence = refusal.retry_at, refusal.evidence
        endpoint = self._settings.models[model].endpoint
        return replace(
            refusal,
            outcome=Outcome.QUOTA_EXHAUSTED,
            message=f"{refusal.message.rstrip('.')}; {spoken(endpoint, said, left)}.",
            retry_at=until,
            evidence=evidence,
            account_wide=refusal.account_wide or empty,
            needs_person=until is None,
        )

    async def close(self) -> None:
        """Let go of every connection."""
        for watch in self._watches.values():
            await watch.close()

    def _of(self, model: str) -> AccountWatch | None:
        return self._watches.get(self._settings.models[model].endpoint)

    def _watch(
        self, name: str, endpoint: EndpointSettings, fingerprints: Fingerprints
    ) -> AccountWatch:
        own = endpoint.account
        assert own is not None  # noqa: S101 - only those with one come here
        key = fingerprints.of(account_key(endpoint))
        return AccountWatch(
            Account(name, key, self._clock.now()),
            AccountQuestion(endpoint, own, self._clock),
            every=own.every_attempts,
            window=endpoint.window.to_window() if endpoint.window else None,
            clock=self._clock,
            keep=self._keep,
            recall=partial(self._recall, name, key),
        )

    def _keep(self, account: Account) -> None:
        self._ledger.enter(lambda work: work.accounts.put(account))

    async def _recall(self, endpoint: str, key_fingerprint: str) -> Account | None:
        stored = await look_up(self._database, lambda work: work.accounts.list())
        wanted = (endpoint, key_fingerprint)
        return next((a for a in stored if (a.endpoint, a.key_fingerprint) == wanted), None)
