"""One reply explained, and what was spent."""

from typing import NotRequired

from typing_extensions import TypedDict

from noctule.cli.json_types.turns import (
    AttemptDocument,
    BaselineDocument,
    InputPartsDocument,
    RouteDocument,
    SkippedDocument,
)


class ExplainedCallDocument(TypedDict):
    """One call of a turn: all attempts until one answered."""

    call: str
    role: str
    purpose: str
    model: str | None
    """Which answered, by its configured name; null when none did."""
    asked: list[AttemptDocument]
    skipped: list[SkippedDocument]
    wait_s: float
    input_tokens: int | None
    """Of the attempt that answered."""
    cost_usd: float | None
    baseline: BaselineDocument | None


class ExplainedSleepDocument(TypedDict):
    """One sleep of a turn, explained."""

    status: str
    parked_at: str
    wake_at: str | None
    """null when only a person wakes it."""
    woken_at: str | None
    sentence: str
    reason: str | None
    evidence: str | None
    model: str | None
    tried: list[str]


class WhyDocument(TypedDict):
    """One reply explained."""

    session: str
    turn: str
    status: str
    text: str
    reply: str | None
    error: str | None
    verdict: str | None
    route: RouteDocument | None
    calls: list[ExplainedCallDocument]
    parks: list[ExplainedSleepDocument]
    input_tokens: int
    input_parts: InputPartsDocument
    cost_usd: float | None
    baseline: BaselineDocument | None


class FullInputPartsDocument(InputPartsDocument):
    """What the tokens sent were, with those of unknown kind."""

    unsplit_tokens: int
    """Tokens of unknown kind."""


class AcceptedDocument(TypedDict):
    """What accepted answers cost."""

    answers: int
    """Those that were not rejected."""
    refused: int
    """Those that were."""
    cost_usd: float | None
    """With retries and what was discarded, failed or rejected; null when unknown."""
    usd_each: float | None
    """null when there are none, or the cost is unknown."""


class SpendDocument(TypedDict):
    """What some attempts cost together."""

    cost_usd: float | None
    """The known costs; null when none of them is known."""
    unknown: int
    """Attempts of unknown cost; not in `cost_usd`."""
    attempts: int
    calls: int
    """How many were answered."""
    input_tokens: int
    output_tokens: int
    input_parts: FullInputPartsDocument
    share_of_calls: float | None
    """0 to 1; null when there are none at all."""
    share_of_cost: float | None
    """0 to 1; null when a cost is unknown or nothing was spent."""
    accepted: NotRequired[AcceptedDocument]
    """By role and by model only."""
    title: NotRequired[str | None]
    """By session only."""


class MonthlyEndpointDocument(TypedDict):
    """What an endpoint costs by the month."""

    monthly_usd: float | None
    calls: int
    usd_per_call: float | None
    baseline_usd: float | None
    break_even_calls: int | None


class MonthDocument(TypedDict):
    """The last days with what endpoints cost by the month."""

    since: str
    days: int
    fixed_usd: float | None
    calls_usd: float | None
    total_usd: float | None
    unknown: int
    baseline_usd: float | None
    endpoints: dict[str, MonthlyEndpointDocument]


class CostsDocument(TypedDict):
    """What was spent."""

    total_usd: float | None
    unknown: int
    attempts: int
    calls: int
    input_tokens: int
    output_tokens: int
    input_parts: FullInputPartsDocument
    accepted: AcceptedDocument
    by_role: dict[str, SpendDocument]
    by_route: dict[str, SpendDocument]
    by_model: dict[str, SpendDocument]
    by_tier: dict[str, SpendDocument]
    by_day: dict[str, SpendDocument]
    by_session: dict[str, SpendDocument]
    """`-` stands for calls outside a session."""
    by_owner: dict[str, SpendDocument]
    shares: dict[str, SpendDocument]
    """`local`, `frontier` and `other` hosted models."""
    baseline: BaselineDocument | None
    monthly: NotRequired[MonthDocument]
    """With `--monthly` only."""
