"""Proofs: what really came of asking a model to call a tool."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ProofOutcome(StrEnum):
    """What a model does when it is offered tools."""

    PROVEN = "proven"
    """It calls them as the API has it."""
    DECLARED_ONLY = "declared_only"
    """It is said to, and got too little right to rely on it."""
    TEXT_IMITATION = "text_imitation"
    """It writes the call into its answer as text."""
    REFUSED_BY_SERVER = "refused_by_server"
    """Its server does not take tools for it."""
    BROKEN_OUTPUT = "broken_output"
    """Its server fails over the format it writes."""
    IGNORED = "ignored"
    """It answers as if there were no tools."""


@dataclass(frozen=True, slots=True)
class ProofKey:
    """What a proof holds for.

    Args:
        endpoint: by its configured name.
        model: as the endpoint calls it.
        version: the digest or version the endpoint reports; "" when it reports none.
    """

    endpoint: str
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The stored result of a probe.

    Args:
        key: what it holds for.
        outcome: what came of it.
        score: the share of its cases that were right, 0 to 1.
        latency_s: median seconds of an answered case; None when none was.
        probed_at: aware.
        cases: one per case: ``{"case", "passed", "said", "why"}``, ``said`` being the raw reply.
        imitations: how often it wrote a call as text at work since then.
        calls: how often it called a tool properly at work since then.
    """

    key: ProofKey
    outcome: ProofOutcome
    score: float
    latency_s: float | None
    probed_at: datetime
    cases: tuple[Mapping[str, Any], ...] = ()
    imitations: int = 0
    calls: int = 0
