"""Budgets, accounts at providers, and active rate limits."""

from typing import NotRequired

from typing_extensions import TypedDict


class CorrectionDocument(TypedDict):
    """An amount taken back from a budget."""

    id: str
    budget: str
    of: str | None
    usd: float
    calls: int
    why: str
    at: str


class BudgetDocument(TypedDict):
    """One budget, or what a provider says of an account; amounts are null where unknown."""

    by: str
    """`noctule` or `provider`."""
    name: str
    of: str | None
    """The part of it that this is about; null for all of it."""
    usd: float | None
    """The limit."""
    spent_usd: float | None
    held_usd: float | None
    """Reserved for calls on their way."""
    left_usd: float | None
    over_usd: float | None
    """Spent beyond it."""
    recovered_usd: float | None
    """The part of `spent_usd` that calls of dead processes can have cost at most."""
    corrections: NotRequired[list[CorrectionDocument]]
    window: str | None
    resets_at: str | None
    until: NotRequired[str | None]
    on_exhausted: str | None
    asleep: list[str]
    """Sessions that sleep on it."""
    unlimited: NotRequired[bool | None]
    """Of a provider: whether a null limit means none."""
    never_resets: NotRequired[bool | None]
    words: NotRequired[str | None]
    """The provider's own."""
    asked_at: NotRequired[str | None]
    answered_at: NotRequired[str | None]
    trouble: NotRequired[str | None]
    """Why the provider's answer could not be had; null when it could."""


class RaisedDocument(TypedDict):
    """A session with its new limit."""

    session: str
    budget_usd: float


class ForgivenDocument(TypedDict):
    """What was taken back for calls of dead processes."""

    corrections: list[CorrectionDocument]
    woken: int
    """Parts of sessions that can continue."""


class AccountsDocument(TypedDict):
    """What providers answered when they were asked."""

    accounts: list[BudgetDocument]
    woken: int
    """Sessions that can continue."""


class LimitDocument(TypedDict):
    """One active rate limit or outage."""

    endpoint: str
    model: str | None
    """null means every model of the key."""
    until: str | None
    """null when only a person can change it."""
    evidence: str | None
    reason: str
    outcome: str
    windows: int
    """Windows with a known end in a row without an answer."""
    guesses: int
    """Likewise with a guessed end."""
    outage: bool
    left_alone_until: str | None
    since: str
    key: str
    """A fingerprint of the API key; empty without one."""


class ClearedDocument(TypedDict):
    """How many limits were cleared."""

    cleared: int
