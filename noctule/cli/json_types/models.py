"""Models and their proofs, a written configuration, and what the doctor found."""

from typing import Any

from typing_extensions import TypedDict


class ProofDocument(TypedDict):
    """What is known of a model's calling of tools."""

    outcome: str
    proven: bool
    score: float
    """0 to 1."""
    latency_s: float | None
    probed_at: str
    version: str
    imitations: int
    """Calls written as text at work since then."""
    calls: int
    """Proper calls at work since then."""


class PriceDocument(TypedDict):
    """USD per million tokens."""

    input: float
    output: float
    source: str


ModelRoleDocument = TypedDict("ModelRoleDocument", {"role": str, "as": str})
ModelRoleDocument.__doc__ = "A role that uses a model, and as what: primary, fallback or escalate."


class ModelLimitDocument(TypedDict):
    """What refuses a model now."""

    until: str | None
    evidence: str | None
    reason: str


class ModelDocument(TypedDict):
    """One configured model."""

    model: str
    """Its configured name."""
    endpoint: str
    kind: str
    name: str
    """What the endpoint calls it."""
    tier: str
    local: bool
    context: int | None
    memory_gb: float | None
    tools: bool | None
    """As configured; null leaves it to the proof."""
    proof: ProofDocument | None
    vision: bool
    thinking: bool | None
    json_schema: bool
    max_concurrent: int | None
    price: PriceDocument | None
    """null when no price is known."""
    roles: list[ModelRoleDocument]
    limit: ModelLimitDocument | None
    failures_in_a_row: int
    last_asked: str | None
    last_outcome: str | None


ProbeNeed = TypedDict("ProbeNeed", {"role": str, "as": str, "needs": list[str]})
ProbeNeed.__doc__ = "A role that uses a model, as what, and what it needs of it: tools or nothing."


class ProbeDocument(TypedDict):
    """What came of probing one model."""

    model: str
    endpoint: str
    name: str
    version: str | None
    role_needs: list[ProbeNeed]
    outcome: str | None
    """null when nothing is known."""
    proven: bool | None
    score: float | None
    latency_s: float | None
    probed_at: str | None
    asked: bool
    """Whether it was asked now; false when the answer was known."""
    imitations: int | None
    calls: int | None
    cases: list[dict[str, Any]]
    """Each with `case`, `passed`, `said` and `why`."""
    note: str | None


class WarmedDocument(TypedDict):
    """What came of loading one model."""

    model: str
    loaded: bool
    took_s: float
    error: str | None


class InitDocument(TypedDict):
    """A configuration that was written."""

    path: str
    endpoints: list[str]
    models: list[str]
    next: list[str]
    """Commands to go on with."""
    missing: list[str]
    """Sentences about packages that are not installed."""
    kept: str | None
    """Where the file went that was there before; null when there was none."""


class FindingDocument(TypedDict):
    """One thing the doctor found."""

    level: str
    """`ok`, `advice`, `warning` or `error`."""
    about: str
    sentence: str
    fix: str | None


class DoctorDocument(TypedDict):
    """What the doctor found."""

    ok: bool
    """Whether there is no error."""
    counts: dict[str, int]
    """For each level."""
    findings: list[FindingDocument]
